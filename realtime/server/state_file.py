"""What outlives the server: sessions' names with their params, and the key of its tickets, in a file of its owner's.

Must not know sessions that live.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..frame import Air
from ..version import __version__
from .tickets import KEY_BYTES, new_key

log = logging.getLogger(__name__)

FORMAT = 1
"""Raised when an older version could not read the file."""
SESSIONS_MAX = 256
REMEMBERED_S = 7 * 24 * 3600
"""How long a session is remembered that nobody has come back to."""
FILE_MAX_BYTES = 8 * 2**20
VERSION_MAX = 2**31
"""Of params: on the wire a version has 32 bits."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A session as it was.

    Attributes:
        owner: see `roles.Grant`.
        params: as on the wire, those that are not the defaults.
        version: of the params.
        at_s: Unix time at which it was last there.
    """

    owner: str
    params: Mapping[str, Any]
    version: int
    air: Air
    frozen: bool
    at_s: int


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept.

    Attributes:
        sessions: by their names.
        taken_back: see `Tickets`.
    """

    key: bytes = field(default_factory=new_key, repr=False)
    sessions: Mapping[str, Remembered] = field(default_factory=dict[str, Remembered])
    taken_back: Mapping[str, int] = field(default_factory=dict[str, int])


def state_folder() -> Path:
    """Where the files of this user's servers lie."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "realtime"


class StateFile:
    """Reads and writes the file. What can't be read or written is logged in a sentence, and does not stop the server.

    Attributes:
        is_writable: False where a newer version's file was found, which is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_writable = True
        self._failed = False

    def load(self) -> Kept:
        """What was kept; nothing, with a new key, where there is no file or none that can be read."""
        try:
            if self._path.stat().st_size > FILE_MAX_BYTES:
                raise ValueError
            kept = json.loads(self._path.read_bytes())
            if kept["format"] > FORMAT:
                self.is_writable = False
                log.warning(
                    "%s was written by realtime %s, which is newer: it is left as it is, and this run keeps nothing; "
                    "name another file with --state",
                    self._path,
                    kept.get("version", "?"),
                )
                return Kept()
            sessions = {name: _remembered(each) for name, each in kept["sessions"].items()}
            taken_back = {number: int(until_s) for number, until_s in kept.get("taken_back", {}).items()}
            state = Kept(_key(kept["key"]), sessions, taken_back)
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            log.warning("%s can't be read (%s): no session is remembered", self._path, error.strerror)
            return Kept()
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            self._set_aside()
            return Kept()
        if self._path.stat().st_mode & 0o077:
            log.warning("%s could be read by others: all tickets that were given are void", self._path)
            return Kept(sessions=_recent(state.sessions))
        return Kept(state.key, _recent(state.sessions), state.taken_back)

    def _set_aside(self) -> None:
        broken = self._path.with_name(f"{self._path.name}.broken")
        with contextlib.suppress(OSError):
            self._path.replace(broken)
        log.warning(
            "%s holds nothing that can be read, and is called %s now: no session is remembered, and tickets that were "
            "given are void",
            self._path,
            broken.name,
        )

    def save(self, state: Kept) -> bool:
        """Write the file anew, whole or not at all; only its owner may read it. Returns whether it is written."""
        content = {
            "format": FORMAT,
            "version": __version__,
            "key": base64.b64encode(state.key).decode(),
            "taken_back": dict(state.taken_back),
            "sessions": {name: asdict(each) | {"air": each.air.value} for name, each in state.sessions.items()},
        }
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._replace(json.dumps(content, ensure_ascii=False, indent=1).encode(errors="replace"))
        except OSError as error:
            if not self._failed:
                log.warning("%s can't be written (%s): a restart will forget", self._path, error.strerror)
            self._failed = True
            return False
        self._failed = False
        return True

    def _replace(self, content: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def _key(text: Any) -> bytes:
    key = base64.b64decode(text, validate=True)  # whose errors are ValueErrors
    if len(key) != KEY_BYTES:
        raise ValueError
    return key


def _remembered(fields: Any) -> Remembered:
    """A session as it stands in the file. Raises ValueError, TypeError, KeyError or
    OverflowError where it is none.
    """
    owner, params, version = fields["owner"], fields["params"], int(fields["version"])
    if not isinstance(owner, str) or not isinstance(params, dict):
        raise TypeError
    if not 0 <= version <= VERSION_MAX:
        raise ValueError
    return Remembered(owner, params, version, Air(fields["air"]), bool(fields["frozen"]), int(fields["at_s"]))


def _recent(sessions: Mapping[str, Remembered]) -> dict[str, Remembered]:
    """The newest, and none that is older than `REMEMBERED_S`."""
    newest = sorted(sessions.items(), key=lambda item: item[1].at_s, reverse=True)[:SESSIONS_MAX]
    return {name: each for name, each in newest if time.time() - each.at_s < REMEMBERED_S}

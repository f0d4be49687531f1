"""What trials of variants have found, on disk: so a model is tried once on a device, and not at each start.

Must not import torch, or know how anything is tried: `doctor` reads it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..state import VariantState
from .folder_cache import FolderCache, cache_folder

_log = logging.getLogger(__name__)

KIND = "trials"
"""Of the cache's entries."""
MOST_KEPT = 64
_FILE = "tried.json"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Tried:
    """One model on one device.

    Attributes:
        about: both, for people.
        variants: what was found of each.
    """

    about: str
    variants: tuple[VariantState, ...]


class TrialCache:
    """What was found, by key. What is damaged counts as not there."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = cache_folder(KIND) if folder is None else folder
        self._folders = FolderCache(self._folder, max_count=MOST_KEPT)

    def find(self, key: str) -> Tried | None:
        """What was found under this key."""
        kept = self._folders.find(key)
        return None if kept is None else _read(kept / _FILE)

    def keep(self, key: str, tried: Tried) -> None:
        """Keep this under this key, in place of what is there. Where that can't be, the next start tries again."""
        text = json.dumps(dataclasses.asdict(tried), indent=1)

        def write(folder: Path) -> None:
            (folder / _FILE).write_text(text, "utf-8")

        self._folders.drop(key)
        try:
            self._folders.make(key, write)
        except OSError as error:
            _log.debug("what was tried is not kept: %s", error)

    @contextlib.contextmanager
    def alone(self, waits: Callable[[], None]) -> Generator[None]:
        """Let one process of this machine at a time into the block: engines of several GPUs start together, and would
        take what another is trying for what has ended it. Not on Windows, and where the folder can't be written to.

        Args:
            waits: called each second that another is in the block.
        """
        if sys.platform == "win32":
            yield
            return
        import fcntl

        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = stack.enter_context((self._folder / _LOCK).open("w"))
                while True:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        waits()
                        time.sleep(1.0)
            yield

    def all(self) -> Sequence[Tried]:
        """Everything that is kept, the newest first."""
        files = sorted(self._folder.glob(f"*/{_FILE}"), key=lambda file: -file.stat().st_mtime)
        return [tried for tried in map(_read, files) if tried is not None]


def _read(file: Path) -> Tried | None:
    try:
        wire = json.loads(file.read_text("utf-8"))
        return Tried(str(wire["about"]), tuple(map(VariantState.parse, wire["variants"])))
    except OSError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        _log.warning("%s is damaged, or of another version: variants are tried anew", file)
        return None

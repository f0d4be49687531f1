"""Keeps sessions' names and params on disk while they live, and gives them back to those who come after a restart.

Must not know the file's format. Event loop only; the file is written in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import ParamsError
from ..session import Session
from .roles import OPERATORS
from .state_file import SESSIONS_MAX, Kept, Remembered, StateFile

log = logging.getLogger(__name__)

SAVE_EVERY_S = 1.0
"""Interval at which what has changed is saved: so much is lost when the process is killed."""
STILL_THERE_S = 3600
"""Interval at which it is saved that a session is still there, though nothing of it has changed."""


class Memory:
    """What this server remembers.

    Args:
        file: None: nothing outlives the server.

    Attributes:
        key, taken_back: see `Tickets`.
    """

    def __init__(self, file: StateFile | None) -> None:
        self._file = file
        state = file.load() if file is not None else Kept()
        self.key = state.key
        self.taken_back = dict(state.taken_back)  # `Tickets` changes it
        self._away = dict(state.sessions)  # sessions to which nobody has come back yet
        self._saved: tuple[Mapping[str, Remembered], Mapping[str, int]] | None = None

    def recall(self, name: str, owner: str | None) -> Remembered | None:
        """What is remembered of a session that somebody makes; afterwards it is his. Another owner's is forgotten.

        Args:
            owner: see `Lobby.enter`.
        """
        past = self._away.pop(name, None)
        return past if past is not None and owner in (None, past.owner) else None

    async def keep(
        self, sessions: Callable[[], Sequence[Session]], owners: Callable[[], Mapping[str, str]], ended: asyncio.Event
    ) -> None:
        """Save what has changed, every `SAVE_EVERY_S`, and once more when the server ends, before its sessions do."""
        if self._file is None or not self._file.is_writable:
            return
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_S):
                    await ended.wait()
            await self._save(self._file, self._now(sessions(), owners()))

    def _now(self, sessions: Sequence[Session], owners: Mapping[str, str]) -> dict[str, Remembered]:
        live = {each.name: as_remembered(each, owners.get(each.name, OPERATORS)) for each in sessions}
        return dict(list({**live, **self._away}.items())[:SESSIONS_MAX])

    async def _save(self, file: StateFile, now: dict[str, Remembered]) -> None:
        taken_back = dict(self.taken_back)
        compared = {name: replace(each, at_s=each.at_s // STILL_THERE_S) for name, each in now.items()}, taken_back
        if compared != self._saved and await asyncio.to_thread(file.save, Kept(self.key, now, taken_back)):
            self._saved = compared


def as_remembered(session: Session, owner: str) -> Remembered:
    """A session as it is now."""
    defaults, params = session.defaults.wire(), session.params.wire()
    changed = {name: value for name, value in params.items() if name != "version" and value != defaults[name]}
    return Remembered(owner, changed, session.params.version, session.air, session.frozen, int(time.time()))


def restore(session: Session, past: Remembered) -> None:
    """Put a new session where it was. Params that this version, or this model, does not take are left out."""
    fields = dict(past.params)
    while True:
        try:
            session.restore(fields, past.version, past.air, frozen=past.frozen)
        except ParamsError as error:
            if error.field not in fields:
                log.warning("the session %s: what is remembered of it is left out: %s", session.name, error.field)
                return
            log.warning("the session %s: %s is left out of what is remembered of it", session.name, error.field)
            del fields[error.field]
        else:
            return

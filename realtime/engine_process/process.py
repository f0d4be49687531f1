"""Starts the engine's process, reads what it says, and sees how it ends: by itself, or killed because it is silent for
too long.

Must not know what the messages mean.
"""

from __future__ import annotations

import contextlib
import threading
import time
from multiprocessing.connection import wait
from typing import Protocol

from .. import forked
from ..config import EngineConfig
from ..engine.load import is_echo
from ..exits import is_stopped_by_signal, oom_kills
from .child import main
from .ending import End, gave_no_answer, how_ended
from .messages import LoadOrder, ToChild, ToParent
from .patience import Leeway, Wait
from .slots import Slots

LOOK_EVERY_S = 0.1
"""How often patience is looked at. A longer time between two looks is one in which this process itself stood still."""


class Owner(Protocol):
    """Who has the process. Called by the process's reader, a thread."""

    def hear(self, message: ToParent) -> None:
        """A message has come."""
        ...

    def leeway(self) -> Leeway:
        """How long the process may go on without what is due now, or as it is where nothing is."""
        ...

    def signs(self) -> int:
        """A number that changes whenever something came that was due."""
        ...

    def ended(self, how: str, *, blames_frames: bool) -> None:
        """The process has ended. Called once, behind all messages. See `EngineError`."""
        ...


class ChildProcess:
    """A process that runs an engine, and a thread that reads what it says.

    Args:
        order: what it loads.
        slots: shared with it.
        owner: told of all.

    Attributes:
        pid: the process's id.

    Raises:
        NotStartedError: see `forked.start`.
    """

    def __init__(self, order: LoadOrder, slots: Slots, owner: Owner) -> None:
        forked.preload(preload_of(order.config))
        self._oom_kills = oom_kills()
        self._process, self._connection = forked.start(main, (slots, order), "engine")
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._owner = owner
        self._end: End | None = None
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="engine-process", daemon=True)
        self._reader.start()

    def send(self, message: ToChild) -> None:
        """Send a message; to a process that has ended, without effect. Any thread."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)

    def close(self, within_s: float) -> None:
        """Wait until the process has ended, kill it after that time, and give back all that belongs to it."""
        self._process.join(within_s)
        self._kill()
        self._reader.join()
        with self._lock:
            self._connection.close()
        if self._process.exitcode is not None:
            self._process.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _read(self) -> None:
        """The reader's function."""
        try:
            self._hear_all()
        finally:
            self._kill()  # where it has closed the connection and goes on
            code = forked.exit_code(self._process)
            was_memory_short = self._oom_kills is None or self._oom_kills != oom_kills()
            end = self._end or how_ended(code, was_memory_short=was_memory_short)
            self._owner.ended(end.how, blames_frames=end.blames_frames)

    def _hear_all(self) -> None:
        """Until the process ends, or is to."""
        waited = Wait(time.monotonic(), LOOK_EVERY_S)
        while True:
            ready = wait([self._connection, self._process.sentinel], LOOK_EVERY_S)
            if self._connection in ready:
                try:
                    self._owner.hear(self._connection.recv())
                    waited.heard(time.monotonic())
                except (EOFError, OSError):
                    return
            elif ready:
                return
            is_stopped = is_stopped_by_signal(self.pid)
            leeway, signs = self._owner.leeway(), self._owner.signs()
            if (most_s := waited.exceeded_s(time.monotonic(), leeway, signs, is_stopped=is_stopped)) is not None:
                self._end = gave_no_answer(most_s, is_stopped=is_stopped)
                return


def preload_of(config: EngineConfig) -> str:
    """The module to `forked.preload` before such an engine's process is started."""
    return f"{__package__}.{'preload' if is_echo(config) else 'preload_models'}"

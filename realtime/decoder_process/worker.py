"""A decoder's process as the server has it: asked, waited for, and killed where it takes too long.

Must not know what it decodes.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from .. import forked
from ..errors import FrameError
from .child import Answered, DecoderLimits, DecoderRefusal, Make, main
from .room import Room

PRELOAD = f"{__package__}.preload"
START_S = 30.0
"""Time that a process may take to begin, beside that of its first answer: a machine may be busy."""
LOOK_EVERY_S = 0.1
"""How often a wait looks whether it is to end."""
REAP_S = 1.0


class WorkerDied(Exception):
    """The process is gone, and with it what it was asked for. The message says how."""


class DecoderWorker:
    """One decoder's process. Asks come one at a time; `close` from any thread.

    Args:
        make: makes what answers, in the process.
        room_bytes: of what goes in and what comes out.
        limits: of the process.

    Attributes:
        pid: the process's id.
        cpu_ns: processor time that its last answer took.
    """

    def __init__(self, make: Make, room_bytes: int, limits: DecoderLimits) -> None:
        self.cpu_ns = 0
        self.room = Room(room_bytes)
        forked.preload(PRELOAD)
        context = forked.context()
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(  # pyright: ignore[reportAttributeAccessIssue]
            target=main, args=(theirs, self.room, make, limits), name="decoder", daemon=True
        )
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._lock = threading.Lock()  # around an ask, and the end
        self._is_closed = False
        self._has_begun = False
        self._exit_code: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it may be asked: it is neither closed nor gone."""
        with self._lock:
            return not self._is_closed and self._process.is_alive()

    def ask(
        self, ask: Any, within_s: float, data: bytes | memoryview = b"", until: Callable[[], bool] | None = None
    ) -> Any:
        """Have something decoded. What the answer says lies in the room, until the next ask.

        Args:
            within_s: how long to wait for the answer.
            data: put into the room before.
            until: ends the wait where it returns True; the process is closed then.

        Raises:
            FrameError: the decoder refuses it.
            WorkerDied: there is no answer. The process is closed.
        """
        with self._lock:
            try:
                answered = self._asked(ask, within_s, data, until)
            except BaseException as error:
                self._close()
                if isinstance(error, (EOFError, OSError)):
                    raise WorkerDied(how_ended(self._exit_code)) from None
                raise
        self.cpu_ns = answered.cpu_ns
        if isinstance(answered.answer, DecoderRefusal):
            raise FrameError(answered.answer.message, answered.answer.code)
        return answered.answer

    def _asked(self, ask: Any, within_s: float, data: bytes | memoryview, until: Callable[[], bool] | None) -> Answered:
        if self._is_closed:
            raise WorkerDied("it was closed")
        self.room.write(data)
        self._connection.send(ask)  # a few bytes: no pipe is too full for them
        end_s = time.monotonic() + within_s + (0.0 if self._has_begun else START_S)
        while not self._connection.poll(max(0.0, min(end_s - time.monotonic(), LOOK_EVERY_S))):
            if until is not None and until():
                raise WorkerDied("nobody waits for it any more")
            if time.monotonic() >= end_s:
                raise WorkerDied(f"it gave no answer for {within_s:g} s")
        self._has_begun = True
        return self._connection.recv()

    def close(self) -> None:
        """End the process, at once, and give back all that belongs to it. An ask that waits ends with `WorkerDied`."""
        with contextlib.suppress(ValueError):  # it is closed already
            self._process.kill()
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._process.kill()
        self._process.join(REAP_S)
        self._exit_code = self._process.exitcode
        self._connection.close()
        if self._exit_code is not None:
            self._process.close()
        self.room.close()


def how_ended(code: int | None) -> str:
    """How a process has ended, in words, by its exit code as `multiprocessing` gives it."""
    if code is None or code >= 0:
        return f"it ended with {code}"
    return f"it was ended by {signal.Signals(-code).name}"

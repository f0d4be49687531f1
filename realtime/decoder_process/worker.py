"""A decoder's process as the server has it: asked, waited for, and killed where it takes too long.

Must not know what it decodes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from .. import exits, forked
from ..errors import FrameError
from .child import Answered, DecoderLimits, DecoderRefusal, Make, main
from .room import Room

PRELOAD = f"{__package__}.preload"
START_S = 30.0
"""Time that a process may take to begin: a machine may be busy, and it imports what decodes where it is spawned."""
LOOK_EVERY_S = 0.1
"""How often a wait looks whether it is to end."""
STOPPED_S = 1.0
"""How long a process that is asked may be stopped, by SIGSTOP for example."""


class WorkerDied(Exception):
    """The process is gone, and with it what it was asked for.

    Args:
        message: how.
        is_own_doing: whether what it was asked for may be the reason: not where somebody else has ended it.
    """

    def __init__(self, message: str, *, is_own_doing: bool = True) -> None:
        super().__init__(message)
        self.is_own_doing = is_own_doing


class DecoderWorker:
    """One decoder's process. Asks come one at a time; `close` from any thread.

    Args:
        make: makes what answers, in the process.
        room_bytes: of what goes in and what comes out.
        limits: of the process.

    Attributes:
        pid: the process's id.
        cpu_ns: processor time that its last answer took.

    Raises:
        WorkerDied: it can't be started.
    """

    def __init__(self, make: Make, room_bytes: int, limits: DecoderLimits) -> None:
        self.cpu_ns = 0
        forked.preload(PRELOAD)
        self._oom_kills = exits.oom_kills()
        self.room = _room(room_bytes)
        try:
            self._process, self._connection = forked.start(main, (self.room, make, limits), "decoder")
        except forked.NotStartedError as error:
            self.room.close()
            raise _not_started(error) from None
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._lock = threading.Lock()  # around an ask, and the end
        self._is_closed = False
        self._has_begun = False

    @property
    def is_alive(self) -> bool:
        """Whether it may be asked: it is neither closed nor gone."""
        with self._lock:
            return not self._is_closed and self._process.is_alive()

    def begin(self) -> None:
        """Wait until the process is ready to be asked, which it need not be when it is made. Raises WorkerDied."""
        with self._lock, self._closing_at_error():
            self._begin(None)

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
        with self._lock, self._closing_at_error():
            answered = self._asked(ask, within_s, data, until)
        self.cpu_ns = answered.cpu_ns
        if isinstance(answered.answer, DecoderRefusal):
            raise FrameError(answered.answer.message, answered.answer.code)
        return answered.answer

    @contextlib.contextmanager
    def _closing_at_error(self) -> Generator[None]:
        try:
            yield
        except (EOFError, OSError):
            death = self._death()
            self._close()
            raise death from None
        except BaseException:
            self._close()
            raise

    def _asked(self, ask: Any, within_s: float, data: bytes | memoryview, until: Callable[[], bool] | None) -> Answered:
        self._begin(until)
        self.room.write(data)
        self._connection.send(ask)  # a few bytes: no pipe is too full for them
        return self._received(within_s, until)

    def _begin(self, until: Callable[[], bool] | None) -> None:
        if self._is_closed:
            raise WorkerDied("it was closed", is_own_doing=False)
        if not self._has_begun:
            try:
                self._received(START_S, until)
            except (EOFError, OSError):
                raise WorkerDied(str(self._death()), is_own_doing=False) from None  # nothing was asked of it yet
            except WorkerDied as death:
                raise WorkerDied(str(death), is_own_doing=False) from None
            self._has_begun = True

    def _received(self, within_s: float, until: Callable[[], bool] | None) -> Any:
        begun_s = time.monotonic()
        end_s = begun_s + within_s
        stopped_s = 0.0
        while not self._connection.poll(max(0.0, min(end_s - time.monotonic(), LOOK_EVERY_S))):
            if until is not None and until():
                raise WorkerDied("nobody waits for it any more", is_own_doing=False)
            stopped_s = stopped_s + LOOK_EVERY_S if exits.is_stopped_by_signal(self.pid) else 0.0
            if stopped_s > STOPPED_S:
                raise WorkerDied(f"it {exits.STOPPED.how}", is_own_doing=exits.STOPPED.is_own_doing)
            if time.monotonic() >= end_s:
                raise WorkerDied(f"it gave no answer for {time.monotonic() - begun_s:.0f} s")
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
        if forked.exit_code(self._process) is not None:
            self._process.close()
        self._connection.close()
        self.room.close()

    def _death(self) -> WorkerDied:
        """What has become of a process whose connection is closed."""
        code = forked.exit_code(self._process)  # it was not killed from here
        was_memory_short = self._oom_kills is None or self._oom_kills != exits.oom_kills()
        found = exits.how_ended(code, was_memory_short=was_memory_short)
        return WorkerDied(f"it {found.how}", is_own_doing=found.is_own_doing)


def _room(size: int) -> Room:
    try:
        return Room(size)
    except OSError as error:
        raise _not_started(error) from None


def _not_started(error: Exception) -> WorkerDied:
    return WorkerDied(f"it can't be started: {error}", is_own_doing=False)

"""An engine that works when the test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from realtime.engine import EngineInfo, LoraChange, RowCost
from realtime.engine.hearing import Heard, Note
from realtime.engine.state import RungState
from realtime.errors import FrameError, ModelError
from realtime.frame import Failure, Job, Order, Result
from realtime.params import Params

from .clock import FakeClock
from .frames import a_result
from .waiting import PATIENCE_S


@dataclass
class ScriptedPending:
    """A tick that ends when the test calls `ScriptedEngine.finish_next`."""

    engine: ScriptedEngine
    leaving: list[Job]
    ended: threading.Event = field(default_factory=threading.Event)
    finished_ns: int = 0
    error: Exception | None = None
    failures: frozenset[int] = frozenset()
    preparing_ns: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def jobs(self) -> Sequence[Job]:
        return self.leaving

    def ready(self) -> bool:
        return self.ended.is_set()

    def collect(self) -> list[Result | Failure]:
        assert self.ended.wait(PATIENCE_S), "nobody finished this tick"
        self.engine.note("collect")
        if self.error is not None:
            raise self.error
        return [self._outcome(job) for job in self.leaving]

    def _outcome(self, job: Job) -> Result | Failure:
        if job.frame.seq in self.failures:
            return Failure(job, FrameError("the script says so"))
        return a_result(job)


class ScriptedEngine:
    """Implements `Engine`. Records what it is asked; `finish_next` ends the oldest tick under way.

    Args:
        steps: ticks that a job takes.
        synchronous: a tick has ended when `tick` returns, as on a CPU.
        clock: tells when ticks end.
        failures: seqs of frames that get a Failure.
    """

    def __init__(
        self,
        max_rows: int = 8,
        steps: int = 1,
        synchronous: bool = False,
        clock: Callable[[], int] | None = None,
        failures: frozenset[int] = frozenset(),
        info: EngineInfo | None = None,
    ) -> None:
        self.info = info or EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"))
        self.ticks: list[list[Job]] = []
        self.notes: list[str] = []
        self.tick_error: Exception | None = None
        self.tick_hook: Callable[[], object] = lambda: None
        self.closed = threading.Event()
        self._max_rows = max_rows
        self._steps = steps
        self._synchronous = synchronous
        self._clock = clock or FakeClock()
        self._failures = failures
        self._rows: list[tuple[Job, int]] = []
        self._under_way: list[ScriptedPending] = []
        self._changed = threading.Condition()

    @property
    def free_rows(self) -> int:
        return self._max_rows - len(self._rows)

    @property
    def busy_rows(self) -> int:
        return len(self._rows)

    def cost(self, params: Params) -> RowCost:
        """Pixels; a frame of strength 0 passes through, as in a real engine."""
        return RowCost((params.width * params.height,) * self._steps if params.strength else (0,))

    def hear(self, params: Params) -> Heard:
        """A word that is called unheard is not heard, which costs nothing else."""
        if "unheard" not in str(params.prompt):
            return Heard()
        return Heard("", "", (("prompt", Note("cut", "unheard", "not heard: “unheard”")),))

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """It has no weights."""
        raise ModelError("no weights")

    def when_broken(self, call: Callable[[], None]) -> None:
        self.breaks = call

    def is_prepared(self, order: Order) -> bool:
        """It needs nothing."""
        return True

    def prepare_beside(self, order: Order) -> Future[int]:
        raise AssertionError("all is prepared")

    def prepare(self, order: Order) -> None:
        """Takes no time."""

    def tick(self, admitted: Sequence[Job]) -> ScriptedPending:
        with self._changed:
            if self.tick_error is not None:
                raise self.tick_error
            rows = [(job, left - 1) for job, left in [*self._rows, *((job, self._steps) for job in admitted)]]
            self._rows = [row for row in rows if row[1]]
            pending = ScriptedPending(self, [job for job, left in rows if not left], failures=self._failures)
            self._under_way.append(pending)
            self.ticks.append(list(admitted))
            self.note("tick")
            if self._synchronous:
                self._finish()
        self.tick_hook()
        return pending

    def forget(self, session: str) -> None:
        assert all(job.session != session for job, _ in self._rows), f"{session} is forgotten while it has rows"
        self.note(f"forget {session}")

    def close(self) -> None:
        self.closed.set()

    def note(self, what: str) -> None:
        with self._changed:
            self.notes.append(what)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[ScriptedEngine], bool]) -> None:
        """Wait until something that was asked of the engine makes the condition true."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), PATIENCE_S), f"only saw {self.notes}"

    def wait_for_ticks(self, number: int) -> None:
        self.wait_for(lambda engine: len(engine.ticks) >= number)

    def finish_next(self, error: Exception | None = None) -> None:
        """End the oldest tick under way, waiting until there is one."""
        self.wait_for(lambda engine: bool(engine._under_way))
        with self._changed:
            self._finish(error)

    def _finish(self, error: Exception | None = None) -> None:
        pending = self._under_way.pop(0)
        pending.error = error
        pending.finished_ns = self._clock()
        pending.ended.set()

    def finish_all(self) -> None:
        """End what is under way and every tick to come."""
        with self._changed:
            while self._under_way:
                self._finish()
            self._synchronous = True

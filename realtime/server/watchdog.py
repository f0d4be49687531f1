"""Sees whether an engine in a thread of this process gives no answer: a watchdog over the thread's calls of it.

Must not know sessions, or what is done about an engine that hangs.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ..engine import Engine, EngineInfo, LoraChange, Pending
from ..engine.hearing import Heard
from ..engine_process.patience import Leeway, Limits, TickPatience, Wait, code_of
from ..frame import Failure, Job, Order, Result
from ..params import Params

LOOK_EVERY_S = 0.1
"""How often `Watchdog.overdue_s` is asked. A longer time between two looks is one in which this process stood still."""
LIMITS = Limits(first_s=10.0)
"""As for an engine's process, but for the first tick of a form. That process is killed and its model loaded again, so
it must not be one that compiles. Here an alarm that was false undoes itself when the tick ends.
"""
OTHER_S = 20.0
"""How long what is not a tick may take: prompts to encode, a session to forget."""
LORAS_S = 60.0
"""How long LoRAs may take to be put on."""


class Watchdog:
    """What the engine's thread is at, and how long that may take.

    Args:
        clock: monotonic seconds.

    Attributes:
        is_written_off: whether nobody waits for the call under way any more. False again when it returns.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_written_off = False
        self._clock = clock
        self._lock = threading.Lock()  # around the begin and the end of a call, and around writing it off
        self._leeway: Leeway | None = None  # of the call under way
        self._calls = 0
        self._waited = Wait(clock(), LOOK_EVERY_S)

    @contextlib.contextmanager
    def watching(self, leeway_s: float) -> Generator[None]:
        """The block is a call of the engine, which should take no longer. Engine thread."""
        with self._lock:
            self._leeway = Leeway(leeway_s, leeway_s)
            self._calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._leeway, self.is_written_off = None, False

    def overdue_s(self) -> float | None:
        """How long the call under way may take, where it has taken longer; else None. Asked every `LOOK_EVERY_S`."""
        now_s, leeway = self._clock(), self._leeway or Leeway.of_idle(math.inf)
        self._waited.heard(now_s)  # it is this process, which lives
        return self._waited.exceeded_s(now_s, leeway, self._calls, is_stopped=False)

    def write_off(self, then: Callable[[], None]) -> bool:
        """Wait no longer for the call under way.

        Args:
            then: called while the engine's thread stays in that call, so it may touch all that is the thread's own.

        Returns:
            Whether it was called; False where the call has returned meanwhile.
        """
        with self._lock:
            if self._leeway is None:
                return False
            self.is_written_off = True
            then()
        return True


@dataclass(slots=True)
class _SeenRow:
    """A job in flight.

    Attributes:
        work: in each of its ticks, see `RowCost.works`.
        done: ticks that it was in.
    """

    shape: tuple[int, ...]
    work: Sequence[int]
    done: int = 0

    @property
    def next_work(self) -> int:
        """In the next tick: the last one's where it stays longer than expected."""
        return self.work[min(self.done, len(self.work) - 1)]


class WatchedEngine:
    """Implements `Engine` by another, whose calls by the engine thread a watchdog sees.

    Args:
        engine: that has no process of its own, which would have its own watchdog.
        dog: the watchdog.
        limits: of patience.
    """

    def __init__(self, engine: Engine, dog: Watchdog, limits: Limits = LIMITS) -> None:
        self._engine = engine
        self._dog = dog
        self._patience = TickPatience(limits)
        self._rows: dict[int, _SeenRow] = {}  # by number of a job
        self._last_ns = 0  # when the newest tick ended that was collected
        self.cost = engine.cost

    @property
    def info(self) -> EngineInfo:
        """See `Engine`."""
        return self._engine.info

    @property
    def free_rows(self) -> int:
        """See `Engine`."""
        return self._engine.free_rows

    @property
    def busy_rows(self) -> int:
        """See `Engine`."""
        return self._engine.busy_rows

    def when_broken(self, call: Callable[[], None]) -> None:
        """See `Engine`."""
        self._engine.when_broken(call)

    def hear(self, params: Params) -> Heard:
        """See `Engine`."""
        return self._engine.hear(params)

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """See `Engine`."""
        return self._engine.ready_loras(loras)

    def prepare(self, order: Order) -> None:
        """See `Engine`."""
        with self._dog.watching(OTHER_S):
            self._engine.prepare(order)

    def is_prepared(self, order: Order) -> bool:
        """See `Engine`."""
        return self._engine.is_prepared(order)

    def prepare_beside(self, order: Order) -> Future[int]:
        """See `Engine`."""
        return self._engine.prepare_beside(order)

    def tick(self, admitted: Sequence[Job]) -> Pending:
        """See `Engine`."""
        for job in admitted:
            self._rows[job.number] = _SeenRow(job.picture.shape, self.cost(job.params).works)
        rows = self._rows.values()
        form: Hashable = tuple(sorted((row.shape, tuple(row.work), row.done) for row in rows))
        work, rung = sum(row.next_work for row in rows), self._engine.info.rung
        code = code_of(rung)
        leeway_s = self._patience.leeway(form, code, work, climbs=rung.climbs).seconds
        launched_ns = time.monotonic_ns()
        with self._dog.watching(leeway_s):
            pending = self._engine.tick(admitted)
        for row in self._rows.values():
            row.done += 1
        for job in pending.jobs:
            self._rows.pop(job.number, None)

        def on_collected(finished_ns: int) -> None:
            begun_ns, self._last_ns = max(launched_ns, self._last_ns), finished_ns
            # One that was overdue is believed in part: hangs must not teach to wait for them.
            self._patience.note(form, code, work, min(leeway_s, max(0, finished_ns - begun_ns) / 1e9))

        return _WatchedPending(pending, self._dog, leeway_s, on_collected)

    def forget(self, session: str) -> None:
        """See `Engine`."""
        with self._dog.watching(OTHER_S):
            self._engine.forget(session)

    def close(self) -> None:
        """See `Engine`."""
        self._engine.close()


class _WatchedPending:
    """Implements `Pending` by another."""

    def __init__(self, pending: Pending, dog: Watchdog, leeway_s: float, on_collected: Callable[[int], None]) -> None:
        self._pending = pending
        self._dog = dog
        self._leeway_s = leeway_s
        self._on_collected = on_collected

    @property
    def jobs(self) -> Sequence[Job]:
        """See `Pending`."""
        return self._pending.jobs

    @property
    def finished_ns(self) -> int:
        """See `Pending`."""
        return self._pending.finished_ns

    @property
    def preparing_ns(self) -> Mapping[int, int]:
        """See `Pending`."""
        return self._pending.preparing_ns

    def ready(self) -> bool:
        """See `Pending`."""
        with self._dog.watching(self._leeway_s):
            return self._pending.ready()

    def collect(self) -> list[Result | Failure]:
        """See `Pending`."""
        with self._dog.watching(self._leeway_s):
            outcomes = self._pending.collect()
        self._on_collected(self._pending.finished_ns)
        return outcomes

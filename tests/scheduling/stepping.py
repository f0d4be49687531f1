"""A scheduler in a thread of its own, on an engine that is stepped by hand, and the users whose frames it has."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.channel import Channel
from realtime.frame import Job
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.session import Session
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.fakes.waiting import PATIENCE_S


class User:
    """A session of the scheduler, its connection, and what has arrived there."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        joined: bool = True,
        params: Params | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.session = Session(name, params or Params(), 2**22, clock=clock)
        self.arrived = threading.Event()
        self.channel: Channel = self.session.attach(self.arrived.set)
        self._seq = 0
        if joined:
            scheduler.add(self.session)

    def send(self) -> int:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq))
        return self._seq

    def skip_to(self, seq: int) -> None:
        self._seq = seq

    def answer(self) -> int:
        """The seq of the next picture, waiting for it."""
        while (result := self.channel.outbox.take()) is None:
            assert self.arrived.wait(PATIENCE_S), "no picture came"
            self.arrived.clear()
        return result.order.frame.seq


class CountingClock(FakeClock):
    """Lets a test wait until somebody has looked at the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self._looked = threading.Condition()

    def __call__(self) -> int:
        with self._looked:
            self.looks += 1
            self._looked.notify_all()
            return self.now_ns

    def wait_for_looks(self, more: int) -> None:
        with self._looked:
            wanted = self.looks + more
            assert self._looked.wait_for(lambda: self.looks >= wanted, PATIENCE_S)


class Life:
    """How the engine thread ended."""

    error: BaseException | None = None


@contextmanager
def running(scheduler: Scheduler, engine: ScriptedEngine) -> Iterator[Life]:
    life = Life()

    def run() -> None:
        try:
            scheduler.run()
        except Exception as error:
            life.error = error

    thread = threading.Thread(target=run, name="engine")
    thread.start()
    try:
        yield life
    finally:
        scheduler.stop()
        engine.finish_all()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def effortless() -> Pipeline:
    """A pipeline whose work costs nobody anything, so that ticks alone decide whose turn it is."""
    return Pipeline(cpu_clock=lambda: 0)


def names(jobs: list[Job]) -> list[str]:
    return [job.session for job in jobs]


def seqs(jobs: list[Job]) -> list[int]:
    return [job.frame.seq for job in jobs]


class WorkingEngine(ScriptedEngine):
    """Works inside `tick`: 10 ms for each 256x256 pixels in it, and what a tick costs whatever is in it."""

    def __init__(self, clock: FakeClock, fixed_ms: int = 0, failures: frozenset[int] = frozenset()) -> None:
        self.times_ms: Counter[str] = Counter()
        self.is_working = True

        def work() -> int:
            if not self.is_working:
                return clock()
            clock.advance_ms(fixed_ms)
            for job in self.ticks[-1]:
                cost_ms = 10 * job.params.width * job.params.height // 256**2
                self.times_ms[job.session] += cost_ms
                clock.advance_ms(cost_ms)
            return clock()

        super().__init__(synchronous=True, clock=work, failures=failures)

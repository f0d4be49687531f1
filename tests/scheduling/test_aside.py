"""What takes long to open or to seal goes aside: nobody waits for it, and who sent it pays for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from realtime.errors import EngineError
from realtime.frame import Failure, Job, Order, Result
from realtime.media.pipeline import Pipeline
from realtime.scheduling.scheduler import Scheduler
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine, ScriptedPending
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.test_scheduler import User, WorkingEngine, names, running, seqs


class SlowPipeline(Pipeline):
    """Opens and seals the frames of the session "heavy" aside, each when the test lets it."""

    def __init__(self, *, opens: bool = False, seals: bool = False) -> None:
        super().__init__()
        self._is_slow_to_open = opens
        self._is_slow_to_seal = seals
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def is_heavy_to_open(self, order: Order) -> bool:
        return self._is_slow_to_open and order.session == "heavy"

    def is_heavy_to_seal(self, outcome: Result | Failure) -> bool:
        return self._is_slow_to_seal and outcome.order.session == "heavy"

    def _wait(self) -> None:
        self.begun.release()
        assert self.may_end.acquire(timeout=PATIENCE_S)

    def _open(self, order: Order) -> Job | Failure:
        if self.is_heavy_to_open(order):
            self._wait()
        return super()._open(order)

    def _seal(self, outcome: Result | Failure) -> Result | Failure:
        if self.is_heavy_to_seal(outcome):
            self._wait()
        return super()._seal(outcome)

    def begin(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE_S)


def echoing() -> ScriptedEngine:
    return ScriptedEngine(synchronous=True)


def test_others_get_pictures_while_a_heavy_frame_is_opened() -> None:
    pipeline, engine = SlowPipeline(opens=True), echoing()
    scheduler = Scheduler(engine, pipeline=pipeline)
    heavy, light = User(scheduler, "heavy"), User(scheduler, "light")

    with running(scheduler, engine):
        heavy.send()
        pipeline.begin()
        assert [light.send() == light.answer() for _ in range(5)] == [True] * 5
        pipeline.may_end.release()

        assert heavy.answer() == 1


def test_frames_that_come_while_one_is_opened_are_newest_wins() -> None:
    pipeline, engine = SlowPipeline(opens=True), echoing()
    scheduler = Scheduler(engine, pipeline=pipeline)
    heavy = User(scheduler, "heavy")

    with running(scheduler, engine):
        heavy.send()
        pipeline.begin()
        for _ in range(3):
            heavy.send()
        pipeline.may_end.release()
        assert heavy.answer() == 1
        pipeline.begin()
        pipeline.may_end.release()

        assert heavy.answer() == 4


def test_others_get_pictures_while_a_heavy_one_is_sealed_and_its_session_has_no_further_row() -> None:
    pipeline, engine = SlowPipeline(seals=True), echoing()
    scheduler = Scheduler(engine, pipeline=pipeline)
    heavy, light = User(scheduler, "heavy"), User(scheduler, "light")

    with running(scheduler, engine):
        heavy.send()
        pipeline.begin()
        heavy.send()
        assert [light.send() == light.answer() for _ in range(5)] == [True] * 5
        assert [seqs(jobs) for jobs in engine.ticks if "heavy" in names(jobs)] == [[1]]
        pipeline.may_end.release(2)

        assert heavy.answer() == 1
        assert heavy.answer() == 2


def test_heavy_frame_of_a_client_that_has_come_back_meanwhile_is_not_answered_to_the_new_connection() -> None:
    pipeline, engine = SlowPipeline(opens=True), echoing()
    scheduler = Scheduler(engine, pipeline=pipeline)
    heavy = User(scheduler, "heavy")

    with running(scheduler, engine):
        heavy.send()
        pipeline.begin()
        heavy.channel = heavy.session.attach(heavy.arrived.set)
        heavy.send()
        pipeline.may_end.release(2)

        assert heavy.answer() == 2


class BreakingEngine(ScriptedEngine):
    """Breaks at the first frame of the session "light"."""

    def tick(self, admitted: Sequence[Job]) -> ScriptedPending:
        if "light" in names(list(admitted)):
            self.note("broke")
            raise EngineError("broken")
        return super().tick(admitted)


@pytest.mark.parametrize("side", ["opens", "seals"])
def test_frames_aside_are_not_lost_with_a_broken_engine(side: str) -> None:
    pipeline = SlowPipeline(opens=side == "opens", seals=side == "seals")
    engine = BreakingEngine(synchronous=True)
    scheduler = Scheduler(engine, pipeline=pipeline)
    heavy, light = User(scheduler, "heavy"), User(scheduler, "light")

    with running(scheduler, engine) as life:
        heavy.send()
        pipeline.begin()
        light.send()
        engine.wait_for(lambda engine: "broke" in engine.notes)
        pipeline.may_end.release()
    scheduler.give_up()

    assert isinstance(life.error, EngineError)
    if side == "opens":
        assert heavy.channel.inbox.full
    else:
        assert any("engine_failed" in text for text in heavy.channel.take_texts())


def test_time_of_opening_is_charged_to_whose_frame_it_is() -> None:
    clock, cpu = FakeClock(), FakeClock()

    class Costly(Pipeline):
        def _open(self, order: Order) -> Job | Failure:
            cpu.advance_ms(30 if order.session == "costly" else 0)
            return super()._open(order)

    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock, pipeline=Costly(clock=clock, threads=0, cpu_clock=cpu))
    users = [User(scheduler, name) for name in ("costly", "other")]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    engine.tick_hook = lambda: [user.send() for user in users]

    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(400)
        engine.tick_hook = lambda: None

    assert engine.times_ms["other"] == pytest.approx(4 * engine.times_ms["costly"], rel=0.1)

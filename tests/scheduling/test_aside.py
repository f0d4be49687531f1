"""What takes long to open or to seal goes aside: nobody waits for it, and who sent it pays for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realtime.errors import EngineError
from realtime.frame import Failure, Format, Job, Order, Result
from realtime.media import calm, codec, matte
from realtime.media import pipeline as pipeline_module
from realtime.media.pipeline import Pipeline, ToOpen, ToSeal
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.sealing import Sealing
from realtime.scheduling.seat import Seat
from realtime.scheduling.seats import Opened
from realtime.scheduling.still import StillGate
from realtime.session import Session
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine, ScriptedPending
from tests.fakes.frames import a_frame, a_job, a_result
from tests.fakes.pictures import encoded
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.stepping import User, WorkingEngine, names, running, seqs


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

    def _open(self, to_open: ToOpen) -> Job | Failure:
        if self.is_heavy_to_open(to_open[0]):
            self._wait()
        return super()._open(to_open)

    def _seal(self, to_seal: ToSeal) -> Result | Failure:
        if self.is_heavy_to_seal(to_seal[0]):
            self._wait()
        return super()._seal(to_seal)

    def begin(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE_S)


class CutOut(User):
    """A user who sends pictures whose left half is transparent."""

    def send(self) -> int:
        self._seq += 1
        picture = np.full((64, 64, 4), self._seq * 97 % 256, np.uint8)
        picture[..., 3] = np.repeat([0, 255], 32)
        data = encoded(Image.fromarray(picture), "PNG")
        self.session.offer(self.channel, replace(a_frame(self._seq, data), format=Format.PNG))
        return self._seq


def echoing() -> ScriptedEngine:
    return ScriptedEngine(synchronous=True)


def serve_ticks(count: int, scheduler: Scheduler, engine: WorkingEngine, users: list[User]) -> None:
    """Let so many ticks pass in which all users always have a frame waiting."""
    engine.tick_hook = lambda: [user.send() for user in users]
    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(count)
        engine.tick_hook = lambda: None


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


@pytest.mark.parametrize("aside", ["opens", "seals"])
def test_frame_of_a_session_that_moves_is_answered_once_though_it_is_aside(aside: str) -> None:
    pipeline, engine, other = SlowPipeline(**{aside: True}), echoing(), echoing()
    scheduler, heir = Scheduler(engine, pipeline=pipeline), Scheduler(other)
    heavy = User(scheduler, "heavy")

    with running(scheduler, engine), running(heir, other):
        heavy.send()
        pipeline.begin()
        scheduler.remove(heavy.session, lambda: heir.add(heavy.session))
        pipeline.may_end.release()

        assert heavy.answer() == 1
        assert heavy.send() == heavy.answer()

    assert [seqs(jobs) for jobs in other.ticks] == ([[1], [2]] if aside == "opens" else [[2]])


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
    assert heavy.channel.inbox.full
    assert light.channel.inbox.full


def test_time_of_opening_is_charged_to_whose_frame_it_is() -> None:
    clock, cpu = FakeClock(), FakeClock()

    class Costly(Pipeline):
        def _open(self, to_open: ToOpen) -> Job | Failure:
            cpu.advance_ms(30 if to_open[0].session == "costly" else 0)
            return super()._open(to_open)

    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock, pipeline=Costly(clock=clock, threads=0, cpu_clock=cpu))
    users = [User(scheduler, name) for name in ("costly", "other")]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    serve_ticks(400, scheduler, engine, users)

    assert engine.times_ms["other"] == pytest.approx(4 * engine.times_ms["costly"], rel=0.1)


@pytest.mark.parametrize("where", ["before the tick", "in the tick"])
def test_time_of_preparing_is_charged_to_whose_frame_it_is(where: str) -> None:
    clock = FakeClock()

    def needed_ms(params: Params) -> int:
        return 30 if params.prompt == "new" else 0

    class Preparing(WorkingEngine):
        def prepare(self, order: Order) -> None:
            clock.advance_ms(needed_ms(order.params) if where == "before the tick" else 0)

        def tick(self, admitted: Sequence[Job]) -> ScriptedPending:
            made_ms = {job.number: needed_ms(job.params) if where == "in the tick" else 0 for job in admitted}
            clock.advance_ms(sum(made_ms.values()))
            pending = super().tick(admitted)
            pending.preparing_ns = {number: ms * 1_000_000 for number, ms in made_ms.items()}
            return pending

    engine = Preparing(clock)
    scheduler = Scheduler(engine, clock=clock, pipeline=Pipeline(clock=clock, threads=0, cpu_clock=FakeClock()))
    users = [User(scheduler, name) for name in ("costly", "other")]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    users[0].session.update({"prompt": "new"})
    serve_ticks(400, scheduler, engine, users)

    assert engine.times_ms["other"] == pytest.approx(4 * engine.times_ms["costly"], rel=0.1)


def test_time_that_was_spent_beside_the_frames_is_charged_to_whose_it_is() -> None:
    clock = FakeClock()

    class Bringing(WorkingEngine):
        def prepare(self, order: Order) -> None:
            if order.session == "costly":
                scheduler.spend(users[0].session, 30_000_000)
            scheduler.spend(Session("gone", Params(), 2**22), 30_000_000)

    engine = Bringing(clock)
    scheduler = Scheduler(engine, clock=clock, pipeline=Pipeline(clock=clock, threads=0, cpu_clock=FakeClock()))
    users = [User(scheduler, name) for name in ("costly", "other")]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    serve_ticks(400, scheduler, engine, users)

    assert engine.times_ms["other"] == pytest.approx(4 * engine.times_ms["costly"], rel=0.1)


def test_time_of_calm_matte_and_key_is_charged_to_whose_picture_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, cpu = FakeClock(), FakeClock()
    done: Counter[str] = Counter()

    def taking(ms: int, work: Callable[..., Any]) -> Callable[..., Any]:
        def costly(*arguments: Any) -> Any:
            done[work.__name__] += 1
            cpu.advance_ms(ms)
            return work(*arguments)

        return costly

    monkeypatch.setattr(pipeline_module, "calmed", taking(10, calm.calmed))
    monkeypatch.setattr(matte, "fill", taking(10, matte.fill))
    monkeypatch.setattr(codec, "stacked", taking(10, matte.stacked))

    class Unhurried(Pipeline):
        """Has nothing aside, so that what is charged does not depend on threads."""

        def is_heavy_to_seal(self, outcome: Result | Failure) -> bool:
            return False

    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock, pipeline=Unhurried(clock=clock, threads=0, cpu_clock=cpu))
    users = [CutOut(scheduler, "costly"), User(scheduler, "other")]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    users[0].session.update({"calm": 1, "matte": "drawn", "beyond": "key", "skip_unchanged": False})
    serve_ticks(400, scheduler, engine, users)

    assert done["calmed"] >= 50 and done["stacked"] >= 50
    assert engine.times_ms["other"] == pytest.approx(4 * engine.times_ms["costly"], rel=0.1)


def test_calm_pictures_of_a_session_are_sealed_one_behind_the_other_each_with_the_one_before() -> None:
    pasts: list[int | None] = []

    class Recording(SlowPipeline):
        def _seal(self, to_seal: ToSeal) -> Result | Failure:
            pasts.append(past.job.frame.seq if (past := to_seal[1]) is not None else None)
            return super()._seal(to_seal)

    pipeline, engine = Recording(seals=True), echoing()
    scheduler = Scheduler(engine, rows_per_session=3, pipeline=pipeline)
    user = User(scheduler, "heavy")
    user.session.update({"calm": 1, "width": 64, "height": 64})

    with running(scheduler, engine):
        for number in range(3):
            user.send()
            engine.wait_for(lambda engine, done=number + 1: engine.notes.count("collect") == done)
        pipeline.begin()
        assert not pipeline.begun.acquire(blocking=False)
        pipeline.may_end.release(3)
        assert [user.answer() for _ in range(3)] == [1, 2, 3]

    assert pasts == [None, 1, 2]


def test_what_waits_for_one_aside_is_abandoned_with_it() -> None:
    pipeline = SlowPipeline(seals=True)
    sealing = Sealing(pipeline, lambda opened, done: None, lambda: None)
    session = Session("heavy", Params(), 2**22)
    gate, seat = StillGate(session.attach(lambda: None)), Seat(session, 0)
    jobs = [a_job(number, Params(calm=1, width=64, height=64), "heavy") for number in (1, 2)]

    sealing.seal([(Opened(seat, gate, job), a_result(job)) for job in jobs])

    assert seat.sealing == 2
    assert [opened.job.number for opened in sealing.abandon()] == [1, 2]
    assert sealing.abandon() == []
    pipeline.may_end.release()
    pipeline.close()

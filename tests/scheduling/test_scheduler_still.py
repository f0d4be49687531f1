"""Frames that show nothing new: who answers them, when, and with whose picture. The engine is stepped by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from realtime.errors import EngineError
from realtime.frame import Repeat, Result
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.stepping import CountingClock, User, names, running, seqs

BLACK, WHITE = 0, 255


class Painter(User):
    """A user who says what their frames show."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str = "a",
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        **params: object,
    ) -> None:
        small = Params.model_validate({**dict(Params(width=64, height=64)), **params})
        super().__init__(scheduler, name, params=small, clock=clock)

    def show(self, level: int) -> int:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq, a_plain_jpeg(level)))
        return self._seq

    def outcome(self) -> Result | Repeat:
        while (result := self.channel.outbox.take()) is None:
            assert self.arrived.wait(PATIENCE_S), "no answer came"
            self.arrived.clear()
        return result

    def asks(self, level: int) -> tuple[type, int]:
        """Show it and wait: what kind of answer came, and to which seq."""
        self.show(level)
        outcome = self.outcome()
        return type(outcome), outcome.order.frame.seq


def served(**options: object) -> tuple[ScriptedEngine, Scheduler]:
    engine = ScriptedEngine(synchronous=True, **options)  # type: ignore[arg-type]
    return engine, Scheduler(engine)


def drops(user: User) -> dict[str, int]:
    return user.session.stats.snapshot(0)["dropped"]


def test_unchanged_frame_is_answered_by_a_repeat_and_not_run() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        answers = [user.asks(level) for level in (BLACK, BLACK, BLACK, WHITE, WHITE, BLACK)]

    assert answers == [(Result, 1), (Repeat, 2), (Repeat, 3), (Result, 4), (Repeat, 5), (Result, 6)]
    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [4], [6]]
    assert user.session.stats.repeated == 3


def test_session_that_wants_every_frame_run_gets_that() -> None:
    engine, scheduler = served()
    user = Painter(scheduler, skip_unchanged=False)

    with running(scheduler, engine):
        assert [user.asks(BLACK)[0] for _ in range(3)] == [Result] * 3


@pytest.mark.parametrize("patch", [{"prompt": "new"}, {"seed": 4}, {"width": 96}, {"output_quality": 50}, {}])
def test_first_frame_after_new_params_is_run(patch: dict[str, object]) -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.session.update(patch)
        assert user.asks(BLACK) == (Result, 2)
        assert user.asks(BLACK) == (Repeat, 3)


def test_frames_are_run_while_params_glide_and_repeated_once_they_rest() -> None:
    clock = FakeClock()
    engine = ScriptedEngine(synchronous=True, clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    user = Painter(scheduler, clock=clock)
    kinds: list[type] = []

    with running(scheduler, engine):
        user.asks(BLACK)
        user.session.update({"prompt": "ink"}, 1)
        for _ in range(34):
            clock.advance_ms(33)
            kinds.append(user.asks(BLACK)[0])

    made_with = [jobs[0].params for jobs in engine.ticks]
    assert kinds == [Result] * 31 + [Repeat] * 3
    assert made_with[-1] is user.session.params
    assert {params.version for params in made_with[1:]} == {user.session.params.version}


def test_first_frame_after_a_reset_is_run() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.session.command("reset")
        assert user.asks(BLACK) == (Result, 2)


def test_first_frame_of_a_connection_is_run_though_the_session_was_there() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.channel = user.session.attach(user.arrived.set)
        assert user.asks(BLACK) == (Result, 2)


def test_frame_after_a_failed_one_is_run() -> None:
    engine, scheduler = served(failures=frozenset({2}))
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.show(WHITE)
        engine.wait_for(lambda engine: engine.notes.count("collect") == 2)
        assert user.asks(WHITE) == (Result, 3)


def test_frame_that_shows_what_was_before_a_failure_is_run_too() -> None:
    engine, scheduler = served(failures=frozenset({2}))
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.show(WHITE)
        engine.wait_for(lambda engine: engine.notes.count("collect") == 2)
        assert user.asks(BLACK) == (Result, 3)


def test_frame_after_a_picture_that_was_held_back_by_a_freeze_is_run() -> None:
    engine, delivered = ScriptedEngine(), threading.Event()
    scheduler = Scheduler(engine, on_tick=lambda seconds, jobs: delivered.set())
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.show(BLACK)
        engine.wait_for_ticks(1)
        user.session.command("freeze")
        engine.finish_next()
        assert delivered.wait(PATIENCE_S)
        engine.finish_all()
        user.session.command("unfreeze")
        assert user.asks(BLACK) == (Result, 2)


def test_bad_picture_is_answered_and_takes_no_row() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.session.offer(user.channel, a_frame(1, b"\xff\xd8\xff no picture"))
        while not user.channel._texts:
            assert user.arrived.wait(PATIENCE_S)
            user.arrived.clear()

    assert engine.ticks == []
    assert drops(user) == {"invalid": 1}


def test_row_of_an_unchanged_frame_goes_to_another_session_in_the_same_tick() -> None:
    engine = ScriptedEngine(max_rows=1)
    scheduler = Scheduler(engine, clock=FakeClock())  # ticks take no time, so that turns alone decide
    still, moving, third = (Painter(scheduler, name) for name in ("still", "moving", "third"))

    with running(scheduler, engine):
        for user in (still, moving):
            user.show(BLACK)
            engine.finish_next()
            user.outcome()
        # Both wait while a tick of a third one holds the thread: the still one's turn comes first.
        engine.tick_hook = lambda: (still.show(BLACK), moving.show(WHITE)) if len(engine.ticks) == 3 else None
        third.show(BLACK)
        engine.wait_for_ticks(4)
        assert isinstance(still.outcome(), Repeat)
        engine.finish_all()

    assert [names(jobs) for jobs in engine.ticks] == [["still"], ["moving"], ["third"], ["moving"]]


def test_frame_like_the_one_under_way_is_answered_behind_it() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = Painter(scheduler)
    engine.tick_hook = lambda: user.show(BLACK) if len(engine.ticks) == 1 else None

    with running(scheduler, engine):
        user.show(BLACK)
        engine.wait_for_ticks(1)
        engine.finish_next()
        first = user.outcome()
        if first.job.frame.seq == 1:
            assert isinstance(first, Result)
            assert isinstance(user.outcome(), Repeat)
        else:  # the picture was not sent yet when its repeat came: it answers both
            assert isinstance(first, Result)
            assert first.job.frame.seq == 2

    assert [seqs(jobs) for jobs in engine.ticks] == [[1]]


def test_frame_like_one_under_way_that_fails_is_run_itself() -> None:
    engine = ScriptedEngine(failures=frozenset({1}))
    scheduler = Scheduler(engine)
    user = Painter(scheduler)
    engine.tick_hook = lambda: user.show(BLACK) if len(engine.ticks) == 1 else None

    with running(scheduler, engine):
        user.show(BLACK)
        engine.wait_for_ticks(1)
        engine.finish_next()
        engine.finish_next()
        outcome = user.outcome()

    assert (type(outcome), outcome.order.frame.seq) == (Result, 2)
    assert drops(user) == {"invalid": 1}


def test_newest_frame_that_a_broken_engine_had_waits_for_another_engine_and_those_before_are_dropped() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    still, moving = Painter(scheduler, "still"), Painter(scheduler, "moving")

    def breaks_on_the_next_tick() -> None:
        engine.tick_error = EngineError("broken")
        still.show(BLACK)
        moving.show(WHITE)

    engine.tick_hook = breaks_on_the_next_tick
    still.show(BLACK)
    with pytest.raises(EngineError):
        scheduler.run()
    had = scheduler.jobs
    scheduler.give_up()

    assert (had, scheduler.jobs) == (2, 0)
    assert (drops(still), drops(moving)) == ({"engine_restarted": 1}, {})
    assert [frame.seq for user in (still, moving) if (frame := user.channel.inbox.take())] == [2, 1]


def test_unchanged_frame_does_not_wait_for_a_tick_of_others() -> None:
    clock = CountingClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    still, busy = Painter(scheduler, "still"), Painter(scheduler, "busy")

    with running(scheduler, engine):
        still.show(BLACK)
        engine.wait_for_ticks(1)
        clock.advance_ms(100)  # so ticks are expected to be long
        engine.finish_next()
        still.outcome()
        still.asks(BLACK)
        busy.show(WHITE)
        engine.wait_for_ticks(2)
        assert still.asks(BLACK) == (Repeat, 3)  # nobody has finished that tick
        engine.finish_next()
        busy.outcome()


def test_frame_of_a_still_session_that_moves_again_waits_for_its_turn_and_the_newest_wins() -> None:
    clock = CountingClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    still, busy = Painter(scheduler, "still"), Painter(scheduler, "busy")

    with running(scheduler, engine):
        still.show(BLACK)
        engine.wait_for_ticks(1)
        clock.advance_ms(100)
        engine.finish_next()
        still.outcome()
        still.asks(BLACK)
        busy.show(WHITE)
        engine.wait_for_ticks(2)
        still.show(WHITE)
        clock.wait_for_looks(6)  # it was opened, and put back
        newest = still.show(WHITE)
        clock.advance_ms(100)
        engine.wait_for_ticks(3)
        engine.finish_all()

    assert seqs(engine.ticks[2]) == [newest]


def test_picture_that_still_waits_to_be_sent_answers_the_unchanged_frame_as_well() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.show(BLACK)
        engine.wait_for(lambda engine: "collect" in engine.notes)
        while not user.channel.outbox.full:
            assert user.arrived.wait(PATIENCE_S)
            user.arrived.clear()
        user.arrived.clear()
        user.show(BLACK)
        while user.session.stats.repeated == 0 or not user.channel.outbox.full:
            assert user.arrived.wait(PATIENCE_S)
            user.arrived.clear()
        outcome = user.outcome()

    assert isinstance(outcome, Result)
    assert outcome.order.frame.seq == 2
    assert drops(user) == {"superseded": 1}


def test_viewer_who_comes_while_nothing_changes_sees_the_newest_picture() -> None:
    engine, scheduler = served()
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        user.asks(BLACK)

    picture = user.session.watch(lambda: None).take()
    assert picture is not None
    assert picture.job.frame.seq == 1


def test_repeats_leave_latencies_and_stages_to_frames_that_were_run() -> None:
    engine = ScriptedEngine(synchronous=True)
    clock = FakeClock()
    scheduler = Scheduler(engine, clock=clock)
    user = Painter(scheduler)

    with running(scheduler, engine):
        user.asks(BLACK)
        clock.advance_ms(5000)
        user.asks(BLACK)

    assert user.session.stats.snapshot(0)["latency_ms"]["p99"] < 2000

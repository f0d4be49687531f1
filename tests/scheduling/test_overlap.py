"""The next tick is launched before the running one is collected, and picked as late as its frames can be the newest."""

from __future__ import annotations

from realtime.scheduling.scheduler import Scheduler
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.scheduling.stepping import CountingClock, User, running, seqs


def test_next_tick_is_launched_before_the_running_one_is_collected() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    engine.tick_hook = lambda: user.send() if len(engine.ticks) == 1 else None

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(2)
        engine.finish_next()
        assert user.answer() == 1
        engine.finish_next()
        assert user.answer() == 2

    assert engine.notes == ["tick", "tick", "collect", "collect"]


def test_pictures_of_an_engine_that_works_inside_tick_do_not_wait_for_the_next_tick() -> None:
    engine = ScriptedEngine(max_rows=1, synchronous=True)
    scheduler = Scheduler(engine)
    users = [User(scheduler, name) for name in "ab"]
    for user in users:
        user.send()

    with running(scheduler, engine):
        assert [user.answer() for user in users] == [1, 1]

    assert engine.notes == ["tick", "collect", "tick", "collect"]


def learn_tick_of_20_ms(engine: ScriptedEngine, user: User, clock: FakeClock) -> None:
    for _ in range(30):
        user.send()
        engine.wait_for_ticks(len(engine.notes) // 2 + 1)
        clock.advance_ms(20)
        engine.finish_next()
        user.answer()


def test_frame_is_picked_just_before_the_running_tick_ends_so_that_it_is_the_newest() -> None:
    clock = CountingClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        learn_tick_of_20_ms(engine, user, clock)
        before = len(engine.ticks)
        user.send()
        engine.wait_for_ticks(before + 1)
        early = user.send()
        clock.wait_for_looks(3)  # it looked, and it held back
        late = user.send()
        clock.advance_ms(20)
        engine.wait_for_ticks(before + 2)

    assert seqs(engine.ticks[before + 1]) == [late]
    assert late == early + 1


def test_tick_that_ends_sooner_than_expected_is_delivered_at_once() -> None:
    clock = FakeClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        clock.advance_ms(100_000)  # the first tick compiles
        engine.finish_next()
        user.answer()
        user.send()
        engine.finish_next()
        assert user.answer() == 2  # the clock stands still


def test_ticks_are_told_with_their_duration_and_number_of_jobs() -> None:
    clock = FakeClock()
    engine = ScriptedEngine(clock=clock)
    told: list[tuple[float, int]] = []
    scheduler = Scheduler(engine, on_tick=lambda seconds, jobs: told.append((seconds, jobs)), clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        clock.advance_ms(30)
        engine.finish_next()
        user.answer()

    assert told == [(0.03, 1)]

"""Whose turn it is: which frames make up a tick, and what everyone gets of the device."""

from __future__ import annotations

import itertools

import pytest

from realtime.engine import Batches, EngineInfo
from realtime.engine.state import RungState
from realtime.params import Params
from realtime.scheduling.capacity import MOST_FPS
from realtime.scheduling.costs import MEASURED, NEWEST
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.seats import NEW_NS
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.scheduling.stepping import User, WorkingEngine, effortless, names, running


def test_sessions_take_turns_and_an_idle_one_gives_its_turn_to_all_alike() -> None:
    engine = ScriptedEngine(max_rows=1)
    scheduler = Scheduler(engine, pipeline=effortless())
    users = {name: User(scheduler, name) for name in ("idle", "a", "b", "c")}
    for name in ("a", "b", "c"):
        users[name].send()

    with running(scheduler, engine):
        for number in range(9):
            engine.wait_for_ticks(number + 1)
            users[names(engine.ticks[number])[0]].send()
            if number:
                engine.finish_next()

    assert [names(jobs) for jobs in engine.ticks[:9]] == [["a"], ["b"], ["c"]] * 3


def test_frames_of_all_sessions_share_a_tick() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    users = [User(scheduler, name) for name in "abc"]
    for user in users:
        user.send()

    with running(scheduler, engine):
        engine.finish_next()
        answers = [user.answer() for user in users]

    assert names(engine.ticks[0]) == ["a", "b", "c"]
    assert answers == [1, 1, 1]


def test_more_frames_than_rows_wait_for_the_next_tick() -> None:
    engine = ScriptedEngine(max_rows=2)
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abc"]:
        user.send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b"], ["c"]]


def with_batches(batches: Batches) -> ScriptedEngine:
    info = EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"), batches=batches)
    return ScriptedEngine(info=info)


def test_a_tick_is_filled_to_a_batch_that_the_engine_has() -> None:
    engine = with_batches(Batches((1, 2, 4)))
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abcdefg"]:
        user.send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)
        engine.finish_next()
        engine.wait_for_ticks(3)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b", "c", "d"], ["e", "f"], ["g"]]


def test_frames_of_other_sizes_and_those_that_pass_through_fill_no_batch() -> None:
    engine = with_batches(Batches((1, 2, 4)))
    scheduler = Scheduler(engine)
    small, through = Params(width=256, height=256), Params(strength=0.0)
    for name, params in {"a": Params(), "b": small, "c": through, "d": Params(), "e": small, "f": small}.items():
        User(scheduler, name, params=params).send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)

    assert [names(jobs) for jobs in engine.ticks[:2]] == [["a", "b", "c", "d", "e"], ["f"]]


def test_no_tick_is_formed_for_which_memory_does_not_suffice() -> None:
    engine = with_batches(Batches(most_work=2 * 512 * 512))
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abc"]:
        user.send()
    User(scheduler, "large", params=Params(width=1024, height=1024)).send()

    with running(scheduler, engine):
        for _ in range(2):
            engine.finish_next()
        engine.wait_for_ticks(3)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b"], ["c"], ["large"]]


@pytest.mark.parametrize("light", [1, 3])
@pytest.mark.slow
def test_heavy_session_slows_light_ones_to_their_share_and_not_to_its_own_pace(light: int) -> None:
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    users = [User(scheduler, name) for name in ("heavy", "a", "b", "c")[: light + 1]]
    users[0].session.update({"width": 1024, "height": 1024})
    for user in users[1:]:
        user.session.update({"width": 256, "height": 256})
    engine.tick_hook = lambda: [user.send() for user in users]

    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(400)
        engine.tick_hook = lambda: None

    times_ms = dict(engine.times_ms)
    fair_ms = sum(times_ms.values()) / len(users)
    assert all(abs(time_ms - fair_ms) <= 2 * 160 for time_ms in times_ms.values()), times_ms


def ticks_of_two_alike(fixed_ms: int) -> list[list[str]]:
    """Whose frames went together; the second session comes after ten ticks."""
    clock = FakeClock()
    engine = WorkingEngine(clock, fixed_ms)
    scheduler = Scheduler(engine, clock=clock, pipeline=effortless())
    users = [User(scheduler, name) for name in "ab"]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    engine.tick_hook = lambda: [user.send() for user in (users if len(engine.ticks) > 9 else users[:1])]

    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(60)
        engine.tick_hook = lambda: None
    return [names(jobs) for jobs in engine.ticks[:60]]


def test_sessions_alike_share_every_tick_although_one_came_first() -> None:
    ticks = ticks_of_two_alike(fixed_ms=50)

    assert ticks[:10] == [["a"]] * 10
    assert [sorted(tick) for tick in ticks[15:]] == [["a", "b"]] * 45


def test_sessions_take_turns_where_one_row_fills_the_device_once_that_has_been_seen() -> None:
    ticks = ticks_of_two_alike(fixed_ms=0)

    assert sum(len(tick) == 2 for tick in ticks) == MEASURED
    assert all(len(one) == 1 and one != other for one, other in itertools.pairwise(ticks[20:]))


def test_rate_with_one_more_stands_on_what_was_measured_and_on_what_is_sent() -> None:
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    newcomer = [Params(width=256, height=256)]
    assert scheduler.rate_with(newcomer) == MOST_FPS
    user = User(scheduler, "a")
    user.session.update({"width": 256, "height": 256})
    engine.tick_hook = user.send

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(NEW_NS // 10_000_000 + 10)
        engine.tick_hook = lambda: None
        engine.wait_for(lambda engine: engine.notes.count("collect") == engine.notes.count("tick"))

    assert scheduler.rate_with(newcomer) == pytest.approx(45, abs=1)
    clock.advance_ms(60_000)  # the other is idle now
    assert scheduler.rate_with(newcomer) == pytest.approx(90, abs=1)


@pytest.mark.parametrize("kind", ["passes through", "fails"])
def test_frames_on_which_no_work_is_done_do_not_change_what_is_expected_of_others(kind: str) -> None:
    clock = FakeClock()
    failing = frozenset(range(100, 200)) if kind == "fails" else frozenset[int]()
    engine = WorkingEngine(clock, fixed_ms=200, failures=failing)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        for _ in range(MEASURED):
            user.send()
            user.answer()
        before = scheduler.rate_with([Params()] * 2)
        engine.is_working = False
        if kind == "passes through":
            user.session.update({"strength": 0})
        else:
            user.skip_to(100)
        for number in range(NEWEST):
            user.send()
            engine.wait_for(lambda engine, done=MEASURED + number + 1: engine.notes.count("collect") == done)

        engine.is_working = True
        user.skip_to(200)
        user.session.update({"strength": 0.5})
        user.send()
        engine.wait_for(lambda engine: engine.notes.count("collect") == MEASURED + NEWEST + 1)

    assert before < MOST_FPS
    assert scheduler.rate_with([Params()] * 2) == pytest.approx(before)


def test_what_a_row_costs_is_the_engines_to_say() -> None:
    """A model without classifier-free guidance has no second row, whatever the params ask for."""
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")
    user.session.update({"width": 256, "height": 256})

    with running(scheduler, engine):
        for _ in range(MEASURED):
            user.send()
            user.answer()

    plain, guided = (scheduler.rate_with([Params(width=256, height=256, guidance_scale=scale)]) for scale in (1, 8))
    assert plain == guided < MOST_FPS

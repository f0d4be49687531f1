"""realtime.scheduling.timing: medians, rhythms, and what waiting pays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.params import Params
from realtime.scheduling.costs import TickCosts
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.timing import MARGIN_NS, NEWEST, DeviceClock, Rhythm, worth_waiting
from realtime.session import Session
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame

MS = 1_000_000


def known(**durations_ns: int) -> TickCosts:
    """Costs of ticks whose work is named so: w1, w2, …"""
    costs = TickCosts()
    for name, duration_ns in durations_ns.items():
        costs.note(int(name[1:]), duration_ns)
    return costs


# -- until when frames need not be picked ------------------------------------------------------------------------------


def test_frames_are_picked_before_the_end_by_what_launching_takes() -> None:
    device = DeviceClock(known(w1=20 * MS))
    for launch_ms in (2, 2, 500, 2, 2):  # one hiccup
        device.launched(1, launch_ms * MS)

    end_ns = device.end_ns(work=1, launched_ns=100 * MS)

    assert end_ns == 120 * MS
    assert device.hold_ns(end_ns, admitted=1, now_ns=100 * MS) == 18 * MS - MARGIN_NS
    assert device.hold_ns(end_ns, admitted=3, now_ns=100 * MS) == 18 * MS - MARGIN_NS  # the nearest that is known
    assert device.hold_ns(end_ns, admitted=1, now_ns=119 * MS) == 0


def test_lasting_change_of_launches_shows_after_three() -> None:
    device = DeviceClock(TickCosts())
    for launch_ms in [1] * NEWEST + [3] * 3:
        device.launched(1, launch_ms * MS)

    assert device.hold_ns(10 * MS, admitted=1, now_ns=0) == 7 * MS - MARGIN_NS


def test_nothing_is_expected_of_nothing() -> None:
    assert DeviceClock(TickCosts()).end_ns(work=1, launched_ns=5) == 5


def test_tick_that_was_launched_behind_another_starts_at_its_end() -> None:
    device = DeviceClock(known(w1=10 * MS))

    assert device.finished(begun_ns=0, launched_ns=1, finished_ns=10 * MS) == 10 * MS - 1
    assert device.end_ns(work=1, launched_ns=5 * MS) == 20 * MS
    assert device.finished(begun_ns=5 * MS, launched_ns=5 * MS, finished_ns=20 * MS) == 10 * MS


def test_engine_that_works_inside_tick_took_the_time_before_it_returned() -> None:
    device = DeviceClock(TickCosts())

    assert device.finished(begun_ns=0, launched_ns=10 * MS, finished_ns=10 * MS) == 10 * MS


# -- when frames come --------------------------------------------------------------------------------------------------


def test_a_steady_rhythm_tells_the_next_frame() -> None:
    rhythm = Rhythm()
    for beat in range(40):
        rhythm.beat(beat * 33 * MS)
    next_ns = rhythm.next_ns()
    assert next_ns is not None
    assert next_ns == pytest.approx(40 * 33 * MS, abs=0.1 * MS)


def test_two_frames_are_no_rhythm_to_rely_on() -> None:
    rhythm = Rhythm()
    rhythm.beat(0)
    assert rhythm.next_ns() is None
    rhythm.beat(33 * MS)
    next_ns = rhythm.next_ns()
    assert next_ns is not None
    assert next_ns >= 3 * 33 * MS


def test_a_pause_starts_the_rhythm_anew() -> None:
    rhythm = Rhythm()
    for beat in range(40):
        rhythm.beat(beat * 33 * MS)
    rhythm.beat(60_000 * MS)
    for beat in range(1, 40):
        rhythm.beat((60_000 + beat * 50) * MS)
    next_ns = rhythm.next_ns()
    assert next_ns is not None
    assert next_ns == pytest.approx((60_000 + 40 * 50) * MS, abs=1 * MS)


# -- what is worth waiting for -----------------------------------------------------------------------------------------


def test_waiting_pays_where_a_second_row_is_free_and_the_frame_is_near() -> None:
    costs = known(w1=10 * MS, w2=10 * MS)

    assert worth_waiting(costs, 2 * MS, 1, 1, 1)
    assert not worth_waiting(costs, 5 * MS, 1, 1, 1)


def test_nobody_waits_for_a_tick_that_was_never_measured() -> None:
    assert not worth_waiting(known(w1=10 * MS), 0.0, 1, 1, 1)


@given(st.floats(0, 1e8), st.integers(1, 8), st.integers(1, 10**8))
def test_waiting_never_pays_where_every_row_costs_the_same(wait: float, rows: int, row: int) -> None:
    costs = TickCosts()
    for number in {1, rows, rows + 1}:
        costs.note(number, number * row)

    assert not worth_waiting(costs, wait, rows, rows, 1)


@given(st.floats(0.1, 1e8), st.integers(1, 7), st.integers(1, 10**8), st.integers(1, 10**8))
def test_the_more_wait_the_less_it_pays_for(wait: float, rows: int, now: int, alone: int) -> None:
    costs = TickCosts()
    for work, duration in ((9, now), (10, now), (1, alone)):
        costs.note(work, duration)

    if worth_waiting(costs, wait, rows + 1, 9, 1):
        assert worth_waiting(costs, wait, rows, 9, 1)


# -- in the scheduler --------------------------------------------------------------------------------------------------


def a_scheduler_that_knows(
    clock: FakeClock, tick_ms: dict[int, int], next_ms: int
) -> tuple[Scheduler, Session, Session]:
    """Two sessions: a's frame is here, b's comes in `next_ms`; and how long ticks of so many rows take."""
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    for rows, duration_ms in tick_ms.items():
        scheduler._accounts.costs.note(rows * engine.cost(Params()).first, duration_ms * MS)
    a, b = (Session(name, Params(), 2**22) for name in "ab")
    for session in (a, b):
        session.attach(lambda: None)
        scheduler.add(session)
    (seat_of_b,) = (seat for seat in scheduler._seats if seat.session is b)
    for beat in range(60):
        seat_of_b.rhythm.beat(clock() + (next_ms - 33 * (60 - beat)) * MS)
    offer(a)
    return scheduler, a, b


def offer(session: Session) -> None:
    assert session.channel is not None
    session.offer(session.channel, a_frame())


def test_a_tick_waits_for_a_frame_that_is_about_to_come() -> None:
    clock = FakeClock()
    scheduler, _, b = a_scheduler_that_knows(clock, {1: 10, 2: 10}, next_ms=2)
    assert scheduler._co_batching_ns(clock()) == pytest.approx(2 * MS, abs=0.1 * MS)

    offer(b)
    assert scheduler._co_batching_ns(clock()) == 0


@pytest.mark.parametrize(
    ("tick_ms", "next_ms", "why"),
    [
        ({1: 10, 2: 10}, 6, "it comes too late to pay"),
        ({1: 10, 2: 20}, 2, "a second row costs as much as the first"),
        ({1: 10}, 2, "nobody knows what two rows cost"),
        ({1: 10, 2: 10}, -1, "it should have come by now"),
    ],
)
def test_a_tick_does_not_wait(tick_ms: dict[int, int], next_ms: int, why: str) -> None:
    clock = FakeClock()
    scheduler, _, _ = a_scheduler_that_knows(clock, tick_ms, next_ms)
    assert scheduler._co_batching_ns(clock()) == 0, why


def test_nobody_waits_for_a_client_that_has_left() -> None:
    clock = FakeClock()
    scheduler, _, b = a_scheduler_that_knows(clock, {1: 10, 2: 10}, next_ms=2)
    assert b.channel is not None
    b.detach(b.channel)
    assert scheduler._co_batching_ns(clock()) == 0

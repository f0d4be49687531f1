"""realtime.scheduling.timing: medians, rhythms, and what waiting pays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.timing import NEWEST, Durations, Rhythm, pays
from realtime.session import Session
from tests.fakes import FakeClock, ScriptedEngine, a_frame

MS = 1_000_000


def test_one_hiccup_changes_no_expectation() -> None:
    durations = Durations()
    for duration_ms in (10, 10, 500, 10, 10):
        durations.note(1, duration_ms * MS)
    assert durations.expected(1) == 10 * MS


def test_a_lasting_change_shows_after_three_ticks() -> None:
    durations = Durations()
    for duration_ms in [10] * NEWEST + [20] * 3:
        durations.note(1, duration_ms * MS)
    assert durations.expected(1) == 20 * MS


def test_an_unknown_number_of_rows_is_expected_as_the_nearest_known() -> None:
    durations = Durations()
    durations.note(1, 10)
    durations.note(4, 40)
    assert durations.expected(5) == 40
    assert durations.known(5) is None


def test_nothing_is_expected_of_nothing() -> None:
    assert Durations().expected(1) == 0


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


def test_waiting_pays_where_a_second_row_is_free_and_the_frame_is_near() -> None:
    assert pays(2 * MS, 1, 10 * MS, 10 * MS, 10 * MS)
    assert not pays(5 * MS, 1, 10 * MS, 10 * MS, 10 * MS)


@given(st.floats(0, 100), st.integers(1, 8), st.floats(0.1, 100))
def test_waiting_never_pays_where_every_row_costs_the_same(wait: float, rows: int, row: float) -> None:
    assert not pays(wait, rows, rows * row, (rows + 1) * row, row * 0.999)


@given(st.floats(0.1, 100), st.integers(1, 7), st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_more_wait_the_less_it_pays_for(wait: float, rows: int, now: float, alone: float) -> None:
    if pays(wait, rows + 1, now, now, alone):
        assert pays(wait, rows, now, now, alone)


# -- in the scheduler --------------------------------------------------------------------------------------------------


def a_scheduler_that_knows(
    clock: FakeClock, tick_ms: dict[int, int], next_ms: int
) -> tuple[Scheduler, Session, Session]:
    """Two sessions: a's frame is here, b's comes in `next_ms`; and how long ticks of so many rows take."""
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    for rows, duration_ms in tick_ms.items():
        scheduler._ledger.costs.note(rows * engine.cost(Params()).work, duration_ms * MS)
    a, b = (Session(name, Params(), 2**22) for name in "ab")
    for session in (a, b):
        session.attach(lambda: None)
        scheduler.add(session)
    for beat in range(60):
        scheduler._rhythms["b"].beat(clock() + (next_ms - 33 * (60 - beat)) * MS)
    offer(a)
    return scheduler, a, b


def offer(session: Session) -> None:
    assert session.channel is not None
    session.offer(session.channel, a_frame())


def test_a_tick_waits_for_a_frame_that_is_about_to_come() -> None:
    clock = FakeClock()
    scheduler, _, b = a_scheduler_that_knows(clock, {1: 10, 2: 10}, next_ms=2)
    assert scheduler._company_ns(clock()) == pytest.approx(2 * MS, abs=0.1 * MS)

    offer(b)
    assert scheduler._company_ns(clock()) == 0


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
    assert scheduler._company_ns(clock()) == 0, why


def test_nobody_waits_for_a_client_that_has_left() -> None:
    clock = FakeClock()
    scheduler, _, b = a_scheduler_that_knows(clock, {1: 10, 2: 10}, next_ms=2)
    assert b.channel is not None
    b.detach(b.channel)
    assert scheduler._company_ns(clock()) == 0

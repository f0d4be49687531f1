"""What everyone would get if one more came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine import RowCost
from realtime.scheduling.capacity import BUSY_SHARE, MOST_FPS, PRECISION_FPS, SessionLoad, rate_for_all, utilization

MS = 1e6
ONE = SessionLoad(30.0, RowCost((100,)))
COSTS = st.builds(RowCost, st.lists(st.integers(0, 1000), min_size=1, max_size=8).map(tuple))
LOADS = st.lists(st.builds(SessionLoad, st.floats(0, 120), COSTS), max_size=12)
LINES = st.tuples(st.floats(0, 1e9), st.floats(0, 1e7))


def test_before_anything_is_measured_there_is_room() -> None:
    assert rate_for_all([ONE] * 100, None, 8) == MOST_FPS


def test_where_each_row_costs_the_same_the_rate_is_what_the_rows_leave() -> None:
    line = (0.0, 0.5 * MS)  # 50 ms a frame of 100

    assert rate_for_all([SessionLoad(MOST_FPS, RowCost((100,)))], line, 8) == pytest.approx(18, abs=0.1)
    assert rate_for_all([SessionLoad(MOST_FPS, RowCost((100,)))] * 3, line, 8) == pytest.approx(6, abs=0.1)


def test_where_further_rows_are_free_many_get_what_one_gets() -> None:
    line = (10 * MS, 0.0)

    assert rate_for_all([SessionLoad(MOST_FPS, RowCost((100,)))] * 8, line, 8) == pytest.approx(90, abs=0.1)
    assert rate_for_all([SessionLoad(MOST_FPS, RowCost((100,)))] * 16, line, 8) == pytest.approx(45, abs=0.1)


def test_steps_are_ticks() -> None:
    assert rate_for_all([SessionLoad(MOST_FPS, RowCost((100,) * 4))], (10 * MS, 0.0), 8) == pytest.approx(22.5, abs=0.1)


def test_who_sends_little_takes_little() -> None:
    line = (0.0, 0.5 * MS)
    busy, idle = SessionLoad(MOST_FPS, RowCost((100,))), SessionLoad(0.0, RowCost((100,) * 8))
    slow = SessionLoad(1.0, RowCost((100,)))

    assert rate_for_all([busy, idle, idle], line, 8) == pytest.approx(18, abs=0.1)
    assert rate_for_all([busy, slow, slow], line, 8) == pytest.approx(16, abs=0.1)


def test_frames_that_pass_through_take_nothing() -> None:
    line = (10 * MS, 0.5 * MS)
    busy, passing = SessionLoad(MOST_FPS, RowCost((100,))), SessionLoad(MOST_FPS, RowCost((0,)))

    assert rate_for_all([busy] + [passing] * 30, line, 8) == rate_for_all([busy], line, 8) == pytest.approx(15, abs=0.1)


@given(LOADS, LINES, st.integers(1, 8))
def test_rate_is_the_highest_that_the_engine_can_give(
    loads: list[SessionLoad], line: tuple[float, float], max_rows: int
) -> None:
    rate = rate_for_all(loads, line, max_rows)

    assert 0 <= rate <= MOST_FPS
    assert utilization(loads, rate, *line, max_rows) <= BUSY_SHARE
    if rate < MOST_FPS:
        assert utilization(loads, rate + PRECISION_FPS, *line, max_rows) > BUSY_SHARE


@given(LOADS, LINES, st.integers(1, 8))
def test_one_more_never_makes_it_faster(loads: list[SessionLoad], line: tuple[float, float], max_rows: int) -> None:
    assert rate_for_all([*loads, ONE], line, max_rows) <= rate_for_all(loads, line, max_rows)

"""realtime.bench.numbers: numbers of known lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bench import numbers

finite = st.floats(-1e6, 1e6)


def test_spread_names_nearest_ranks_and_the_maximum() -> None:
    assert numbers.spread(range(1, 101)) == {"p50": 51, "p95": 96, "p99": 100, "max": 100}


def test_spread_of_nothing_is_zeros() -> None:
    assert numbers.spread([]) == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}


@given(st.lists(finite, min_size=2, max_size=50))
def test_deviation_is_numpys(values: list[float]) -> None:
    assert numbers.deviation(values) == pytest.approx(float(np.std(values)), abs=1e-6)


@pytest.mark.parametrize("values", [[], [5.0]])
def test_deviation_of_fewer_than_two_is_zero(values: list[float]) -> None:
    assert numbers.deviation(values) == 0


def test_intervals_are_one_fewer_than_times() -> None:
    assert numbers.intervals([1, 3, 6]) == [2, 3]
    assert numbers.intervals([1]) == []


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_slope_finds_the_line(rise: float, start: float) -> None:
    xs = [0.0, 1.0, 2.0, 5.0]
    assert numbers.slope(xs, [rise * x + start for x in xs]) == pytest.approx(rise, abs=1e-6)


@pytest.mark.parametrize("xs", [[], [1.0], [2.0, 2.0]])
def test_slope_without_a_direction_is_zero(xs: list[float]) -> None:
    assert numbers.slope(xs, [7.0] * len(xs)) == 0

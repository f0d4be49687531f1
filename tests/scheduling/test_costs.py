"""Ticks cost what was measured, users pay for their rows, and a tick that is full takes no more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.scheduling.costs import MEASURED, NEWEST, PROBE_EVERY, Accounts, BatchLimit, TickCosts
from realtime.scheduling.fair_queue import Tag


@dataclass(eq=False)
class User:
    tag: Tag = field(default_factory=Tag)


def measured(fixed: int, slope: int, *works: int) -> TickCosts:
    costs = TickCosts()
    for work in works * MEASURED:
        costs.note(work, fixed + slope * work)
    return costs


# -- what a tick costs -------------------------------------------------------------------------------------------------


def test_cost_of_ticks_is_a_line_through_what_was_measured() -> None:
    costs = TickCosts()
    for work in (100, 200, 400) * MEASURED:
        costs.note(work, 1000 + 5 * work)

    assert costs.line == pytest.approx((1000, 5))
    assert costs.expected(300) == pytest.approx(2500)


def test_one_kind_of_tick_says_nothing_of_the_fixed_part() -> None:
    costs = TickCosts()
    for _ in range(MEASURED):
        costs.note(100, 500)

    assert costs.line == (0.0, 5.0)


def test_ticks_of_two_sizes_in_turn_are_expected_to_take_what_each_takes() -> None:
    costs = TickCosts()
    for _ in range(NEWEST):
        costs.note(256**2, 8_000_000)
        costs.note(1024**2, 120_000_000)

    assert costs.expected(256**2) == 8_000_000
    assert costs.expected(1024**2) == 120_000_000


def test_tick_is_expected_as_measured_where_that_is_not_on_the_line() -> None:
    costs = TickCosts()
    for work, duration in ((1, 100), (2, 100), (3, 180), (4, 180)) * MEASURED:
        costs.note(work, duration)

    assert [costs.expected(work) for work in (1, 2, 3, 4)] == [100, 100, 180, 180]
    assert [costs.measured(work) for work in (4, 5)] == [180, None]
    assert 180 < costs.expected(5) < 300


def test_lasting_change_shows_after_three_ticks() -> None:
    costs = TickCosts()
    for duration in [10] * NEWEST + [20] * 3:
        costs.note(1, duration)

    assert costs.expected(1) == 20


def test_ticks_without_work_teach_nothing() -> None:
    costs = measured(1000, 5, 100, 400)
    line = costs.line
    for _ in range(100):
        costs.note(0, 7)

    assert costs.line == line
    assert costs.expected(0) == 0


def test_who_does_no_work_has_no_share_in_others_ticks() -> None:
    costs = measured(1000, 5, 100, 400)
    works, passes, passes_too = User(), User(), User()

    assert costs.split({works: 100, passes: 0}, 1500) == pytest.approx({works: 1500, passes: 1})
    assert costs.split({passes: 0, passes_too: 0}, 20) == {passes: 10, passes_too: 10}


def test_first_ticks_say_nothing_yet_of_others() -> None:
    costs = TickCosts()
    for _ in range(MEASURED - 1):
        costs.note(100, 900_000)

    assert costs.line is None
    assert costs.expected(200) == 0
    assert costs.expected(100) == 900_000


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_neither_part_of_a_cost_is_negative(ticks: list[tuple[int, int]]) -> None:
    costs = TickCosts()
    for work, duration in ticks:
        for _ in range(MEASURED):
            costs.note(work, duration)

    assert costs.line is not None
    assert min(costs.line) >= -1e-6 * 10**9


def test_one_hiccup_moves_no_line() -> None:
    costs = TickCosts()
    for _ in range(NEWEST - 1):
        costs.note(100, 500)
    costs.note(100, 900_000)

    assert costs.line == (0.0, 5.0)


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=8), st.integers(1000, 10**9))
def test_what_is_charged_is_what_was_spent(amounts: list[int], duration: int) -> None:
    costs = TickCosts()
    for work in (1000, 2000) * MEASURED:
        costs.note(work, 500 + work // 5)

    works = {User(): work for work in amounts}
    assert sum(costs.split(works, duration).values()) == pytest.approx(duration, abs=len(works))


# -- how many rows -----------------------------------------------------------------------------------------------------


def test_device_that_one_row_fills_is_full_with_it() -> None:
    costs = measured(0, 5, 100, 400)
    limit = BatchLimit(costs.full_work)

    assert [limit.try_add(100, 1) for _ in range(3)] == [True, False, False]


def test_device_whose_further_rows_cost_little_takes_them() -> None:
    costs = measured(2000, 5, 100, 400)
    limit = BatchLimit(costs.full_work)

    assert all(limit.try_add(100, 1) for _ in range(8))


def test_device_whose_further_rows_cost_nothing_is_never_full() -> None:
    assert measured(1000, 0, 100, 400).full_work == math.inf


def test_nothing_is_full_as_long_as_ticks_of_one_kind_were_seen() -> None:
    assert measured(0, 5, 100).full_work == math.inf


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(1, 10**4))
def test_full_tick_does_nine_tenths_of_what_could_be_done(fixed: int, slope: int, work: int) -> None:
    full_work = measured(fixed, slope, work, 4 * work).full_work

    if full_work > 1:
        assert full_work / (fixed + slope * full_work) == pytest.approx(0.9 / slope, rel=1e-3)


def test_row_that_leaves_first_goes_into_a_full_tick() -> None:
    limit = BatchLimit(0.0)
    assert limit.try_add(100, 4)

    assert limit.try_add(100, 2)
    assert not limit.try_add(100, 2)
    assert limit.try_add(100, 1)


def test_row_without_work_goes_into_a_full_tick_and_keeps_nobody_out() -> None:
    limit = BatchLimit(0.0)
    assert limit.try_add(100, 4)

    assert limit.try_add(0, 1)
    assert limit.try_add(100, 2)


def test_tick_that_failed_is_paid_for_and_teaches_nothing() -> None:
    accounts = Accounts(max_rows=8)
    accounts.enter(1, User(), (100, 100))
    for _ in range(MEASURED):
        accounts.settle(accounts.charge(), 3, is_whole=False)

    assert accounts.costs.line is None


def full_accounts() -> Accounts[User]:
    """Of a device that one row fills, after some ticks."""
    accounts = Accounts(max_rows=8)
    for work in (100, 400) * MEASURED:
        accounts.costs.note(work, 5 * work)
    accounts.charge()
    return accounts


def test_rows_in_flight_are_in_the_next_tick() -> None:
    accounts = full_accounts()
    accounts.enter(1, User(), (100, 100, 100))
    accounts.charge()

    assert not accounts.limit().try_add(100, 2)
    assert accounts.limit().try_add(100, 1)
    accounts.leave(1)
    assert accounts.limit().try_add(100, 8)


def test_row_is_in_each_tick_with_the_work_that_it_has_there() -> None:
    accounts = full_accounts()
    accounts.enter(1, User(), (200, 100))

    works = [accounts.charge().work for _ in range(3)]

    assert works == [200, 100, 100], "one that stays longer than expected works on"


def test_now_and_then_a_tick_takes_all_there_are_to_see_what_that_costs_by_now() -> None:
    accounts = full_accounts()
    looks = 0
    for _ in range(2 * PROBE_EVERY):
        limit = accounts.limit()
        looks += limit.try_add(100, 1) and limit.try_add(100, 1)
        accounts.charge()

    assert looks == 2


def test_no_row_is_added_for_which_memory_does_not_suffice() -> None:
    limit = BatchLimit(full_work=math.inf, most_work=8)

    added = [limit.try_add(work, ticks=1) for work in (5, 4, 3, 0, 1)]

    assert added == [True, False, True, True, False]
    assert BatchLimit(full_work=math.inf, most_work=8).try_add(9, ticks=1), "one row is tried"


def test_a_tick_that_probes_needs_memory_all_the_same() -> None:
    assert Accounts[str](max_rows=8).limit(most_work=4).most_work == 4

"""Engine time is shared alike, nobody starves, and the engine is never idle for the sake of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.shares import MEASURED, NEWEST, Shares, TickCosts


@dataclass
class Hall:
    """Users with rows in an engine whose tick costs a fixed part and one for the work in it.

    Attributes:
        users: by name, steps of a frame and work of a step.
    """

    users: dict[str, tuple[int, int]]
    fixed: int = 0
    free: int = 8
    shares: Shares = field(default_factory=Shares)
    costs: TickCosts = field(default_factory=TickCosts)
    rows: dict[str, int] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    idle_ticks: int = 0

    def tick(self, present: set[str]) -> list[str]:
        """Frames of all who are present wait, but for those in flight; returns who was admitted."""
        waiting = [name for name in self.users if name in present and name not in self.rows]
        admitted = self.shares.order(waiting, self.rows.keys())[: self.free - len(self.rows)]
        for name in admitted:
            self.shares.admit(name)
            self.rows[name] = self.users[name][0]
        self.idle_ticks += bool(waiting) and not self.rows
        works = {name: self.users[name][1] for name in self.rows}
        duration = self.fixed + sum(works.values())
        if works:
            self.costs.note(sum(works.values()), duration)
        for name, cost in self.costs.split(works, duration).items():
            self.shares.charge(name, cost)
            self.times[name] += int(cost)
        for name in list(self.rows):
            self.rows[name] -= 1
            if not self.rows[name]:
                del self.rows[name]
                self.frames[name] += 1
        return admitted

    @property
    def largest_frame(self) -> int:
        return max(steps * work for steps, work in self.users.values())


USERS = st.lists(st.tuples(st.integers(1, 8), st.integers(100, 10_000)), min_size=2, max_size=6).map(
    lambda costs: {str(number): cost for number, cost in enumerate(costs)}
)


@settings(max_examples=40, deadline=None)
@given(USERS, st.integers(1, 8))
def test_all_who_always_want_more_get_the_same_time_up_to_a_frame_or_two(
    users: dict[str, tuple[int, int]], free: int
) -> None:
    hall = Hall(users, free=free)
    for _ in range(400):
        hall.tick(set(users))

    times = [hall.times[name] for name in users]
    assert max(times) - min(times) <= 3 * hall.largest_frame


@settings(max_examples=40, deadline=None)
@given(USERS, st.data())
def test_nobody_starves_and_the_engine_is_never_idle_whoever_comes_and_goes(
    users: dict[str, tuple[int, int]], data: st.DataObject
) -> None:
    hall = Hall(users, free=data.draw(st.integers(1, 8)))
    guest, *others = users
    shares_of = data.draw(st.lists(st.sets(st.sampled_from(others)), min_size=1, max_size=20))
    waited = longest = 0
    for number in range(300):
        spent = sum(hall.times.values())
        admitted = hall.tick({guest, *shares_of[number % len(shares_of)]})
        waited = 0 if guest in admitted or guest in hall.rows else waited + sum(hall.times.values()) - spent
        longest = max(longest, waited)

    assert hall.idle_ticks == 0
    assert hall.frames[guest] > 0
    assert longest <= 3 * len(users) * hall.largest_frame


def test_idle_user_hoards_nothing() -> None:
    hall = Hall({"a": (1, 100), "b": (1, 100)}, free=1)
    for _ in range(1000):
        hall.tick({"a"})
    before = hall.times["a"]
    for _ in range(100):
        hall.tick({"a", "b"})

    assert abs((hall.times["a"] - before) - hall.times["b"]) <= 200


def test_further_rows_that_are_free_are_held_back_by_nobody() -> None:
    hall = Hall({"heavy": (8, 16), "light": (1, 1)}, fixed=10_000)
    for _ in range(10):
        hall.tick({"light"})
    for _ in range(800):
        hall.tick({"heavy", "light"})

    assert hall.frames["heavy"] >= 99
    assert hall.frames["light"] >= 800


def test_equal_users_take_turns() -> None:
    hall = Hall(dict.fromkeys("abc", (1, 100)), free=1)

    assert [hall.tick(set("abc"))[0] for _ in range(9)] == list("abc") * 3


def test_forgotten_user_leaves_nothing_and_comes_back_as_a_new_one() -> None:
    shares = Shares()
    shares.order(["a"], ())
    shares.admit("a")
    shares.charge("a", 500.0)
    shares.forget("a")
    shares.charge("a", 500.0)

    assert shares.order(["a", "b"], ()) == ["a", "b"]


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


def test_first_ticks_say_nothing_yet() -> None:
    costs = TickCosts()
    for _ in range(MEASURED - 1):
        costs.note(100, 900_000)

    assert costs.line is None
    assert costs.expected(100) == 0


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


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 10**7), min_size=1, max_size=8), st.integers(1000, 10**9))
def test_what_is_charged_is_what_was_spent(works: dict[str, int], duration: int) -> None:
    costs = TickCosts()
    for work in (1000, 2000) * MEASURED:
        costs.note(work, 500 + work // 5)

    assert sum(costs.split(works, duration).values()) == pytest.approx(duration, abs=len(works))

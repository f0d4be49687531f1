"""Engine time is shared alike, nobody starves, and the engine is never idle for the sake of it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.scheduling.costs import Ledger
from realtime.scheduling.fair_queue import Shares


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
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)  # number and ticks left
    times: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    idle_ticks: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.shares)
        self.numbers = itertools.count()

    def tick(self, present: set[str]) -> list[str]:
        """Frames of all who are present wait, but for those in flight; returns who was admitted."""
        waiting = [name for name in self.users if name in present and name not in self.rows]
        filling = self.ledger.filling()
        order = self.shares.order(waiting, self.rows.keys())[: self.free - len(self.rows)]
        admitted = [name for name in order if filling.takes(self.users[name][1], self.users[name][0])]
        for name in admitted:
            steps, work = self.users[name]
            self.rows[name] = (number := next(self.numbers), steps)
            self.ledger.enter(number, name, work, steps)
        self.idle_ticks += bool(waiting) and not self.rows
        self.ticks += 1
        self._work()
        return admitted

    def _work(self) -> None:
        works = {name: self.users[name][1] for name in self.rows}
        duration = self.fixed + sum(works.values())
        bill = self.ledger.charge()
        for name, (number, left) in list(self.rows.items()):
            self.rows[name] = (number, left - 1)
            if left == 1:
                self.ledger.leave(number)
                del self.rows[name]
                self.frames[name] += 1
        if works:
            self.ledger.settle(bill, duration)
        self.times.update({name: int(cost) for name, cost in self.ledger.costs.split(works, duration).items()})

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

"""Engine time is shared alike, nobody starves, and the engine is never idle for the sake of it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.scheduling.costs import Accounts
from realtime.scheduling.fair_queue import FairQueue, Tag


@dataclass(eq=False)
class User:
    """Its name, and what its frames take: ticks, and the work of each."""

    name: str
    ticks: int = 1
    work: int = 100
    tag: Tag = field(default_factory=Tag)


@dataclass
class Hall:
    """Users with rows in an engine whose tick costs a fixed part and one for the work in it.

    Attributes:
        costs: by user's name, ticks of a frame and work of each.
    """

    costs: dict[str, tuple[int, int]]
    fixed: int = 0
    free: int = 8
    left: dict[User, tuple[int, int]] = field(default_factory=dict)  # number and ticks left of rows in flight
    times: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    idle_ticks: int = 0

    def __post_init__(self) -> None:
        self.accounts: Accounts[User] = Accounts(self.free)
        self.numbers = itertools.count()
        self.users = [User(name, ticks, work) for name, (ticks, work) in self.costs.items()]

    def tick(self, present: set[str]) -> list[str]:
        """Frames of all who are present wait, but for those in flight; returns who was admitted."""
        waiting = [user for user in self.users if user.name in present and user not in self.left]
        limit = self.accounts.limit()
        order = self.accounts.order(waiting)[: self.free - len(self.left)]
        admitted = [user for user in order if limit.try_add(user.work, user.ticks)]
        for user in admitted:
            self.left[user] = (number := next(self.numbers), user.ticks)
            self.accounts.enter(number, user, (user.work,) * user.ticks)
        self.idle_ticks += bool(waiting) and not self.left
        self._work()
        return [user.name for user in admitted]

    def _work(self) -> None:
        works = {user: user.work for user in self.left}
        duration = self.fixed + sum(works.values())
        charge = self.accounts.charge()
        for user, (number, left) in list(self.left.items()):
            self.left[user] = (number, left - 1)
            if left == 1:
                self.accounts.leave(number)
                del self.left[user]
                self.frames[user.name] += 1
        if works:
            self.accounts.settle(charge, duration)
        self.times.update({user.name: int(ns) for user, ns in self.accounts.costs.split(works, duration).items()})

    @property
    def largest_frame(self) -> int:
        return max(user.ticks * user.work for user in self.users)


USERS = st.lists(st.tuples(st.integers(1, 8), st.integers(100, 10_000)), min_size=2, max_size=6).map(
    lambda costs: {str(number): cost for number, cost in enumerate(costs)}
)


@settings(max_examples=40, deadline=None)
@given(USERS, st.integers(1, 8))
@pytest.mark.slow
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
@pytest.mark.slow
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
        is_served = guest in admitted or any(user.name == guest for user in hall.left)
        waited = 0 if is_served else waited + sum(hall.times.values()) - spent
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


# -- the order itself --------------------------------------------------------------------------------------------------


def order(queue: FairQueue, waiting: list[User], running: list[User] = []) -> str:  # noqa: B006 - it is only read
    return "".join(user.name for user in queue.order(waiting, running))


def test_user_that_had_least_is_first_and_one_far_ahead_is_held_back() -> None:
    queue, users = FairQueue(), [User(name) for name in "abc"]
    assert order(queue, users) == "abc"
    for user in users[:2]:
        queue.admit(user)
        queue.charge(user, 5.0)

    assert order(queue, users) == "cab"
    queue.admit(users[0])
    queue.charge(users[0], 5.0)
    assert order(queue, users) == "cb"


def test_order_of_nobody_is_nobody() -> None:
    assert FairQueue().order([], []) == []


def test_user_that_was_idle_starts_where_the_others_are() -> None:
    queue, early, late = FairQueue(), User("early"), User("late")
    for _ in range(3):
        queue.order([early], [])
        queue.admit(early)
        queue.charge(early, 10.0)
    queue.order([early], [])

    order(queue, [early, late])

    assert late.tag.virtual_ns == 30.0


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(1, 1e9)), min_size=1, max_size=6))
def test_somebody_may_always_go_although_all_were_charged_too_much_first(charges: list[tuple[float, float]]) -> None:
    """A tick may turn out to be far shorter than expected after the next frames were admitted."""
    queue, users = FairQueue(), [User(str(number)) for number in range(len(charges))]
    queue.order(users, [])
    for user, (expected, _) in zip(users, charges, strict=True):
        queue.admit(user)
        queue.charge(user, expected)
    for user, (expected, took) in zip(users, charges, strict=True):
        queue.admit(user)  # its next frame, while the tick before is not collected yet
        queue.charge(user, took - expected)

    assert queue.order(users, [])

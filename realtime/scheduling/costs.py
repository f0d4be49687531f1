"""What ticks cost, who is charged for them, and how many rows one had better have.

Must not know sessions, frames or the engine: users are whatever the fair queue orders, work is in the engine's unit
(`RowCost.work`), times are nanoseconds.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Generic

from .capacity import SessionLoad, rate_for_all
from .fair_queue import FairQueue, U

COMPOSITIONS_KEPT = 32
"""Amounts of work whose ticks' durations are remembered, the newest: what a machine once took says little."""
NEWEST = 5
"""Durations of each that count, by their median: one hiccup changes nothing, a lasting change shows after three."""
MEASURED = 3
"""Durations from which on an amount of work counts for the line: the first ones may have compiled something."""
CHARGE_MIN_NS = 1.0
"""Least charge of a tick: two users of an engine whose speed is unknown take turns all the same."""
FULL = 0.9
"""Share of the highest rate at which a tick is full: more rows would only make all of its pictures later."""
PROBE_EVERY = 500
"""One tick in so many ignores the limit: what was learned of full ticks may have changed since."""


class TickCosts:
    """How long a tick takes: a fixed part, and a part for each unit of work in it. Learned from the ticks that were.

    On a device that one row does not fill, the fixed part is large: further rows are nearly free there.

    Attributes:
        line: the fixed part and that of one unit of work, nanoseconds; None until something was measured.
        full_work: work from which on a tick is full; infinite as long as that is not known.
    """

    def __init__(self) -> None:
        self.line: tuple[float, float] | None = None
        self.full_work = math.inf
        self._durations: dict[int, deque[int]] = {}  # by work, the newest last

    def note(self, work: int, duration_ns: int) -> None:
        """A tick of so much work took this long. One without work teaches nothing: it takes next to no time."""
        if not work:
            return
        newest = self._durations.pop(work, None) or deque(maxlen=NEWEST)
        newest.append(duration_ns)
        self._durations[work] = newest
        if len(self._durations) > COMPOSITIONS_KEPT:
            del self._durations[next(iter(self._durations))]
        medians = {work: median_high(d) for work, d in self._durations.items() if len(d) >= MEASURED}
        self.line = _line(medians)
        self.full_work = _full_work(*self.line) if self.line and len(medians) > 1 else math.inf

    def measured(self, work: int) -> int | None:
        """Median duration of the newest ticks of exactly so much work; None where there were none."""
        newest = self._durations.get(work)
        return median_high(newest) if newest else None

    def expected(self, work: int) -> float:
        """How long a tick of so much work takes: as measured, else by the line; 0 where nothing is known."""
        measured_ns = self.measured(work)
        if measured_ns is not None:
            return measured_ns
        fixed_ns, slope_ns = self.line or (0.0, 0.0)
        return fixed_ns + slope_ns * work if work else 0.0

    def split(self, works: Mapping[U, int], duration_ns: float) -> dict[U, float]:
        """Divide a tick's duration among the users in it: the fixed part alike, the rest by work.

        A user without work has no share in a tick of others' work.
        """
        total = sum(works.values())
        if not total:
            return {user: max(CHARGE_MIN_NS, duration_ns / len(works)) for user in works}
        fixed_ns, slope_ns = self.line or (0.0, duration_ns / total)
        expected_ns = fixed_ns + slope_ns * total
        alike = fixed_ns / expected_ns if expected_ns > 0 else 0.0
        working = sum(work > 0 for work in works.values())
        shares = {user: alike / working + (1 - alike) * work / total if work else 0.0 for user, work in works.items()}
        return {user: max(CHARGE_MIN_NS, duration_ns * share) for user, share in shares.items()}


def _line(medians: Mapping[int, int]) -> tuple[float, float] | None:
    """Least-squares line: fixed part and slope, neither below 0; all slope where there is one point."""
    if not medians:
        return None
    mean_work = sum(medians) / len(medians)
    mean_ns = sum(medians.values()) / len(medians)
    spread = sum((work - mean_work) ** 2 for work in medians)
    most = mean_ns / mean_work
    if not spread:
        return 0.0, most
    slope = sum((work - mean_work) * (ns - mean_ns) for work, ns in medians.items()) / spread
    slope = min(max(slope, 0.0), most)
    return mean_ns - slope * mean_work, slope


def _full_work(fixed_ns: float, slope_ns: float) -> float:
    """Work at which a tick has `FULL` of the rate of an endless one: 0 where every row costs what it costs alone."""
    return fixed_ns / slope_ns * FULL / (1 - FULL) if slope_ns else math.inf


@dataclass(slots=True)
class BatchLimit:
    """Which rows still fit into the next tick, as it fills up.

    Attributes:
        full_work: from which on it is full.
        work: of the rows in it so far.
        least_ticks: that one of them still has to go.
    """

    full_work: float
    work: int = 0
    least_ticks: float = math.inf

    def takes(self, work: int, ticks: int) -> bool:
        """True if the row fits; it is in then. A full tick still takes a row with fewer ticks left than any in it,
        which leaves before all of them, and one without work.
        """
        fits = not work or self.work < self.full_work or ticks < self.least_ticks
        if fits:
            self.add(work, ticks)
        return fits

    def add(self, work: int, ticks: int) -> None:
        """A row is in it that has so many ticks to go. One without work fills nothing and delays nobody."""
        if work:
            self.work += work
            self.least_ticks = min(self.least_ticks, ticks)


@dataclass(frozen=True, slots=True)
class Charge(Generic[U]):
    """A launched tick, charged by what it is expected to take.

    Attributes:
        works: of its rows, by user.
        expected_ns: that each user was charged.
    """

    works: Mapping[U, int]
    expected_ns: Mapping[U, float]

    @property
    def work(self) -> int:
        """Of all rows."""
        return sum(self.works.values())


@dataclass(slots=True)
class _Row(Generic[U]):
    """A row in flight: whose, its work, and the ticks it still has to go."""

    user: U
    work: int
    ticks: int


class Accounts(Generic[U]):
    """Charges users for the ticks that their rows are in, and orders them by it.

    By what a tick is expected to take when it is launched, since the next frames are picked before anybody knows how
    long it takes; by what it took once it is collected.

    Args:
        max_rows: of a tick.

    Attributes:
        costs: what ticks take.
    """

    def __init__(self, max_rows: int) -> None:
        self.costs = TickCosts()
        self._max_rows = max(1, max_rows)
        self._queue = FairQueue()
        self._rows: dict[int, _Row[U]] = {}  # by number
        self._ticks = 0

    @property
    def work(self) -> int:
        """Of the rows in flight."""
        return sum(row.work for row in self._rows.values())

    def rate_for_all(self, loads: Sequence[SessionLoad]) -> float:
        """See `capacity.rate_for_all`: with ticks that cost what they did so far."""
        return rate_for_all(loads, self.costs.line, self._max_rows)

    def order(self, waiting: Sequence[U]) -> list[U]:
        """See `FairQueue.order`."""
        return self._queue.order(waiting, {row.user for row in self._rows.values()})

    def limit(self) -> BatchLimit:
        """What the next tick takes beside the rows in flight."""
        limit = BatchLimit(math.inf if self._ticks % PROBE_EVERY == 0 else self.costs.full_work)
        for row in self._rows.values():
            limit.add(row.work, row.ticks)
        return limit

    def enter(self, number: int, user: U, work: int, ticks: int) -> None:
        """A row of this user is in all ticks from now on, until it leaves: after so many, if nothing comes between."""
        self._queue.admit(user)
        self._rows[number] = _Row(user, work, ticks)

    def leave(self, number: int) -> None:
        """The row of this number was in its last tick."""
        del self._rows[number]

    def charge(self) -> Charge[U]:
        """A tick of all rows in flight is launched."""
        self._ticks += 1
        works: Counter[U] = Counter()
        for row in self._rows.values():
            works[row.user] += row.work
            row.ticks -= 1
        charge = Charge(works, self.costs.split(works, self.costs.expected(works.total())))
        self._add(charge.expected_ns, 1)
        return charge

    def settle(self, charge: Charge[U], duration_ns: int, *, is_whole: bool = True) -> None:
        """The tick took so long.

        Args:
            is_whole: whether all of its work was done; a tick that failed, if only in part, teaches nothing.
        """
        if is_whole:
            self.costs.note(charge.work, duration_ns)
        self._add(self.costs.split(charge.works, duration_ns), 1)
        self._add(charge.expected_ns, -1)

    def _add(self, costs_ns: Mapping[U, float], sign: int) -> None:
        for user, cost_ns in costs_ns.items():
            self._queue.charge(user, sign * cost_ns)

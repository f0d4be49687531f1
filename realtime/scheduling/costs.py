"""What ticks cost, who pays for them, and how many rows one had better have.

Must not know sessions, frames or the engine: users are names, work is in the engine's unit, times are nanoseconds.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median_high

from .fair_queue import Shares

COMPOSITIONS_KEPT = 32
"""Different ticks whose durations are remembered, newest first: what a machine once took says little."""
NEWEST = 5
"""Durations of each that count, by their median: as in `tempo`."""
MEASURED = 3
"""Durations from which on a kind of tick counts: the first ones may have compiled something."""
LEAST_NS = 1.0
"""Nobody's row is for nothing, or two users of an engine whose speed is unknown would not take turns."""
FULL = 0.9
"""A tick that does its work at this share of the highest rate there is is full: more rows would only make all of its
pictures later."""
LOOK_EVERY = 500
"""One tick in so many takes whatever there is: what was learned of full ticks may have changed since."""


class TickCosts:
    """What a tick costs: a fixed part, and one for each unit of work in it. Learned from the ticks that were.

    A device that one row doesn't fill shows in the fixed part: there further rows are nearly free.
    """

    def __init__(self) -> None:
        self._durations: dict[int, deque[int]] = {}
        self.line: tuple[float, float] | None = None  # the fixed part and that of one unit of work, nanoseconds
        self.full_work = math.inf  # from which on a tick is full, as far as that has been seen

    def note(self, work: int, duration_ns: int) -> None:
        """A tick took this long. One without work teaches nothing: what it does takes next to no time.

        Args:
            work: of its rows.
        """
        if not work:
            return
        newest = self._durations.pop(work, None) or deque(maxlen=NEWEST)
        newest.append(duration_ns)
        self._durations[work] = newest
        if len(self._durations) > COMPOSITIONS_KEPT:
            del self._durations[next(iter(self._durations))]
        medians = {w: median_high(d) for w, d in self._durations.items() if len(d) >= MEASURED}
        self.line = _line(medians)
        self.full_work = _full_work(*self.line) if self.line and len(medians) > 1 else math.inf

    def split(self, works: Mapping[str, int], duration_ns: float) -> dict[str, float]:
        """A tick's duration, divided among those in it: the fixed part alike, the rest by their work.

        Who does no work in it has no share in a tick of others' work.
        """
        total = sum(works.values())
        if not total:
            return {name: max(LEAST_NS, duration_ns / len(works)) for name in works}
        fixed_ns, slope_ns = self.line or (0.0, duration_ns / total)
        expected_ns = fixed_ns + slope_ns * total
        alike = fixed_ns / expected_ns if expected_ns > 0 else 0.0
        users = sum(work > 0 for work in works.values())
        return {
            name: max(LEAST_NS, duration_ns * (alike / users + (1 - alike) * work / total)) if work else LEAST_NS
            for name, work in works.items()
        }

    def measured(self, work: int) -> int | None:
        """How long the newest ticks of exactly so much work took, their median; None where there were none."""
        newest = self._durations.get(work)
        return median_high(newest) if newest else None

    def expected(self, work: int) -> float:
        """How long a tick of so much work takes: as measured, else by the line; 0 where nothing is known."""
        measured_ns = self.measured(work)
        if measured_ns is not None:
            return measured_ns
        fixed_ns, slope_ns = self.line or (0.0, 0.0)
        return fixed_ns + slope_ns * work if work else 0.0


def _line(medians: Mapping[int, int]) -> tuple[float, float] | None:
    """Fixed part and slope of the straight line through them, neither below 0; all slope where there is one point."""
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
class Filling:
    """The next tick, as it fills up.

    Attributes:
        full_work: from which on it is full.
        work: of the rows in it so far.
        least_left: ticks that the first of them to leave still has to go.
    """

    full_work: float
    work: int = 0
    least_left: float = math.inf

    def takes(self, work: int, ticks: int) -> bool:
        """Whether one more row belongs in it; if so it is in.

        A row without work does. Into a full tick only a row goes that leaves before all the others do: it delays them
        less than they would it.
        """
        belongs = not work or self.work < self.full_work or ticks < self.least_left
        if belongs:
            self.add(work, ticks)
        return belongs

    def add(self, work: int, ticks: int) -> None:
        """A row is in it that has so many ticks to go; one without work fills nothing and delays nobody."""
        if work:
            self.work += work
            self.least_left = min(self.least_left, ticks)


@dataclass(frozen=True, slots=True)
class Bill:
    """A tick that was charged by what is expected of it.

    Attributes:
        works: of its rows, by user.
        charged_ns: by user.
    """

    works: Mapping[str, int]
    charged_ns: Mapping[str, float]

    @property
    def work(self) -> int:
        """Of all rows."""
        return sum(self.works.values())


@dataclass(slots=True)
class _Row:
    """A row in flight: whose, its work, and the ticks it still has to go."""

    name: str
    work: int
    left: int


class Ledger:
    """Charges users for the ticks that their rows are in.

    By what is expected as soon as a tick is launched, for the next frames are picked before anybody knows how long it
    takes; by what it took afterwards.

    Args:
        shares: of the users.
    """

    def __init__(self, shares: Shares) -> None:
        self.costs = TickCosts()
        self._shares = shares
        self._rows: dict[int, _Row] = {}  # by number
        self._ticks = 0

    def filling(self) -> Filling:
        """The next tick with the rows in flight."""
        looks = self._ticks % LOOK_EVERY == 0
        filling = Filling(math.inf if looks else self.costs.full_work)
        for row in self._rows.values():
            filling.add(row.work, row.left)
        return filling

    @property
    def work(self) -> int:
        """Of the rows in flight."""
        return sum(row.work for row in self._rows.values())

    def enter(self, number: int, name: str, work: int, ticks: int) -> None:
        """A user's row is in all ticks from now on, until it leaves: after so many ticks, if nothing comes between."""
        self._shares.admit(name)
        self._rows[number] = _Row(name, work, ticks)

    def leave(self, number: int) -> None:
        """The row was in its last tick."""
        del self._rows[number]

    def charge(self) -> Bill:
        """A tick of all rows is launched."""
        self._ticks += 1
        works: Counter[str] = Counter()
        for row in self._rows.values():
            works[row.name] += row.work
            row.left -= 1
        bill = Bill(works, self.costs.split(works, self.costs.expected(works.total())))
        self._add(bill.charged_ns, 1)
        return bill

    def settle(self, bill: Bill, duration_ns: int, *, is_whole: bool = True) -> None:
        """It took so long.

        Args:
            is_whole: whether the work was done; a tick that failed, if only in part, teaches nothing about costs.
        """
        if is_whole:
            self.costs.note(bill.work, duration_ns)
        self._add(self.costs.split(bill.works, duration_ns), 1)
        self._add(bill.charged_ns, -1)

    def _add(self, costs_ns: Mapping[str, float], sign: int) -> None:
        for name, cost_ns in costs_ns.items():
            self._shares.charge(name, sign * cost_ns)

"""Durations of ticks by their work, the work from which on a tick is full, and the users' charges.

Must not know sessions, frames or the engine: users are those of the fair queue, work is in the engine's unit
(`RowCost.works`), times are nanoseconds.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Generic

from .capacity import Line, SessionLoad, rate_for_all
from .fair_queue import FairQueue, U

COMPOSITIONS_KEPT = 32
"""Amounts of work whose durations are remembered, the newest ones: a machine's speed changes."""
NEWEST = 5
"""Durations of each whose median is taken: one outlier changes nothing, a lasting change shows after three."""
MEASURED = 3
"""Durations from which on an amount of work counts for the line: the first may include a compilation."""
CHARGE_MIN_NS = 1.0
"""Least charge of a tick, so that users take turns before anything was measured."""
FULL = 0.9
"""Share of the highest rate from which on a tick is full: more rows would only make all of its pictures later."""
PROBE_EVERY = 500
"""One tick in so many ignores the limit, so that full ticks are measured anew."""


class TickCosts:
    """Duration of a tick: a fixed part, and a part per unit of work. Fitted to the ticks so far.

    The fixed part is large on a device that one row does not fill: further rows are nearly free there.

    Attributes:
        line: the fixed part and that of one unit of work, nanoseconds; None until something was measured.
        full_work: work from which on a tick is full; infinite as long as that is not known.
    """

    def __init__(self) -> None:
        self.line: tuple[float, float] | None = None
        self.full_work = math.inf
        self._durations: dict[int, deque[int]] = {}  # by work, the newest last

    def note(self, work: int, duration_ns: int) -> None:
        """Learn from a tick. One without work is left out: it takes next to no time."""
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
        """Expected duration of a tick of so much work: as measured, else by the line; 0 where nothing was measured."""
        measured_ns = self.measured(work)
        if measured_ns is not None:
            return measured_ns
        fixed_ns, slope_ns = self.line or (0.0, 0.0)
        return fixed_ns + slope_ns * work if work else 0.0

    def split(self, works: Mapping[U, int], duration_ns: float) -> dict[U, float]:
        """Divide a tick's duration among the users in it: the fixed part equally, the rest by work.

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
    """Least-squares line through durations by work: fixed part and slope, neither below 0; one point is all slope."""
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
    """Work at which work per time is `FULL` of its limit for ever larger ticks; 0 where there is no fixed part."""
    return fixed_ns / slope_ns * FULL / (1 - FULL) if slope_ns else math.inf


@dataclass(slots=True)
class BatchLimit:
    """Decides which rows still fit into the next tick as it is filled.

    Attributes:
        full_work: work from which on the tick is full.
        most_work: for which memory suffices; a tick without a row takes one in any case.
        work: of the rows in it so far.
        least_ticks: fewest ticks that one of them has left.
    """

    full_work: float
    most_work: float = math.inf
    work: int = 0
    least_ticks: float = math.inf

    def try_add(self, work: int, ticks: int) -> bool:
        """Add the row if it fits. A full tick still takes a row without work, and if memory suffices one with fewer
        ticks left than any in it: it leaves first.

        Returns:
            Whether it fits.
        """
        has_room = not self.work or self.work + work <= self.most_work
        fits = not work or (has_room and (self.work < self.full_work or ticks < self.least_ticks))
        if fits:
            self.add(work, ticks)
        return fits

    def add(self, work: int, ticks: int) -> None:
        """Add a row that has so many ticks left. One without work fills nothing and delays nobody."""
        if work:
            self.work += work
            self.least_ticks = min(self.least_ticks, ticks)


@dataclass(frozen=True, slots=True)
class Charge(Generic[U]):
    """The charge for a launched tick: its expected duration.

    Attributes:
        works: work of its rows, by user.
        expected_ns: share of the expected duration, by user.
    """

    works: Mapping[U, int]
    expected_ns: Mapping[U, float]

    @property
    def work(self) -> int:
        """Of all its rows."""
        return sum(self.works.values())


@dataclass(slots=True)
class _RowInFlight(Generic[U]):
    """A row in flight.

    Attributes:
        works: its work in each of the ticks that it is expected in.
        done: number of ticks that it was in.
    """

    user: U
    works: Sequence[int]
    done: int = 0

    @property
    def work(self) -> int:
        """In the next tick: the last one's where it stays longer than expected."""
        return self.works[min(self.done, len(self.works) - 1)]

    @property
    def ticks(self) -> int:
        """That it has left."""
        return len(self.works) - self.done


class Accounts(Generic[U]):
    """Charges users for the ticks that their rows are in, and orders them by their charges.

    A tick is charged by its expected duration when it is launched, since the next frames are picked before it ends; the
    charge is corrected by the measured duration once the tick is collected.

    Args:
        max_rows: of a tick.

    Attributes:
        costs: durations of ticks.
        max_rows: of a tick; at least 1.
    """

    def __init__(self, max_rows: int) -> None:
        self.costs = TickCosts()
        self.max_rows = max(1, max_rows)
        self._queue = FairQueue()
        self._rows: dict[int, _RowInFlight[U]] = {}  # by number
        self._ticks = 0

    def __contains__(self, number: int) -> bool:
        """Whether the row of this number is in flight."""
        return number in self._rows

    @property
    def work(self) -> int:
        """Of the rows in flight in the next tick."""
        return sum(row.work for row in self._rows.values())

    def rate_for_all(self, loads: Sequence[SessionLoad], like: Line | None = None) -> float:
        """See `capacity.rate_for_all`; by the durations of ticks so far, or by `like` before there were any."""
        return rate_for_all(loads, self.costs.line or like, self.max_rows)

    def order(self, waiting: Sequence[U]) -> list[U]:
        """The waiting users in the order of `FairQueue.order`."""
        return self._queue.order(waiting, {row.user for row in self._rows.values()})

    def limit(self, most_work: float = math.inf) -> BatchLimit:
        """The limit of the next tick, with the rows in flight in it.

        Args:
            most_work: see `BatchLimit`.
        """
        limit = BatchLimit(math.inf if self._ticks % PROBE_EVERY == 0 else self.costs.full_work, most_work)
        for row in self._rows.values():
            limit.add(row.work, row.ticks)
        return limit

    def enter(self, number: int, user: U, works: Sequence[int]) -> None:
        """Add a row: it is in all ticks until it leaves, which should be after those whose work is given."""
        self._queue.admit(user)
        self._rows[number] = _RowInFlight(user, works)

    def leave(self, number: int) -> None:
        """Remove the row of this number: it was in its last tick."""
        del self._rows[number]

    def charge(self) -> Charge[U]:
        """Charge a tick of all rows in flight, which is launched now."""
        self._ticks += 1
        works: Counter[U] = Counter()
        for row in self._rows.values():
            works[row.user] += row.work
            row.done += 1
        charge = Charge(works, self.costs.split(works, self.costs.expected(works.total())))
        self._add(charge.expected_ns, 1)
        return charge

    def spend(self, user: U, spent_ns: int) -> None:
        """Charge a user for time beside the ticks: its frame's opening, its picture's sealing."""
        self._queue.charge(user, spent_ns)

    def settle(self, charge: Charge[U], duration_ns: int, *, is_whole: bool = True) -> None:
        """Replace the charge of a tick by its measured duration.

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

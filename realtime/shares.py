"""Whose frame is next, by engine time: every session moves on in virtual time by what its rows cost.

Start-time fair queueing. Must not know sessions, frames or the engine: users are names, costs are nanoseconds.
Source: Goyal, Vin, Cheng 1996, "Start-time Fair Queuing".
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

COMPOSITIONS_KEPT = 32
"""Different ticks whose durations are remembered, newest first: what a machine once took says little."""
NEWEST = 5
"""Durations of each that count, by their median: as in `tempo`."""
MEASURED = 3
"""Durations from which on a kind of tick counts: the first ones may have compiled something."""
LEAST_NS = 1.0
"""Nobody's row is for nothing, or two users of an engine whose speed is unknown would not take turns."""


class TickCosts:
    """What a tick costs: a fixed part, and one for each pixel of its rows. Learned from the ticks that were.

    A device that one row doesn't fill shows in the fixed part: there further rows are nearly free.
    """

    def __init__(self) -> None:
        self._durations: dict[int, deque[int]] = {}
        self.line: tuple[float, float] | None = None  # of the fixed part and of one pixel, nanoseconds

    def note(self, work: int, duration_ns: int) -> None:
        """A tick took this long.

        Args:
            work: pixels of its rows, those of guidance counted twice.
        """
        newest = self._durations.pop(work, None) or deque(maxlen=NEWEST)
        newest.append(duration_ns)
        self._durations[work] = newest
        if len(self._durations) > COMPOSITIONS_KEPT:
            del self._durations[next(iter(self._durations))]
        self.line = _line(
            {work: sorted(d)[len(d) // 2] for work, d in self._durations.items() if work and len(d) >= MEASURED}
        )

    def split(self, works: Mapping[str, int], duration_ns: float) -> dict[str, float]:
        """A tick's duration, divided among those in it: the fixed part alike, the rest by their work."""
        total = sum(works.values())
        if not total:
            return {}
        fixed_ns, slope_ns = self.line or (0.0, duration_ns / total)
        expected_ns = fixed_ns + slope_ns * total
        alike = fixed_ns / expected_ns if expected_ns > 0 else 0.0
        return {
            name: max(LEAST_NS, duration_ns * (alike / len(works) + (1 - alike) * work / total))
            for name, work in works.items()
        }

    def expected(self, work: int) -> float:
        """How long a tick of so much work takes; 0 where nothing is known."""
        fixed_ns, slope_ns = self.line or (0.0, 0.0)
        return fixed_ns + slope_ns * work


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


class Shares:
    """Virtual time of everyone who is served."""

    def __init__(self) -> None:
        self._now_ns = 0.0
        self._at_ns: defaultdict[str, float] = defaultdict(lambda: self._now_ns)
        self._since_ns: dict[str, float] = {}  # where a user stood when it was last admitted
        self._turns: dict[str, int] = {}
        self._turn = 0

    def order(self, waiting: Sequence[str], running: Collection[str]) -> list[str]:
        """Who of the waiting may be admitted now, those who had least first; among equals, whose turn is longest ago.

        Who is more than one frame of its own ahead of somebody else who is here stands back, so that a heavy user
        slows a light one to its share and not to its own pace. Never everybody: while a frame waits, one is admitted
        or rows are running, so the engine is not idle for the sake of fairness.

        Args:
            waiting: users with a frame that could be admitted.
            running: users with rows in flight.
        """
        here = {*waiting, *running}
        if not here:
            return []
        for name in here - self._at_ns.keys():
            self._at_ns[name] = self._now_ns
        for name in waiting:
            if name not in running:  # it was idle: what it did not use is gone
                self._at_ns[name] = max(self._at_ns[name], self._now_ns)
        self._now_ns = max(self._now_ns, min(self._at_ns[name] for name in here))
        ordered = sorted(waiting, key=lambda name: (self._at_ns[name], self._turns.get(name, 0)))
        return [name for name in ordered if not self._stands_back(name, here)]

    def _stands_back(self, name: str, here: Collection[str]) -> bool:
        at_ns = self._at_ns[name]
        own_frame_ns = at_ns - self._since_ns.get(name, at_ns)
        return any(self._at_ns[other] < at_ns - own_frame_ns for other in here if other != name)

    def admit(self, name: str) -> None:
        """Its frame goes to the engine."""
        self._since_ns[name] = self._at_ns[name]
        self._turn += 1
        self._turns[name] = self._turn

    def charge(self, name: str, cost_ns: float) -> None:
        """Its rows took, or are expected to take, so much of the engine's time; less than 0 corrects what was."""
        if name in self._at_ns:
            self._at_ns[name] += cost_ns

    def forget(self, name: str) -> None:
        """It is served no more."""
        for kept in (self._at_ns, self._since_ns, self._turns):
            kept.pop(name, None)


@dataclass(frozen=True, slots=True)
class Bill:
    """A tick that was charged by what is expected of it.

    Attributes:
        works: of its rows, by user.
        charged_ns: by user.
    """

    works: Mapping[str, int]
    charged_ns: Mapping[str, float]


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
        self._rows: dict[int, tuple[str, int]] = {}  # by number: user and work

    def enter(self, number: int, name: str, work: int) -> None:
        """A user's row is in all ticks from now on."""
        self._shares.admit(name)
        self._rows[number] = (name, work)

    def leave(self, number: int) -> None:
        """The row was in its last tick."""
        del self._rows[number]

    def charge(self) -> Bill:
        """A tick of all rows is launched."""
        works: Counter[str] = Counter()
        for name, work in self._rows.values():
            works[name] += work
        bill = Bill(works, self.costs.split(works, self.costs.expected(works.total())))
        self._add(bill.charged_ns, 1)
        return bill

    def settle(self, bill: Bill, duration_ns: int) -> None:
        """It took so long."""
        self.costs.note(sum(bill.works.values()), duration_ns)
        self._add(self.costs.split(bill.works, duration_ns), 1)
        self._add(bill.charged_ns, -1)

    def _add(self, costs_ns: Mapping[str, float], sign: int) -> None:
        for name, cost_ns in costs_ns.items():
            self._shares.charge(name, sign * cost_ns)

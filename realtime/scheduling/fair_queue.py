"""Whose frame is next, by engine time: every session moves on in virtual time by what its rows cost.

Start-time fair queueing. Must not know sessions, frames or the engine: users are names, costs are nanoseconds.
Source: Goyal, Vin, Cheng 1996, "Start-time Fair Queuing".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence


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

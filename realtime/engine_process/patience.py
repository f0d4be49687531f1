"""How long a tick may take until it is taken for one that never ends.

Must not know what runs a tick. Times come in as arguments.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from ..engine.state import RungState

NEWEST = 64
"""Ticks that the expected time is made of."""


LATE_BEAT_S = 0.5
"""A process that has said nothing for so long is held up: twice the interval of its signs of life."""

STOPPED_S = 1.0
"""How long a process may be stopped, by SIGSTOP for example."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The times after which a child process is given up, in seconds.

    Attributes:
        tick_s: of a tick, at least.
        tick_factor: … and as many times what it is expected to take.
        climbing_s: of the first tick of its form by other code than before, which may build something, and of any in a
            process that is held up while a faster rung may come: what it loads may keep the interpreter to itself.
        first_s: of the first tick of its form, for which something may be compiled, captured or fetched.
        loading_s: without a sign of life, while the engine is loaded.
        idle_s: … and while it has nothing to do.
        closing_s: until it has ended, once it is told to.
    """

    tick_s: float = 1.0
    tick_factor: float = 10.0
    climbing_s: float = 10.0
    first_s: float = 30.0
    loading_s: float = 60.0
    idle_s: float = 60.0
    closing_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Leeway:
    """How long a process may go on without what is due.

    Attributes:
        seconds: while it gives signs of life.
        held_s: while it gives none.
    """

    seconds: float
    held_s: float

    @classmethod
    def of_idle(cls, held_s: float) -> Leeway:
        """Of a process of which nothing is due."""
        return cls(math.inf, held_s)

    def at_least(self, seconds: float) -> Leeway:
        """This one, or so many seconds where that is longer."""
        return Leeway(max(self.seconds, seconds), max(self.held_s, seconds))


class TickPatience:
    """Learns from the ticks of one engine how long the next may take. Any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._newest: deque[tuple[int, float]] = deque(maxlen=NEWEST)
        self._known: dict[Hashable, Hashable] = {}  # what ran a form last

    def note(self, form: Hashable, code: Hashable, work: int, seconds: float) -> None:
        """Learn from a tick that has ended."""
        with self._lock:
            self._known[form] = code
            self._newest.append((work, seconds))

    def leeway(self, form: Hashable, code: Hashable, work: int, *, climbs: bool) -> Leeway:
        """How long to wait for a tick.

        Args:
            form: all on which it depends which code runs, of that which there is.
            code: what there is, see `code_of`.
            work: see `RowCost`.
            climbs: see `RungState`.
        """
        with self._lock:
            if form not in self._known:
                return Leeway(self._limits.first_s, self._limits.first_s)
            is_new = self._known[form] != code
            newest = tuple(self._newest)
        expected_s = max(seconds * max(1.0, work / max(1, known)) for known, seconds in newest)
        seconds = max(self._limits.tick_s, self._limits.tick_factor * expected_s)
        leeway = Leeway(seconds, max(seconds, self._limits.climbing_s if climbs else 0.0))
        return leeway.at_least(self._limits.climbing_s) if is_new else leeway


def code_of(rung: RungState) -> Hashable:
    """All of a rung's state on which it depends which code a tick runs."""
    return rung.name, rung.what, rung.made_for


class Wait:
    """How long a process has been waited for. Time in which the one that waits stood still itself does not count.

    Args:
        now_s: a clock that never goes back.
        look_every_s: interval at which `exceeded_s` is asked.
    """

    def __init__(self, now_s: float, look_every_s: float) -> None:
        self._looked_s = self._heard_s = now_s
        self._most_s = 2 * look_every_s
        self._signs = 0
        self._waited_s = self._held_s = 0.0

    def heard(self, now_s: float) -> None:
        """The process has said something."""
        self._heard_s = now_s

    def exceeded_s(self, now_s: float, leeway: Leeway, signs: int, *, is_stopped: bool) -> float | None:
        """The time that it may take, where it has taken longer; else None.

        Args:
            signs: changes whenever something came that was due, or becomes due while nothing was.
            is_stopped: whether the process is stopped, so that nothing goes on in it.
        """
        passed_s = min(now_s - self._looked_s, self._most_s)
        self._looked_s = now_s
        if signs != self._signs:
            self._signs, self._waited_s, self._held_s = signs, 0.0, 0.0
            return None
        if is_stopped:
            most_s = min(leeway.seconds, STOPPED_S)
        elif now_s - self._heard_s > LATE_BEAT_S:
            self._held_s += passed_s
            return leeway.held_s if self._held_s > leeway.held_s else None
        else:
            most_s = leeway.seconds
        if self._held_s:
            self._waited_s = self._held_s = 0.0  # what held it up is over: it has its time again
        self._waited_s += passed_s
        return most_s if self._waited_s > most_s else None

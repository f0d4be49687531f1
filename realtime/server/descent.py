"""Which rungs of speed the next engine is to leave out: those on which engines broke again and again.

Must not know the engine, or how it is replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..config import NO_RUNGS, Accelerate, Config

RUNGS = frozenset(Accelerate) - frozenset(NO_RUNGS)
BREAKS = 2
"""So many breaks on a rung are one too many …"""
WITHIN_S = 3600.0
"""… within this time."""


class _Break(NamedTuple):
    """When an engine broke, and the session that is to blame."""

    at_s: float
    blamed: str | None


class Descent:
    """Counts how engines broke on each rung, and leaves out one that did so twice within an hour. The engine thread's.

    All breaks at one session's frames count as one: they may break engines on whichever rung.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._breaks: dict[Accelerate, list[_Break]] = {}
        self._left_out: list[Accelerate] = []

    def broke(self, rung: str, blamed: str | None) -> bool:
        """An engine broke.

        Args:
            rung: the name of what it ran on.
            blamed: the session that is to blame for this break and the one before; None where nobody is, yet.

        Returns:
            Whether the rung is left out from now on. Below eager mode, and in `echo`, there is none to go to.
        """
        if rung not in RUNGS or (name := Accelerate(rung)) in self._left_out:
            return False
        now_s = self._clock()
        breaks = [one for one in self._breaks.get(name, ()) if now_s - one.at_s <= WITHIN_S]
        if blamed is not None and breaks and breaks[-1].blamed is None:
            breaks.pop()
        if blamed is None or all(one.blamed != blamed for one in breaks):
            breaks.append(_Break(now_s, blamed))
        self._breaks[name] = breaks
        if len(breaks) < BREAKS:
            return False
        self._left_out.append(name)
        return True

    def configure(self, config: Config) -> Config:
        """The configuration of the next engine."""
        if not self._left_out:
            return config
        return config.model_copy(update={"avoid_rungs": (*config.avoid_rungs, *self._left_out)})

"""Whether a worker is alive, by its signs of life.

Must not know how they come. Times come in as arguments.
"""

from __future__ import annotations

BEAT_EVERY_NS = 250_000_000
DEADLINE_NS = 1_000_000_000
"""A worker that has given no sign for so long is lost, until it gives one."""
LOOK_EVERY_NS = 50_000_000
"""How often it is looked at. A longer time between two looks is one in which this process itself stood still."""


class Pulse:
    """Of one worker. Time in which whoever listens stood still does not count.

    Args:
        now_ns: monotonic.
    """

    def __init__(self, now_ns: int) -> None:
        self._looked_ns = now_ns
        self._silent_ns = 0
        self._asked_ns = now_ns - BEAT_EVERY_NS
        self._owes = False

    @property
    def may_ask(self) -> bool:
        """Whether the worker owes no sign."""
        return not self._owes

    def due(self, now_ns: int) -> bool:
        """Whether the worker is to be asked for a sign now: not while it owes one."""
        return not self._owes and now_ns - self._asked_ns >= BEAT_EVERY_NS

    def asked(self, now_ns: int) -> None:
        """It was asked for one."""
        self._asked_ns, self._owes = now_ns, True

    def answered(self) -> None:
        """It has answered, if only that it can't."""
        self._owes = False

    def heard(self) -> None:
        """It has given one."""
        self._silent_ns = 0

    def silent_since_ns(self, now_ns: int) -> int:
        """Since when it is surely silent: what it was sent after that has not silenced it."""
        return min(now_ns, self._asked_ns + BEAT_EVERY_NS) if self._owes else now_ns

    def is_lost(self, now_ns: int) -> bool:
        """Whether it has given none for too long; to be asked every `LOOK_EVERY_NS`."""
        self._silent_ns += min(now_ns - self._looked_ns, 2 * LOOK_EVERY_NS)
        self._looked_ns = now_ns
        return self._silent_ns > DEADLINE_NS

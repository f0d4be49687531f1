"""Exponential back-off: how long what failed is left alone.

Time comes in as an argument. Must not know what it is that failed.
"""

from __future__ import annotations

from dataclasses import dataclass

BACKOFF_MIN_NS, BACKOFF_MAX_NS = 5_000_000_000, 60_000_000_000


@dataclass(slots=True)
class Backoff:
    """The first entries of a list, 0 to `last`, are not to be tried until `until_ns`."""

    last: int = -1
    until_ns: int = 0
    length_ns: int = 0

    def failed(self, last: int, now_ns: int, *, is_again: bool) -> None:
        """Leave the entries up to `last` alone from now on: twice as long as before where they failed again."""
        is_longer = is_again and self.length_ns > 0
        self.length_ns = min(2 * self.length_ns, BACKOFF_MAX_NS) if is_longer else BACKOFF_MIN_NS
        self.last, self.until_ns = last, now_ns + self.length_ns

    def first_allowed(self, now_ns: int) -> int:
        """Index of the first entry that may be tried."""
        return self.last + 1 if now_ns < self.until_ns else 0

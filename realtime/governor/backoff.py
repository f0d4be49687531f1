"""Exponential back-off: for how long entries of a list that failed are not tried again.

Time comes in as an argument. Must not know what the entries are.
"""

from __future__ import annotations

from dataclasses import dataclass

BACKOFF_MIN_NS, BACKOFF_MAX_NS = 5_000_000_000, 60_000_000_000


@dataclass(slots=True)
class Backoff:
    """A back-off over the first entries of a list.

    Attributes:
        last: index of the last entry that is not to be tried; -1 for none.
        until_ns: when the back-off ends.
        length_ns: its length.
    """

    last: int = -1
    until_ns: int = 0
    length_ns: int = 0

    def failed(self, last: int, now_ns: int, *, is_again: bool) -> None:
        """Begin a back-off over the entries 0 to `last`.

        Args:
            is_again: whether a trial after the last back-off failed: it is twice as long then, up to `BACKOFF_MAX_NS`.
        """
        is_longer = is_again and self.length_ns > 0
        self.length_ns = min(2 * self.length_ns, BACKOFF_MAX_NS) if is_longer else BACKOFF_MIN_NS
        self.last, self.until_ns = last, now_ns + self.length_ns

    def first_allowed(self, now_ns: int) -> int:
        """Index of the first entry that may be tried."""
        return self.last + 1 if now_ns < self.until_ns else 0

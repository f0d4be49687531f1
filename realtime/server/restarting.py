"""When an engine that broke is loaded again, and how often.

Must not know engines.
"""

from __future__ import annotations

from collections.abc import Sequence

BACK_OFF_S = (0.0, 1.0, 2.0, 4.0)
"""Time before a broken engine is loaded again, the first time in a row, the second and so on; then always the last."""
SETTLED_S = 30.0
"""An engine that has run for so long is the first in a row again."""


class Restarts:
    """When another engine is loaded, and how often. The engine thread's."""

    def __init__(self, left: float, back_off_s: Sequence[float]) -> None:
        self._left = left
        self._back_off_s = back_off_s
        self._in_a_row = 0

    def next_s(self, lived_s: float) -> float | None:
        """Time to wait before another is loaded, behind one that lived for so long; None where none is."""
        if self._left <= 0:
            return None
        self._left -= 1
        if lived_s >= SETTLED_S:
            self._in_a_row = 0
        wait_s = self._back_off_s[min(self._in_a_row, len(self._back_off_s) - 1)]
        self._in_a_row += 1
        return wait_s

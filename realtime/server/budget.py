"""A budget that refills as time passes (a token bucket), for what one connection may make the server do.

Must not know what is paid for.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """So many units a second, and as many at once as fill up in `span_s`.

    Args:
        per_second: units that come in a second.
        span_s: seconds of them that add up while nothing is spent.
        clock: monotonic seconds.
    """

    def __init__(self, per_second: float, span_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = per_second * span_s
        self._clock = clock
        self._left = self._most
        self._at_s = clock()

    def spend(self, units: float) -> float:
        """Spend units, if need be those of the future.

        Returns:
            Seconds until the budget is out of debt; 0 where it is not in debt.
        """
        now_s = self._clock()
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_second) - units
        self._at_s = now_s
        return max(0.0, -self._left / self._per_second)

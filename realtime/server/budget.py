"""Budgets that refill as time passes (token buckets), for what one connection, or one address, may make the server do.

Must not know what is paid for.
"""

from __future__ import annotations

import time
from collections import OrderedDict
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

    def take(self, units: float) -> bool:
        """Spend units if the budget has them; whoever asks for too many loses nothing by it."""
        left, at_s = self._left, self._at_s
        if self.spend(units) == 0:
            return True
        self._left = min(self._most, left + (self._at_s - at_s) * self._per_second)
        return False


class Budgets:
    """A budget for each of many, which share nothing.

    Args:
        most: so many are kept, those used last: one that is not begins with all that it may have at once.
        per_second, span_s, clock: see `Budget`.
    """

    def __init__(
        self, per_second: float, span_s: float, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._new = lambda: Budget(per_second, span_s, clock)
        self._most = most
        self._budgets: OrderedDict[str, Budget] = OrderedDict()

    def spend(self, name: str, units: float) -> float:
        """See `Budget.spend`."""
        return self._of(name).spend(units)

    def take(self, name: str, units: float) -> bool:
        """See `Budget.take`."""
        return self._of(name).take(units)

    def _of(self, name: str) -> Budget:
        budget = self._budgets.pop(name, None) or self._new()
        self._budgets[name] = budget
        if len(self._budgets) > self._most:
            self._budgets.popitem(last=False)
        return budget

"""Whether an engine still calculates, by what comes out of it.

Must not know the scheduler, or what a number is.
"""

from __future__ import annotations

from collections.abc import Collection

from ..frame import Failure, Order, Result

TICKS_MAX = 10
"""Ticks in a row out of which came nothing but what is no number, from which on an engine is broken."""
NOT_A_NUMBER = "nan"
"""The code of such a frame's error."""


class Soundness:
    """Of one engine. Its scheduler's thread.

    Params alone may make frames no numbers, and another engine would make nothing else of them. So an engine is broken
    by what it made pictures of before: with the same params, or with those of several sessions or changes since.
    """

    def __init__(self) -> None:
        self._good: dict[str, int] = {}  # by session: the version of the params that there was a picture of last
        self._bad: set[tuple[str, int]] = set()
        self._in_a_row = 0

    def note(self, outcomes: Collection[Result | Failure]) -> bool:
        """Note what left with a tick.

        Returns:
            Whether the engine is broken.
        """
        made = [outcome.order for outcome in outcomes if isinstance(outcome, Result) and outcome.stamps.denoise]
        bad = [one.order for one in outcomes if isinstance(one, Failure) and one.error.code == NOT_A_NUMBER]
        if made:
            self._good.update(map(_params_of, made))
            self._bad, self._in_a_row = set(), 0
        elif bad:
            self._bad.update(map(_params_of, bad))
            self._in_a_row += 1
        return self._in_a_row >= TICKS_MAX and self._is_proven()

    def _is_proven(self) -> bool:
        """Whether it is not the params' doing."""
        return bool(self._good) and (len(self._bad) > 1 or not self._bad.isdisjoint(self._good.items()))

    def forget(self, session: str) -> None:
        """The session is over."""
        self._good.pop(session, None)


def _params_of(order: Order) -> tuple[str, int]:
    return order.session, order.params.version

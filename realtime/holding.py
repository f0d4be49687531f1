"""Which pictures are held back, by what a frame checker says of them.

Pure. Must not know checkers, or what is shown instead.
"""

from __future__ import annotations

import math

from .errors import FrameError
from .frame import Failure, Result

UNSAFE, UNCHECKED = "unsafe", "unchecked"
"""Codes of frames' errors: the checker holds the picture; the checker could not say."""
HELD_CODES = (UNSAFE, UNCHECKED)


class Holding:
    """Holds pictures of sessions. One thread's.

    A session's pictures are held from one whose score is `above` or more, until one's is less than `below`: so a score
    that wavers between the two changes nothing, and nobody sees a flicker.

    Args:
        above, below: from 0 to 1.
    """

    def __init__(self, above: float, below: float) -> None:
        self._above, self._below = above, below
        self._is_held: dict[str, bool] = {}  # by session

    def judged(self, outcome: Result | Failure, *, was_held: bool = False) -> Result | Failure:
        """The outcome, or a failure in its place where its picture is held. One without a score, or with one that is no
        number, is.

        Args:
            was_held: whether the session's pictures were, by another engine, where this is the first that it sees.
        """
        if isinstance(outcome, Failure):
            return outcome
        session, score = outcome.order.session, outcome.score
        if score is None or not math.isfinite(score):
            return Failure(
                outcome.order,
                FrameError("the frame checker fails, and so the picture is held: the server's log says why", UNCHECKED),
            )
        is_held = self._is_held.get(session, was_held)
        self._is_held[session] = score >= self._above or (is_held and score >= self._below)
        if not self._is_held[session]:
            return outcome
        return Failure(outcome.order, FrameError("the frame checker takes the picture for unsafe: it is held", UNSAFE))

    def forget(self, session: str) -> None:
        """The session is over, or goes on elsewhere."""
        self._is_held.pop(session, None)

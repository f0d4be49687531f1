"""Where a session's crossfader is to be, as somebody moved or commanded it. Must not know what lies on the decks."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from .errors import ParamsError
from .params import TRANSITION_MAX_S


@dataclass(frozen=True, slots=True)
class Crossfade:
    """A place between two decks, and how long the way there takes.

    Attributes:
        at: 0 is the first deck alone, 1 the second.
        transition_s: seconds; 0: at once.
    """

    at: float
    transition_s: float = 0.0

    @classmethod
    def of(cls, at: object, transition_s: object) -> Crossfade:
        """A crossfade as it came in.

        Args:
            at: brought within 0 and 1.
            transition_s: seconds of the way there; None means at once.

        Raises:
            ParamsError: one of them is none.
        """
        place, seconds = _number(at), 0.0 if transition_s is None else _number(transition_s)
        if place is None:
            raise ParamsError("at must be a number from 0, the first deck, to 1, the second", "at")
        if seconds is None or not 0 <= seconds <= TRANSITION_MAX_S:
            raise ParamsError(f"transition_s must be a number from 0 to {TRANSITION_MAX_S}", "transition_s")
        return cls(min(1.0, max(0.0, place)), seconds)

    def wire(self) -> dict[str, float]:
        """The crossfade as JSON values."""
        return {"at": round(self.at, 4), "transition_s": round(self.transition_s, 3)}


def _number(value: object) -> float | None:
    """A finite number; None for what is none. One that is too large for a float is as large as one can be."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
        return None
    return float(min(max(value, -sys.float_info.max), sys.float_info.max))

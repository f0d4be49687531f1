"""A session's tempo: what somebody tapped, turned or sent, for all who play it. Must not know what follows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import ParamsError

BPM_MIN, BPM_MAX = 30.0, 300.0
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Tempo:
    """Beats a minute, and when one of them was.

    Attributes:
        origin_ns: of a beat, monotonic.
    """

    bpm: float
    origin_ns: int

    @classmethod
    def of(cls, bpm: object, since_s: object, now_ns: int) -> Tempo:
        """A tempo as it came in.

        Args:
            bpm: brought within `BPM_MIN` and `BPM_MAX`.
            since_s: seconds since one of its beats; what is no number means that one is now.

        Raises:
            ParamsError: it is no tempo.
        """
        if not isinstance(bpm, int | float) or isinstance(bpm, bool) or not -math.inf < bpm < math.inf:
            raise ParamsError(f"bpm must be a number from {BPM_MIN:g} to {BPM_MAX:g}", "bpm")
        ago_s = since_s if isinstance(since_s, int | float) and abs(since_s) <= 3600 else 0.0
        return cls(float(min(BPM_MAX, max(BPM_MIN, bpm))), now_ns - round(ago_s * 1e9))

    def since_s(self, now_ns: int) -> float:
        """Seconds since its newest beat."""
        return (now_ns - self.origin_ns) % (MINUTE_NS / self.bpm) / 1e9

    def wire(self, now_ns: int) -> dict[str, float]:
        """The tempo as JSON values."""
        return {"bpm": round(self.bpm, 3), "since_s": round(self.since_s(now_ns), 4)}

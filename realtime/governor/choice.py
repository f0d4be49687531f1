"""What a governor chooses, in the words in which the user is told it, and how long what failed is left alone.

Must not know when or how it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..params import Params
from .levels import Level
from .measurements import SECOND_NS, Pace

BACK_IN_REACH = 0.95
"""Share of the target below which what was out of reach is no more."""
FIRST_BAN_NS, LONGEST_BAN_NS = 5 * SECOND_NS, 60 * SECOND_NS
"""What failed is not tried again for so long; twice as long each time that it fails soon after it was tried."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is in force and why.

    Attributes:
        pace: what was last seen; None where nothing was yet.
        is_reached: whether the targets are kept, as far as is known.
    """

    level: Level
    quality: int
    reason: str
    pace: Pace | None = None
    is_reached: bool = True

    @property
    def state(self) -> tuple[Level, int, bool]:
        """What of it is worth telling: the numbers in a reason change all the time."""
        return self.level, self.quality, self.is_reached

    def wire(self) -> dict[str, Any]:
        """As the client is told it."""
        return {
            "steps": self.level.steps,
            "width": self.level.width,
            "height": self.level.height,
            "quality": self.quality,
            "reason": self.reason,
            "latency_ms": self.pace and round(self.pace.latency_ms, 1),
            "fps": self.pace and round(self.pace.fps, 1),
        }


@dataclass(slots=True)
class Ban:
    """Rungs that failed, from the first to `last`, and until when they are not tried again."""

    last: int = -1
    until_ns: int = 0
    length_ns: int = 0

    def put(self, last: int, now_ns: int, was_soon: bool) -> None:
        """It failed, perhaps soon after it was tried again."""
        again = was_soon and self.length_ns > 0
        self.length_ns = min(2 * self.length_ns, LONGEST_BAN_NS) if again else FIRST_BAN_NS
        self.last, self.until_ns = last, now_ns + self.length_ns

    def first_allowed(self, now_ns: int) -> int:
        """The highest rung that may be tried."""
        return self.last + 1 if now_ns < self.until_ns else 0


def trouble_of(asked: Params, pace: Pace, is_reached: bool) -> str:
    """Which target is missed, as a sentence; empty where none is."""
    slack = 1.0 if is_reached else BACK_IN_REACH
    if asked.latency_ms is not None and pace.latency_ms > slack * asked.latency_ms:
        return f"a picture takes {pace.latency_ms:.0f} ms and {asked.latency_ms:.0f} ms are asked for"
    if asked.min_fps is not None and pace.is_full:
        needed_fps = min(asked.min_fps, pace.offered_fps)
        if pace.fps * slack < BACK_IN_REACH * needed_fps:
            return f"{pace.fps:.1f} pictures a second are made and {asked.min_fps:g} are asked for"
    return ""


def difference(before: Level, after: Level) -> str:
    """In words; empty where there is none."""
    parts: list[str] = []
    if before.steps != after.steps:
        parts.append(f"{after.steps} step{'s' if after.steps > 1 else ''} instead of {before.steps}")
    if before.pixels != after.pixels:
        parts.append(f"{after.width}x{after.height} pixels instead of {before.width}x{before.height}")
    return " and ".join(parts)

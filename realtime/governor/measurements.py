"""What a session's results say about its pace: how long pictures take, how many come, what another level would cost.

Times come in as arguments. Must not know targets, or what is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from .levels import Level

SECOND_NS = 1_000_000_000
SUPERSEDED_SHARE = 0.1
"""Where a smaller share of the frames is superseded, the camera sets the pace and not the engine."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture costs, as learned at one level.

    Attributes:
        step_ms: denoising, for each step and pixel.
        rest_ms: decoding and encoding, for each pixel.
        stretch: how many times its work a picture takes in nine of ten cases, waiting included.
    """

    step_ms: float
    rest_ms: float
    stretch: float

    def work_ms(self, level: Level) -> float:
        """From admission to the encoded picture."""
        return level.pixels * (level.steps * self.step_ms + self.rest_ms)

    def latency_ms(self, level: Level) -> float:
        """From arrival to hand-over, in nine of ten cases."""
        return self.stretch * self.work_ms(level)


@dataclass(frozen=True, slots=True)
class Pace:
    """What a window of results says.

    Attributes:
        latency_ms: from arrival to hand-over; nine of ten pictures took no longer.
        fps: pictures made a second.
        offered_fps: frames a second that wanted to become pictures.
        is_full: whether frames came faster than pictures were made.
        made, unsent: pictures, and those of them that were replaced before they were sent.
    """

    latency_ms: float
    fps: float
    offered_fps: float
    is_full: bool
    made: int
    unsent: int


@dataclass(slots=True)
class Window:
    """Results since a moment, at one level.

    Args:
        level: the level; results of another were under way when it was chosen.
        begun_ns: that moment.
        superseded: how many of the session's frames were superseded before it.
        skip: results that are not looked at: whatever is done once for a new size, the first pays for.
    """

    level: Level
    begun_ns: int
    superseded: int
    skip: int
    made: int = 0
    unsent: int = 0
    last_ns: int = 0
    latencies_ms: list[float] = field(default_factory=list[float])
    denoise_ms: list[float] = field(default_factory=list[float])
    rest_ms: list[float] = field(default_factory=list[float])

    def note(
        self, level: Level, latency_ms: float, stages_ms: Mapping[str, float], is_unsent: bool, now_ns: int
    ) -> None:
        """A picture was made. See `Governor.note`."""
        self.made += 1
        self.unsent += is_unsent
        self.last_ns = now_ns
        if level != self.level:
            return
        if self.skip:
            self.skip -= 1
            return
        denoise_ms = stages_ms["denoise"]
        self.latencies_ms.append(latency_ms)
        self.denoise_ms.append(denoise_ms)
        self.rest_ms.append(sum(stages_ms.values()) - stages_ms["queue"] - denoise_ms)

    def pace(self, superseded: int) -> Pace:
        """What was seen, up to the newest result: not up to now, since the frames may have paused.

        Args:
            superseded: of the session's frames, until now.
        """
        seconds = max(1, self.last_ns - self.begun_ns) / SECOND_NS
        replaced = superseded - self.superseded
        offered = self.made + replaced
        return Pace(
            latency_ms=_nine_of_ten(self.latencies_ms),
            fps=self.made / seconds,
            offered_fps=offered / seconds,
            is_full=replaced > SUPERSEDED_SHARE * offered,
            made=self.made,
            unsent=self.unsent,
        )

    def cost(self) -> Cost:
        """What was learned."""
        denoise_ms, rest_ms = median(self.denoise_ms), median(self.rest_ms)
        pixels, work_ms = self.level.pixels, denoise_ms + rest_ms
        stretch = _nine_of_ten(self.latencies_ms) / work_ms if work_ms > 0 else 1.0
        return Cost(denoise_ms / (self.level.steps * pixels), rest_ms / pixels, stretch)


def _nine_of_ten(values: list[float]) -> float:
    """What nine of ten don't exceed; and of a few, never the largest, which any hiccup makes."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 2, int(0.9 * len(ordered))))]

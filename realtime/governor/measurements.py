"""Measurements of a session's results: latency, rate, and the service time that another level would have.

Times come in as arguments. Must not know targets or decisions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from .levels import Level

SECOND_NS = 1_000_000_000
SUPERSEDED_SHARE = 0.1
"""Share of superseded frames up to which the camera limits the rate and not the engine."""

NET_SHARE = 0.3
"""What a net adds to a step, as far as nothing of it is known: 0.27 for Stable Diffusion's, 0.38 for SDXL's."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Latency and rates that were measured.

    Attributes:
        latency_ms: from arrival to hand-over, 90th percentile.
        fps: pictures made a second.
        offered_fps: frames a second that were admitted or superseded.
        is_saturated: whether frames come faster than pictures can be made.
        made, unsent: number of pictures, and of those among them that were replaced before they were sent.
    """

    latency_ms: float
    fps: float
    offered_fps: float
    is_saturated: bool
    made: int
    unsent: int


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """The service time of a picture, waiting excluded: linear in its pixels, in steps times pixels, and in nets times
    that.

    Attributes:
        fitted_at: the level whose results it was fitted to.
        step_ms: denoising without nets, per step and pixel.
        rest_ms: decoding and encoding, per pixel.
        latency_ratio: 90th percentile of the latency / service time.
    """

    fitted_at: Level
    step_ms: float
    rest_ms: float
    latency_ratio: float

    def at_ms(self, level: Level) -> float:
        """From admission to the encoded picture."""
        return level.pixels * (_steps(level) * self.step_ms + self.rest_ms)

    def predict(self, level: Level, pace: Pace | None) -> tuple[float, float]:
        """Latency (90th percentile, milliseconds) and frame rate that a level would have.

        Args:
            pace: measured at `fitted_at`; None where the session has none of its own yet.
        """
        service_ms = self.at_ms(level)
        latency_ms, fps = self.latency_ratio * service_ms, 1000 / service_ms if service_ms > 0 else math.inf
        if pace is None:
            return latency_ms, fps
        if pace.is_saturated and service_ms > 0:
            fps = pace.fps * self.at_ms(self.fitted_at) / service_ms
        elif service_ms * pace.offered_fps > 1000:
            latency_ms += 1000 / pace.offered_fps  # pictures that are slower than the camera wait for their turn
        return latency_ms, fps


@dataclass(slots=True)
class Measurements:
    """Results since one level was chosen, or since the last verdict on it.

    Args:
        level: results of another level count for the rates only: they were under way when it was chosen.
        begun_ns: when it began.
        superseded: number of the session's superseded frames until then.
        skip: number of results whose times are left out: the first of a new size pays for its preparation.
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
        """Add a result. See `Governor.note`."""
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
        """Latency and rates up to the newest result: not up to now, since the frames may have paused.

        Args:
            superseded: number of the session's superseded frames until now.
        """
        seconds = max(1, self.last_ns - self.begun_ns) / SECOND_NS
        replaced = superseded - self.superseded
        offered = self.made + replaced
        return Pace(
            latency_ms=_p90(self.latencies_ms),
            fps=self.made / seconds,
            offered_fps=offered / seconds,
            is_saturated=replaced > SUPERSEDED_SHARE * offered,
            made=self.made,
            unsent=self.unsent,
        )

    def service_time(self) -> ServiceTime:
        """The medians of the results, as a function of the level."""
        denoise_ms, rest_ms = median(self.denoise_ms), median(self.rest_ms)
        pixels, service_ms = self.level.pixels, denoise_ms + rest_ms
        latency_ratio = _p90(self.latencies_ms) / service_ms if service_ms > 0 else 1.0
        return ServiceTime(self.level, denoise_ms / (_steps(self.level) * pixels), rest_ms / pixels, latency_ratio)


def _steps(level: Level) -> float:
    """What a level's steps cost, in steps without nets."""
    return level.steps * (1 + NET_SHARE * level.nets)


def _p90(values: list[float]) -> float:
    """90th percentile, nearest rank; never the largest of several values, since a single hiccup makes that one."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 2, int(0.9 * len(ordered))))]

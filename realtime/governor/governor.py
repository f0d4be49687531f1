"""Keeps a session to its latency and frame rate targets: chooses steps, nets, size and output quality, and says why.

Decides on the session's own measurements, out of the levels that its params allow. Time comes in as an argument. Must
not know the engine, sockets, or other sessions: their load shows in the measurements.

Threads: `choice` may be read by any; all else is the engine thread's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..params import Params
from .backoff import Backoff
from .levels import Level, levels, qualities
from .measurements import SECOND_NS, Measurements, Pace, ServiceTime

VERDICT_EVERY_NS = SECOND_NS
"""Least time between two verdicts, so that the picture does not pump."""
RESULTS_WANTED, RESULTS_WAIT_NS = 10, 2 * SECOND_NS
"""Results that a verdict is based on; after the wait, fewer will do."""
DOWN_TO, UP_TO = 0.9, 0.8
"""Share of the target that a level must be predicted to keep to, on the way down and up: the gap is the hysteresis."""
UP_AFTER_NS = 2 * SECOND_NS
"""Least time at a level before a costlier one is tried."""
FAILED_SOON_NS = 30 * SECOND_NS
"""A level that was tried and misses its target within this time has failed the trial."""
REACHED_SHARE = 0.95
"""A target that was out of reach counts as reached below this share of it. A frame rate is missed below it."""
UNSENT_SHARE, UNSENT_MIN = 0.2, 3
"""Share and number of pictures replaced before they were sent from which on the output quality falls."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A level and a quality in force, and why.

    Attributes:
        pace: the newest measurement; None before the first.
        is_reached: whether the targets are kept, as far as is known.
    """

    level: Level
    quality: int
    reason: str
    pace: Pace | None = None
    is_reached: bool = True

    @property
    def state(self) -> tuple[Level, int, bool]:
        """The part whose changes the client is told: the numbers in a reason change all the time."""
        return self.level, self.quality, self.is_reached

    def wire(self) -> dict[str, Any]:
        """The fields of a `governor` message."""
        return {
            "steps": self.level.steps,
            "nets": self.level.nets,
            "width": self.level.width,
            "height": self.level.height,
            "quality": self.quality,
            "reason": self.reason,
            "latency_ms": self.pace and round(self.pace.latency_ms, 1),
            "fps": self.pace and round(self.pace.fps, 1),
        }


def missed_target(asked: Params, pace: Pace, is_reached: bool) -> str:
    """The target that is missed, as a sentence; empty where none is.

    A frame rate is missed only if the engine is the limit, and not the camera.

    Args:
        is_reached: whether it was kept before; else it is only kept again with a margin (`REACHED_SHARE`).
    """
    slack = 1.0 if is_reached else REACHED_SHARE
    if asked.latency_ms is not None and pace.latency_ms > slack * asked.latency_ms:
        return f"a picture takes {pace.latency_ms:.0f} ms and {asked.latency_ms:.0f} ms are asked for"
    if asked.min_fps is not None and pace.is_saturated:
        needed_fps = min(asked.min_fps, pace.offered_fps)
        if pace.fps * slack < REACHED_SHARE * needed_fps:
            return f"{pace.fps:.1f} pictures a second are made and {asked.min_fps:g} are asked for"
    return ""


class Governor:
    """The governor of one session. Without a target it chooses nothing and computes nothing.

    Attributes:
        choice: in force; None where there is no target.
    """

    def __init__(self) -> None:
        self.choice: Choice | None = None
        self._news: Choice | None = None
        self._asked: Params | None = None
        self._governed = Params()
        self._levels: tuple[Level, ...] = ()
        self._qualities: tuple[int, ...] = ()
        self._service_time: ServiceTime | None = None
        self._measurements: Measurements | None = None
        self._changed_ns = 0
        self._is_trial = False
        self._level_backoff, self._quality_backoff = Backoff(), Backoff()

    def params(self, asked: Params, superseded: int, now_ns: int) -> Params:
        """The params that a frame is admitted with: those asked for, at the chosen level and quality.

        Args:
            asked: the session's own; their version stays.
            superseded: number of the session's frames that newer ones replaced before they were admitted.
        """
        if asked.latency_ms is None and asked.min_fps is None:
            self._release(asked)
            return asked
        if asked is not self._asked:
            self._retarget(asked, superseded, now_ns)
        if self._measurements is not None and self._is_due(self._measurements, now_ns):
            self._decide(self._measurements, superseded, now_ns)
        return self._governed

    def note(
        self, made_with: Params, latency_ms: float, stages_ms: Mapping[str, float], is_unsent: bool, now_ns: int
    ) -> None:
        """A picture was made.

        Args:
            made_with: its job's params.
            latency_ms: from its frame's arrival to now.
            stages_ms: time in each of `frame.STAGES`.
            is_unsent: whether it replaced the picture before it, which was not sent yet.
        """
        if self._measurements is not None:
            self._measurements.note(Level.of(made_with), latency_ms, stages_ms, is_unsent, now_ns)

    def take_news(self) -> Choice | None:
        """The choice, if the client has not been told of it yet. Once."""
        news, self._news = self._news, None
        return news

    def _release(self, asked: Params) -> None:
        if self.choice is not None:
            self._news = Choice(Level.of(asked), asked.output_quality, "there is no target: all is as asked for")
            self.choice = self._measurements = self._asked = None

    def _retarget(self, asked: Params, superseded: int, now_ns: int) -> None:
        """New params. The choice stays where they differ in something else only, such as the prompt."""
        before, self._asked = self._asked, asked
        if before is None or _terms(before) != _terms(asked):
            self._levels, self._qualities = levels(asked), qualities(asked)
            self._level_backoff, self._quality_backoff = Backoff(), Backoff()
            level = self._levels[self._first_fitting(0, DOWN_TO, None)]
            change = Level.of(asked).change_to(level)
            reason = f"by what pictures took until now: {change}" if change else "all is as asked for"
            self._choose(Choice(level, self._qualities[0], reason), superseded, now_ns)
            self._news = self.choice  # also where it is the same: the answer to the new target
        self._govern(asked)

    def _is_due(self, measurements: Measurements, now_ns: int) -> bool:
        passed_ns, results = now_ns - measurements.begun_ns, len(measurements.latencies_ms)
        if passed_ns < VERDICT_EVERY_NS or not results:
            return False
        return results >= RESULTS_WANTED or passed_ns >= RESULTS_WAIT_NS

    def _decide(self, measurements: Measurements, superseded: int, now_ns: int) -> None:
        assert self._asked is not None and self.choice is not None
        pace = measurements.pace(superseded)
        self._service_time = measurements.service_time()
        choice = self._by_level(self._asked, self.choice, pace, now_ns)
        if choice.level == self.choice.level:
            choice = self._by_quality(choice, pace, now_ns)
        self._choose(replace(choice, pace=pace), superseded, now_ns)
        self._govern(self._asked)

    def _choose(self, choice: Choice, superseded: int, now_ns: int) -> None:
        before, self.choice = self.choice, choice
        is_other_level = before is None or before.level != choice.level
        if before is None or before.state != choice.state:
            self._news = choice
            self._changed_ns = now_ns
        self._measurements = Measurements(choice.level, now_ns, superseded, skip=int(is_other_level))

    def _govern(self, asked: Params) -> None:
        assert self.choice is not None
        level = self.choice.level
        sizes = {"width": level.width, "height": level.height, "control": asked.control[: level.nets]}
        rest = {"num_inference_steps": level.steps, "output_quality": self.choice.quality}
        self._governed = asked.model_copy(update=sizes | rest)

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _by_level(self, asked: Params, choice: Choice, pace: Pace, now_ns: int) -> Choice:
        at, held_ns = self._levels.index(choice.level), now_ns - self._changed_ns
        if missed := missed_target(asked, pace, choice.is_reached):
            self._level_backoff.failed(at, now_ns, is_again=self._is_trial and held_ns < FAILED_SOON_NS)
            self._is_trial = False
            if at == len(self._levels) - 1:
                reason = f"{missed}; out of reach within the limits of the params"
                return replace(choice, reason=reason, is_reached=False)
            return self._move(choice, self._first_fitting(at + 1, DOWN_TO, pace), missed)
        if not choice.is_reached:
            choice = replace(choice, reason="the target is kept again", is_reached=True)
        if at == 0 or held_ns < UP_AFTER_NS:
            return choice
        to = self._first_fitting(self._level_backoff.first_allowed(now_ns), UP_TO, pace)
        if to >= at:
            return choice
        self._is_trial = True
        return self._move(choice, to, "there is room")

    def _move(self, choice: Choice, to: int, why: str) -> Choice:
        level = self._levels[to]
        return replace(choice, level=level, reason=f"{why}: {choice.level.change_to(level)}")

    def _first_fitting(self, first: int, share: float, pace: Pace | None) -> int:
        """Index of the costliest level from `first` on that is predicted to keep the targets; the last if none is."""
        for at in range(first, len(self._levels)):
            if self._fits(self._levels[at], share, pace):
                return at
        return len(self._levels) - 1

    def _fits(self, level: Level, share: float, pace: Pace | None) -> bool:
        """Whether this level is predicted to keep to that share of the targets; True where nothing was measured."""
        asked = self._asked
        if self._service_time is None or asked is None:
            return True
        latency_ms, fps = self._service_time.predict(level, pace)
        needed_fps = min(asked.min_fps or 0.0, pace.offered_fps) if pace is not None else asked.min_fps or 0.0
        return (asked.latency_ms is None or latency_ms <= share * asked.latency_ms) and fps * share >= needed_fps

    def _by_quality(self, choice: Choice, pace: Pace, now_ns: int) -> Choice:
        """Lower the output quality only where sending is what takes too long; raise it where pictures are sent."""
        at, held_ns, backoff = self._qualities.index(choice.quality), now_ns - self._changed_ns, self._quality_backoff
        if pace.unsent >= UNSENT_MIN and pace.unsent >= UNSENT_SHARE * pace.made:
            to = min(at + 1, len(self._qualities) - 1)
            why = f"{pace.unsent} of {pace.made} pictures were not sent in time"
        elif not pace.unsent and held_ns >= UP_AFTER_NS:
            to, why = max(at - 1, min(at, backoff.first_allowed(now_ns))), "pictures are sent in time"
        else:
            return choice
        if to == at:
            return choice
        if to > at:
            backoff.failed(at, now_ns, is_again=held_ns < FAILED_SOON_NS)
        quality = self._qualities[to]
        return replace(choice, quality=quality, reason=f"{why}: quality {quality} instead of {choice.quality}")


def _terms(params: Params) -> tuple[Any, ...]:
    """The params that the levels, the qualities and the targets depend on."""
    limits = params.latency_ms, params.min_fps, params.min_steps, params.min_nets, params.min_scale, params.min_quality
    return *limits, Level.of(params), params.output_quality, params.output_format

"""Keeps a session to the latency and frame rate that it asks for: chooses steps, size and quality, and says why.

What a level costs is learned from the session's own results. Time comes in as an argument. Must not know the engine,
sockets, or other sessions: what those take shows in the results.

Threads: `choice` may be read by any; all else is the engine thread's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..params import Params
from .choice import Ban, Choice, difference, trouble_of
from .levels import Level, levels, qualities
from .measurements import SECOND_NS, Cost, Pace, Window

LOOK_EVERY_NS = SECOND_NS
"""A change at most this often, or the picture pumps."""
ENOUGH, PATIENCE_NS = 10, 2 * SECOND_NS
"""Results that a verdict stands on; after so long fewer will do."""
DOWN_TO, UP_TO = 0.9, 0.8
"""Shares of the target that a level must be expected to keep to: the gap between them keeps it from swinging."""
UP_AFTER_NS = 2 * SECOND_NS
"""A level is held this long before a costlier one is tried."""
SOON_NS = 30 * SECOND_NS
UNSENT_SHARE, UNSENT_ENOUGH = 0.2, 3
"""From so many pictures on that were replaced before they were sent, sending is what takes too long."""


class Governor:
    """One session's. Without a target it chooses nothing and computes nothing."""

    def __init__(self) -> None:
        self.choice: Choice | None = None
        self._news: Choice | None = None
        self._asked: Params | None = None
        self._governed = Params()
        self._levels: tuple[Level, ...] = ()
        self._qualities: tuple[int, ...] = ()
        self._cost: Cost | None = None
        self._window: Window | None = None
        self._changed_ns = 0
        self._is_trying = False
        self._bans = (Ban(), Ban())

    def params(self, asked: Params, superseded: int, now_ns: int) -> Params:
        """The params that a frame is admitted with: those asked for, with what the targets make of them.

        Args:
            asked: the session's own; their version stays.
            superseded: how many of the session's frames were replaced by newer ones before they were admitted.
        """
        if asked.latency_ms is None and asked.min_fps is None:
            self._let_go(asked)
            return asked
        if asked is not self._asked:
            self._take(asked, superseded, now_ns)
        if self._window is not None and self._is_time(self._window, now_ns):
            self._look(self._window, superseded, now_ns)
        return self._governed

    def note(
        self, made_with: Params, latency_ms: float, stages_ms: Mapping[str, float], is_unsent: bool, now_ns: int
    ) -> None:
        """A picture was made.

        Args:
            made_with: its job's params.
            latency_ms: from its frame's arrival to now.
            stages_ms: time in each of `frame.STAGES`.
            is_unsent: whether the picture before it was not sent yet, and now never is.
        """
        if self._window is not None:
            self._window.note(Level.of(made_with), latency_ms, stages_ms, is_unsent, now_ns)

    def take_news(self) -> Choice | None:
        """What the client must be told, once."""
        news, self._news = self._news, None
        return news

    def _let_go(self, asked: Params) -> None:
        if self.choice is not None:
            self._news = Choice(Level.of(asked), asked.output_quality, "there is no target: all is as asked for")
            self.choice = self._window = self._asked = None

    def _take(self, asked: Params, superseded: int, now_ns: int) -> None:
        """New params: where they are about something else, such as the prompt, the choice stays."""
        before, self._asked = self._asked, asked
        if before is None or _terms(before) != _terms(asked):
            self._levels, self._qualities = levels(asked), qualities(asked)
            self._bans = (Ban(), Ban())
            level = self._levels[self._first_fitting(0, DOWN_TO, None)]
            lowered = difference(Level.of(asked), level)
            reason = f"by what pictures took until now: {lowered}" if lowered else "all is as asked for"
            self._choose(Choice(level, self._qualities[0], reason), superseded, now_ns)
            self._news = self.choice  # also where it is the same: the answer to the new target
        self._govern(asked)

    def _is_time(self, window: Window, now_ns: int) -> bool:
        passed_ns, results = now_ns - window.begun_ns, len(window.latencies_ms)
        return passed_ns >= LOOK_EVERY_NS and results > 0 and (results >= ENOUGH or passed_ns >= PATIENCE_NS)

    def _look(self, window: Window, superseded: int, now_ns: int) -> None:
        assert self._asked is not None and self.choice is not None
        pace = window.pace(superseded)
        self._cost = window.cost()
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
        self._window = Window(choice.level, now_ns, superseded, skip=int(is_other_level))

    def _govern(self, asked: Params) -> None:
        assert self.choice is not None
        level = self.choice.level
        sizes = {"width": level.width, "height": level.height}
        rest = {"num_inference_steps": level.steps, "output_quality": self.choice.quality}
        self._governed = asked.model_copy(update=sizes | rest)

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _by_level(self, asked: Params, choice: Choice, pace: Pace, now_ns: int) -> Choice:
        at, held_ns = self._levels.index(choice.level), now_ns - self._changed_ns
        if trouble := trouble_of(asked, pace, choice.is_reached):
            self._bans[0].put(at, now_ns, self._is_trying and held_ns < SOON_NS)
            self._is_trying = False
            if at == len(self._levels) - 1:
                reason = f"{trouble}; out of reach within the limits of the params"
                return replace(choice, reason=reason, is_reached=False)
            return self._move(choice, self._first_fitting(at + 1, DOWN_TO, pace), trouble)
        if not choice.is_reached:
            choice = replace(choice, reason="the target is kept again", is_reached=True)
        if at == 0 or held_ns < UP_AFTER_NS:
            return choice
        to = self._first_fitting(self._bans[0].first_allowed(now_ns), UP_TO, pace)
        if to >= at:
            return choice
        self._is_trying = True
        return self._move(choice, to, "there is room")

    def _move(self, choice: Choice, to: int, why: str) -> Choice:
        level = self._levels[to]
        return replace(choice, level=level, reason=f"{why}: {difference(choice.level, level)}")

    def _first_fitting(self, first: int, share: float, pace: Pace | None) -> int:
        """The highest level from `first` on that is expected to keep the targets; the lowest where none is."""
        for at in range(first, len(self._levels)):
            if self._fits(self._levels[at], share, pace):
                return at
        return len(self._levels) - 1

    def _fits(self, level: Level, share: float, pace: Pace | None) -> bool:
        cost, asked = self._cost, self._asked
        if cost is None or asked is None:
            return True
        work_ms, latency_ms = cost.work_ms(level), cost.latency_ms(level)
        needed_fps, possible_fps = asked.min_fps or 0.0, 1000 / work_ms if work_ms > 0 else float("inf")
        if pace is not None and self.choice is not None:
            needed_fps = min(needed_fps, pace.offered_fps)
            if pace.is_full and work_ms > 0:
                possible_fps = pace.fps * cost.work_ms(self.choice.level) / work_ms
            elif work_ms * pace.offered_fps > 1000:
                latency_ms += 1000 / pace.offered_fps  # pictures that are slower than the camera wait for their turn
        return (asked.latency_ms is None or latency_ms <= share * asked.latency_ms) and (
            possible_fps * share >= needed_fps
        )

    def _by_quality(self, choice: Choice, pace: Pace, now_ns: int) -> Choice:
        """The line is what the picture's bytes are lowered for, and nothing else."""
        at, held_ns, ban = self._qualities.index(choice.quality), now_ns - self._changed_ns, self._bans[1]
        if pace.unsent >= UNSENT_ENOUGH and pace.unsent >= UNSENT_SHARE * pace.made:
            to, why = (
                min(at + 1, len(self._qualities) - 1),
                f"{pace.unsent} of {pace.made} pictures were not sent in time",
            )
        elif not pace.unsent and held_ns >= UP_AFTER_NS:
            to, why = max(at - 1, min(at, ban.first_allowed(now_ns))), "pictures are sent in time"
        else:
            return choice
        if to == at:
            return choice
        if to > at:
            ban.put(at, now_ns, held_ns < SOON_NS)
        quality = self._qualities[to]
        return replace(choice, quality=quality, reason=f"{why}: quality {quality} instead of {choice.quality}")


def _terms(params: Params) -> tuple[Any, ...]:
    """What of the params the choice depends on."""
    limits = params.latency_ms, params.min_fps, params.min_steps, params.min_scale, params.min_quality
    return *limits, Level.of(params), params.output_quality, params.output_format

"""A session's targets against an engine whose speed the test sets: what is chosen, when, and that it stays calm."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from realtime.control import Control
from realtime.frame import STAGES
from realtime.governor.governor import VERDICT_EVERY_NS, Choice, Governor, missed_target
from realtime.governor.levels import Level
from realtime.governor.measurements import Pace
from realtime.params import Params

MS = 1_000_000
PIXELS = 512 * 512
ASKED = Params(num_inference_steps=4, latency_ms=80)


@dataclass
class World:
    """A camera, and an engine that takes one frame at a time.

    Attributes:
        step_ms: of a step at 512x512; smaller pictures take as much less.
        rest_ms: of the rest of such a picture.
        net_share: what a net adds to a step, as a share of it.
        is_constant: every picture takes `step_ms`, whatever its steps and size.
        sends_ms: what sending takes; pictures made before replace the one that waits.
    """

    step_ms: float = 10.0
    rest_ms: float = 10.0
    net_share: float = 0.3
    camera_fps: float = 30.0
    is_constant: bool = False
    sends_ms: Callable[[Params], float] = lambda params: 0.0
    noise: float = 0.0
    now_ms: float = 0.0
    superseded: int = 0
    governor: Governor = field(default_factory=Governor)
    told: list[tuple[float, Choice]] = field(default_factory=list)
    used: list[tuple[float, Params]] = field(default_factory=list)
    _line_free_ms: float = 0.0
    _random: random.Random = field(default_factory=lambda: random.Random(3))

    def run(self, asked: Params, seconds: float) -> Params:
        """Frames for so long; the params of the last one."""
        end_ms = self.now_ms + 1000 * seconds
        interval_ms, params = 1000 / self.camera_fps, asked
        arrival = int(self.now_ms / interval_ms) + 1
        while self.now_ms < end_ms:
            newest = max(arrival, int(self.now_ms / interval_ms))
            self.superseded += newest - arrival
            arrived_ms = newest * interval_ms
            arrival = newest + 1
            begun_ms = max(self.now_ms, arrived_ms)
            params = self.governor.params(asked, self.superseded, round(begun_ms * MS))
            if (news := self.governor.take_news()) is not None:
                self.told.append((begun_ms, news))
            self.used.append((begun_ms, params))
            self._make(params, arrived_ms, begun_ms)
        return params

    def _make(self, params: Params, arrived_ms: float, begun_ms: float) -> None:
        share = 1.0 if self.is_constant else params.width * params.height / PIXELS
        steps = 1 if self.is_constant else params.num_inference_steps
        factor = share * (1 + self.noise * self._random.random())
        denoise_ms = steps * self.step_ms * factor * (1 + self.net_share * len(params.control))
        rest_ms = self.rest_ms * factor
        self.now_ms = begun_ms + denoise_ms + rest_ms
        is_unsent = self.now_ms < self._line_free_ms
        if not is_unsent:
            self._line_free_ms = self.now_ms + self.sends_ms(params)
        stages = dict.fromkeys(STAGES, 0.0) | {"queue": begun_ms - arrived_ms, "denoise": denoise_ms, "encode": rest_ms}
        self.governor.note(params, self.now_ms - arrived_ms, stages, is_unsent, round(self.now_ms * MS))

    def reasons(self) -> list[str]:
        return [choice.reason for _, choice in self.told]


def level(params: Params) -> tuple[int, int, int]:
    return params.num_inference_steps, params.width, params.height


def test_without_a_target_params_pass_as_they_are() -> None:
    world, asked = World(), Params(num_inference_steps=8)

    assert world.run(asked, 3) is asked
    assert world.told == []
    assert world.governor.choice is None


def test_target_that_is_kept_changes_nothing() -> None:
    world = World(step_ms=5)

    params = world.run(ASKED, 20)

    assert level(params) == (4, 512, 512)
    assert world.reasons() == ["all is as asked for"]


def test_steps_are_traded_before_the_size_and_the_reason_says_so() -> None:
    world = World(step_ms=20)

    params = world.run(ASKED, 5)

    assert level(params) == (2, 512, 512)
    assert "ms are asked for: 2 steps instead of 4" in world.reasons()[1]


def test_size_is_traded_where_steps_do_not_suffice() -> None:
    world = World(step_ms=100)

    params = world.run(ASKED, 20)

    steps, width, height = level(params)
    assert steps == 1
    assert 256 <= width == height < 448


STEERED = Params(num_inference_steps=1, latency_ms=80, control=(Control(net="canny"), Control(net="depth")))


@pytest.mark.parametrize("net_share", [0.2, 0.3, 0.4])
def test_nets_are_let_go_before_the_size_and_the_reason_says_so(net_share: float) -> None:
    world = World(step_ms=38, net_share=net_share)

    params = world.run(STEERED, 20)

    assert (params.width, params.height) == (512, 512)
    assert params.control in (STEERED.control[:1], ())
    assert any("net" in reason and "instead of 2" in reason for reason in world.reasons())


def test_nets_come_back_where_there_is_room_again() -> None:
    world = World(step_ms=45)
    assert world.run(STEERED, 20).control == ()

    world.step_ms = 10

    assert world.run(STEERED, 20) == STEERED


def test_as_many_nets_are_kept_as_are_to_be_at_least() -> None:
    world = World(step_ms=100)

    params = world.run(STEERED.model_copy(update={"min_nets": 1}), 20)

    assert params.control == STEERED.control[:1]
    assert params.width < 512


def test_params_keep_their_version_and_all_that_is_not_traded() -> None:
    asked = ASKED.model_copy(update={"prompt": "ink", "seed": 5, "version": 9})

    params = World(step_ms=30).run(asked, 5)

    assert level(params) != level(asked)
    assert params.model_copy(update={"num_inference_steps": 4, "width": 512, "height": 512}) == asked


def test_limits_of_the_user_are_kept_and_what_is_out_of_reach_is_said_once() -> None:
    asked = ASKED.model_copy(update={"min_steps": 2, "min_scale": 0.75})
    world = World(step_ms=200)

    params = world.run(asked, 60)

    assert level(params) == (2, 384, 384)
    assert [("out of reach" in reason) for reason in world.reasons()].count(True) == 1
    assert "out of reach" in world.reasons()[-1]
    assert not world.governor.choice.is_reached  # type: ignore[union-attr]


def test_what_costs_the_same_at_every_level_ends_at_the_lowest_and_says_so() -> None:
    world = World(step_ms=150, is_constant=True)

    params = world.run(ASKED, 60)

    assert level(params) == (1, 256, 256)
    assert "out of reach" in world.reasons()[-1]


def test_room_that_comes_back_is_given_back() -> None:
    world = World(step_ms=60)
    world.run(ASKED, 10)
    world.step_ms = 5.0

    params = world.run(ASKED, 20)

    assert level(params) == (4, 512, 512)
    assert "there is room" in world.reasons()[-1]


@pytest.mark.parametrize("step_ms", [12.0, 16.0, 18.0, 25.0, 33.0, 60.0])
def test_picture_does_not_pump(step_ms: float) -> None:
    world = World(step_ms=step_ms, noise=0.3)
    world.run(ASKED, 20)
    settled = len(world.told)

    world.run(ASKED, 120)

    assert len(world.told) - settled <= 4


def test_changes_are_a_second_apart_or_more() -> None:
    world = World(noise=2.0)
    for step_ms in (60, 3, 45, 10, 90, 2) * 3:
        world.step_ms = float(step_ms)
        world.run(ASKED, 4)

    times = [at_ms for at_ms, _ in world.told]
    assert len(times) > 5
    assert all(later - earlier >= VERDICT_EVERY_NS / MS for earlier, later in pairwise(times))


def test_level_that_keeps_failing_is_tried_ever_more_rarely() -> None:
    world = World(step_ms=15, camera_fps=10)
    tries: list[float] = []
    for _ in range(240):
        # Costs more than in proportion: what is expected of the higher level is wrong every time.
        params = world.used[-1][1] if world.used else ASKED
        world.step_ms = 40.0 if params.num_inference_steps > 1 else 15.0
        before = len(world.told)
        world.run(ASKED, 1)
        tries += [at for at, choice in world.told[before:] if "room" in choice.reason]

    first, last = (sum(begin <= at / 1000 < begin + 60 for at in tries) for begin in (0, 180))
    assert first > last
    assert last <= 3  # two levels, once each in a minute or so


def test_frame_rate_is_a_target_too() -> None:
    asked = Params(num_inference_steps=4, min_fps=20)
    world = World(step_ms=20)

    params = world.run(asked, 10)

    assert level(params) in {(1, 512, 512), (2, 512, 512)}
    assert "20 are asked for" in world.reasons()[1]


def test_frame_rate_that_the_camera_does_not_offer_is_not_asked_of_the_engine() -> None:
    world = World(step_ms=20, camera_fps=8)

    params = world.run(Params(num_inference_steps=4, min_fps=30), 10)

    assert level(params) == (4, 512, 512)


def test_quality_falls_where_pictures_are_not_sent_in_time_and_nothing_else_does() -> None:
    world = World(step_ms=2, rest_ms=2, sends_ms=lambda params: 70.0 if params.output_quality > 70 else 20.0)

    params = world.run(ASKED, 20)

    assert params.output_quality == 65
    assert level(params) == (4, 512, 512)
    assert "not sent in time: quality 75 instead of 85" in world.reasons()[1]


def test_quality_never_falls_below_the_limit_and_rises_when_the_line_is_free() -> None:
    asked = ASKED.model_copy(update={"min_quality": 60})
    world = World(step_ms=2, rest_ms=2, sends_ms=lambda params: 200.0)
    assert world.run(asked, 20).output_quality == 60

    world.sends_ms = lambda params: 0.0

    assert world.run(asked, 40).output_quality == 85


def test_new_prompt_leaves_the_choice_as_it_is() -> None:
    world = World(step_ms=30)
    chosen = level(world.run(ASKED, 10))
    told = len(world.told)

    params = world.run(ASKED.model_copy(update={"prompt": "oil", "version": 1}), 0.1)

    assert level(params) == chosen
    assert (params.prompt, params.version) == ("oil", 1)
    assert len(world.told) == told


def test_pictures_are_measured_while_the_prompt_changes_all_the_time() -> None:
    world = World(step_ms=30)
    for version in range(100):
        params = world.run(ASKED.model_copy(update={"version": version}), 0.05)

    assert level(params) != level(ASKED)


def test_new_target_starts_from_what_was_learned() -> None:
    world = World(step_ms=30)
    world.run(ASKED, 10)

    params = world.run(ASKED.model_copy(update={"latency_ms": 1000.0, "version": 1}), 0.1)

    assert level(params) == (4, 512, 512)
    assert level(world.run(ASKED.model_copy(update={"version": 2}), 0.1)) == (1, 512, 512)
    assert "by what pictures took until now" in world.reasons()[-1]


def test_target_that_is_taken_back_frees_the_params_and_is_told() -> None:
    world = World(step_ms=30)
    world.run(ASKED, 5)
    free = ASKED.model_copy(update={"latency_ms": None})

    assert world.run(free, 1) is free
    assert "there is no target" in world.reasons()[-1]
    assert world.told[-1][1].level.steps == 4


def test_pause_of_the_camera_is_no_slowness() -> None:
    asked = Params(num_inference_steps=4, min_fps=15)
    world = World(step_ms=5)
    world.run(asked, 1.5)
    world.now_ms += 60_000

    world.run(asked, 5)

    assert world.reasons() == ["all is as asked for"]


# -- choice and missed target --------------------------------------------------------------------------------------

FULL = Level(4, 512, 512)


def a_pace(latency_ms: float = 10.0, fps: float = 30.0, offered_fps: float = 30.0, is_saturated: bool = False) -> Pace:
    return Pace(latency_ms, fps, offered_fps, is_saturated, made=30, unsent=0)


def test_choice_is_told_in_flat_fields() -> None:
    choice = Choice(Level(2, 384, 256), 75, "because", a_pace(61.26, 12.34))

    assert choice.wire() == {
        "steps": 2,
        "nets": 0,
        "width": 384,
        "height": 256,
        "quality": 75,
        "reason": "because",
        "latency_ms": 61.3,
        "fps": 12.3,
    }


def test_choice_before_anything_was_measured_has_no_numbers() -> None:
    wire = Choice(FULL, 85, "as asked for").wire()

    assert (wire["latency_ms"], wire["fps"]) == (None, None)


def test_other_numbers_are_no_news() -> None:
    assert Choice(FULL, 85, "81 ms", a_pace(81)).state == Choice(FULL, 85, "82 ms", a_pace(82)).state
    assert Choice(FULL, 85, "").state != Choice(FULL, 85, "", is_reached=False).state


@pytest.mark.parametrize(
    ("params", "pace", "is_missed"),
    [
        (Params(latency_ms=80), a_pace(latency_ms=80), False),
        (Params(latency_ms=80), a_pace(latency_ms=81), True),
        (Params(min_fps=20), a_pace(fps=10, offered_fps=30, is_saturated=True), True),
        (Params(min_fps=20), a_pace(fps=19.5, offered_fps=30, is_saturated=True), False),
        (Params(min_fps=20), a_pace(fps=10, offered_fps=10, is_saturated=False), False),
        (Params(min_fps=20), a_pace(fps=11, offered_fps=11.5, is_saturated=True), False),
    ],
)
def test_a_target_is_missed_where_the_pictures_are_too_slow_and_not_the_camera(
    params: Params, pace: Pace, is_missed: bool
) -> None:
    assert bool(missed_target(params, pace, is_reached=True)) == is_missed


def test_what_was_out_of_reach_is_in_reach_again_only_with_a_margin() -> None:
    asked = Params(latency_ms=100)

    assert missed_target(asked, a_pace(latency_ms=97), is_reached=False)
    assert not missed_target(asked, a_pace(latency_ms=97), is_reached=True)
    assert not missed_target(asked, a_pace(latency_ms=94), is_reached=False)

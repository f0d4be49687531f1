"""How a choice is told, and how long what failed is left alone."""

from __future__ import annotations

import pytest

from realtime.governor.choice import FIRST_BAN_NS, LONGEST_BAN_NS, Ban, Choice, difference, trouble_of
from realtime.governor.levels import Level
from realtime.governor.measurements import Pace
from realtime.params import Params

FULL = Level(4, 512, 512)


def a_pace(latency_ms: float = 10.0, fps: float = 30.0, offered_fps: float = 30.0, is_full: bool = False) -> Pace:
    return Pace(latency_ms, fps, offered_fps, is_full, made=30, unsent=0)


def test_choice_is_told_in_flat_fields() -> None:
    choice = Choice(Level(2, 384, 256), 75, "because", a_pace(61.26, 12.34))

    assert choice.wire() == {
        "steps": 2,
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


def test_ban_ends_and_is_longer_each_time_that_the_rung_fails_soon() -> None:
    ban = Ban()
    assert ban.first_allowed(0) == 0

    ban.put(2, 0, was_soon=False)
    assert ban.first_allowed(FIRST_BAN_NS - 1) == 3
    assert ban.first_allowed(FIRST_BAN_NS) == 0

    ban.put(2, 0, was_soon=True)
    assert ban.first_allowed(2 * FIRST_BAN_NS - 1) == 3
    assert ban.first_allowed(2 * FIRST_BAN_NS) == 0

    ban.put(1, 0, was_soon=False)
    assert ban.first_allowed(FIRST_BAN_NS) == 0


def test_no_ban_is_for_ever() -> None:
    ban = Ban()
    for _ in range(20):
        ban.put(1, 0, was_soon=True)

    assert ban.until_ns == LONGEST_BAN_NS


@pytest.mark.parametrize(
    ("params", "pace", "is_trouble"),
    [
        (Params(latency_ms=80), a_pace(latency_ms=80), False),
        (Params(latency_ms=80), a_pace(latency_ms=81), True),
        (Params(min_fps=20), a_pace(fps=10, offered_fps=30, is_full=True), True),
        (Params(min_fps=20), a_pace(fps=19.5, offered_fps=30, is_full=True), False),
        (Params(min_fps=20), a_pace(fps=10, offered_fps=10, is_full=False), False),
        (Params(min_fps=20), a_pace(fps=11, offered_fps=11.5, is_full=True), False),
    ],
)
def test_a_target_is_missed_where_the_pictures_are_too_slow_and_not_the_camera(
    params: Params, pace: Pace, is_trouble: bool
) -> None:
    assert bool(trouble_of(params, pace, is_reached=True)) == is_trouble


def test_what_was_out_of_reach_is_in_reach_again_only_with_a_margin() -> None:
    asked = Params(latency_ms=100)

    assert trouble_of(asked, a_pace(latency_ms=97), is_reached=False)
    assert not trouble_of(asked, a_pace(latency_ms=97), is_reached=True)
    assert not trouble_of(asked, a_pace(latency_ms=94), is_reached=False)


def test_differences_are_words() -> None:
    assert difference(FULL, FULL) == ""
    assert difference(FULL, Level(1, 512, 512)) == "1 step instead of 4"
    assert difference(Level(1, 256, 256), FULL) == "4 steps instead of 1 and 512x512 pixels instead of 256x256"

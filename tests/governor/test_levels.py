"""What may be traded for time, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.control import Control
from realtime.governor.levels import SHAPE_TOLERANCE, Level, levels, qualities, sizes
from realtime.params import OutputFormat, Params

SIDES = st.integers(8, 256).map(lambda eighth: 8 * eighth)
PARAMS = st.builds(
    Params,
    num_inference_steps=st.integers(1, 8),
    width=SIDES,
    height=SIDES,
    min_steps=st.integers(1, 8),
    min_scale=st.floats(0.25, 1),
    output_quality=st.integers(1, 100),
    min_quality=st.integers(1, 100),
)


def test_steps_fall_first_and_then_the_size_in_multiples_of_64() -> None:
    found = levels(Params(num_inference_steps=3, min_steps=2))

    assert [(level.steps, level.width, level.height) for level in found] == [
        (3, 512, 512),
        (2, 512, 512),
        (2, 448, 448),
        (2, 384, 384),
        (2, 320, 320),
        (2, 256, 256),
    ]


@pytest.mark.parametrize(("least", "left"), [(0, [2, 1, 0]), (1, [2, 1]), (4, [2])])
def test_nets_are_let_go_behind_steps_and_before_the_size(least: int, left: list[int]) -> None:
    control = (Control(net="canny"), Control(net="depth"))

    found = levels(Params(num_inference_steps=2, min_nets=least, min_scale=0.75, control=control))

    nets = [Level(1, 512, 512, number) for number in left]
    smaller = [Level(1, side, side, left[-1]) for side in (448, 384)]
    assert found == (Level(2, 512, 512, 2), *nets, *smaller)


@pytest.mark.parametrize(
    ("width", "height", "found"),
    [
        (256, 256, [(224, 224), (192, 192), (160, 160), (128, 128)]),
        (512, 288, [(448, 256), (384, 216), (320, 176), (256, 144)]),
        (64, 64, []),
    ],
)
def test_smaller_sizes_keep_the_shape(width: int, height: int, found: list[tuple[int, int]]) -> None:
    assert sizes(Params(width=width, height=height)) == found


@given(PARAMS)
def test_levels_begin_with_what_was_asked_for_fall_and_keep_the_limits(params: Params) -> None:
    found = levels(params)

    assert found[0] == Level.of(params)
    costs = [(level.pixels, level.steps) for level in found]
    assert costs == sorted(set(costs), reverse=True)
    for level in found:
        assert level.steps >= min(params.min_steps, params.num_inference_steps)
        assert level.width >= params.min_scale * params.width
        assert level.height >= params.min_scale * params.height
        assert level.width % 8 == level.height % 8 == 0
        shape = (level.width / level.height) / (params.width / params.height)
        assert abs(shape - 1) <= SHAPE_TOLERANCE + 1e-3


@given(PARAMS)
def test_a_level_is_valid_params(params: Params) -> None:
    for level in levels(params):
        patch = {"num_inference_steps": level.steps, "width": level.width, "height": level.height}
        params.patched(patch, Params())


@given(PARAMS)
def test_qualities_fall_from_the_one_asked_for_to_the_lowest_that_is_allowed(params: Params) -> None:
    found = qualities(params)

    assert found[0] == params.output_quality
    assert found[-1] == min(params.output_quality, params.min_quality)
    assert list(found) == sorted(set(found), reverse=True)


def test_png_has_one_quality() -> None:
    assert qualities(Params(output_format=OutputFormat.PNG)) == (85,)


def test_change_of_level_is_told_in_words() -> None:
    full = Level(4, 512, 512)

    assert full.change_to(full) == ""
    assert full.change_to(Level(1, 512, 512)) == "1 step instead of 4"
    assert Level(1, 64, 64, 2).change_to(Level(1, 64, 64, 1)) == "1 net instead of 2"
    assert Level(1, 64, 64, 1).change_to(Level(1, 64, 64)) == "no net instead of 1"
    assert Level(1, 256, 256).change_to(full) == "4 steps instead of 1 and 512x512 pixels instead of 256x256"

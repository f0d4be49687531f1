"""What may be traded for time, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    rungs = levels(Params(num_inference_steps=3, min_steps=2))

    assert [(rung.steps, rung.width, rung.height) for rung in rungs] == [
        (3, 512, 512),
        (2, 512, 512),
        (2, 448, 448),
        (2, 384, 384),
        (2, 320, 320),
        (2, 256, 256),
    ]


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
    rungs = levels(params)

    assert rungs[0] == Level.of(params)
    costs = [(rung.pixels, rung.steps) for rung in rungs]
    assert costs == sorted(set(costs), reverse=True)
    for rung in rungs:
        assert rung.steps >= min(params.min_steps, params.num_inference_steps)
        assert rung.width >= params.min_scale * params.width
        assert rung.height >= params.min_scale * params.height
        assert rung.width % 8 == rung.height % 8 == 0
        shape = (rung.width / rung.height) / (params.width / params.height)
        assert abs(shape - 1) <= SHAPE_TOLERANCE + 1e-3


@given(PARAMS)
def test_a_level_is_valid_params(params: Params) -> None:
    for rung in levels(params):
        patch = {"num_inference_steps": rung.steps, "width": rung.width, "height": rung.height}
        params.patched(patch, Params())


@given(PARAMS)
def test_qualities_fall_from_the_one_asked_for_to_the_lowest_that_is_allowed(params: Params) -> None:
    found = qualities(params)

    assert found[0] == params.output_quality
    assert found[-1] == min(params.output_quality, params.min_quality)
    assert list(found) == sorted(set(found), reverse=True)


def test_png_has_one_quality() -> None:
    assert qualities(Params(output_format=OutputFormat.PNG)) == (85,)

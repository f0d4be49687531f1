"""Pictures are put together by their masks: what is not restyled is the input's own, bit for bit."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest

from realtime.frame import Result
from realtime.media import codec, matte
from realtime.params import Beyond, Matte, OutputFormat, Params
from tests.fakes.frames import a_job, a_result
from tests.fakes.pictures import Pixels, pixels

SIDE = 96
STYLED, INPUT = pixels(SIDE, SIDE, seed=1), pixels(SIDE, SIDE, seed=2)


def a_disc(height: int = SIDE, width: int = SIDE, softness: float = 6.0) -> Pixels:
    """A key: 255 within a disc, 0 outside, with a soft edge."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return np.rint(np.clip(0.5 - distance / softness, 0, 1) * 255).astype(np.uint8)


def made(key: Pixels | None = None, mask: Pixels | None = None, **fields: Any) -> Result:
    """An engine's result for params."""
    params = Params(width=SIDE, height=SIDE, **fields)
    job = dataclasses.replace(a_job(1, params, picture=INPUT), alpha=key)
    return dataclasses.replace(a_result(job, b""), picture=STYLED, mask=mask)


def applied(result: Result) -> tuple[Pixels, Pixels | None]:
    return matte.applied(result.picture, result.mask, result.job)


@pytest.mark.parametrize("beyond", [one for one in Beyond if one is not Beyond.KEY])
def test_pixels_are_the_styled_ones_within_and_others_outside_bit_for_bit(beyond: Beyond) -> None:
    key = a_disc()
    outside = {Beyond.INPUT: INPUT, Beyond.BLACK: INPUT * 0, Beyond.GREEN: INPUT * 0 + np.array([0, 255, 0], np.uint8)}

    picture = matte.composed(STYLED, INPUT, key, beyond)

    assert np.array_equal(picture[key == 255], STYLED[key == 255])
    if beyond in outside:
        assert np.array_equal(picture[key == 0], outside[beyond][key == 0])
        weight, over = key[..., None] / 255, STYLED if beyond is Beyond.INPUT else matte.fill(STYLED, key)
        np.testing.assert_allclose(picture, weight * over + (1 - weight) * outside[beyond], atol=0.51)


def test_blur_beyond_takes_no_colour_from_what_is_restyled() -> None:
    key = a_disc(softness=1e-3)
    picture = np.where(key[..., None] == 255, np.uint8([255, 0, 0]), np.uint8([0, 0, 200]))

    outside = matte.composed(STYLED, picture, key, Beyond.BLUR)[cv2.dilate(key, np.ones((9, 9))) == 0]

    assert outside[:, 0].mean() <= 1
    assert outside[:, 2].mean() >= 195


@pytest.mark.parametrize(("kind", "within"), [(Matte.PERSON, STYLED), (Matte.BACKGROUND, INPUT)])
def test_person_and_background_are_each_others_rest(kind: Matte, within: Pixels) -> None:
    mask = a_disc(256, 256)

    picture, key = applied(made(mask=mask, matte=kind))

    centre, corner = (slice(40, 56), slice(40, 56)), (slice(0, 8), slice(0, 8))
    assert key is None
    assert np.array_equal(picture[centre], within[centre])
    assert np.array_equal(picture[corner], (INPUT if kind is Matte.PERSON else STYLED)[corner])


@pytest.mark.parametrize(
    "result",
    [
        made(),
        made(mask=a_disc(256, 256)),
        made(key=a_disc()),
        made(matte=Matte.PERSON),
        made(matte=Matte.DRAWN),
        made(beyond=Beyond.KEY, key=a_disc()),
    ],
    ids=["off", "mask unasked for", "alpha unasked for", "no mask", "no alpha", "key of nothing"],
)
def test_picture_without_a_matte_is_the_engines_own(result: Result) -> None:
    picture, key = applied(result)

    assert picture is result.picture
    assert key is None


def test_opacity_of_the_frame_is_the_drawn_matte() -> None:
    key = a_disc()

    picture, _ = applied(made(key=key, matte=Matte.DRAWN))

    assert np.array_equal(picture, matte.composited(STYLED, INPUT, key))


def test_key_is_told_and_its_fill_goes_on_outside_for_some_pixels_and_is_black_further_out() -> None:
    key = a_disc()

    fill, told = applied(made(key=key, matte=Matte.DRAWN, beyond=Beyond.KEY))

    assert told is key
    assert np.array_equal(fill[key == 255], STYLED[key == 255])
    near, far = (cv2.dilate(key, np.ones((2 * px + 1, 2 * px + 1))) for px in (4, 30))
    assert fill[(near > 0) & (key == 0)].mean() > 40
    assert fill[far == 0].max(initial=0) == 0


def test_small_mask_is_drawn_to_the_pictures_edges_and_what_is_nearly_sure_becomes_so() -> None:
    sharp = a_disc(512, 512, softness=1e-3)
    picture = np.repeat((sharp // 2 + 60)[..., None], 3, 2)
    rough = cv2.GaussianBlur(cv2.resize(sharp, (256, 256), interpolation=cv2.INTER_AREA), (0, 0), 3)
    unsure = np.rint(rough * 0.8 + 20).astype(np.uint8)

    key = matte.enlarged(unsure, picture)

    plain = cv2.resize(rough, (512, 512))
    errors = [np.abs(one.astype(float) - sharp).mean() for one in (key, plain)]
    assert errors[0] < 0.5 * errors[1]
    assert key[256, 256] == 255
    assert key[:8].max() == 0


def test_stacked_picture_is_the_fill_above_its_key() -> None:
    key = a_disc()

    stacked = matte.stacked(STYLED, key)

    assert np.array_equal(stacked[:SIDE], STYLED)
    below = stacked[SIDE:]
    assert below.shape == STYLED.shape and (below == below[..., :1]).all(), "grey"
    edge = cv2.dilate(cv2.absdiff(cv2.dilate(key, np.ones((3, 3))), key), np.ones((9, 9))) > 0
    assert np.array_equal(below[..., 0][~edge], key[~edge])
    assert np.abs(below[..., 0].astype(int) - key).mean() < 4


def test_key_comes_through_a_jpeg() -> None:
    key = a_disc(256, 256)
    styled = pixels(256, 256)

    _, data = codec.encode(matte.fill(styled, key), OutputFormat.JPEG, 85, key)
    shown = codec.decode(data, codec.Format.JPEG, 256, 512, 2**20)

    assert np.abs(shown[256:, :, 1].astype(int) - key).mean() <= 4
    assert np.abs(shown[:256][key == 255].astype(int) - styled[key == 255]).mean() <= 4


@pytest.mark.parametrize("kind", [OutputFormat.PNG, OutputFormat.WEBP])
def test_formats_with_transparency_carry_the_key_as_alpha(kind: OutputFormat) -> None:
    key = a_disc()

    picture_format, data = codec.encode(STYLED, kind, 90, key)
    _, alpha = codec.decode_with_alpha(data, picture_format, SIDE, SIDE, 2**20)

    assert alpha is not None
    assert np.array_equal(alpha, key)


def test_white_paint_on_transparent_paper_is_a_change_where_the_paint_is_the_matte() -> None:
    white, clear = np.full((SIDE, SIDE, 3), 255, np.uint8), np.zeros((SIDE, SIDE), np.uint8)

    seen = [matte.compared(white, alpha, Matte.DRAWN) for alpha in (clear, a_disc())]

    assert not np.array_equal(*seen)
    assert matte.compared(white, clear, Matte.PERSON) is white


def test_mask_keeps_what_was_said_before_where_it_is_unsure_and_nothing_where_it_is_sure() -> None:
    now, before = np.array([[0, 127, 255]], np.uint8), np.array([[255, 255, 0]], np.uint8)

    steadied = matte.steadied(now, before, INPUT, INPUT)

    assert steadied[0, 0] == 0 and steadied[0, 2] == 255
    assert steadied[0, 1] == pytest.approx(127 + 0.7 * 128, abs=2)
    assert np.array_equal(matte.steadied(now, now, INPUT, INPUT), now)


def test_mask_keeps_nothing_of_the_one_before_where_the_frame_shows_something_else() -> None:
    now, before = np.full((256, 256), 127, np.uint8), np.full((256, 256), 255, np.uint8)
    dark, noise = np.full((SIDE, SIDE, 3), 60, np.uint8), pixels(SIDE, SIDE, seed=3) // 32
    half_new = dark.copy()
    half_new[:, SIDE // 2 :] = 160

    steadied = matte.steadied(now, before, half_new, dark)
    resized = matte.steadied(now, before, dark, np.full((2 * SIDE, SIDE, 3), 60, np.uint8))

    assert steadied[:, :120].min() > 210
    assert np.array_equal(steadied[:, 136:], now[:, 136:])
    assert resized.min() > 210
    assert matte.steadied(now, before, dark + noise, dark).mean() > 190, "noise is no change"

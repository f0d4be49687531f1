"""Calming: sums written out, planted motion, cuts, sharpness, and pictures that come in are left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.media.calm import SHARE, blended, calmed
from realtime.media.motion import Motion
from realtime.pixels import Pixels
from tests.media.test_motion import WINDOW, view, world


def standing(trust: float = 1.0, x: float = 0.0, y: float = 0.0) -> Motion:
    flow = np.tile(np.array([x, y], np.float32), (WINDOW, WINDOW, 1))
    return Motion(flow, np.full((WINDOW, WINDOW), trust, np.float32))


def grain(seed: int, level: float = 20.0) -> Pixels:
    """A model's texture, which is another in each picture."""
    noise = np.random.default_rng(seed).standard_normal((WINDOW, WINDOW, 3)) * level
    return np.clip(128 + noise, 0, 255).astype(np.uint8)


def sharpness(picture: Pixels) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[8:-8, 8:-8].var())


@pytest.mark.parametrize(("share", "trust"), [(0.5, 1.0), (0.8, 0.5), (0.8, 0.0)])
def test_where_nothing_moves_it_is_the_sum_of_the_shares(share: float, trust: float) -> None:
    picture, last = grain(1), grain(2)

    part = share * trust
    expected = (1 - part) * picture.astype(float) + part * last

    assert np.abs(blended(picture, last, standing(trust), share) - expected).max() <= 0.51


def test_last_picture_is_moved_by_the_motion() -> None:
    last, black = grain(1), np.zeros((WINDOW, WINDOW, 3), np.uint8)

    result = blended(black, last, standing(x=3, y=-2), 0.5)

    inner = slice(8, -8)
    assert np.abs(result[inner, inner].astype(float) - np.roll(last, (2, -3), (0, 1))[inner, inner] / 2).mean() < 1


def test_motion_of_a_scene_is_that_of_a_larger_picture_in_proportion() -> None:
    small = grain(1)
    last = cv2.resize(small, (2 * WINDOW, 2 * WINDOW), interpolation=cv2.INTER_CUBIC)

    result = blended(np.zeros_like(last), last, standing(x=4), 0.5)

    assert np.abs(result[16:-16, 16:-16].astype(float) - np.roll(last, -8, 1)[16:-16, 16:-16] / 2).mean() < 1


def change(now: Pixels, before: Pixels, pan: int) -> float:
    """Along the motion, within what both show."""
    return float(np.abs(now[24:-24, 24:-24].astype(float) - np.roll(before, -pan, 1)[24:-24, 24:-24]).mean())


def test_pan_is_calmer_and_as_sharp_for_as_long_as_it_lasts() -> None:
    pan, frames = 2, 12
    shown = [view(world(), 8 + pan * k, 20, noise=3, seed=k) for k in range(frames)]
    made = [
        np.clip(view(world(), 8 + pan * k, 20) * 0.5 + grain(k) * 0.5, 0, 255).astype(np.uint8) for k in range(frames)
    ]
    pictures = made[:1]
    for k in range(1, frames):
        pictures.append(calmed(made[k], shown[k], pictures[-1], shown[k - 1], 1.0))

    for k in range(4, frames):
        assert change(pictures[k], pictures[k - 1], pan) < 0.5 * change(made[k], made[k - 1], pan)
        assert sharpness(pictures[k]) == pytest.approx(sharpness(made[k]), rel=0.1)


def test_scene_that_stands_still_keeps_its_own_sharpness() -> None:
    picture = grain(1)

    last = picture
    for _ in range(10):
        last = calmed(picture, view(world(), 20, 20), last, view(world(), 20, 20), 1.0)

    np.testing.assert_array_equal(last, picture)


def test_cut_gives_the_picture_itself() -> None:
    picture = grain(1)

    assert calmed(picture, view(world(1), 0, 0), grain(2), view(world(2), 0, 0), 1.0) is picture


def test_picture_of_another_size_is_not_blended() -> None:
    picture = grain(1)
    last = np.ascontiguousarray(picture[:128])

    assert calmed(picture, picture, last, last, 1.0) is picture


def test_uncovered_ground_shows_no_ghost() -> None:
    ground, thing = view(world(1), 0, 0), view(world(2), 0, 0)
    before, now = ground.copy(), ground.copy()
    before[96:160, 90:150] = thing[96:160, 90:150]
    now[96:160, 96:156] = thing[96:160, 90:150]

    result = calmed(now, now, before, before, 1.0)

    assert np.abs(result[104:152, 91:95].astype(int) - ground[104:152, 91:95]).mean() < 4
    assert np.abs(before[104:152, 91:95].astype(int) - ground[104:152, 91:95]).mean() > 30


def test_pictures_that_come_in_are_left_as_they_are() -> None:
    pictures = [grain(1), view(world(), 20, 20), grain(2), view(world(), 22, 20)]
    copies = [picture.copy() for picture in pictures]

    calmed(*pictures, SHARE)

    for picture, copy in zip(pictures, copies, strict=True):
        np.testing.assert_array_equal(picture, copy)

"""The last picture mixed into the next: shares, turns, zooms, borders, sizes; held against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.media.feedback import mixed
from tests.fakes.pictures import pixels


def test_without_a_movement_it_is_the_sum_of_the_shares() -> None:
    picture, last = pixels(64, 48, seed=1), pixels(64, 48, seed=2)

    for share in (0.0, 0.25, 0.8):
        expected = (1 - share) * picture.astype(float) + share * last
        assert np.abs(mixed(picture, last, share) - expected).max() <= 0.5 + 1e-6


def test_pictures_that_come_in_are_left_as_they_are() -> None:
    picture, last = pixels(64, 64, seed=1), pixels(64, 64, seed=2)
    before = picture.copy(), last.copy()

    mixed(picture, last, 0.5, 1.05, 3)

    np.testing.assert_array_equal(picture, before[0])
    np.testing.assert_array_equal(last, before[1])


def spot(x: int, y: int, size: int = 65) -> np.ndarray:
    picture = np.zeros((size, size, 3), np.uint8)
    picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    return picture


def brightest(picture: np.ndarray) -> tuple[float, float]:
    weights = picture[..., 0].astype(float)
    return (
        float((weights.sum(axis=0) * np.arange(picture.shape[1])).sum() / weights.sum()),
        float((weights.sum(axis=1) * np.arange(picture.shape[0])).sum() / weights.sum()),
    )


def test_it_turns_clockwise_about_the_centre() -> None:
    black = np.zeros((65, 65, 3), np.uint8)

    x, y = brightest(mixed(black, spot(x=56, y=32), 0.5, turn=10))

    assert (x, y) == pytest.approx((32 + 24 * np.cos(np.radians(10)), 32 + 24 * np.sin(np.radians(10))), abs=0.1)


def test_zoom_above_one_moves_outwards_from_the_centre() -> None:
    black = np.zeros((65, 65, 3), np.uint8)

    assert brightest(mixed(black, spot(x=52, y=22), 0.5, zoom=1.1)) == pytest.approx((54, 21), abs=0.1)
    assert brightest(mixed(black, spot(x=52, y=22), 0.5, zoom=0.9)) == pytest.approx((50, 23), abs=0.1)


def test_where_the_last_picture_does_not_reach_the_new_one_is_whole() -> None:
    picture, black = np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64, 3), np.uint8)

    result = mixed(picture, black, 0.8, zoom=0.9)

    assert (result[:3] == 200).all()
    assert (result[:, -3:] == 200).all()
    assert (result[8:-8, 8:-8] == 40).all()


def test_last_picture_of_another_size_is_stretched_over_the_new_one() -> None:
    small, large = pixels(32, 48, seed=3), np.zeros((96, 64, 3), np.uint8)

    result = mixed(large, small, 0.5)

    assert result.shape == large.shape
    corners = result[[2, 2, -3, -3], [2, -3, 2, -3]].astype(int) * 2 - small[[1, 1, -2, -2], [1, -2, 1, -2]]
    assert np.abs(corners).max() <= 24

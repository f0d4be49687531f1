"""A large picture of tiles: where they lie, and that nobody sees it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.media.mosaic import COARSE_PX, OVERLAP, Mosaic, enlarged, places, tiles, with_detail
from tests.fakes.pictures import Pixels, pixels

TILE = 128


@given(tile=st.integers(64, 2048), length=st.integers(64, 8192))
def test_tiles_cover_a_side_and_share_enough_of_it(tile: int, length: int) -> None:
    length = max(length, tile)

    begins = places(length, tile)

    assert (begins[0], begins[-1]) == (0, length - tile)
    steps = np.diff(begins)
    assert all(steps > 0) and all(steps <= tile * (1 - OVERLAP) + 1)


def test_tiles_lie_in_rows() -> None:
    assert tiles(200, 100, 128, 100) == [(0, 0), (72, 0)]


def smooth(width: int, height: int) -> Pixels:
    return enlarged(pixels(width // 16, height // 16), 16)


def test_tiles_that_change_nothing_leave_the_ground_bit_for_bit() -> None:
    ground = smooth(320, 256)
    mosaic = Mosaic(ground, TILE, TILE)

    for tile in mosaic.tiles:
        mosaic.lay(tile, mosaic.ground(tile))

    assert np.array_equal(mosaic.picture, ground)


def test_tint_of_single_tiles_is_not_seen() -> None:
    ground = smooth(320, 256)
    mosaic = Mosaic(ground, TILE, TILE)

    for number, tile in enumerate(mosaic.tiles):
        tinted = mosaic.ground(tile).astype(np.int16) + (-20, 20)[number % 2]
        mosaic.lay(tile, np.clip(tinted, 0, 255).astype(np.uint8))

    within = (ground > 20) & (ground < 235)  # what was not cut off
    assert np.abs(mosaic.picture.astype(int) - ground)[within].max() <= 12
    assert np.abs(mosaic.picture.astype(int) - ground)[within].mean() < 1.5


@pytest.mark.parametrize("axis", [0, 1])
def test_texture_of_single_tiles_fades_into_the_next(axis: int) -> None:
    """Every second tile has stripes of a kind that is fine enough to stay; nowhere do they begin or end at once."""
    side, length = 256, 640
    width, height = (length, side) if axis == 1 else (side, length)
    mosaic = Mosaic(np.full((height, width, 3), 128, np.uint8), side, side)
    stripes = np.where(np.arange(side) // 2 % 2 == 0, 40, -40)
    stripes = stripes[:, None, None] if axis == 1 else stripes[None, :, None]

    for number, tile in enumerate(mosaic.tiles):
        mosaic.lay(tile, (128 + stripes * (number % 2) + np.zeros((side, side, 3))).astype(np.uint8))

    along = mosaic.picture.astype(int).std(axis=(1 - axis, 2))  # how strong the stripes are, across the seams
    assert along.max() > 30 and along.min() < 3
    shared = side * OVERLAP
    assert np.abs(np.diff(along)).max() < 40 * np.pi / shared
    assert shared > COARSE_PX


def test_picture_is_enlarged_about_its_own_colours() -> None:
    small = pixels(8, 8)

    large = enlarged(small, 4)

    assert large.shape == (32, 32, 3)
    assert abs(float(large.mean()) - float(small.mean())) < 3


def test_edges_of_the_source_come_back_and_its_colours_do_not() -> None:
    """A black bar on white was made an orange one on blue, small: it gets the bar's edges, and stays orange on blue."""
    source = np.full((256, 256, 3), 255, np.uint8)
    source[:, 98:161] = 0
    orange, blue = np.array((230, 120, 40), np.uint8), np.array((40, 60, 200), np.uint8)
    small = np.where(source[::8, ::8] < 128, orange, blue).astype(np.uint8)

    plain = enlarged(small, 8)
    sharp = with_detail(plain.copy(), source, 8, 1.0)

    def steepest(picture: Pixels) -> int:
        return int(np.abs(np.diff(picture.astype(int).sum(axis=2), axis=1)).max())

    assert steepest(sharp) > 4 * steepest(plain)
    assert np.abs(sharp[128, 128].astype(int) - orange).max() < 20
    assert np.abs(sharp[128, 20].astype(int) - blue).max() < 20
    assert np.array_equal(with_detail(plain.copy(), source, 8, 0.0), plain)

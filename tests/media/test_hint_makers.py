"""Hints as nets are shown them: golden pictures (`python -m tests.media.test_hint_makers` makes them anew, to be looked
at), and what they must have whatever the picture."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.control import Hint
from realtime.media.hint_makers import MAKERS, canny, colour, lines, scribble, tile
from realtime.pixels import Pixels

DATA = Path(__file__).parent.parent / "data"
GOLDEN = DATA / "hints"
LINES = [canny, lines, scribble]
MADE = [hint for hint in MAKERS if hint is not Hint.PICTURE]


@functools.cache
def photo(side: int = 192) -> Pixels:
    picture = cv2.imread(str(DATA / "frames" / "astronaut.jpg"))
    assert picture is not None
    return np.ascontiguousarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)[..., ::-1], np.uint8)


@functools.cache
def drawing(side: int = 192) -> Pixels:
    """Strokes of several colours and widths, a dot and a filled shape, on white paper."""
    paper = np.full((side, side, 3), 255, np.uint8)
    unit = side / 64

    def at(x: int, y: int) -> tuple[int, int]:
        return round(x * unit), round(y * unit)

    cv2.circle(paper, at(32, 24), round(14 * unit), (20, 20, 20), max(1, round(unit)), cv2.LINE_AA)
    cv2.ellipse(paper, at(32, 28), at(6, 4), 0, 0, 180, (200, 30, 30), max(1, round(0.8 * unit)), cv2.LINE_AA)
    cv2.circle(paper, at(27, 21), round(2 * unit), (0, 0, 200), -1, cv2.LINE_AA)
    cv2.rectangle(paper, at(8, 48), at(26, 59), (250, 210, 30), -1)
    cv2.line(paper, at(38, 60), at(60, 42), (90, 90, 90), max(1, round(0.5 * unit)), cv2.LINE_AA)
    return paper


PICTURES = {"photo": photo, "drawing": drawing}


@pytest.mark.parametrize("hint", MADE)
@pytest.mark.parametrize("name", PICTURES)
def test_hints_look_as_they_did_when_somebody_looked_at_them(name: str, hint: Hint) -> None:
    made, file = MAKERS[hint](PICTURES[name]()), GOLDEN / f"{name}-{hint}.png"

    golden = cv2.imread(str(file))

    assert golden is not None, f"{file} is missing"
    difference = np.abs(golden[..., ::-1].astype(int) - made)
    # Another build of OpenCV may round otherwise, and so move a few pixels of a line.
    assert difference.mean() <= 1.5 and np.mean(difference.max(axis=2) > 32) <= 0.01


@pytest.mark.parametrize("hint", MADE)
@pytest.mark.parametrize("shape", [(64, 64), (72, 200), (520, 64)])
def test_every_size_gives_a_picture_of_that_size_and_leaves_the_picture_alone(
    hint: Hint, shape: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    before = picture.copy()

    made = MAKERS[hint](picture)

    assert (made.shape, made.dtype, made.flags.c_contiguous) == (picture.shape, np.uint8, True)
    assert not np.shares_memory(made, picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("make", LINES)
@pytest.mark.parametrize("level", [8, 128, 255])
def test_where_there_is_nothing_but_a_cameras_noise_there_are_no_lines(
    make: Callable[[Pixels], Pixels], level: int
) -> None:
    noise = np.random.default_rng(1).normal(0, 2, (256, 256, 3))

    assert np.mean(make(np.clip(level + noise, 0, 255).astype(np.uint8)) > 64) < 0.002


@pytest.mark.parametrize(("make", "share"), [(canny, 0.5), (lines, 0.5)])
def test_a_dark_room_has_lines_too(make: Callable[[Pixels], Pixels], share: float) -> None:
    dark = (photo() // 4).astype(np.uint8)

    assert (make(dark) > 64).sum() > share * (make(photo()) > 64).sum()


@pytest.mark.parametrize("make", LINES)
def test_a_drawings_own_strokes_are_its_lines(make: Callable[[Pixels], Pixels]) -> None:
    made, ink = make(drawing())[..., 0], drawing().min(axis=2)

    assert made[ink == 255][::7].mean() < 16, "paper is black"
    side = drawing().shape[0]
    middle = side * 24 // 64
    circle = made[middle, : side // 2]
    assert np.count_nonzero(np.diff(circle.astype(int)) > 128) == 1, "a stroke is one line, and not its two edges"
    box = made[side * 50 // 64 : side * 57 // 64, side * 11 // 64 : side * 23 // 64]
    assert box.max() == 0, "of a filled shape there is the outline alone"
    assert made[side * 46 // 64 : side * 61 // 64, side * 6 // 64 : side * 28 // 64].max() == 255


def test_a_blank_paper_has_no_lines() -> None:
    paper = np.full((128, 128, 3), 255, np.uint8)

    assert all(not make(paper).any() for make in LINES)


def test_coloured_strokes_count_like_black_ones() -> None:
    paper = np.full((128, 128, 3), 255, np.uint8)
    paper[60:64, 20:100] = (255, 255, 0)

    assert lines(paper)[62, 30:90, 0].min() == 255


def test_scribbles_are_thicker_than_lines_and_leave_small_detail_out() -> None:
    drawn = drawing()

    assert (scribble(drawn) > 127).sum() > 1.3 * (lines(drawn) > 127).sum()
    assert set(np.unique(scribble(photo()))) == {0, 255}


def test_canny_is_thin_for_photographs_and_drawings() -> None:
    for picture in (photo(), drawing()):
        edges = canny(picture)[..., 0]
        assert (cv2.erode(edges, np.ones((3, 3), np.uint8)) > 0).sum() <= 0.02 * (edges > 0).sum()


def test_a_tile_has_the_colours_but_not_the_detail() -> None:
    made = tile(photo())

    assert np.abs(made.mean(axis=(0, 1)) - photo().mean(axis=(0, 1))).max() < 1
    assert cv2.Laplacian(made, cv2.CV_32F).var() < 0.1 * cv2.Laplacian(photo(), cv2.CV_32F).var()


def test_colour_is_the_mean_of_each_cell() -> None:
    picture = photo(256)

    made = colour(picture)

    for row in range(4):
        for column in range(4):
            cell = np.s_[64 * row : 64 * (row + 1), 64 * column : 64 * (column + 1)]
            assert np.ptp(made[cell], axis=(0, 1)).max() == 0
            assert np.abs(made[cell][0, 0] - picture[cell].mean(axis=(0, 1))).max() <= 1


if __name__ == "__main__":
    for each, picture in PICTURES.items():
        for one in MADE:
            cv2.imwrite(str(GOLDEN / f"{each}-{one}.png"), MAKERS[one](picture())[..., ::-1])

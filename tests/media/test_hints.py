"""Hints of the host: of what they are made, what they look like, and which are kept."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.control import INPUT, Hint, HintKey
from realtime.errors import FrameError
from realtime.media.hint_makers import canny
from realtime.media.hints import HINTS_KEPT, Hints
from realtime.pixels import Pixels

A = "a" * 32


def a_square(side: int = 64) -> Pixels:
    """White on black, in the middle half."""
    picture = np.zeros((side, side, 3), np.uint8)
    picture[side // 4 : -side // 4, side // 4 : -side // 4] = 255
    return picture


def test_canny_draws_edges_white_on_black_where_they_are() -> None:
    edges = canny(a_square())

    assert edges.shape == (64, 64, 3) and set(np.unique(edges)) == {0, 255}
    drawn = edges[..., 0] > 0
    assert drawn[14:18, 20:44].any(0).all(), "the upper edge is whole"
    assert not drawn[22:42, 22:42].any() and not drawn[:12].any()
    assert 100 <= drawn.sum() <= 160, "one pixel wide"


def test_hints_are_made_of_the_frame_or_of_a_reference_in_its_size() -> None:
    frame, reference = np.full((32, 48, 3), 7, np.uint8), np.full((100, 300, 3), 9, np.uint8)
    wanted = (HintKey(Hint.CANNY, INPUT), HintKey(Hint.PICTURE, A))

    made = Hints().of(wanted, frame, {A: reference})

    assert {key: (hint.shape, hint.max()) for key, hint in made.items()} == {
        wanted[0]: ((32, 48, 3), 0),
        wanted[1]: ((32, 48, 3), 9),
    }


def test_hint_of_a_reference_is_made_once_a_size() -> None:
    hints, key, frame = Hints(), HintKey(Hint.CANNY, A), np.zeros((32, 48, 3), np.uint8)

    first = hints.of([key], frame, {A: a_square()})[key]

    assert hints.of([key], frame, {})[key] is first
    assert hints.of([key], frame[:, :40], {A: a_square()})[key].shape == (32, 40, 3)


def test_only_the_newest_hints_of_references_are_kept() -> None:
    hints, frame = Hints(), np.zeros((8, 8, 3), np.uint8)
    for number in range(HINTS_KEPT + 1):
        hints.of([HintKey(Hint.PICTURE, str(number))], frame, {str(number): frame})

    with pytest.raises(FrameError, match="there is no picture 0: send it to"):
        hints.of([HintKey(Hint.PICTURE, "0")], frame, {})

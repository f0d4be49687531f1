"""The last picture mixed into the next frame, larger or smaller and turned: what makes tunnels.

Pure OpenCV. Must not know sessions, or which picture was the last.
"""

from __future__ import annotations

from typing import cast

import cv2

from ..pixels import Pixels

MIXING_NS = 10.0
"""What mixing takes a pixel, in nanoseconds of a slow CPU."""
SHAPE_TOLERANCE = 0.1
"""How much two pictures' ratios of width and height may differ, relatively, that they are of one shape: sizes that the
governor takes are rounded."""


def is_of_shape(last: Pixels, picture: Pixels) -> bool:
    """Whether two pictures are of one shape, at any sizes: one of another shape shows another part of the input."""
    (rows, columns), (height, width) = last.shape[:2], picture.shape[:2]
    return abs(columns * height - width * rows) <= SHAPE_TOLERANCE * width * rows


def mixed(picture: Pixels, last: Pixels, share: float, zoom: float = 1.0, turn: float = 0.0) -> Pixels:
    """`(1 - share) · picture + share · T(last)`, where T zooms and turns about the centre.

    Where `T(last)` has no pixels (a zoom below 1, a turn), the picture is as it was.

    Args:
        picture: uint8 [H, W, 3].
        last: uint8 [h, w, 3], of the picture's shape (see `is_of_shape`); of another size, it is stretched to that of
            the picture.
        share: 0 to 1.
        zoom: above 1 enlarges.
        turn: degrees, clockwise.

    Returns:
        uint8 [H, W, 3], a new array.
    """
    height, width = picture.shape[:2]
    if last.shape != picture.shape:  # not by the matrix below, which leaves out pixels half of whose own are outside
        last = cast(Pixels, cv2.resize(last, (width, height), interpolation=cv2.INTER_LINEAR))
    moved = cv2.warpAffine(
        last,
        cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -turn, zoom),
        (width, height),
        dst=picture.copy(),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return cast(Pixels, cv2.addWeighted(picture, 1 - share, moved, share, 0))

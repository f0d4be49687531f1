"""One model's last picture, moved as the input has moved, going over into the next model's pictures.

Pure numpy and OpenCV. Must not know sessions, models, or which picture was the last.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from ..pixels import Pixels
from .calm import CUT, MOTION_NS
from .fit import fit
from .motion import Floats, Motion, motion_between, places_of, scene_of

DISSOLVING_NS = 25.0
"""What it takes a pixel, beside finding the motion, in nanoseconds of a slow CPU."""


def dissolving_ns(pixels: int) -> float:
    """What dissolving into a picture of so many pixels may take, in nanoseconds of a slow CPU."""
    return MOTION_NS + DISSOLVING_NS * pixels


def dissolved(picture: Pixels, shown: Pixels, last: Pixels, last_shown: Pixels, share: float) -> Pixels:
    """`(1 - share) · picture + share · (last, moved)`.

    Where the two frames are not of one scene, the last picture stays where it is; one of another size or shape is
    cropped around the centre and resized.

    Args:
        picture: uint8 [H, W, 3], made from the frame `shown`.
        last: uint8 [h, w, 3]: the picture before it, made from `last_shown`.
        share: 0 to 1; see `frame.Dissolve.share`.

    Returns:
        uint8 [H, W, 3]: the picture itself where the share is 0.
    """
    if share <= 0:
        return picture
    height, width = picture.shape[:2]
    before, now = scene_of(last_shown), scene_of(shown)
    last = fit(last, width, height)
    if before.shape == now.shape:
        motion = motion_between(before, now)
        if motion.trust.mean() >= CUT:
            last = _moved(last, motion)
    return cast(Pixels, cv2.addWeighted(picture, 1 - share, last, share, 0))


def _moved(last: Pixels, motion: Motion) -> Pixels:
    """The last picture with its pixels where they are now, as far as that can be trusted."""
    height, width = last.shape[:2]
    rows, columns = motion.trust.shape
    flow = motion.flow * motion.trust[..., None] * np.array([width / columns, height / rows], np.float32)
    places = cv2.add(places_of(width, height), cast(Floats, cv2.resize(flow, (width, height))))
    return cast(Pixels, cv2.remap(last, places, cast(Floats, None), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

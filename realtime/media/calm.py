"""The last picture, moved as the input has moved, blended into the new one: less flicker, no less sharp.

Pure numpy and OpenCV. Must not know sessions, or which picture was the last.
"""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np

from ..pixels import Pixels
from .motion import Floats, Motion, motion_between, places_of, scene_of

MOTION_NS, BLENDING_NS = 6e6, 60.0
"""What calming takes in nanoseconds of a slow CPU: to find the motion, and for each pixel of the picture."""
SHARE = 0.85
"""Share of the last picture where calm is 1 and the motion is trusted wholly: the rest keeps the picture alive."""
CUT = 0.3
"""Mean trust below which two frames are not of one scene."""
MOVED_PX = 0.5
"""Motion, in pixels of the scene, from which on a picture is sharpened wholly: a blend of what did not move loses
nothing."""
SHARPENING_SIGMA_PX, SHARPENING_MOST = 1.0, 2.0
"""Of the unsharp mask: its blur, and the most that it adds."""


def calming_ns(pixels: int) -> float:
    """What calming a picture of so many pixels may take, in nanoseconds of a slow CPU."""
    return MOTION_NS + BLENDING_NS * pixels


def calmed(picture: Pixels, shown: Pixels, last: Pixels, last_shown: Pixels, calm: float) -> Pixels:
    """The picture with a share of the last one, moved.

    Args:
        picture: uint8 [H, W, 3], made from the frame `shown`.
        last: the picture before it, made from `last_shown`.
        calm: 0 to 1.

    Returns:
        uint8 [H, W, 3]: the picture itself where the two frames are not of one size, or not of one scene.
    """
    if last.shape != picture.shape:
        return picture
    motion = motion_between(scene_of(last_shown), scene_of(shown))
    return picture if motion.trust.mean() < CUT else blended(picture, last, motion, SHARE * calm)


def blended(picture: Pixels, last: Pixels, motion: Motion, share: float) -> Pixels:
    """`(1 - g) · picture + g · (last, moved)`, with `g = share · trust`, sharpened where something moves.

    Args:
        picture: uint8 [H, W, 3].
        last: of the same shape.
        motion: from the frame of `last` to that of `picture`.
    """
    height, width = picture.shape[:2]
    trusted = motion.trust * np.float32(share)
    moving = trusted * np.minimum(cv2.magnitude(motion.flow[..., 0], motion.flow[..., 1]) / MOVED_PX, 1)
    part = cast(Floats, cv2.resize(trusted, (width, height)))
    places = cv2.add(places_of(width, height), _at_size(motion.flow, width, height))
    moved = cv2.remap(last, places, cast(Floats, None), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mix = cast(Pixels, cv2.blendLinear(picture, moved, 1 - part, part))
    if moving.mean() < 0.01 * share:
        return mix
    return _sharpened(mix, picture, cast(Floats, cv2.resize(moving, (width, height))))


def _at_size(flow: Floats, width: int, height: int) -> Floats:
    """A flow between scenes as one between pictures of this size, in their pixels."""
    rows, columns = flow.shape[:2]
    if (columns, rows) == (width, height):
        return flow
    return cast(Floats, cv2.resize(flow * np.array([width / columns, height / rows], np.float32), (width, height)))


def _sharpened(mix: Pixels, model: Pixels, moving: Floats) -> Pixels:
    """The mix with an unsharp mask in proportion to `moving`, just so strong that where something moves its Laplacian
    has the variance that it has in the model's picture.

    The Laplacian is linear: with `a` of the mask it is `L(mix) + a · (L(mix) - L(blurred))`, so its square is a
    parabola in `a`. A fixed amount would build up from picture to picture, as each is made from the one before.
    """
    blurred = cast(Pixels, cv2.GaussianBlur(mix, (0, 0), SHARPENING_SIGMA_PX))
    of_mix, of_blurred, of_model = (_laplacian(picture) for picture in (mix, blurred, model))
    of_mask = of_mix - of_blurred
    weighted = moving * of_mask
    square, half = float(np.vdot(weighted, of_mask)), float(np.vdot(weighted, of_mix))
    excess = float(np.vdot(moving, of_mix * of_mix - of_model * of_model))
    if square <= 0 or excess >= 0:
        return mix
    amount = min((math.sqrt(half * half - square * excess) - half) / square, SHARPENING_MOST)
    extra = np.minimum(moving / max(float(moving.max()), 1e-6), 1) * np.float32(amount)
    return cast(Pixels, cv2.blendLinear(mix, blurred, 1 + extra, -extra))


def _laplacian(picture: Pixels) -> Floats:
    return cast(Floats, cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))

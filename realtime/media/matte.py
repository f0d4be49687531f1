"""What a mask does to a picture: enlarged to its edges, then between the styled picture and what is seen beyond it.

Pure functions of arrays, a millisecond or two each at 512×512. Must not know sessions, or how a mask was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import numpy.typing as npt

from ..params import Beyond, Matte
from ..pixels import Pixels

if TYPE_CHECKING:
    from ..frame import Job

Plane = npt.NDArray[np.float32]

COMPOSING_NS = 20.0
"""What enlarging a mask and putting a picture together may take, a pixel, in nanoseconds of a slow CPU."""
CERTAIN, UNCERTAIN = 0.75, 0.25
"""A mask above the one is 1, below the other 0: a network is never quite sure, and pixels are to stay as they are."""
STEADINESS, CHANGED = 0.7, 8.0
"""Share of the mask before, where a mask is wholly unsure and the frame shows what the one before did; grey levels by
which it differs where it hardly does, above a camera's noise at a mask's size."""
GUIDE_SIDE_PX, WINDOW_PX, FLAT = 256, 5, 1e-3
"""Of the guided filter: the side at which it compares, its windows there, and the variance of luma (0 to 1) below which
a window is flat, and the mask is smoothed rather than drawn to edges."""
SPREAD_STEP_PX = 4
"""Colours are spread at a picture of so many pixels a side less."""
BLUR_SHARE = 0.03
"""Standard deviation of the blur beyond a mask, as a share of the picture's shorter side."""
FILL_PX = 8.0
"""Standard deviation of the colours that go on outside of a key: a JPEG's blocks at the edge have 16 pixels a side."""
SOFT_PX = 1.0
"""Standard deviation by which a stacked key is softened."""
GREEN = (0, 255, 0)
"""Pure, as chroma keys expect it."""


def applied(restyled: Pixels, mask: Pixels | None, job: Job) -> tuple[Pixels, Pixels | None]:
    """What is to be shown of a restyled picture.

    Args:
        restyled: uint8 [H, W, 3].
        mask: where people are, uint8 [h, w]; None where nobody looked.
        job: that it answers.

    Returns:
        The picture, uint8 [H, W, 3], `restyled` itself where there is no matte; and its opacity, uint8 [H, W], None
        where it is opaque.
    """
    key, beyond = _key(mask, job), job.params.beyond
    if key is None:
        return restyled, None
    if beyond is Beyond.KEY:
        return fill(restyled, key), key
    return composed(restyled, job.input, key, beyond), None


def _key(mask: Pixels | None, job: Job) -> Pixels | None:
    """Where the restyled picture is seen; None where all of it is, or nobody looked for people."""
    if job.params.matte is Matte.DRAWN:
        return job.alpha
    if mask is None or not job.params.matte.finds_people:
        return None
    key = enlarged(mask, job.input)
    return key if job.params.matte is Matte.PERSON else cast(Pixels, cv2.bitwise_not(key))


def compared(picture: Pixels, alpha: Pixels | None, matte: Matte) -> Pixels:
    """The picture that says whether a frame shows anything new: of a drawn matte, what is transparent is black."""
    return picture if alpha is None or matte is not Matte.DRAWN else composited(picture, np.zeros_like(picture), alpha)


def steadied(mask: Pixels, before: Pixels, picture: Pixels, picture_before: Pixels) -> Pixels:
    """A mask with what that of the frame before says where it is unsure itself, so that edges don't flicker.

    Where it is sure, and where the frame shows something else than the one before, nothing of the other stays: nothing
    trails behind what moves, and a picture that rests has its own mask.

    Source of the idea: MediaPipe's SegmentationSmoothingCalculator, which weighs by uncertainty too.

    Args:
        mask, before: uint8 [h, w].
        picture, picture_before: the frames' pictures that they are of, uint8 [H, W, 3], of any size each.
    """
    now = mask.astype(np.float32)
    doubt = 1 - (now / np.float32(127.5) - 1) ** 2
    stays = np.float32(STEADINESS) * doubt * _alike(picture, picture_before, mask.shape)
    return np.rint(now + stays * (before - now)).astype(np.uint8)


def _alike(picture: Pixels, before: Pixels, shape: tuple[int, ...]) -> Plane:
    """How much two pictures show the same, 0 to 1, at the size of a mask, [h, w]."""
    size = (shape[1], shape[0])
    lumas = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (picture, before))
    now, then = (cv2.blur(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), (3, 3)) for luma in lumas)
    return cast("Plane", np.exp(-np.square(cv2.absdiff(now, then) / np.float32(CHANGED))))


def enlarged(mask: Pixels, picture: Pixels) -> Pixels:
    """A small mask at the picture's size, drawn to the picture's edges; what is nearly sure becomes so.

    Source: He and Sun 2015, "Fast Guided Filter" (arXiv 1505.00996): in each window the mask is a·luma + b; a and b are
    made at a small size, enlarged, and meet the luma of the whole picture.

    Args:
        mask: uint8 [h, w].
        picture: uint8 [H, W, 3], RGB.

    Returns:
        uint8 [H, W].
    """
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    guide, wanted = _guide_sized(cast(Pixels, luma)), _guide_sized(mask)
    mean_guide, mean = _window_mean(guide), _window_mean(wanted)
    covariance = _window_mean(guide * wanted) - mean_guide * mean
    a = cast("Plane", covariance / (_window_mean(guide * guide) - mean_guide * mean_guide + FLAT))
    b = cast("Plane", mean - a * mean_guide)
    size = (picture.shape[1], picture.shape[0])
    # a·luma + b, then stretched so that UNCERTAIN is 0 and CERTAIN 255: two multiplications a pixel in all.
    stretch = 255 / (CERTAIN - UNCERTAIN)
    slope = cv2.resize(_window_mean(a) * (stretch / 255), size, interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize((_window_mean(b) - UNCERTAIN) * stretch, size, interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(slope * luma + offset), 0, 255).astype(np.uint8)


def composed(styled: Pixels, picture: Pixels, key: Pixels, beyond: Beyond) -> Pixels:
    """The styled picture where the key is 255, what is beyond it where the key is 0, bit for bit both.

    Args:
        styled, picture: the model's and the user's, uint8 [H, W, 3].
        key: uint8 [H, W].
        beyond: not KEY, which has no picture beyond it: see `fill`.
    """
    match beyond:
        case Beyond.INPUT:
            return composited(styled, picture, key)
        case Beyond.BLUR:
            sigma_px = BLUR_SHARE * min(key.shape)
            return composited(styled, _spread(picture, cast(Pixels, cv2.bitwise_not(key)), sigma_px, 0.01), key)
        case Beyond.GREEN:
            return composited(fill(styled, key), np.full_like(styled, GREEN), key)
        case _:
            return composited(fill(styled, key), np.zeros_like(styled), key)


def composited(over: Pixels, under: Pixels, key: Pixels) -> Pixels:
    """One picture over another, uint8 [H, W, 3]: exactly `over` where the key is 255, `under` where it is 0."""
    weight = key.astype(np.float32) / np.float32(255)
    return cast(Pixels, cv2.blendLinear(over, under, weight, 1 - weight))


def fill(styled: Pixels, key: Pixels) -> Pixels:
    """The styled picture as the fill of its key: straight (not multiplied by it), its colours going on for some pixels
    outside, then black.

    Whoever shows it multiplies by the key, so that what a lossy encoding does to the fill outside is not seen, and the
    colours that go on are those that bleed into the edge. What was behind is not sent.

    Args:
        styled: uint8 [H, W, 3].
        key: uint8 [H, W].
    """
    return composited(styled, _spread(styled, key, FILL_PX, 0.25), key)


def stacked(picture: Pixels, key: Pixels) -> Pixels:
    """The fill above its key as one picture, for encodings without transparency.

    The key is softened by a pixel: sharp, it would cost a tenth of an opaque picture's bytes more than it does.

    Args:
        picture: uint8 [H, W, 3].
        key: uint8 [H, W].

    Returns:
        uint8 [2·H, W, 3], grey in the lower half.
    """
    soft = cast(Pixels, cv2.GaussianBlur(key, (0, 0), SOFT_PX))
    return np.concatenate([picture, np.repeat(soft[..., None], 3, axis=2)])


def _spread(picture: Pixels, key: Pixels, sigma_px: float, least: float) -> Pixels:
    """The colours under a key, blurred beyond it. What is not under it takes no part.

    Args:
        sigma_px: standard deviation of the blur.
        least: where less of the key than this comes to a pixel, its colour fades to black.

    Source: Knutsson and Westin 1993, "Normalized and differential convolution": blur(key·picture) / blur(key).
    """
    height, width = key.shape
    small = (-(-width // SPREAD_STEP_PX), -(-height // SPREAD_STEP_PX))
    weight = cv2.resize(key, small, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    colours = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    sums = np.dstack([colours * weight[..., None], weight])
    sums = cv2.GaussianBlur(sums, (0, 0), sigma_px / SPREAD_STEP_PX, borderType=cv2.BORDER_REFLECT)
    spread = np.rint(sums[..., :3] / np.maximum(sums[..., 3:], np.float32(least))).astype(np.uint8)
    return cast(Pixels, cv2.resize(spread, (width, height)))


def _guide_sized(plane: Pixels) -> Plane:
    size = (GUIDE_SIDE_PX, GUIDE_SIDE_PX)
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)


def _window_mean(plane: Plane) -> Plane:
    return cast("Plane", cv2.blur(plane, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_REFLECT))

"""Makes hints of pictures, those that take no network: edges, lines, scribbles, blurred pictures, squares of colour.

Pure OpenCV and numpy. Must not know frames or nets, or which hints are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from ..control import Hint
from ..pixels import Pixels

Floats = npt.NDArray[np.float32]

SPREAD = 0.33
"""Of Canny's thresholds about the median of the grey levels."""
LEAST_LOW, LEAST_HIGH = 30, 90
"""Canny's thresholds are never lower: below them is the noise of cameras, which of a dark picture would be all."""
FINE_SIGMA_PX, COARSE_SIGMA_PX = 0.8, 1.6
"""Of the Gaussians whose difference is a line, in a picture whose shorter side is `USUAL_PX`."""
USUAL_PX = 512
NOISE_LEVELS = 2
"""Grey levels of that difference below which there is no line, but noise of a camera."""
CLEAR_SHARE = 99.5
"""Percentile of that difference that is a full line: of a dark room's picture too, but where nothing stands out."""
CLEAR_LEAST = 6.0
SCRIBBLE_SHARE = 1 / 128
"""Width of a scribble's strokes, as a share of the picture's shorter side."""
SCRIBBLE_LEAST = 48
"""A line fainter than this is not scribbled, nor is one of fewer pixels than `SCRIBBLE_PX` of a `USUAL_PX` picture."""
SCRIBBLE_PX = 24
TILE_SHRINK = 4
CELL_PX = 64
"""Side of the mosaic's cells: T2I-Adapters for colour were trained on these."""

PAPER_LEVEL = 240
"""From this level on, in each channel, a pixel is white paper."""
PAPER_SHARE = 0.6
STROKE_SHARE = 1 / 24
"""What is wider than this share of the shorter side is no stroke but a filled shape, of which the outline is drawn."""
MIDDLE_SLACK_PX = 0.6
"""By how much the distance to a stroke's border may fall along its middle: distances are of whole pixels' corners."""


def canny(picture: Pixels) -> Pixels:
    """Edges one pixel wide, by thresholds about the median grey level.

    Source: J. Canny, "A computational approach to edge detection", 1986.
    """
    grey = _grey(picture)
    if (strokes := _strokes(picture)) is not None:
        return _in_colours(_middle(strokes))
    grey = cast(Pixels, cv2.GaussianBlur(grey, (3, 3), 0))
    middle = float(np.median(grey[::4, ::4]))
    low = max((1 - SPREAD) * middle, LEAST_LOW)
    high = min(max((1 + SPREAD) * middle, LEAST_HIGH), 255.0)
    return _in_colours(cast(Pixels, cv2.Canny(grey, min(low, high / 2), high)))


def lines(picture: Pixels) -> Pixels:
    """Soft lines, as line art nets want them: where it is darker than round about, as far as that stands out.

    Source: difference of Gaussians; H. Winnemöller, J. Kyprianidis, S. Olsen, "XDoG", 2012.
    """
    grey = _grey(picture)
    strokes = _strokes(picture)
    return _in_colours(_ridges(grey) if strokes is None else strokes)


def scribble(picture: Pixels) -> Pixels:
    """Thick strokes without detail, as by hand."""
    grey = _grey(picture)
    side = min(grey.shape)
    strokes = _strokes(picture)
    if strokes is None:
        small = cast(Pixels, cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        thin = _without_specks(_thinned(_ridges(small), SCRIBBLE_LEAST), SCRIBBLE_PX * side / USUAL_PX)
        wide = cv2.resize(thin, grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
    else:
        wide = cv2.threshold(strokes, 96, 255, cv2.THRESH_BINARY)[1]
    width_px = max(3, round(side * SCRIBBLE_SHARE)) | 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))
    soft = cv2.GaussianBlur(cv2.dilate(wide, pen), (width_px, width_px), 0)
    return _in_colours(cast(Pixels, cv2.threshold(soft, 127, 255, cv2.THRESH_BINARY)[1]))


def tile(picture: Pixels) -> Pixels:
    """The picture without its detail, which is to be made anew."""
    height, width = picture.shape[:2]
    small = (max(1, width // TILE_SHRINK), max(1, height // TILE_SHRINK))
    coarse = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return cast(Pixels, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))


def colour(picture: Pixels) -> Pixels:
    """A mosaic of the mean colours: 8x8 cells of a picture of 512x512."""
    height, width = picture.shape[:2]
    cells = (max(1, round(width / CELL_PX)), max(1, round(height / CELL_PX)))
    means = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)
    return cast(Pixels, cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST))


def as_it_is(picture: Pixels) -> Pixels:
    """The picture itself."""
    return picture


MAKERS: Mapping[Hint, Callable[[Pixels], Pixels]] = {
    Hint.CANNY: canny,
    Hint.LINES: lines,
    Hint.SCRIBBLE: scribble,
    Hint.TILE: tile,
    Hint.COLOUR: colour,
    Hint.PICTURE: as_it_is,
}
"""What makes each hint of the host: of a picture, uint8 [H, W, 3], RGB, which is left as it is, another one of the same
form, white lines on black or colours. A drawing (dark strokes on white paper) has its own strokes as its lines, not
their two edges.
"""


def _grey(picture: Pixels) -> Pixels:
    return cast(Pixels, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def _in_colours(grey: Pixels) -> Pixels:
    return cast(Pixels, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))


_INK = np.clip((np.arange(256) - (255 - PAPER_LEVEL)) * 2.0, 0, 255).astype(np.uint8).reshape(1, 256)
"""From a pixel's distance to white: nothing for paper, all for what is clearly drawn."""


def _strokes(picture: Pixels) -> Pixels | None:
    """A drawing's own lines, uint8 [H, W], white on black; None where the picture is no drawing."""
    sample = picture[::4, ::4]
    if np.count_nonzero(sample.min(axis=2) >= PAPER_LEVEL) < PAPER_SHARE * sample.shape[0] * sample.shape[1]:
        return None
    # By the darkest channel: a yellow stroke is as much of one as a black one.
    darkest = cast(Pixels, cv2.min(cv2.min(picture[..., 0], picture[..., 1]), picture[..., 2]))
    ink = cast(Pixels, cv2.LUT(cv2.bitwise_not(darkest), _INK))
    if not (fills := _fills(ink)).any():
        return ink
    outline = cv2.morphologyEx(fills, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return cast(Pixels, cv2.max(cv2.subtract(ink, fills), outline))


def _fills(ink: Pixels) -> Pixels:
    """What of a drawing's ink is wider than a stroke, found at a quarter of its size."""
    height, width = ink.shape
    small = cv2.resize(ink, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    shapes = cv2.threshold(small, 127, 255, cv2.THRESH_BINARY)[1]
    side = max(3, round(min(height, width) / 4 * STROKE_SHARE)) | 1
    cores = cv2.erode(shapes, _disc(side))
    whole = cv2.dilate(cores, _disc(side + 2))
    return cast(Pixels, cv2.min(ink, cv2.resize(whole, (width, height), interpolation=cv2.INTER_NEAREST)))


def _disc(side: int) -> Pixels:
    """An ellipse, but for one of three pixels, which would be a cross."""
    shape = cv2.MORPH_RECT if side <= 3 else cv2.MORPH_ELLIPSE
    return cast(Pixels, cv2.getStructuringElement(shape, (side, side)))


def _ridges(grey: Pixels) -> Pixels:
    """How far each pixel is darker than round about, thinned, uint8 [H, W]."""
    scale = min(grey.shape) / USUAL_PX
    fine = cv2.GaussianBlur(grey, (0, 0), max(0.6, FINE_SIGMA_PX * scale))
    coarse = cv2.GaussianBlur(grey, (0, 0), max(1.2, COARSE_SIGMA_PX * scale))
    darker = cast(Pixels, cv2.subtract(coarse, fine))
    clear = max(float(np.percentile(darker[::2, ::2], CLEAR_SHARE)) - NOISE_LEVELS, CLEAR_LEAST)
    levels = np.clip((np.arange(256) - NOISE_LEVELS) * (255 / clear), 0, 255).astype(np.uint8)
    return _crest(cast(Pixels, cv2.LUT(darker, levels)))


def _crest(levels: Pixels) -> Pixels:
    """Of a line's cross section its highest pixels: 0 where both a row's and a column's neighbours are above it."""
    across = cv2.dilate(levels, np.ones((1, 3), np.uint8))
    down = cv2.dilate(levels, np.ones((3, 1), np.uint8))
    is_crest = cv2.max(cv2.compare(levels, across, cv2.CMP_EQ), cv2.compare(levels, down, cv2.CMP_EQ))
    return cast(Pixels, cv2.bitwise_and(levels, is_crest))


def _thinned(levels: Pixels, least: int) -> Pixels:
    return cast(Pixels, cv2.threshold(_crest(levels), least - 1, 255, cv2.THRESH_BINARY)[1])


def _middle(strokes: Pixels) -> Pixels:
    """The middle of each stroke: where none of the neighbours is much farther from the stroke's border."""
    ink = cv2.threshold(strokes, 127, 255, cv2.THRESH_BINARY)[1]
    inside = cast(Floats, cv2.distanceTransform(ink, cv2.DIST_L2, 5))
    farthest = cast(Floats, cv2.dilate(inside, np.ones((3, 3), np.uint8)))
    is_middle = (inside > 0) & (inside + np.float32(MIDDLE_SLACK_PX) >= farthest)
    middle = is_middle.astype(np.uint8) * np.uint8(255)
    return cast(Pixels, cv2.morphologyEx(middle, cv2.MORPH_CLOSE, np.ones((2, 2), np.uint8)))


def _without_specks(marks: Pixels, least_px: float) -> Pixels:
    """Binary marks without those that are smaller than so many pixels."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
    keeps = np.zeros(count, np.uint8)
    keeps[1:] = np.where(facts[1:, cv2.CC_STAT_AREA] >= least_px, 255, 0)
    return keeps[cast("npt.NDArray[np.int32]", labels)]

"""Planes to RGB as BT.709 screens show it: matrix, range, primaries, transfer, opacity, pixel aspect and orientation.

Pure numpy and OpenCV, at the size that is wanted: it runs for frames that are picked, and for no others. Must not know
where planes come from.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from ..pixels import Pixels
from ..planes import Matrix, Planes, Transfer
from .fit import fit, turn

Floats = npt.NDArray[np.float32]

LUMA_WEIGHTS = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722), Matrix.BT2020: (0.2627, 0.0593)}
"""Weights of red and blue in luma. Source: ITU-R BT.601-7, BT.709-6, BT.2020-2."""
FROM_2020_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear RGB of BT.2020's primaries to BT.709's. Source: ITU-R BT.2407-0, section 2."""
WHITE_NITS, HLG_PEAK_NITS = 203.0, 1000.0
"""What is white on an SDR screen, and the screen that HLG is shown on. Source: ITU-R BT.2408, BT.2100."""
KNEE = 0.7
"""Light up to here, of 1 = white, stays as it is; what is brighter is pressed into the rest."""
LIGHT_MAX, LIGHT_STEPS = 4.0, 4096
"""Brighter light is white: the knee's curve is at 0.99999 there. Values in between, by their square root."""


def to_rgb(planes: Planes, width: int, height: int) -> Pixels:
    """Planes as they are to be shown, cropped around the centre and resized.

    What is transparent shows white, as in pictures. Light above white (PQ, HLG) is pressed together, colours that
    BT.709 hasn't are clipped.

    Returns:
        uint8 [height, width, 3], RGB, contiguous.
    """
    if planes.alpha is not None:
        planes = _over_white(planes, planes.alpha)
    across, down = (height, width) if planes.orientation.is_transposed else (width, height)
    y = fit(planes.y, across, down, planes.pixel_aspect)
    u, v = (fit(chroma, across // 2, down // 2, planes.pixel_aspect) for chroma in (planes.u, planes.v))
    picture = _rgb(y, u, v, planes.matrix, is_full_range=planes.is_full_range)
    if planes.transfer is not Transfer.SDR or planes.is_wide_gamut:
        picture = _tone_mapped(picture, planes.transfer, is_wide_gamut=planes.is_wide_gamut)
    return turn(picture, planes.orientation)


def _rgb(y: Pixels, u: Pixels, v: Pixels, matrix: Matrix, *, is_full_range: bool) -> Pixels:
    """Contiguous planes to RGB of the same transfer and primaries, uint8 [H, W, 3]."""
    height, width = y.shape
    if matrix is Matrix.BT601 and not is_full_range:  # what browsers send; 0.2 ms at 512x512, the other way 1.2
        i420 = np.concatenate([y.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(height * 3 // 2, width)
        return cast(Pixels, cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420))
    large = [cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR) for chroma in (u, v)]
    return cast(Pixels, cv2.transform(cv2.merge([y, *large]), _to_rgb_matrix(matrix, is_full_range)))


@cache
def _to_rgb_matrix(matrix: Matrix, is_full_range: bool) -> Floats:
    """From (Y, Cb, Cr, 1), 8 bits each, to RGB: float32 [3, 4]."""
    red, blue = LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if is_full_range else (255 / 219, 255 / 224, 16)
    rows = np.array(
        [
            [luma, 0, 2 * (1 - red) * chroma],
            [luma, -2 * blue * (1 - blue) / green * chroma, -2 * red * (1 - red) / green * chroma],
            [luma, 2 * (1 - blue) * chroma, 0],
        ]
    )
    return np.column_stack([rows, -rows @ (black, 128, 128)]).astype(np.float32)


def _over_white(planes: Planes, alpha: Pixels) -> Planes:
    """The planes laid over white, at their own size: resizing first would mix in what nobody sees."""
    white = 255 if planes.is_full_range else 235
    rows, columns = planes.u.shape
    small = cast(Pixels, cv2.resize(alpha, (columns, rows), interpolation=cv2.INTER_AREA))
    y, u, v = _over(planes.y, alpha, white), _over(planes.u, small, 128), _over(planes.v, small, 128)
    return replace(planes, y=y, u=u, v=v, alpha=None)


def _over(plane: Pixels, alpha: Pixels, behind: int) -> Pixels:
    opacity = alpha.astype(np.uint16)
    return ((plane * opacity + behind * (255 - opacity) + 127) // 255).astype(np.uint8)


def _tone_mapped(picture: Pixels, transfer: Transfer, *, is_wide_gamut: bool) -> Pixels:
    """R'G'B' of that transfer to that of an SDR screen of BT.709's primaries, channel by channel."""
    light = cast(Floats, cv2.LUT(picture, _light_table(transfer)))
    if is_wide_gamut:
        light = cast(Floats, cv2.transform(light, FROM_2020_TO_709))
    steps = np.sqrt(np.clip(light, 0, LIGHT_MAX) / LIGHT_MAX) * (LIGHT_STEPS - 1)
    return _screen_table(transfer)[steps.astype(np.uint16)]


@cache
def _light_table(transfer: Transfer) -> Floats:
    """The light of 256 values, 1 = white. Source: ITU-R BT.1886; BT.2100-2 tables 4 and 5."""
    signal = np.arange(256) / 255
    if transfer is Transfer.PQ:
        root = signal ** (32 / 2523)
        light = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)
        return (light / WHITE_NITS).astype(np.float32)
    if transfer is Transfer.HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        return (HLG_PEAK_NITS / WHITE_NITS * scene**1.2).astype(np.float32)
    return (signal**2.4).astype(np.float32)


@cache
def _screen_table(transfer: Transfer) -> Pixels:
    """The 8-bit values that show light on an SDR screen; `LIGHT_STEPS` of them, see there."""
    light = LIGHT_MAX * (np.arange(LIGHT_STEPS) / (LIGHT_STEPS - 1)) ** 2
    if transfer is not Transfer.SDR:
        above = 1 - np.exp(-np.maximum(light - KNEE, 0) / (1 - KNEE))
        light = np.where(light <= KNEE, light, KNEE + (1 - KNEE) * above)
    return (255 * np.clip(light, 0, 1) ** (1 / 2.4)).round().astype(np.uint8)

"""Moving pictures to encode, and a number written into each that survives a video codec.

Made from a seed, so that no file has to ship. Must not know who encodes them or what they are for.
"""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from realtime.bench.pictures import photo_like
from realtime.pixels import Pixels

MARGIN = 48
"""How far the webcam's picture may wander, in pixels."""
BLOCKS = 16
CLIP_FPS = 30
STROKES = ((32, 10.0), (11, 8.0), (5, 7.0))
"""Sizes in pixels and standard deviations in grey levels of what a model paints anew in every frame."""
WOBBLE_PX, WOBBLE_CELL_PX = 2.5, 13
"""How far outlines jump from frame to frame, and over which distance they jump together."""
GRAIN = 3.0
"""Standard deviation of a webcam's noise, in grey levels: indoors."""

Floats = npt.NDArray[np.float32]


def webcam_like(count: int, width: int = 512, height: int = 512) -> list[Pixels]:
    """A room and a head before it, both moving a little, under a camera's noise.

    Returns:
        uint8 [height, width, 3], RGB, each.
    """
    rng = np.random.default_rng(1)
    room = _scene(1, width + 2 * MARGIN, height + 2 * MARGIN)
    head = _scene(2, width + 2 * MARGIN, height + 2 * MARGIN)
    outline = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN, 1), np.float32)
    middle, radii = (width // 2 + MARGIN, height * 5 // 8 + MARGIN), (width // 5, height // 3)
    cv2.ellipse(outline, middle, radii, 0, 0, 360, (1.0,), -1)
    outline = cast(Floats, cv2.GaussianBlur(outline, (0, 0), 2))
    frames: list[Pixels] = []
    for number in range(count):
        seconds = number / CLIP_FPS
        back = _shifted(room, 3 * math.sin(0.7 * seconds), 2 * math.sin(1.1 * seconds), width, height)
        move = 26 * math.sin(1.9 * seconds), 10 * math.sin(2.7 * seconds)
        front, alpha = (_shifted(layer, *move, width, height) for layer in (head, outline))
        picture = back + (front - back) * alpha.reshape(height, width, 1)
        picture += rng.standard_normal(picture.shape, np.float32) * GRAIN
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
    return frames


def diffusion_like(count: int, width: int = 512, height: int = 512) -> list[Pixels]:
    """The webcam's picture as a model repaints it: smooth, but with outlines and strokes that are never the same.

    Returns:
        uint8 [height, width, 3], RGB, each.
    """
    rng = np.random.default_rng(2)
    rows, columns = np.indices((height, width), np.float32)
    frames: list[Pixels] = []
    for picture in webcam_like(count, width, height):
        flat = cv2.bilateralFilter(picture, 7, 40, 5).astype(np.float32)
        wobble_x, wobble_y = (_noise(rng, width, height, WOBBLE_CELL_PX) * WOBBLE_PX for _ in range(2))
        painted = cv2.remap(flat, columns + wobble_x, rows + wobble_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        for stroke_px, strength in STROKES:
            painted += _noise(rng, width, height, stroke_px)[..., None] * strength
        frames.append(np.clip(painted, 0, 255).astype(np.uint8))
    return frames


def _noise(rng: np.random.Generator, width: int, height: int, cell_px: int) -> Floats:
    """Smooth noise, float32 [height, width], with features of this size."""
    cells = rng.standard_normal((height // cell_px, width // cell_px), np.float32)
    return cast(Floats, cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC))


def _scene(seed: int, width: int, height: int) -> Floats:
    """Photo-like, with its contrast in its light rather than in its colours, as rooms and faces have it."""
    picture = photo_like(seed, width, height).astype(np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    mixed = 128 + 1.6 * (grey - 128) + 0.4 * (picture - grey)
    return mixed + 1.2 * (mixed - cv2.GaussianBlur(mixed, (0, 0), 2))


def _shifted(layer: Floats, dx: float, dy: float, width: int, height: int) -> Floats:
    centre = (layer.shape[1] / 2 + dx, layer.shape[0] / 2 + dy)
    return cast(Floats, cv2.getRectSubPix(layer, (width, height), centre))


def planes(pictures: list[Pixels]) -> list[Pixels]:
    """Each as I420: uint8 [height * 3 / 2, width]."""
    return [cast(Pixels, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)) for picture in pictures]


def write_index(luma: Pixels, index: int) -> None:
    """Write a number of 16 bits across the top, as black and white blocks.

    Args:
        luma: uint8 [height, width]; changed.
        index: its lowest 16 bits are written.
    """
    side = luma.shape[1] // BLOCKS
    for bit in range(BLOCKS):
        luma[:side, bit * side : (bit + 1) * side] = 235 if index >> bit & 1 else 16


def read_index(luma: Pixels) -> int:
    """The number that `write_index` wrote, after whatever a codec has done to it."""
    side = luma.shape[1] // BLOCKS
    inner = luma[side // 4 : side * 3 // 4, : side * BLOCKS].reshape(-1, BLOCKS, side)[:, :, side // 4 : side * 3 // 4]
    bits = inner.mean(axis=(0, 2)) > 128
    return int(sum(1 << bit for bit in range(BLOCKS) if bits[bit]))

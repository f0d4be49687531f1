"""Picture operations the teacher's styles are made of: blurs, lines, ramps of colour, brush strokes, cells.

Pictures are float32 RGB in [0, 1], shape [H, W, 3]; maps of one value are [H, W]. H and W are multiples of 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

TILE = 32
CELL = 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma(image: Array) -> Array:
    """Brightness [H, W]."""
    return (image @ LUMA).astype(np.float32)


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    y = np.clip((x - low) / (high - low), 0, 1)
    return y * y * (3 - 2 * y)


def blur(image: Array, sigma: float) -> Array:
    """Gaussian."""
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32)


def saturate(image: Array, factor: float) -> Array:
    """Colours away from (or towards) grey."""
    grey = luma(image)[..., None]
    return np.clip(grey + (image - grey) * factor, 0, 1)


def contrast(image: Array, factor: float, centre: float = 0.5) -> Array:
    """Values away from `centre`."""
    return np.clip((image - centre) * factor + centre, 0, 1)


def mix(first: Array, second: Array | Sequence[float], weight: Array | float) -> Array:
    """From first to second by weight."""
    w = weight[..., None] if isinstance(weight, np.ndarray) and weight.ndim == 2 else weight
    return (first * (1 - w) + np.asarray(second, np.float32) * w).astype(np.float32)


def ramp(value: Array, *stops: Sequence[float]) -> Array:
    """Colours by brightness: `stops` are RGB in 0..255, evenly spaced from dark to bright."""
    at = np.linspace(0, 1, len(stops))
    table = np.asarray(stops, np.float32) / 255
    return np.stack([np.interp(value, at, table[:, c]) for c in range(3)], -1).astype(np.float32)


def smooth(image: Array, rounds: int = 2, width: float = 0.12) -> Array:
    """Flat areas flatter, edges kept."""
    for _ in range(rounds):
        image = cv2.bilateralFilter(image, 9, width, 5)
    return image.astype(np.float32)


def kuwahara(image: Array, radius: int) -> Array:
    """Of four windows around each pixel the mean of the calmest, softly chosen: flat dabs with crisp borders."""
    size = radius + 1
    total, weight = np.zeros_like(image), np.zeros(image.shape[:2], np.float32)
    for ay in (0, radius):
        for ax in (0, radius):
            box = {"ksize": (size, size), "anchor": (ax, ay), "borderType": cv2.BORDER_REFLECT}
            mean = cv2.boxFilter(image, -1, **box)
            variance = np.maximum(cv2.boxFilter(image * image, -1, **box) - mean * mean, 0).sum(-1)
            w = 1 / (1e-4 + variance) ** 3
            total += mean * w[..., None]
            weight += w
    return total / weight[..., None]


@cache
def noise_tile(seed: int, sigma: float) -> Array:
    """Noise of mean 0 and deviation 1 that repeats every 32 pixels."""
    noise = np.random.default_rng(seed).normal(size=(TILE, TILE)).astype(np.float32)
    noise = blur(np.tile(noise, (3, 3)), sigma)[TILE : 2 * TILE, TILE : 2 * TILE]
    return (noise - noise.mean()) / noise.std()


def tiled(tile: Array, shape: tuple[int, ...]) -> Array:
    """A tile repeated over a whole picture."""
    return np.tile(tile, (-(-shape[0] // tile.shape[0]), -(-shape[1] // tile.shape[1])))[: shape[0], : shape[1]]


def grid(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Pixel centres: row and column."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + 0.5
    return rows, columns


def cells(image: Array, size: int = CELL) -> Array:
    """Each cell's mean colour, at full size."""
    small = cv2.resize(image, (image.shape[1] // size, image.shape[0] // size), interpolation=cv2.INTER_AREA)
    return np.repeat(np.repeat(small, size, 0), size, 1).astype(np.float32)


@cache
def brush_tile(seed: int, length: int, down: int, across: int) -> Array:
    """Brush relief of mean 0 and deviation 1: a tile of noise smeared in one direction, repeating every 32 pixels."""
    noise = noise_tile(seed, 1.4)
    smeared = sum(np.roll(noise, (down * k, across * k), (0, 1)) for k in range(-length, length + 1))
    smeared = np.asarray(smeared, np.float32)
    return (smeared - smeared.mean()) / smeared.std()


def ink(image: Array, sigma: float = 1.6, low: float = 0.012, high: float = 0.04) -> Array:
    """Bold contours, 0..1: the dark side of edges and dark strokes, never both sides of an edge."""
    grey = luma(image)
    return smoothstep(blur(grey, sigma * 1.8) - blur(grey, sigma), low, high)


def waves(image: Array, bend: float = 3.0) -> Array:
    """Brush strokes from -1 to 1, wavy and 8 pixels apart, in whichever of four directions the picture runs.

    Each direction is a fixed pattern of the tile; the picture only chooses between them, which a small model learns.
    """
    grey = blur(luma(image), 2.0)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # Structure tensor; where the picture is flat, the strokes run across.
    jxx, jyy, jxy = blur(gx * gx, 5), blur(gy * gy, 5) + 0.004, blur(gx * gy, 5)
    along = 0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2
    rows, columns = grid(grey.shape)
    total, weight = np.zeros_like(grey), np.zeros_like(grey)
    turn = 2 * np.pi / TILE
    for angle, phase, side in (
        (0, rows, columns),
        (np.pi / 2, columns, rows),
        (np.pi / 4, rows - columns, rows + columns),
        (-np.pi / 4, rows + columns, rows - columns),
    ):
        w = np.cos(along - angle) ** 16
        total += w * np.cos(2 * np.pi * (phase + bend * np.sin(turn * side)) / CELL)
        weight += w
    return np.tanh(1.6 * total / weight).astype(np.float32)


def posterise(value: Array, levels: int, hardness: float = 8) -> Array:
    """Brightness steps with slightly soft borders."""
    scaled = value * levels
    base = np.floor(scaled)
    part = 1 / (1 + np.exp(-hardness * (scaled - base - 0.5)))
    return ((base + part) / levels).astype(np.float32)


def relight(image: Array, value: Array) -> Array:
    """The picture's colours at another brightness."""
    grey = luma(image)
    return np.clip(image * (value / (grey + 0.06))[..., None] * 0.94 + 0.0, 0, 1).astype(np.float32)

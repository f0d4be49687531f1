"""Picture operations that the teacher's styles are made of: blurs, ramps of colour, tone steps, flat areas.

Must not know any style, nor chance. Pictures are float32 RGB in [0, 1], shape [H, W, 3]; maps of one value are [H, W].
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma(image: Array) -> Array:
    """Brightness [H, W]."""
    return (image @ LUMA).astype(np.float32)


def smoothstep(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    y = np.clip((x - low) / (high - low), 0, 1)
    return (y * y * (3 - 2 * y)).astype(np.float32)


def blur(image: Array, sigma: float) -> Array:
    """Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT).astype(np.float32)


def saturate(image: Array, factor: float) -> Array:
    """Colours away from grey, or towards it where `factor` is below 1."""
    grey = luma(image)[..., None]
    return np.clip(grey + (image - grey) * factor, 0, 1)


def contrast(image: Array, factor: float, centre: float = 0.5) -> Array:
    """Values away from `centre`."""
    return np.clip((image - centre) * factor + centre, 0, 1).astype(np.float32)


def tinted(image: Array, *gain: float) -> Array:
    """Each colour times its own gain."""
    return (image * np.asarray(gain, np.float32)).astype(np.float32)


def flat_colour(shape: tuple[int, ...], *colour: float) -> Array:
    """A picture of one colour, components in [0, 1], as large as `shape` says."""
    return np.broadcast_to(np.asarray(colour, np.float32), (*shape[:2], 3)).copy()


def mix(first: Array, second: Array | Sequence[float], weight: Array | float) -> Array:
    """From first to second by weight, a number or a map [H, W]."""
    w = weight[..., None] if isinstance(weight, np.ndarray) and weight.ndim == 2 else weight
    return (first * (1 - w) + np.asarray(second, np.float32) * w).astype(np.float32)


def ramp(value: Array, *stops: Sequence[float]) -> Array:
    """Colours by brightness: `stops` are RGB in 0..255, evenly spaced from dark to bright."""
    at = np.linspace(0, 1, len(stops))
    table = np.asarray(stops, np.float32) / 255
    return np.stack([np.interp(value, at, table[:, c]) for c in range(3)], -1).astype(np.float32)


def smooth(image: Array, rounds: int = 2, width: float = 0.12) -> Array:
    """Flat areas flatter, edges kept (bilateral filter)."""
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
    return (total / weight[..., None]).astype(np.float32)


def posterise(value: Array, levels: int, hardness: float = 8) -> Array:
    """Brightness steps with slightly soft borders."""
    scaled = value * levels
    base = np.floor(scaled)
    part = 1 / (1 + np.exp(-hardness * (scaled - base - 0.5)))
    return ((base + part) / levels).astype(np.float32)


def relight(image: Array, value: Array) -> Array:
    """The picture's colours at another brightness `value` [H, W]."""
    return np.clip(image * (value / (luma(image) + 0.06))[..., None] * 0.94, 0, 1).astype(np.float32)


def ink(image: Array, sigma: float = 1.6, low: float = 0.012, high: float = 0.04) -> Array:
    """Bold contours, 0..1: the dark side of edges and dark strokes, never both sides of an edge."""
    grey = luma(image)
    return smoothstep(blur(grey, sigma * 1.8) - blur(grey, sigma), low, high)


def lightness(image: Array) -> Array:
    """Brightness [H, W] as the eye sees it: differences in the dark count more, so that dark faces stay faces."""
    return np.sqrt(np.clip(luma(image), 0, 1) + 0.01)


def detail(image: Array) -> Array:
    """Where the picture has something small to say, about 0 (a wall) to 0.1 (an eye), smooth over 3 pixels."""
    grey = 1.3 * lightness(image)
    return blur(np.abs(grey - blur(grey, 4)), 3)


def grid(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Row and column of every pixel's centre."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + 0.5
    return rows, columns


def cells(image: Array, size: int = 8) -> Array:
    """Each cell's mean colour, at full size; H and W are multiples of `size`."""
    small = cv2.resize(image, (image.shape[1] // size, image.shape[0] // size), interpolation=cv2.INTER_AREA)
    return np.repeat(np.repeat(small, size, 0), size, 1).astype(np.float32)

"""Pictures to send, made from a seed, with a photograph's amount of detail."""

from __future__ import annotations

import cv2
import numpy as np

from ..media import codec
from ..params import OutputFormat


def photo_like(seed: int, width: int, height: int) -> codec.Pixels:
    """Polygons on 1/f noise with a little grain, which cost a JPEG codec about as much as a webcam's picture.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    cells = 2
    while cells <= min(width, height) // 2:
        noise = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * (70 / cells**0.75)
        cells *= 2
    for _ in range(12):
        corners = rng.uniform(0, 1, (5, 2)) * (width, height)
        shape = np.zeros((height, width), np.float32)
        cv2.fillConvexPoly(shape, cv2.convexHull(corners.astype(np.int32)), 1.0, lineType=cv2.LINE_8)
        picture += shape[..., None] * rng.uniform(-40, 40, 3).astype(np.float32)
    picture += rng.standard_normal(picture.shape).astype(np.float32) * 2
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


def noisy_jpegs(
    count: int, width: int = 512, height: int = 512, quality: int = 80, deviation: float = 3.0
) -> list[bytes]:
    """One picture with a camera's noise, different in each copy, as JPEG.

    Args:
        deviation: standard deviation of a pixel's noise, of 255; a webcam's indoors is 2 to 5.
    """
    picture = photo_like(0, width, height).astype(np.float32)
    rng = np.random.default_rng(1)
    noisy = (picture + rng.standard_normal(picture.shape, np.float32) * deviation for _ in range(count))
    return [codec.encode(np.clip(one, 0, 255).astype(np.uint8), OutputFormat.JPEG, quality)[1] for one in noisy]


def photo_jpegs(count: int, width: int = 512, height: int = 512, quality: int = 80) -> list[bytes]:
    """`count` different pictures as JPEG."""
    pictures = (photo_like(seed, width, height) for seed in range(count))
    return [codec.encode(picture, OutputFormat.JPEG, quality)[1] for picture in pictures]

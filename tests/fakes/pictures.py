"""Pictures, as pixels and as files."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from PIL import Image

from realtime.pixels import Pixels


@functools.cache
def a_plain_jpeg(level: int) -> bytes:
    return encoded(np.full((8, 8, 3), level, np.uint8))


def pixels(width: int = 64, height: int = 64, seed: int = 0) -> Pixels:
    """A smooth RGB picture, so that lossy encodings stay close."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(30, 226, (4, 4, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def encoded(picture: Pixels | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture file, written by Pillow: not by the code under test."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def a_jpeg(width: int = 64, height: int = 64, seed: int = 0) -> bytes:
    return encoded(pixels(width, height, seed), quality=90)

"""The teacher's chance, drawn from the start noise that the UNet is given.

Must not know any style. A target that depends on this noise is a deterministic function of what the network sees: the
texture never repeats, a new seed is a new painting, and a fixed seed stands still. Twelve numbers for every 8x8
pixels are read in two ways: as twelve maps at 1/8, or as three fields with a value for every 4x4 pixels.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from filters import Array, blur

CHANNELS = 12
CELL = 8
FIELDS = 3


class Chance:
    """Start noise of one picture.

    Attributes:
        noise: float32 [12, H / 8, W / 8], standard normal; the same array that the latents get.
    """

    def __init__(self, noise: Array) -> None:
        if noise.ndim != 3 or noise.shape[0] != CHANNELS:
            raise ValueError(f"start noise is [{CHANNELS}, h, w], not {noise.shape}")
        self.noise = noise.astype(np.float32)

    @classmethod
    def of(cls, seed: int, height: int, width: int) -> Chance:
        """The chance of a seed for a picture of that many pixels, multiples of 8."""
        shape = (CHANNELS, height // CELL, width // CELL)
        return cls(np.random.default_rng(seed).standard_normal(shape, np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return self.noise.shape[1] * CELL, self.noise.shape[2] * CELL

    def maps(self, channel: int, cell: int = CELL) -> Array:
        """Independent standard normal numbers on a grid, [H / cell, W / cell].

        Args:
            channel: which; 0 to 11 at cells of 8 and 16 pixels, 0 to 2 at 4.
            cell: the grid in pixels. 16 averages four cells of 8 and scales them back to deviation 1.
        """
        if cell == 4:
            return self._fields[channel]
        plane = self.noise[channel]
        if cell == 16:
            h, w = plane.shape
            even = np.pad(plane, ((0, h % 2), (0, w % 2)), mode="edge")
            return (even.reshape((h + 1) // 2, 2, (w + 1) // 2, 2).sum((1, 3)) / 2).astype(np.float32)
        if cell != CELL:
            raise ValueError(f"no chance on a grid of {cell} pixels")
        return plane

    @cached_property
    def _fields(self) -> Array:
        """[3, H / 4, W / 4]: channels 4k to 4k + 3 are the four quarters of a cell."""
        h, w = self.noise.shape[1:]
        return self.noise.reshape(FIELDS, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(FIELDS, 2 * h, 2 * w)

    def grain(self, field: int, sigma: float = 0.0) -> Array:
        """Smooth noise [H, W] of deviation about 1 and a grain of 4 pixels, or coarser.

        Args:
            field: 0 to 2.
            sigma: further blur in pixels. Deviation is kept at about 1 by the gain of white noise.
        """
        h, w = self.shape
        fine = self._fields[field]
        if sigma:
            # On the coarse grid, where a pixel is 4: deviation falls to 1 / (2 sqrt(pi) s) of what it was.
            s = max(sigma / 4, 0.3)
            fine = blur(fine, s) * max(1.0, 2 * np.sqrt(np.pi) * s)
        return cv2.resize(fine, (w, h), interpolation=cv2.INTER_CUBIC).astype(np.float32) * np.float32(1.15)

"""Tells whether two pictures differ by more than the noise of their source, which is learned.

Must not know sessions, which pictures to compare, or what an unchanged one saves.
"""

from __future__ import annotations

from collections import deque
from statistics import median_high

import cv2
import numpy as np

from .thumbnail import Thumbnail

STEP, SPREAD = 2.5, 3.0
"""Differences are in 1/255. Measured on real pictures with noise of 0 to 6 a pixel, through JPEG at quality 80, at 256
and 512 px a side: the 90th percentile of the cells' differences is at most 2.5, and 99 of 100 times the largest of
3,072 is at most STEP + SPREAD times that. It is not below STEP even where there is little noise: a lossy block that
changes at all changes by a whole quantization step.
"""
NOISE_MAX = 2.5
NOISE_PERCENTILE = 0.9
FAINTEST = 0.02
"""Largest difference without noise, from rounding. A dot of 2x2 pixels and 8 levels on a canvas of 512x512 is 0.1."""

NEWEST = 64
"""Pairs of consecutive pictures that the noise is the median of: two seconds of a camera."""
FEWEST = 3
"""Pairs below which the source counts as noiseless."""


def tolerance(noise: float) -> float:
    """Largest difference of a single cell that noise explains, given the 90th percentile of the noise; in 1/255."""
    return STEP + SPREAD * noise if noise else FAINTEST


class Stillness:
    """Learns the noise of one source, and tells unchanged pictures by it.

    The noise is learned from consecutive pictures: between two that show the same, all cells differ alike. Where one
    stands out, or all differ by a lot, something moved, and the pair is left out.
    """

    def __init__(self) -> None:
        self._previous: Thumbnail | None = None
        self._learned: deque[float] = deque(maxlen=NEWEST)

    @property
    def noise(self) -> float:
        """90th percentile of the cells' differences by noise alone, in 1/255; 0 where none is known."""
        if len(self._learned) < FEWEST:
            return 0.0
        return median_high(self._learned)

    def is_unchanged(self, seen: Thumbnail, run: Thumbnail) -> bool:
        """Whether no cell of two pictures differs by more than noise explains.

        Args:
            seen: thumbnail of the picture in question.
            run: thumbnail of the picture that was run, and not of the one before `seen`, or a slow drift would hide.
        """
        return float(cv2.absdiff(seen, run).max()) <= tolerance(self.noise)

    def learn(self, seen: Thumbnail) -> None:
        """Learn from the thumbnail of the source's next picture. Once a picture, in their order."""
        previous, self._previous = self._previous, seen
        if previous is None:
            return
        differences = cv2.absdiff(seen, previous).reshape(-1)
        most = float(differences.max())
        nth = int(NOISE_PERCENTILE * len(differences))
        noise = float(np.partition(differences, nth)[nth])
        if most == 0:
            return  # the very same picture, as from a fast sender behind a slow camera: it says nothing of the noise
        if noise == 0 or (noise <= NOISE_MAX and most <= tolerance(noise)):
            self._learned.append(noise)

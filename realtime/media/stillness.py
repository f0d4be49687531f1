"""Whether a picture shows what another one does, but for the noise of the camera.

One object a connection. Must not know who asks, which picture was shown, or what a still one
saves: whoever asks says what to compare with, and that must be the picture that was really run, never the previous
one, or slow drift would hide.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .thumbnail import Thumbnail

# Levels of 255. Measured on real pictures with noise of 0 to 6 a pixel, through JPEG at quality 80, 256 and 512 px a
# side: nine of ten cells differ by up to 2.5, and 99 of 100 times the largest of 3,072 by up to STEP + SPREAD times
# that. With little noise it does not come to less than STEP: a lossy block that changes at all changes by a whole step.
STEP = 2.5
SPREAD = 3.0
NOISE_MAX = 2.5
MOST_CELLS = 0.9
FAINTEST = 0.02
"""Without noise: less is rounding. A dot of 2x2 pixels and 8 levels on a canvas of 512x512 is 0.1."""

NEWEST = 64
"""Pairs of pictures that the noise is learned from: two seconds of a camera."""
FEWEST = 3
"""Before so many, nothing passes for noise."""


def tolerance(noise: float) -> float:
    """By how much a single cell may differ where nine of ten differ by up to `noise`, all for no reason."""
    return STEP + SPREAD * noise if noise else FAINTEST


class Stillness:
    """Learns one source's noise, and tells unchanged pictures by it.

    The noise is learned from each picture and the one before: between two that show the same, all cells differ alike.
    Where one stands out, or all differ by a lot, something moved, and the pair teaches nothing.
    """

    def __init__(self) -> None:
        self._previous: Thumbnail | None = None
        self._learned: deque[float] = deque(maxlen=NEWEST)

    @property
    def noise(self) -> float:
        """What nine of ten cells differ by for no reason, in levels of 255; 0 where there is none or none known."""
        if len(self._learned) < FEWEST:
            return 0.0
        return sorted(self._learned)[len(self._learned) // 2]

    def is_unchanged(self, seen: Thumbnail, run: Thumbnail) -> bool:
        """Whether two pictures differ by noise at most: in no cell by more than noise ever does.

        Args:
            seen: of the picture in question.
            run: of the picture whose result the client has.
        """
        return float(cv2.absdiff(seen, run).max()) <= tolerance(self.noise)

    def learn(self, seen: Thumbnail) -> None:
        """Take the source's next picture in. Once each, in their order."""
        previous, self._previous = self._previous, seen
        if previous is None:
            return
        differences = cv2.absdiff(seen, previous).reshape(-1)
        most = float(differences.max())
        nth = int(MOST_CELLS * len(differences))
        noise = float(np.partition(differences, nth)[nth])
        if most == 0:
            return  # the same picture again: slow cameras behind fast senders do that, and it says nothing of the noise
        if noise == 0 or (noise <= NOISE_MAX and most <= tolerance(noise)):
            self._learned.append(noise)

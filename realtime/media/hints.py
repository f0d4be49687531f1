"""Hints: what control nets are shown of a picture, as far as it is made of pixels alone; one function each.

Pure numpy and OpenCV. Must not know nets, sessions or params.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from ..control import INPUT, Hint, HintKey
from ..errors import FrameError
from ..pixels import Pixels
from .fit import fit

HINTING_NS = 20
"""Time that a hint takes for a pixel: 4 ms for 512x512."""
HINTS_KEPT = 16
"""Hints of references that are kept: four of each of four sessions."""
CANNY_SHARE = 0.33
"""By how much of the median grey the thresholds lie below and above it."""


def canny(picture: Pixels) -> Pixels:
    """Edges, white on black, one pixel wide, with thresholds around the median grey.

    Source: Canny 1986, "A computational approach to edge detection", as OpenCV has it.

    Args:
        picture: uint8 [H, W, 3].

    Returns:
        uint8 [H, W, 3], 0 or 255.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (3, 3), 0)
    median = float(np.median(grey))
    edges = cv2.Canny(grey, (1 - CANNY_SHARE) * median, min(255.0, (1 + CANNY_SHARE) * median))
    return cv2.cvtColor(edges, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def as_it_is(picture: Pixels) -> Pixels:
    """The picture itself."""
    return picture


MAKERS: Mapping[Hint, Callable[[Pixels], Pixels]] = {Hint.CANNY: canny, Hint.PICTURE: as_it_is}
"""What makes each hint of the host, of a picture of the size that it is to have."""


class Hints:
    """Makes hints; those of references are kept. Any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[HintKey, int, int], Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def of(
        self, wanted: Sequence[HintKey], picture: Pixels, references: Mapping[str, Pixels]
    ) -> Mapping[HintKey, Pixels]:
        """The hints that are wanted, uint8 [H, W, 3].

        Args:
            picture: the frame's own, uint8 [H, W, 3].
            references: see `Order`; cropped around the centre and resized to the frame's size.

        Returns:
            Those of references are the same objects while they are kept.

        Raises:
            FrameError: a reference is not kept any more.
        """
        return {
            key: MAKERS[key.hint](picture) if key.source == INPUT else self._of_reference(key, picture, references)
            for key in wanted
        }

    def _of_reference(self, key: HintKey, picture: Pixels, references: Mapping[str, Pixels]) -> Pixels:
        height, width, _ = picture.shape
        with self._lock:
            if (kept := self._kept.get((key, width, height))) is not None:
                self._kept.move_to_end((key, width, height))
                return kept
        if (reference := references.get(key.source)) is None:
            raise FrameError(
                f"these params can't be used: there is no picture {key.source}: send it to /api/pictures again",
                "invalid_params",
            )
        made = MAKERS[key.hint](fit(reference, width, height))
        with self._lock:
            made = self._kept.setdefault((key, width, height), made)
            while len(self._kept) > HINTS_KEPT:
                self._kept.popitem(last=False)
        return made

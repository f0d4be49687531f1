"""Hints of frames and of references: each is made once, and those of references are kept.

Must not know how a hint is made, or nets, sessions and params.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from ..control import INPUT, HintKey
from ..errors import FrameError
from ..pixels import Pixels
from .fit import fit
from .hint_makers import MAKERS

HINTING_NS = 20
"""Most that a hint takes a pixel, in nanoseconds of a slow CPU: 5 ms for 512x512."""
HINTS_KEPT = 16
"""Hints of references that are kept: four of each of four sessions."""


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

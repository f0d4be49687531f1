"""Pictures in memory that two processes share: a job's pictures go to the engine in its slot, its result's comes back
in it.

Must not know jobs. Who may write to a slot is for the two to agree on.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from ..control import Hint
from ..forked import give_back, shared_memory

if TYPE_CHECKING:
    from ..pixels import Pixels

HINTS = len([one for one in Hint if one.is_on_host])
"""Of one picture. Memory is only taken for those that are written."""
PLACES = 2 + HINTS


class Slots:
    """A number of slots, each for a picture, the original that it was mixed from, and hints of it. Given to a process
    as it is started.

    Args:
        count: number of slots.
        max_pixels: of the largest picture.
    """

    def __init__(self, count: int, max_pixels: int) -> None:
        self.count = count
        self._picture_bytes = -(-3 * max_pixels // mmap.PAGESIZE) * mmap.PAGESIZE
        self._arena = shared_memory(PLACES * count * self._picture_bytes, "engine")

    def picture(self, slot: int, shape: tuple[int, int]) -> Pixels:
        """The picture in a slot, uint8 [height, width, 3]: a view, which is to be dropped before `close`."""
        return self._view(PLACES * slot, shape)

    def original(self, slot: int, shape: tuple[int, int]) -> Pixels:
        """The picture's original, see `Job.original`; likewise."""
        return self._view(PLACES * slot + 1, shape)

    def hint(self, slot: int, number: int, shape: tuple[int, int]) -> Pixels:
        """A hint of the picture, of at most `HINTS`; likewise."""
        return self._view(PLACES * slot + 2 + number, shape)

    def _view(self, index: int, shape: tuple[int, int]) -> Pixels:
        height, width = shape
        start = index * self._picture_bytes
        slot = memoryview(self._arena.buffer)[start : start + self._picture_bytes]
        return np.frombuffer(slot, np.uint8, 3 * height * width).reshape(height, width, 3)

    def close(self) -> None:
        """Give this process's part back."""
        give_back(self._arena)

"""Memory that the server and a decoder share: what is to be decoded goes in it, and so does what comes out.

Must not know pictures' formats. Asks and answers alternate, so that only one of the two uses it at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..forked import give_back, shared_memory

if TYPE_CHECKING:
    from ..pixels import Pixels

Shape = tuple[int, ...]


class Room:
    """Shared memory, given to a process as it is started.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = shared_memory(size, "decoder")

    def write(self, data: bytes | memoryview) -> int:
        """Put bytes in; their number.

        Raises:
            ValueError: they are too many.
        """
        self._memory.buffer[: len(data)] = data
        return len(data)

    def read(self, length: int) -> bytes:
        """Take a copy of that many bytes."""
        return self._memory.buffer[:length]

    def put(self, arrays: Sequence[Pixels]) -> tuple[Shape, ...]:
        """Put uint8 arrays in, one behind the other; their shapes.

        Raises:
            ValueError: they are too large.
        """
        at = 0
        for array in arrays:
            np.frombuffer(self._memory.buffer, np.uint8, array.size, at).reshape(array.shape)[:] = array
            at += array.size
        return tuple(array.shape for array in arrays)

    def take(self, shapes: Sequence[Shape]) -> list[Pixels]:
        """Copies of the arrays of these shapes.

        Raises:
            ValueError: the room has not so many bytes.
        """
        sizes = [int(np.prod(shape)) for shape in shapes]
        whole = np.frombuffer(self._memory.buffer, np.uint8, sum(sizes)).copy()
        parts = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def close(self) -> None:
        """Give this process's part back."""
        give_back(self._memory)

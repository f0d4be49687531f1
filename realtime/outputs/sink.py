"""What takes pictures and sound, in the process that sends: the seam behind which all outputs are.

Must not know who the pictures are of, or when they are due.
"""

from __future__ import annotations

from typing import Protocol

from ..pixels import Pixels
from .records import Samples


class SinkError(Exception):
    """Nothing more can be sent. The text says why, without the address.

    Args:
        is_final: whether another try is of no use.
        is_encoders: whether the encoder has failed.
    """

    def __init__(self, text: str, *, is_final: bool = False, is_encoders: bool = False) -> None:
        super().__init__(text)
        self.is_final, self.is_encoders = is_final, is_encoders


class Sink(Protocol):
    """Takes pictures. Its methods raise SinkError."""

    def picture(self, picture: Pixels, number: int) -> None:
        """Take a picture, uint8 [height, width, 3], RGB, shown at `number / rate` seconds."""
        ...

    def sound(self, samples: Samples) -> None:
        """Take the next samples."""
        ...

    def close(self) -> None:
        """Send what is left, and end in order."""
        ...

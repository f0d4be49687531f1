"""Frames as programs have them, and the pictures that answer them.

Must not know connections.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import protocol
from ..errors import WireError
from ..frame import Format

Pixels = npt.NDArray[np.uint8]
"""RGB, uint8 [H, W, 3]."""
_FORMATS = frozenset({Format.NONE, Format.JPEG, Format.PNG, Format.WEBP})
"""Of the wire."""
QUALITY = 90
"""Of the JPEG that an array is sent as."""


def now_us() -> int:
    """This client's clock, microseconds; the default of `captured_us`."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True, slots=True)
class Picture:
    """The answer to a frame.

    Attributes:
        seq: number of the frame.
        data: the encoded picture.
        params_version: version of the params that made it.
        engine_us: time at the server, from the frame's arrival to the picture's departure.
        round_trip_us: from `captured_us` of the frame to the picture's arrival here, on this clock.
        is_repeat: whether the frame showed nothing new: format and data are those of the picture before.
    """

    seq: int
    format: Format
    data: bytes
    params_version: int
    engine_us: int
    round_trip_us: int
    is_repeat: bool = False

    def pixels(self) -> Pixels:
        """The decoded picture.

        Raises:
            ValueError: it can't be decoded.
        """
        import cv2

        bgr: Any = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR) if self.data else None
        if bgr is None:
            raise ValueError("this picture can't be decoded")
        return np.ascontiguousarray(bgr[:, :, ::-1])


def encoded(frame: bytes | Pixels) -> bytes:
    """A frame as it is sent: an array as JPEG, anything else as it is.

    Raises:
        ValueError: it is no JPEG, PNG or WebP, and no array of RGB pixels.
        TypeError: it is neither bytes nor an array, but a file's name, for example.
    """
    if isinstance(frame, np.ndarray):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise ValueError(f"a frame is uint8 [H, W, 3] in RGB; this array is {frame.dtype} {list(frame.shape)}")
        import simplejpeg

        return simplejpeg.encode_jpeg(np.ascontiguousarray(frame), QUALITY, colorspace="RGB", colorsubsampling="420")
    try:
        kind = Format.sniff(frame)
    except TypeError:
        raise TypeError(f"a frame is a picture's bytes or an array of pixels, no {type(frame).__name__}") from None
    if kind is Format.NONE:
        raise ValueError("a frame is a JPEG, PNG or WebP picture, or an array of pixels")
    return frame


def pack(seq: int, data: bytes, captured_us: int) -> bytes:
    """The binary message of a frame."""
    return protocol.HEADER.pack(protocol.VERSION, Format.sniff(data), 0, seq, captured_us, 0, 0) + data


class Unpacker:
    """Reads the binary messages of one connection, whose repeats refer to the picture before."""

    def __init__(self) -> None:
        self._newest: tuple[Format, bytes] = (Format.NONE, b"")

    def unpack(self, message: bytes) -> Picture:
        """The picture of a message.

        Raises:
            WireError: it is no message of this version.
        """
        is_whole = len(message) >= protocol.HEADER.size
        if not is_whole or message[0] != protocol.VERSION or message[1] not in _FORMATS:
            raise WireError(f"the server does not speak version {protocol.VERSION} of the protocol: update realtime")
        _, number, flags, seq, captured_us, version, engine_us = protocol.HEADER.unpack_from(message)
        is_repeat = bool(flags & protocol.REPEAT)
        if not is_repeat:
            self._newest = (Format(number), message[protocol.HEADER.size :])
        picture_format, data = self._newest
        return Picture(seq, picture_format, data, version, engine_us, now_us() - captured_us, is_repeat)

"""Frames as programs have them, and the pictures that answer them.

Must not know connections.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import protocol
from ..errors import WireError
from ..frame import Format
from ..pixels import Pixels

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
        is_stacked: whether `data` shows the fill above its opacity, as a JPEG of a transparent picture does; `rgba`
            puts them together.
    """

    seq: int
    format: Format
    data: bytes
    params_version: int
    engine_us: int
    round_trip_us: int
    is_repeat: bool = False
    is_stacked: bool = False

    def pixels(self) -> Pixels:
        """The decoded picture without its opacity: of a transparent one (`beyond="key"`) the fill.

        Raises:
            ValueError: it can't be decoded.
        """
        return np.ascontiguousarray(self.rgba()[:, :, :3])

    def rgba(self) -> Pixels:
        """The decoded picture with its opacity, uint8 [H, W, 4]; colours are not multiplied by it.

        Raises:
            ValueError: it can't be decoded.
        """
        import cv2

        decoded: Any = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED) if self.data else None
        if decoded is None or decoded.ndim != 3:
            raise ValueError("this picture can't be decoded")
        if self.is_stacked:
            fill, key = np.split(decoded, 2)
            return np.dstack([fill[:, :, ::-1], key[:, :, 1]])
        if decoded.shape[2] == 4:
            return np.ascontiguousarray(decoded[:, :, [2, 1, 0, 3]])
        return np.dstack([decoded[:, :, ::-1], np.full(decoded.shape[:2], 255, np.uint8)])


def encoded(frame: bytes | Pixels) -> bytes:
    """A frame as it is sent: an array as JPEG, one with opacity as PNG, anything else as it is.

    Raises:
        ValueError: it is no JPEG, PNG or WebP, and no array of RGB or RGBA pixels.
        TypeError: it is neither bytes nor an array, but a file's name, for example.
    """
    if isinstance(frame, np.ndarray):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (3, 4) or 0 in frame.shape:
            what = "uint8 [H, W, 3] in RGB, or [H, W, 4] in RGBA"
            raise ValueError(f"a frame is {what}; this array is {frame.dtype} {list(frame.shape)}")
        if frame.shape[2] == 4:
            import cv2

            bgra = np.ascontiguousarray(frame[:, :, [2, 1, 0, 3]])
            return cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
        import simplejpeg

        return simplejpeg.encode_jpeg(np.ascontiguousarray(frame), QUALITY, colorspace="RGB", colorsubsampling="420")
    try:
        kind = Format.sniff(frame)
    except TypeError:
        raise TypeError(f"a frame is a picture's bytes or an array of pixels, no {type(frame).__name__}") from None
    if kind is Format.NONE:
        raise ValueError("a frame is a JPEG, PNG or WebP picture, or an array of pixels")
    return frame


def pack(seq: int, data: bytes, captured_us: int, flags: int = 0) -> bytes:
    """The binary message of a frame, or with `protocol.REFERENCE` of another picture."""
    return protocol.HEADER.pack(protocol.VERSION, Format.sniff(data), flags, seq, captured_us, 0, 0) + data


class Unpacker:
    """Reads the binary messages of one connection, whose repeats refer to the picture before."""

    def __init__(self) -> None:
        self._newest: tuple[Format, bytes, bool] = (Format.NONE, b"", False)

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
            self._newest = (Format(number), message[protocol.HEADER.size :], bool(flags & protocol.STACKED))
        picture_format, data, is_stacked = self._newest
        return Picture(seq, picture_format, data, version, engine_us, now_us() - captured_us, is_repeat, is_stacked)

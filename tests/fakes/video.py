"""Encoded video: frames of both codecs, and headers that lie."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType


def a_stream(codec: str, width: int = 64, height: int = 48, frames: int = 1, **options: str) -> list[bytes]:
    """The frames of a grey picture that changes; the first is a key frame.

    Args:
        codec: `VP8` or `H264`.
        options: of the encoder.
    """
    context: Any = av.CodecContext.create("libx264" if codec == "H264" else "libvpx", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate, context.thread_count = Fraction(1, 30), Fraction(30), 1
    fast = {"preset": "ultrafast", "tune": "zerolatency"}
    context.options = options or (fast if codec == "H264" else {"deadline": "realtime", "lag-in-frames": "0"})
    packets: list[Any] = []
    for index in range(frames):
        picture = np.full((height * 3 // 2, width), 60 + 40 * (index % 4), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = index
        frame.pict_type = PictureType.NONE if index else PictureType.I
        packets += context.encode(frame)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]


def a_vp8_claim(width: int, height: int) -> bytes:
    """A key frame of 64 x 48 that claims another size."""
    frame = bytearray(a_stream("VP8")[0])
    frame[6:10] = struct.pack("<HH", width, height)
    return bytes(frame)


class Bits:
    """Writes what `sps.picture_of` reads."""

    def __init__(self) -> None:
        self._bits = ""

    def put(self, value: int, count: int) -> Bits:
        self._bits += f"{value:0{count}b}" if count else ""
        return self

    def number(self, *values: int) -> Bits:
        """ue(v)."""
        for value in values:
            bits = f"{value + 1:b}"
            self._bits += "0" * (len(bits) - 1) + bits
        return self

    def payload(self) -> bytes:
        """With the stop bit."""
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def an_sps(
    columns: int = 4,
    rows: int = 3,
    *,
    references: int = 1,
    crop: tuple[int, int, int, int] | None = None,
    chroma: int | None = None,
    reordered: int | None = None,
) -> bytes:
    """The payload of a sequence parameter set.

    Args:
        columns, rows: macroblocks.
        crop: left, right, top, bottom, in units of two pixels.
        chroma: format; None is the baseline profile, which names none.
        reordered: in the usability information, which is left out where it is None.
    """
    bits = Bits().put(66 if chroma is None else 100, 8).put(0, 8).put(31, 8).number(0)
    if chroma is not None:
        bits.number(chroma, 0, 0).put(0, 2)
    bits.number(0, 2, references).put(0, 1).number(columns - 1, rows - 1).put(1, 1).put(1, 1)
    bits.put(crop is not None, 1)
    if crop is not None:
        bits.number(*crop)
    bits.put(reordered is not None, 1)
    if reordered is not None:
        bits.put(0, 8).put(1, 1).put(1, 1).number(0, 0, 0, 0, reordered, 16)
    return bits.payload()


def an_h264_claim(payload: bytes) -> bytes:
    """A key frame of 64 x 48 behind another parameter set, written as a NAL unit."""
    escaped = payload.replace(b"\0\0\1", b"\0\0\3\1").replace(b"\0\0\0", b"\0\0\3\0")
    return b"\0\0\0\1\x67" + escaped + a_stream("H264")[0]

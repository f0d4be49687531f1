"""What an encoded video frame says of itself: whether a decoder may begin with it, and how large its pictures are.

Pure: no decoder, no I/O. Frames are hostile: 900 bytes that claim 16380 x 16380 cost a decoder 500 MB, so that this
comes before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import FrameError
from .sps import PictureSize, picture_of

NALS_MAX = 1024
"""NAL units of one frame: a key frame of 600 KB in slices of one packet each has 500."""
SPS_MAX_BYTES = 1024
"""Of a sequence parameter set: one with all scaling lists and bit rates has some 600."""
SPS_MAX = 32
"""Sequence parameter sets of one frame: there are no more ids."""

_START = re.compile(rb"\x00\x00\x01([\x00-\xff])")
_IDR, _SPS = 5, 7


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """A frame's header.

    Attributes:
        is_start: whether a decoder may begin, or go on after a gap, with this frame.
        pictures: what it announces; empty where it goes on as before.
    """

    is_start: bool
    pictures: tuple[PictureSize, ...] = ()


def read_header(codec: str, data: bytes) -> FrameHeader:
    """A frame's header. Takes microseconds, and a few milliseconds for the worst of frames.

    Args:
        codec: `VP8` or `H264`, whose NAL units begin with start codes.

    Raises:
        FrameError: it can't be read.
    """
    return _read_vp8(data) if codec == "VP8" else _read_h264(data)


def _read_vp8(data: bytes) -> FrameHeader:
    """Source: RFC 6386 section 9.1."""
    if len(data) < 3:
        raise FrameError("the VP8 frame is cut off: check the encoder")
    if data[0] & 1:
        return FrameHeader(is_start=False)
    if len(data) < 10 or data[3:6] != b"\x9d\x01\x2a":
        raise FrameError("the VP8 key frame has no start code: check the encoder")
    width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return FrameHeader(True, (PictureSize(width, height, kept=3, bytes_per_pixel=1.5),))


def _read_h264(data: bytes) -> FrameHeader:
    is_start = False
    pictures: list[PictureSize] = []
    for count, found in enumerate(_START.finditer(data)):
        if count == NALS_MAX:
            raise FrameError(f"the H.264 frame has more than {NALS_MAX} NAL units: encode in fewer slices")
        kind = found[1][0] & 0x1F
        is_start = is_start or kind in (_IDR, _SPS)
        if kind == _SPS:
            if len(pictures) == SPS_MAX:
                raise FrameError(f"the H.264 frame has more than {SPS_MAX} sequence parameter sets: send one")
            pictures.append(_read_sps(data, found.end()))
    return FrameHeader(is_start, tuple(pictures))


def _read_sps(data: bytes, begin: int) -> PictureSize:
    """The sequence parameter set whose payload begins here. Source: ITU-T H.264 section 7.3.2.1.1."""
    end = data.find(b"\x00\x00\x01", begin, begin + SPS_MAX_BYTES)
    payload = data[begin : end if end >= 0 else begin + SPS_MAX_BYTES].replace(b"\x00\x00\x03", b"\x00\x00")
    try:
        return picture_of(payload)
    except ValueError:
        raise FrameError("the H.264 sequence parameter set can't be read: check the encoder") from None

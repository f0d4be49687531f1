"""The chunks of a PNG file: its size, what decoding may take, and only what a decoder needs.

Must not decode. Source: PNG specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import FrameError

Data = bytes | memoryview

CHUNKS_MAX = 10_000
"""A 4 MB file in chunks of 8 KB has 512; walking 350,000 empty ones would take longer than decoding does."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel, by colour type."""
_INFLATED_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class Header:
    """Width and height in pixels, and the bytes that the picture's rows have, unpacked."""

    width: int
    height: int
    raw_bytes: int


def header(data: Data) -> Header:
    """Read the header. Source: sections 11.2.2 (IHDR is the first chunk), 4.5.

    Raises:
        ValueError, IndexError, struct.error: there is none.
    """
    length, kind, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if kind != b"IHDR" or length != 13:
        raise ValueError("no IHDR")
    return Header(width, height, width * height * depth * _SAMPLES.get(colour, 4) // 8)


def picture(data: Data) -> bytes:
    """The file with its critical and tRNS chunks only, all of them whole. Source: sections 5.3, 11.2.

    OpenCV 5 allocates whatever the length of a chunk promises: 4 GB and 6 s for a file of 4 KB (measured). libpng
    inflates what follows the last row to its end: 10 s for 4 MB that stand for 4 GB.

    Raises:
        FrameError: a chunk is cut off, or the image data inflate to more than the picture.
    """
    kept: list[Data] = [data[:8]]
    image: list[Data] = []
    at = 8
    for _ in range(CHUNKS_MAX):
        if at + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[at:end])
        if kind == b"IDAT":
            image.append(data[at + 8 : end - 4])
        if kind == b"IEND":
            if _inflates_beyond(image, _bytes_max(header(data))):
                raise FrameError("the PNG holds more than its picture")
            return b"".join(kept)
        at = end
    raise FrameError("the PNG is cut off")


def _bytes_max(head: Header) -> int:
    """The most bytes that the image data inflate to. Source: sections 4.5, 7, 8.

    Each row has a byte for its filter and may end in a part of a byte; interlacing makes less than 2 H + 7 rows of H.
    """
    return head.raw_bytes + 2 * (2 * head.height + 7)


def _inflates_beyond(parts: Iterable[Data], limit: int) -> bool:
    """Whether a zlib stream inflates to more than `limit` bytes; it is looked at no further, and nothing is kept."""
    stream, size = zlib.decompressobj(), 0
    try:
        for part in parts:
            rest: Data = part
            while rest and size <= limit:
                size += len(stream.decompress(rest, _INFLATED_AT_ONCE))
                rest = stream.unconsumed_tail
        while size <= limit and (more := stream.decompress(b"", _INFLATED_AT_ONCE)):
            size += len(more)
    except zlib.error:  # whoever decodes stops there too
        return False
    return size > limit

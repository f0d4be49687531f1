"""The chunks of a PNG file: its size, what decoding may take, and a file that a decoder takes without a word.

What is wrong with a file is found here, in our words: libpng writes what it finds to standard error, a line a frame.
Must not decode. Source: PNG specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import FrameError

Data = bytes | memoryview

CHUNKS_MAX = 10_000
"""A 4 MB file in chunks of 8 KB has 512; walking 350,000 empty ones would take longer than decoding does."""
SIDE_MAX_PX = 1_000_000
"""libpng's own limit."""
_INFLATED_AT_ONCE = 1 << 18
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
"""Samples a pixel, by colour type. Source: section 11.2.2, table 11.1."""
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8)}
"""Bits a sample, by colour type; (8, 16) for the others."""
_TRANSPARENT_BYTES = {_GREY: 2, _RGB: 6}
"""Length of a tRNS chunk, by colour type; of a palette, one for each of its colours at most."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Left, top, and steps to the right and down of the passes of an interlaced picture. Source: section 8.2."""
_FILTERS = bytes(range(5))


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What the IHDR chunk says. Source: section 11.2.2."""

    width: int
    height: int
    depth: int
    colour: int
    is_interlaced: bool

    @property
    def raw_bytes(self) -> int:
        """Bytes of the rows, unpacked and without their filters."""
        return self.width * self.height * self.depth * _SAMPLES[self.colour] // 8

    def passes(self) -> Iterator[tuple[int, int]]:
        """Rows and bytes a row of each pass, with the byte of the row's filter. Source: sections 7.2, 8."""
        for left, top, right, down in _ADAM7 if self.is_interlaced else ((0, 0, 1, 1),):
            columns, rows = len(range(left, self.width, right)), len(range(top, self.height, down))
            if columns and rows:
                yield rows, 1 + (columns * self.depth * _SAMPLES[self.colour] + 7) // 8


def header(data: Data) -> PngHeader:
    """Read the header.

    Raises:
        ValueError, IndexError, struct.error: there is none, or it says what no PNG has.
    """
    length, kind = struct.unpack_from(">I4s", data, 8)
    width, height, depth, colour, method, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    if kind != b"IHDR" or length != 13:
        raise ValueError("no IHDR")
    if depth not in _DEPTHS.get(colour, (8, 16)) or colour not in _SAMPLES or method or filtering or interlace > 1:
        raise ValueError("no such PNG")
    return PngHeader(width, height, depth, colour, interlace == 1)


def picture(data: Data) -> bytes:
    """The file with the chunks only that make its picture: IHDR, PLTE and tRNS where they count, IDAT, IEND.

    OpenCV 5 allocates whatever the length of a chunk promises: 4 GB and 6 s for a file of 4 KB (measured). libpng
    inflates what follows the last row to its end: 10 s for 4 MB that stand for 4 GB.

    Raises:
        FrameError: a chunk is cut off, damaged or missing, or the image data are not those of the picture.
    """
    head = header(data)
    if max(head.width, head.height) > SIDE_MAX_PX:
        raise FrameError(f"the sides of a PNG may have {SIDE_MAX_PX:,} pixels: send a smaller one")
    colours: dict[bytes, Data] = {}
    image: list[Data] = []
    for kind, chunk in _chunks(data):
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            image.append(chunk)
        elif kind in (b"PLTE", b"tRNS"):
            colours[kind] = chunk
    _check_image((chunk[8:-4] for chunk in image), head)
    return b"".join((data[:33], *_kept_colours(colours, head.colour), *image, _END))


_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def _chunks(data: Data) -> Iterator[tuple[bytes, Data]]:
    """The kind and the bytes of each chunk that may count, whole and undamaged. Source: section 5.3."""
    at = 8
    for _ in range(CHUNKS_MAX):
        if at + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
                raise FrameError(f"the PNG's {kind.decode()} chunk is damaged: save it anew")
            yield kind, data[at:end]
        at = end
    raise FrameError("the PNG is cut off: send all of it")


def _kept_colours(colours: dict[bytes, Data], colour: int) -> Iterator[Data]:
    """The PLTE chunk where there is a palette, and a tRNS chunk that fits the picture. Source: section 11.3."""
    palette, transparent = colours.get(b"PLTE", b""), colours.get(b"tRNS", b"")
    entries, rest = divmod(len(palette) - 12, 3)
    if colour == _PALETTE:
        if not palette or rest or not 1 <= entries <= 256:
            raise FrameError("the PNG has no palette: save it anew")
        yield palette
        if 1 <= len(transparent) - 12 <= entries:
            yield transparent
    elif colour in _TRANSPARENT_BYTES and len(transparent) - 12 == _TRANSPARENT_BYTES[colour]:
        yield transparent


def _check_image(parts: Iterable[Data], head: PngHeader) -> None:
    """Inflate the image data, keeping nothing, no further than the last row.

    Raises:
        FrameError: they are damaged, less or more than the picture, or a row has a filter that there isn't.
    """
    passes = list(head.passes())
    left = sum(rows * size for rows, size in passes)
    row = _Rows(passes)
    try:
        for block in _inflated(parts):
            row.check(block)
            left -= len(block)
            if left < 0:
                raise FrameError("the PNG holds more than its picture: save it anew")
    except zlib.error:
        raise FrameError("the PNG's image data are damaged: save it anew") from None
    if left:
        raise FrameError("the PNG holds less than its picture: save it anew")


def _inflated(parts: Iterable[Data]) -> Iterator[bytes]:
    stream = zlib.decompressobj()
    for part in parts:
        rest: Data = part
        while rest and not stream.eof:
            yield stream.decompress(rest, _INFLATED_AT_ONCE)
            rest = stream.unconsumed_tail
    while not stream.eof and (more := stream.decompress(b"", _INFLATED_AT_ONCE)):
        yield more
    if not stream.eof:
        raise zlib.error("the stream does not end")


class _Rows:
    """Looks at the filter of each row of image data that come in blocks.

    Args:
        passes: see `PngHeader.passes`.
    """

    def __init__(self, passes: list[tuple[int, int]]) -> None:
        self._passes = passes
        self._at = 0  # in the first pass that is left

    def check(self, block: bytes) -> None:
        while block and self._passes:
            rows, size = self._passes[0]
            part = block[: rows * size - self._at]
            if part[-self._at % size :: size].lstrip(_FILTERS):
                raise FrameError("the PNG's image data are damaged: save it anew")
            self._at += len(part)
            block = block[len(part) :]
            if self._at == rows * size:
                self._passes, self._at = self._passes[1:], 0

"""H.264's sequence parameter sets: how large a stream's pictures are, and how many a decoder holds.

Pure. Must not know NAL units or frames. Source: ITU-T H.264 (V14), by sections.
"""

from __future__ import annotations

from dataclasses import dataclass

_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter sets name the chroma format. Source: section 7.3.2.1.1."""
_CROP_MAX_PX = 31
"""What cropping may hide: the rest of a macroblock, or of a pair of them where pictures are interlaced."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """The pictures of a stream, as a header announces them.

    Attributes:
        width, height: pixels that are decoded, without the padding to whole macroblocks.
        kept: pictures that a decoder holds besides the one that it is at: for reference, and to put them in order.
        bytes_per_pixel: of a decoded picture.
    """

    width: int
    height: int
    kept: int
    bytes_per_pixel: float

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def memory_bytes(self) -> int:
        """What a decoder needs for its pictures."""
        return round(self.pixels * self.bytes_per_pixel * (1 + self.kept))


def picture_of(payload: bytes) -> PictureSize:
    """The pictures that a sequence parameter set announces. Source: section 7.3.2.1.1.

    Args:
        payload: of the NAL unit, without its header byte and without emulation prevention.

    Raises:
        ValueError: it can't be read.
    """
    bits = _Bits(payload)
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    bits.number()  # id
    chroma, depth = _skip_to_frame_number(bits) if profile in _WITH_CHROMA else (1, 8)
    bits.number()
    _skip_order_counts(bits)
    kept = bits.number()
    bits.take(1)
    columns, rows = bits.number() + 1, bits.number() + 1
    is_interlaced = not bits.take(1)
    if is_interlaced:
        bits.take(1)
        rows *= 2
    bits.take(1)
    left, right, top, bottom = [bits.number() for _ in range(4)] if bits.take(1) else [0] * 4
    across, down = 2 if chroma in (1, 2) else 1, (2 if chroma == 1 else 1) * (2 if is_interlaced else 1)
    width = 16 * columns - min(_CROP_MAX_PX, across * (left + right))
    height = 16 * rows - min(_CROP_MAX_PX, down * (top + bottom))
    kept += _reordered(bits) if bits.take(1) else 0
    samples = {0: 1.0, 1: 1.5, 2: 2.0}.get(chroma, 3.0)
    return PictureSize(width, height, kept, samples * (2 if depth > 8 else 1))


def _skip_to_frame_number(bits: _Bits) -> tuple[int, int]:
    """Chroma format (0 is grey, 1 is 4:2:0) and depth in bits."""
    chroma = bits.number()
    if chroma == 3:
        bits.take(1)
    depth = 8 + max(bits.number(), bits.number())
    bits.take(1)
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """Source: section 7.3.2.1.1.1."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_order_counts(bits: _Bits) -> None:
    kind = bits.number()
    if kind == 0:
        bits.number()
    elif kind == 1:
        bits.take(1)
        for _ in range(2):
            bits.number()
        cycle = bits.number()
        if cycle > 255:
            raise ValueError
        for _ in range(cycle):
            bits.number()


def _reordered(bits: _Bits) -> int:
    """Pictures that are held back to put them in order; 0 where the parameters end early, as FFmpeg takes it.

    Source: section E.1.1.
    """
    try:
        if bits.take(1) and bits.take(8) == 255:  # aspect ratio
            bits.take(32)
        if bits.take(1):  # overscan
            bits.take(1)
        if bits.take(1):  # video signal
            bits.take(4)
            bits.take(24 if bits.take(1) else 0)
        if bits.take(1):  # places of chroma samples
            _ = bits.number(), bits.number()
        bits.take(65 if bits.take(1) else 0)  # timing
        has_rates = [_skip_bit_rates(bits) for _ in range(2) if bits.take(1)]
        bits.take(2 if has_rates else 1)
        if not bits.take(1):
            return 0
        bits.take(1)
        for _ in range(4):
            bits.number()
        return bits.number()
    except ValueError:
        return 0


def _skip_bit_rates(bits: _Bits) -> None:
    """Source: section E.1.2."""
    count = bits.number() + 1
    if count > 32:
        raise ValueError
    bits.take(8)
    for _ in range(count):
        _ = bits.number(), bits.number(), bits.take(1)
    bits.take(20)


class _Bits:
    """Reads bits, first things first. Raises ValueError at the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as an unsigned number."""
        self._left -= count
        if self._left < 0:
            raise ValueError
        return self._value >> self._left & (1 << count) - 1

    def number(self) -> int:
        """The next ue(v). Source: section 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ValueError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """The next se(v). Source: section 9.1.1."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)

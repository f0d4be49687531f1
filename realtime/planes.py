"""A video decoder's picture as it comes: planes of luma and chroma, and all that must be known to show them.

Plain frozen data. Must not know decoders, containers or RGB: `media.video` makes it, `media.colour` converts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .pixels import Pixels


class Matrix(Enum):
    """Coefficients between RGB and luma, chroma. Source: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance)."""

    BT601 = auto()
    BT709 = auto()
    BT2020 = auto()


class Transfer(Enum):
    """How values stand for light. Source: ITU-R BT.1886 (SDR), BT.2100 (PQ and HLG)."""

    SDR = auto()
    PQ = auto()
    HLG = auto()


class Orientation(NamedTuple):
    """What turns a stored picture into the shown one: first rows and columns are exchanged, then it is mirrored."""

    is_transposed: bool = False
    is_mirrored: bool = False
    """Left and right are exchanged."""
    is_flipped: bool = False
    """Top and bottom are exchanged."""

    @classmethod
    def from_exif(cls, number: int) -> Orientation:
        """The orientation of EXIF's tag 0x0112; upright where the number is none. Source: EXIF 2.32, section 4.6.4."""
        return _EXIF.get(number, UPRIGHT)


UPRIGHT = Orientation()
_EXIF = {
    2: Orientation(is_mirrored=True),
    3: Orientation(is_mirrored=True, is_flipped=True),
    4: Orientation(is_flipped=True),
    5: Orientation(is_transposed=True),
    6: Orientation(is_transposed=True, is_mirrored=True),
    7: Orientation(is_transposed=True, is_mirrored=True, is_flipped=True),
    8: Orientation(is_transposed=True, is_flipped=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A decoder's picture in YUV 4:2:0. Converted and resized only when its frame is opened: most are superseded.

    Attributes:
        y: luma, uint8 [H, W], both even; not contiguous where rows are padded, or where it is one field of two.
        u, v: chroma, uint8 [H/2, W/2].
        matrix: coefficients of the conversion to RGB.
        is_full_range: luma is 0 to 255, instead of 16 to 235.
        transfer: how values stand for light.
        is_wide_gamut: the primaries are those of BT.2020, instead of BT.709.
        alpha: opacity, uint8 [H, W], full range; None where all is opaque.
        pixel_aspect: width of a stored pixel in units of its height.
        orientation: from stored to shown.
    """

    y: Pixels
    u: Pixels
    v: Pixels
    matrix: Matrix = Matrix.BT601
    is_full_range: bool = False
    transfer: Transfer = Transfer.SDR
    is_wide_gamut: bool = False
    alpha: Pixels | None = None
    pixel_aspect: float = 1.0
    orientation: Orientation = UPRIGHT

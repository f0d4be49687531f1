"""A decoder's picture on its way between processes: its planes in the room, the rest as plain values.

Must not know who decodes.
"""

from __future__ import annotations

from typing import NamedTuple

from ..planes import Matrix, Orientation, Planes, Transfer
from .room import Room, Shape


class PackedPlanes(NamedTuple):
    """`Planes` whose arrays lie in the room, in the order y, u, v, alpha.

    Attributes:
        shapes: of the arrays; three where all is opaque.
    """

    shapes: tuple[Shape, ...]
    matrix: Matrix
    is_full_range: bool
    transfer: Transfer
    is_wide_gamut: bool
    pixel_aspect: float
    orientation: Orientation


def pack(planes: Planes, room: Room) -> PackedPlanes:
    """Put a picture into the room, which takes a copy."""
    arrays = [planes.y, planes.u, planes.v, *([] if planes.alpha is None else [planes.alpha])]
    return PackedPlanes(
        room.put(arrays),
        planes.matrix,
        planes.is_full_range,
        planes.transfer,
        planes.is_wide_gamut,
        planes.pixel_aspect,
        planes.orientation,
    )


def unpack(packed: PackedPlanes, room: Room) -> Planes:
    """Take a picture out of the room, which takes another copy."""
    y, u, v, *alpha = room.take(packed.shapes)
    return Planes(
        y,
        u,
        v,
        packed.matrix,
        packed.is_full_range,
        packed.transfer,
        packed.is_wide_gamut,
        alpha[0] if alpha else None,
        packed.pixel_aspect,
        packed.orientation,
    )


def room_bytes(max_pixels: int) -> int:
    """Of a room for the largest picture: luma, chroma and opacity, with sides that are up to 64 pixels longer than they
    are shown.
    """
    return 5 * (2 * max_pixels + 64 * 64)

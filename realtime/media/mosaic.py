"""A large picture put together of tiles that overlap, so that nobody sees where.

Pure numpy and OpenCV. Must not know who makes the tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from ..pixels import Pixels

OVERLAP = 0.25
"""Of a tile's side that it shares with the next, at least."""
STRIP_ROWS = 256
COARSE_PX = 32
"""Colours of this size and above are the large picture's own, what is finer the tile's."""


class Tile(NamedTuple):
    """Where a tile lies, in pixels of the large picture."""

    left: int
    top: int


def enlarged(picture: Pixels, scale: int) -> Pixels:
    """A picture [H, W, 3] at a multiple of its size."""
    height, width = picture.shape[:2]
    return cast(Pixels, cv2.resize(picture, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC))


def with_detail(large: Pixels, source: Pixels, scale: int, share: float) -> Pixels:
    """A picture that was made small and enlarged, with a share of the fine light and shade of what it was made from.

    Args:
        large: uint8 [H, W, 3], RGB: `enlarged` by `scale`. Written to, and answered.
        source: what it was made from, as large: uint8 [H, W, 3], RGB.
        share: 0 leaves it as it is, 1 has all of the source's detail that was too fine for the small one.
    """
    height, width = large.shape[:2]
    grey = cast(Pixels, cv2.cvtColor(source, cv2.COLOR_RGB2GRAY))
    small = cv2.resize(grey, (width // scale, height // scale), interpolation=cv2.INTER_AREA)
    known = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, top + STRIP_ROWS)
        fine = share * (grey[rows].astype(np.float32) - known[rows])
        large[rows] = np.clip(large[rows] + fine[..., None] + 0.5, 0, 255).astype(np.uint8)
    return large


def places(length: int, tile: int) -> list[int]:
    """Where tiles begin along one side, evenly spread, each sharing `OVERLAP` of its length or more with the next.

    Args:
        length: of the large picture, in pixels; at least `tile`.
        tile: of a tile, in pixels.
    """
    step = tile * (1 - OVERLAP)
    count = 1 + math.ceil((length - tile) / step)
    return [round(index * (length - tile) / max(1, count - 1)) for index in range(count)]


def tiles(width: int, height: int, tile_width: int, tile_height: int) -> list[Tile]:
    """All tiles of a large picture, in rows: each lies over those before it."""
    return [Tile(left, top) for top in places(height, tile_height) for left in places(width, tile_width)]


class Mosaic:
    """A large picture that tiles are laid on.

    Args:
        ground: uint8 [H, W, 3], RGB: what is made finer by the tiles. Not written to.
        tile_width, tile_height: of all tiles, in pixels.

    Attributes:
        picture: uint8 [H, W, 3], RGB: what was put together so far, and the ground where no tile lies yet.
        tiles: in the order in which they are to be laid.
    """

    def __init__(self, ground: Pixels, tile_width: int, tile_height: int) -> None:
        height, width = ground.shape[:2]
        self.picture = ground.copy()
        self.tiles: Sequence[Tile] = tiles(width, height, tile_width, tile_height)
        self._ground = ground
        self._size = (tile_width, tile_height)
        self._lefts, self._tops = places(width, tile_width), places(height, tile_height)

    def ground(self, tile: Tile) -> Pixels:
        """What a tile is to be made of: uint8 [tile_height, tile_width, 3], contiguous."""
        return np.ascontiguousarray(self._part(self._ground, tile))

    def lay(self, tile: Tile, made: Pixels) -> None:
        """Lay a tile that was made of its ground, uint8 [tile_height, tile_width, 3]. In the order of `tiles`."""
        ground, below = self._part(self._ground, tile), self._part(self.picture, tile)
        finer = made.astype(np.float32) + _coarse(ground, made)
        width, height = self._size
        across, down = _ramp(self._lefts, tile.left, width), _ramp(self._tops, tile.top, height)
        share = (down[:, None] * across[None, :])[..., None]
        below[...] = np.clip(below + share * (finer - below) + 0.5, 0, 255).astype(np.uint8)

    def _part(self, picture: Pixels, tile: Tile) -> Pixels:
        width, height = self._size
        return picture[tile.top : tile.top + height, tile.left : tile.left + width]


def _ramp(begins: Sequence[int], begin: int, length: int) -> npt.NDArray[np.float32]:
    """The share of a tile along one side, [length]: it rises over what the tile before has of it."""
    before = max((other for other in begins if other < begin), default=None)
    share = np.ones(length, np.float32)
    if before is not None:
        shared = before + length - begin
        share[:shared] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(shared, dtype=np.float32) + 0.5) / shared)
    return share


def _coarse(ground: Pixels, made: Pixels) -> npt.NDArray[np.float32]:
    """By how much the coarse colours of two tiles differ, float32 [H, W, 3]."""
    height, width = made.shape[:2]
    small = (max(1, width // COARSE_PX), max(1, height // COARSE_PX))
    means = [cv2.resize(one.astype(np.float32), small, interpolation=cv2.INTER_AREA) for one in (ground, made)]
    difference = cv2.resize(means[0] - means[1], (width, height), interpolation=cv2.INTER_LINEAR)
    return cast("npt.NDArray[np.float32]", difference.reshape(height, width, 3))

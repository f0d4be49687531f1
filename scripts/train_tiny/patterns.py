"""The teacher's styles that repeat on a grid: hatching, dots, blocks, stitches, panes, signs.

Their periods are 8 or 32 pixels, one or four latent cells; anything else a latent model can only average away.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from filters import (
    CELL,
    TILE,
    Array,
    blur,
    cells,
    contrast,
    grid,
    ink,
    luma,
    mix,
    posterise,
    ramp,
    relight,
    saturate,
    smoothstep,
)


def engraving(image: Array) -> Array:
    """Parallel lines that swell in the shadows."""
    grey = contrast(blur(luma(image), 1.0), 1.3)
    rows, columns = grid(grey.shape)
    first = 0.5 + 0.5 * np.cos(2 * np.pi * (rows * 2 + columns) / CELL)
    swollen = smoothstep(first * 0.9 + 0.05 - grey, -0.1, 0.1)
    return ramp(1 - np.maximum(swollen, ink(image, 1.5)), (34, 22, 18), (246, 238, 218))


def popart(image: Array) -> Array:
    """Yellow, pink dots, blue: a coarse screen print."""
    grey = contrast(blur(luma(image), 1.5), 1.3)
    rows, columns = grid(grey.shape)
    dots = (np.cos(2 * np.pi * rows / CELL) + np.cos(2 * np.pi * columns / CELL)) / 4 + 0.5
    pink = smoothstep(dots * 0.72 + 0.12 - (grey - 0.12), -0.06, 0.06)
    out = mix(np.broadcast_to(np.array([1.0, 0.88, 0.16], np.float32), image.shape).copy(), (0.95, 0.13, 0.5), pink)
    return mix(out, (0.1, 0.08, 0.42), 1 - smoothstep(grey, 0.2, 0.3))


def pixel(image: Array) -> Array:
    """Blocks of 8 pixels in few, strong colours, with the dark seams of an old screen."""
    block = saturate(contrast(cells(image), 1.25), 1.7)
    value = posterise(luma(block), 4, 12)
    block = relight(block, value * 0.9 + 0.08)
    rows, columns = grid(image.shape)
    seam = (columns % CELL > CELL - 1) | (rows % CELL > CELL - 1)
    return np.clip(block * (1 - 0.4 * seam)[..., None], 0, 1).astype(np.float32)


@cache
def _tints() -> Array:
    """Sixteen pastel deviations, [4, 4, 3], of mean 0: one for each dab of a tile."""
    tints = np.random.default_rng(5).normal(size=(4, 4, 3)).astype(np.float32)
    tints -= tints.mean((0, 1))
    return tints / np.abs(tints).max() * np.array([0.2, 0.13, 0.2], np.float32)


def dabs(image: Array) -> Array:
    """Slanted dabs of paint 8 pixels apart, each of a slightly other colour, on light ground."""
    rows, columns = grid(image.shape)
    shape = np.cos(2 * np.pi * (rows - columns) / CELL) * 0.5 + np.cos(2 * np.pi * (rows + columns) / (2 * CELL))
    dab = smoothstep(np.abs(shape), 0.1, 0.8)
    tints = np.repeat(np.repeat(_tints(), CELL, 0), CELL, 1)
    tint = np.tile(tints, (image.shape[0] // TILE, image.shape[1] // TILE, 1))
    return mix(image * 0.8 + 0.2, image + tint, dab)


def bricks(image: Array) -> Array:
    """Studded blocks of 8 pixels."""
    block = saturate(contrast(cells(image), 1.15), 1.5)
    rows, columns = grid(image.shape)
    y, x = (rows % CELL) - CELL / 2, (columns % CELL) - CELL / 2
    radius = np.sqrt(x * x + y * y)
    rim = np.exp(-(((radius - 2.6) / 0.8) ** 2))
    shine = rim * (-(x + y) / 3.7) * 0.34
    gap = ((columns % CELL < 1) | (rows % CELL < 1)) * 0.42
    return np.clip((block * 0.9 + 0.04) * (1 - gap)[..., None] + shine[..., None], 0, 1).astype(np.float32)


def crossstitch(image: Array) -> Array:
    """A cross of thread in every cell, on cloth."""
    block = saturate(cells(image), 1.4)
    rows, columns = grid(image.shape)
    y, x = (rows % CELL) - CELL / 2, (columns % CELL) - CELL / 2
    over = smoothstep(1.9 - np.abs(x - y) / 1.2, 0, 0.8)
    under = smoothstep(1.9 - np.abs(x + y) / 1.2, 0, 0.8) * (1 - over)
    cloth = np.broadcast_to(np.array([0.93, 0.89, 0.8], np.float32), image.shape)
    thread = np.clip(
        block * (0.72 + 0.3 * over - 0.08 * np.abs(x - y) * over / 2)[..., None] + 0.05 * over[..., None], 0, 1
    )
    return mix(cloth.copy(), thread, np.clip(over + under, 0, 1))


@cache
def _panes() -> tuple[npt.NDArray[np.int32], Array]:
    """Label and lead of the stained glass inside one tile; labels wrapping round to the neighbouring tile."""
    points = np.array([[5, 6], [18, 3], [28, 13], [9, 18], [21, 22], [4, 28], [16, 31]], np.float32)
    shifts = np.array([[dy * TILE, dx * TILE] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], np.float32)
    every = (points[None] + shifts[:, None]).reshape(-1, 2)
    rows, columns = grid((TILE, TILE))
    distance = np.sqrt((rows[..., None] - every[:, 0]) ** 2 + (columns[..., None] - every[:, 1]) ** 2)
    order = np.sort(distance, -1)
    return distance.argmin(-1).astype(np.int32), smoothstep(
        (order[..., 1] - order[..., 0]).astype(np.float32), 1.0, 2.6
    )


def stainedglass(image: Array) -> Array:
    """Panes of one colour between leads."""
    label, glass = _panes()
    high, wide = image.shape[0] // TILE, image.shape[1] // TILE
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    which = np.tile(label, (high, wide))
    shift, point = which // 7, which % 7
    owner_y, owner_x = rows // TILE + shift // 3, columns // TILE + shift % 3
    key = ((owner_y * (wide + 2) + owner_x) * 7 + point).ravel()
    count = np.bincount(key)[:, None]
    total = np.stack([np.bincount(key, image[..., c].ravel()) for c in range(3)], -1)
    pane = (total / np.maximum(count, 1))[key].reshape(image.shape).astype(np.float32)
    pane = np.clip(contrast(saturate(pane, 2.1), 1.15) * 1.08 + 0.04, 0, 1)
    return mix(
        np.broadcast_to(np.array([0.05, 0.04, 0.06], np.float32), image.shape).copy(),
        pane,
        np.tile(glass, (high, wide)),
    )


@cache
def _glyphs() -> Array:
    """Nine 8x8 signs from empty to full; drawn by hand as bit rows."""
    drawn = (
        "0" * 16,
        "0000001818000000",
        "00003C0000000000",
        "00183C1800181800",
        "003C66060C180018",
        "00665A3C5A660000",
    )
    drawn += ("3C666E76663C0000", "7E427E5A7E427E00", "FF99FFE7FF99FF00")
    bits = [np.unpackbits(np.frombuffer(bytes.fromhex(row), np.uint8)).reshape(8, 8) for row in drawn]
    return np.stack(bits).astype(np.float32)


def matrix(image: Array) -> Array:
    """A green sign in every cell, denser where it is bright."""
    glyphs = _glyphs()
    grey = cells(contrast(luma(image), 1.2)[..., None].repeat(3, -1))[..., 0]
    index = np.clip((grey * 9).astype(int), 0, 8)
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    sign = glyphs[index, rows % 8, columns % 8]
    back = ramp(grey, (0, 8, 2), (0, 56, 18))
    return mix(back, ramp(grey, (0, 120, 30), (30, 235, 80), (190, 255, 200)), sign)

"""The teacher's styles of small pieces: pixels, stitches, panes of glass.

Each is a function of a picture and of its `Chance`; must not know the other families. Pixels and stitches have a period
of 8 pixels, one latent cell; panes of glass take their places from chance.
"""

from __future__ import annotations

import numpy as np
from chance import Chance
from filters import (
    Array,
    blur,
    cells,
    contrast,
    detail,
    flat_colour,
    grid,
    kuwahara,
    luma,
    mix,
    posterise,
    relight,
    saturate,
    smoothstep,
)
from flow import lines, tangents

CELL = 8


def pixel_art(image: Array, chance: Chance) -> Array:
    """Blocks of 8 pixels in few, strong colours, with the dark seams of an old screen."""
    del chance
    block = saturate(contrast(cells(image), 1.25), 1.6)
    block = relight(block, posterise(luma(block), 6, 12) * 0.9 + 0.08)
    rows, columns = grid(image.shape)
    seam = (columns % CELL > CELL - 1) | (rows % CELL > CELL - 1)
    return np.clip(block * (1 - 0.3 * seam)[..., None], 0, 1).astype(np.float32)


def cross_stitch(image: Array, chance: Chance) -> Array:
    """A cross of thread in every cell, on cloth; every stitch a little other."""
    shade = np.repeat(np.repeat(1 + 0.05 * chance.maps(0), CELL, 0), CELL, 1)
    block = np.clip(saturate(cells(image), 1.4) * shade[..., None], 0, 1)
    rows, columns = grid(image.shape)
    y, x = (rows % CELL) - CELL / 2, (columns % CELL) - CELL / 2
    over = smoothstep(1.9 - np.abs(x - y) / 1.2, 0, 0.8)
    under = smoothstep(1.9 - np.abs(x + y) / 1.2, 0, 0.8) * (1 - over)
    light = 0.72 + 0.3 * over - 0.04 * np.abs(x - y) * over
    thread = np.clip(block * light[..., None] + 0.05 * over[..., None], 0, 1)
    return mix(flat_colour(image.shape, 0.93, 0.89, 0.80), thread, np.clip(over + under, 0, 1))


def stained_glass(image: Array, chance: Chance) -> Array:
    """Panes of glowing colour between leads; where the panes lie is chance, smaller ones where much happens."""
    colour = np.clip(contrast(saturate(blur(image, 1.2), 2.0), 1.2) * 1.05 + 0.05, 0, 1)
    first, second, label = _panes(chance, image.shape[:2], 16)
    pane = np.stack([_by_label(colour[..., c], label) for c in range(3)], -1)
    fine = smoothstep(detail(image), 0.014, 0.034)
    pane = mix(pane, kuwahara(colour, 2), 0.9 * fine)
    lead = 1 - smoothstep(second - first, 1.2, 3.2)
    lead = np.maximum(lead * (1 - 0.8 * fine), 0.95 * lines(image, tangents(image, 3), 1.8, 0.012, 0.04))
    glass = chance.maps(5, 16).ravel()[label] * (1 - fine)
    pane = np.clip(pane * (1 + glass[..., None] * np.array([0.14, 0.02, -0.16], np.float32)), 0, 1)
    lamp = 1 + 0.10 * chance.grain(2, 8)
    return np.clip(mix(pane * lamp[..., None], (0.05, 0.04, 0.06), lead), 0, 1)


def _panes(chance: Chance, shape: tuple[int, int], cell: int) -> tuple[Array, Array, Array]:
    """Distance to the nearest and second nearest seed, and the nearest seed's number; [H, W] each."""
    move_y, move_x = chance.maps(3, cell), chance.maps(4, cell)
    rows, columns = move_y.shape
    y = (np.arange(rows)[:, None] + 0.5 + 0.45 * np.tanh(move_y)) * cell
    x = (np.arange(columns)[None] + 0.5 + 0.45 * np.tanh(move_x)) * cell
    at_y, at_x = grid(shape)
    i, j = (at_y // cell).astype(int), (at_x // cell).astype(int)
    first = np.full(shape, 1e6, np.float32)
    second, label = first.copy(), np.zeros(shape, np.int64)
    for dy in (-2, -1, 0, 1, 2):
        for dx in (-2, -1, 0, 1, 2):
            a, b = np.clip(i + dy, 0, rows - 1), np.clip(j + dx, 0, columns - 1)
            outside = (a != i + dy) | (b != j + dx)
            away = np.hypot(at_y - y[a, b], at_x - x[a, b]).astype(np.float32) + 1e6 * outside
            nearer = away < first
            second = np.where(nearer, first, np.minimum(second, away))
            label = np.where(nearer, a * columns + b, label)
            first = np.where(nearer, away, first)
    return first, second, label


def _by_label(plane: Array, label: Array) -> Array:
    """Each pixel's mean over its label."""
    count = np.bincount(label.ravel())
    total = np.bincount(label.ravel(), plane.ravel())
    return (total / np.maximum(count, 1))[label].astype(np.float32)

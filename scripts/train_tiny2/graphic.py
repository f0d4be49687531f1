"""The teacher's graphic styles: prints, screens, light and metal.

Each is a function of a picture and of its `Chance`; must not know the other families. Periodic patterns (dots, pixels,
stitches, scan lines) have a period of 8 pixels, one latent cell, or 16; panes of glass take their places from chance.
"""

from __future__ import annotations

import cv2
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
    ink,
    kuwahara,
    luma,
    mix,
    posterise,
    ramp,
    relight,
    saturate,
    smooth,
    smoothstep,
)
from flow import lines, smear, tangents

CELL = 8


def ukiyo_e(image: Array, chance: Chance) -> Array:
    """Flat steps of indigo, sand and vermilion, dark outlines, the grain of the block."""
    base = smooth(blur(image, 1.0), 3, 0.16)
    value = posterise(contrast(luma(base), 1.1), 5)
    palette = ramp(
        value, (26, 30, 60), (40, 74, 116), (104, 136, 140), (206, 184, 140), (240, 226, 190), (246, 236, 206)
    )
    reds = ramp(value, (70, 24, 28), (150, 52, 40), (206, 96, 62), (232, 160, 104), (244, 212, 164))
    out = mix(palette, reds, 0.85 * smoothstep(base[..., 0] - base[..., 2], 0.12, 0.45))
    wood = smear(chance.grain(0), tangents(flat_colour(image.shape, 0, 0, 0), 4, 0.0), 16) * 2.5
    out = out * (1 + 0.03 * wood)[..., None]
    return np.clip(mix(out, (0.08, 0.09, 0.17), 0.95 * lines(image, tangents(image, 3), 1.5, 0.006, 0.024)), 0, 1)


def comic(image: Array, chance: Chance) -> Array:
    """Four flat bright tones, black contours, print dots in the half-shadows."""
    del chance
    base = saturate(smooth(blur(image, 0.8), 3, 0.18), 1.9)
    grey = luma(base)
    base = relight(base, posterise(np.clip(grey * 1.1 + 0.06, 0, 1), 4) * 0.8 + 0.2)
    rows, columns = grid(grey.shape)
    dots = np.cos(2 * np.pi * rows / CELL) + np.cos(2 * np.pi * columns / CELL)
    half = smoothstep(grey, 0.12, 0.24) * (1 - smoothstep(grey, 0.42, 0.55))
    half = half * (1 - smoothstep(detail(image), 0.02, 0.05))
    base = mix(base, base * np.array([0.5, 0.45, 0.6], np.float32), half * smoothstep(dots, 0.0, 0.7))
    contour = np.maximum(lines(image, tangents(image, 3), 1.5, 0.006, 0.024), 1 - smoothstep(grey, 0.05, 0.12))
    return mix(base, (0.02, 0.02, 0.05), contour)


def anime(image: Array, chance: Chance) -> Array:
    """Clean tones of bright colour, violet shadows, sky blue in the lights, fine plum lines."""
    del chance
    base = saturate(smooth(blur(image, 0.8), 4, 0.16), 1.6)
    value = posterise(np.clip(luma(base) ** 0.7 * 1.05, 0, 1), 4, 12)
    base = relight(base, 0.38 + value * 0.68)
    base = mix(base, (0.45, 0.33, 0.78), 0.42 * (1 - smoothstep(value, 0.2, 0.62)))
    base = mix(base, (0.92, 0.98, 1.0), 0.4 * smoothstep(value, 0.66, 0.98))
    return np.clip(mix(base, (0.3, 0.1, 0.26), 0.85 * lines(image, tangents(image, 3), 1.1, 0.005, 0.02)), 0, 1)


def pop_art(image: Array, chance: Chance) -> Array:
    """A screen print in four loud inks: navy, pink dots, turquoise, yellow; slightly out of register."""
    flat = kuwahara(image, 3)
    flat = mix(flat, blur(image, 0.8), smoothstep(detail(image), 0.02, 0.05))
    grey = contrast(luma(flat), 1.3) + 0.02 * chance.grain(2, 6)
    rows, columns = grid(image.shape[:2])
    dots = (np.cos(2 * np.pi * (rows + columns) / CELL) + np.cos(2 * np.pi * (rows - columns) / CELL)) / 4 + 0.5
    pink = smoothstep(dots * 0.5 + 0.3 - grey, -0.07, 0.07)
    out = mix(flat_colour(image.shape, 1.0, 0.87, 0.16), (0.97, 0.20, 0.53), pink)
    out = mix(out, (0.10, 0.72, 0.74), 0.9 * smoothstep(flat[..., 2] - flat[..., 0], 0.04, 0.14))
    out = mix(out, (0.99, 0.98, 0.94), smoothstep(grey, 0.90, 0.97))
    return mix(out, (0.09, 0.07, 0.32), 1 - smoothstep(grey, 0.20, 0.30))


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


def neon(image: Array, chance: Chance) -> Array:
    """Contours as glowing tubes in pink, violet and cyan over the dim picture: a face stays a face."""
    del chance
    flow = tangents(image, 3)
    grey = luma(image)
    tube = lines(image, flow, 1.2, 0.008, 0.03)
    colour = ramp(0.5 + 0.5 * blur(flow.sin2, 4), (0, 225, 255), (130, 90, 255), (255, 40, 190))
    value = np.clip(0.22 + 1.9 * (blur(grey, 0.7) - blur(grey, 16)) + 0.3 * grey, 0, 1).astype(np.float32)
    dim = ramp(value, (4, 3, 16), (16, 8, 48), (46, 16, 96), (98, 34, 140), (182, 92, 200))
    light = colour * tube[..., None]
    glow = blur(light, 7) * 0.9 + blur(light, 2) * 0.45
    core = smoothstep(tube, 0.6, 1.0)[..., None] * 0.35
    return np.clip(dim * 0.85 * (1 - 0.6 * tube)[..., None] + light * 0.8 + glow + core, 0, 1).astype(np.float32)


def cyberpunk(image: Array, chance: Chance) -> Array:
    """Night blue to hot pink to cyan light, with scan lines and a shine around what is bright."""
    del chance
    grey = contrast(blur(luma(image), 0.9), 1.25, 0.45)
    base = ramp(grey, (4, 6, 30), (30, 16, 90), (120, 16, 140), (236, 30, 150), (255, 120, 190), (170, 240, 255))
    rows, _ = grid(grey.shape)
    scan = 0.5 + 0.5 * np.cos(2 * np.pi * rows / CELL)
    base = base * (1 - 0.26 * scan)[..., None]
    edge = blur(ink(1 - image, 1.5), 1.2)[..., None] * np.array([0.08, 0.75, 0.85], np.float32)
    bloom = blur(smoothstep(grey, 0.7, 1.0), 6)[..., None] * np.array([0.35, 0.2, 0.4], np.float32)
    return np.clip(base + edge + bloom + scan[..., None] * np.array([0.0, 0.06, 0.08], np.float32), 0, 1)


def vaporwave(image: Array, chance: Chance) -> Array:
    """Violet, pink and mint in soft steps, hazy lights."""
    del chance
    grey = posterise(contrast(luma(smooth(image, 2, 0.1)), 1.05, 0.45), 9, 5)
    base = ramp(grey, (58, 26, 112), (140, 66, 190), (255, 113, 206), (255, 176, 214), (130, 226, 240), (240, 255, 250))
    base = mix(base, saturate(image, 1.6), 0.2)
    base = base * (1 - 0.45 * lines(image, tangents(image, 3), 1.1))[..., None]
    return np.clip(base + blur(np.clip(base - 0.7, 0, 1), 6) * 0.45, 0, 1)


def blueprint(image: Array, chance: Chance) -> Array:
    """White lines on squared blue paper."""
    edge = lines(image, tangents(image, 3), 1.3, 0.004, 0.018)
    rows, columns = grid(edge.shape)
    rule = np.maximum(_rule(rows, 16, 0.7), _rule(columns, 16, 0.7))
    tone = 0.5 * smoothstep(blur(luma(image), 0.8), 0.1, 0.95)
    ground = 0.18 * rule + tone + 0.02 * chance.grain(1, 10)
    return ramp(np.clip(np.maximum(edge, ground), 0, 1), (12, 44, 130), (74, 122, 200), (240, 247, 255))


def _rule(at: Array, period: int, width: float) -> Array:
    """Ruled lines, 0 to 1, at the borders of every `period` pixels."""
    away = np.abs((at + period / 2) % period - period / 2)
    return 1 - smoothstep(away, width - 0.5, width + 0.7)


def thermal(image: Array, chance: Chance) -> Array:
    """Brightness as heat."""
    del chance
    heat = contrast(blur(luma(image), 1.5), 1.15)
    return ramp(heat, (4, 2, 40), (74, 0, 130), (186, 20, 116), (244, 90, 30), (255, 186, 20), (255, 250, 200))


def gold(image: Array, chance: Chance) -> Array:
    """Brightness and relief as polished metal."""
    del chance
    soft = blur(luma(image), 1.2)
    shifted = cv2.warpAffine(
        soft, np.array([[1, 0, 2.5], [0, 1, 2.5]], np.float32), soft.shape[::-1], borderMode=cv2.BORDER_REFLECT
    )
    value = np.clip(contrast(soft, 0.85) + (soft - shifted) * 2.0, 0, 1).astype(np.float32)
    return ramp(value, (28, 12, 4), (104, 58, 12), (190, 128, 32), (246, 204, 86), (255, 246, 204))

"""The teacher's printed styles: ukiyo-e, comic, anime, pop art, vaporwave, blueprint.

Each is a function of a picture and of its `Chance`; must not know the other families. Dots have a period of 8 pixels,
one latent cell, and rules of 16.
"""

from __future__ import annotations

import numpy as np
from chance import Chance
from filters import (
    Array,
    blur,
    contrast,
    detail,
    flat_colour,
    grid,
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

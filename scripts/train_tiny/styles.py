"""The teacher: what each style and mood means, as a deterministic function of a picture.

The model learns these pairs. Two rules make them learnable by a small latent model: a target depends only on the
picture near it and on the position inside a 32-pixel tile (4 latent cells, what the UNet can know), never on chance or
on the whole picture; periodic patterns have a period that divides 32, mostly the 8 pixels of one latent cell.

Pictures are float32 RGB in [0, 1], shape [H, W, 3], H and W multiples of 32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from filters import (
    CELL,
    TILE,
    Array,
    blur,
    brush_tile,
    contrast,
    grid,
    ink,
    kuwahara,
    luma,
    mix,
    noise_tile,
    posterise,
    ramp,
    relight,
    saturate,
    smooth,
    smoothstep,
    tiled,
    waves,
)
from patterns import bricks, crossstitch, dabs, engraving, matrix, pixel, popart, stainedglass


def photo(image: Array) -> Array:
    """The picture itself."""
    return image


def oil(image: Array) -> Array:
    """Broad flat dabs in warm, full colours, the relief of one big brush."""
    base = contrast(saturate(kuwahara(image, 4), 1.35), 1.1)
    base = mix(base, base * np.array([1.06, 0.97, 0.84], np.float32), 0.9)
    relief = tiled(brush_tile(3, 5, 1, -1), base.shape)
    return np.clip(base * (1 + 0.115 * relief)[..., None] + 0.015 * relief[..., None], 0, 1)


def monet(image: Array) -> Array:
    """Pastel dabs of colour side by side, lilac shadows, creamy lights."""
    base = saturate(blur(image, 1.5), 1.4)
    grey = luma(base)
    base = mix(base, (0.42, 0.4, 0.8), 0.5 * (1 - smoothstep(grey, 0.05, 0.55)))
    base = mix(base, (1.0, 0.92, 0.72), 0.35 * smoothstep(grey, 0.5, 0.95)) * 0.84 + 0.12
    return np.clip(dabs(base), 0, 1).astype(np.float32)


def vangogh(image: Array) -> Array:
    """Blue and yellow in long wavy strokes along the contours."""
    grey = contrast(luma(kuwahara(image, 4)), 1.15)
    stroke = waves(image)
    value = np.clip(grey * 0.84 + 0.08 + 0.11 * stroke, 0, 1).astype(np.float32)
    palette = ramp(value, (10, 16, 60), (22, 54, 136), (54, 116, 184), (146, 178, 140), (242, 200, 66), (255, 242, 172))
    return np.clip(mix(palette, saturate(image, 1.6), 0.2) * (1 + 0.06 * stroke)[..., None], 0, 1)


def watercolour(image: Array) -> Array:
    """Thin colour on grained paper, darker where a wash ends, white where the light is."""
    base = saturate(smooth(blur(image, 1.0), 3, 0.16), 1.5)
    base = 1 - (1 - base) * 0.66
    edge = np.abs(luma(base) - luma(blur(base, 3)))
    base = base * (1 - 2.0 * np.clip(edge, 0, 0.2))[..., None]
    base = mix(base, (1.0, 0.99, 0.96), smoothstep(luma(base), 0.72, 0.98) * 0.85)
    grain = tiled(noise_tile(11, 2.4), edge.shape) * (1.3 - luma(base))
    return np.clip(base + (0.055 * grain)[..., None] * np.array([1.0, 1.0, 0.85], np.float32), 0, 1)


def ukiyoe(image: Array) -> Array:
    """Flat steps of indigo, sand and vermilion with dark outlines, the grain of the block across."""
    base = smooth(blur(image, 1.2), 2, 0.16)
    value = posterise(luma(base), 5)
    palette = ramp(
        value, (26, 30, 60), (40, 74, 116), (104, 136, 140), (206, 184, 140), (240, 226, 190), (246, 236, 206)
    )
    warm = smoothstep(base[..., 0] - base[..., 2], 0.12, 0.45)
    reds = ramp(value, (70, 24, 28), (150, 52, 40), (206, 96, 62), (232, 160, 104), (244, 212, 164))
    out = mix(palette, reds, warm * 0.85)
    rows, columns = grid(value.shape)
    wood = np.cos(2 * np.pi * (rows + 1.5 * np.sin(2 * np.pi * columns / TILE)) / CELL)
    out = out * (1 + 0.07 * wood)[..., None]
    return np.clip(mix(out, (0.08, 0.09, 0.17), ink(image, 1.7) * 0.95), 0, 1)


def pencil(image: Array) -> Array:
    """Soft grey contours and two layers of slanted hatching on white."""
    grey = contrast(blur(luma(image), 1.2), 1.1)
    rows, columns = grid(grey.shape)
    first = 0.5 + 0.5 * np.cos(2 * np.pi * (rows + columns) / CELL)
    second = 0.5 + 0.5 * np.cos(2 * np.pi * (rows - columns) / CELL)
    shade = 0.62 * first * (1 - smoothstep(grey, 0.3, 0.72)) + 0.5 * second * (1 - smoothstep(grey, 0.08, 0.36))
    sheet = 1 - np.clip(shade + 0.12 * (1 - smoothstep(grey, 0.0, 0.6)), 0, 0.82)
    sheet = sheet * (1 - 0.85 * ink(image, 1.5))
    return ramp(np.clip(sheet, 0, 1), (44, 44, 50), (150, 150, 154), (252, 252, 250))


def comic(image: Array) -> Array:
    """Three flat bright tones, black contours, print dots in the half-shadows."""
    base = saturate(smooth(blur(image, 1.0), 3, 0.18), 2.0)
    grey = luma(base)
    value = posterise(np.clip(grey * 1.1 + 0.08, 0, 1), 3)
    base = relight(base, value * 0.8 + 0.2)
    rows, columns = grid(value.shape)
    dots = np.cos(2 * np.pi * rows / CELL) + np.cos(2 * np.pi * columns / CELL)
    half = smoothstep(grey, 0.12, 0.24) * (1 - smoothstep(grey, 0.5, 0.6))
    base = mix(base, base * np.array([0.45, 0.4, 0.55], np.float32), half * smoothstep(dots, 0.0, 0.7))
    return mix(base, (0.02, 0.02, 0.05), ink(image, 1.8, 0.014, 0.032))


def anime(image: Array) -> Array:
    """Three clean tones of bright colour, violet shadows, sky-blue tint in the lights, fine plum lines."""
    base = saturate(smooth(blur(image, 1.0), 3, 0.16), 1.7)
    value = posterise(np.clip(luma(base) ** 0.75, 0, 1), 3, 10)
    base = relight(base, 0.34 + value * 0.68)
    base = mix(base, (0.45, 0.33, 0.78), 0.55 * (1 - smoothstep(value, 0.2, 0.62)))
    base = mix(base, (0.86, 0.97, 1.0), 0.5 * smoothstep(value, 0.62, 0.98))
    return np.clip(mix(base, (0.3, 0.1, 0.26), ink(image, 1.3) * 0.85), 0, 1)


def neon(image: Array) -> Array:
    """Edges as glowing tubes, coloured by their direction."""
    grey = blur(luma(image), 1.2)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 4
    slope = smoothstep(cv2.magnitude(gx, gy), 0.025, 0.11)
    turn = 0.5 + 0.5 * (gx + gy) / (np.sqrt(gx * gx + gy * gy) * 1.42 + 1e-3)
    colour = ramp(turn, (0, 240, 255), (120, 80, 255), (255, 30, 200))
    light = colour * slope[..., None]
    glow = blur(light, 5) * 1.3 + blur(light, 1.2) * 0.7
    return np.clip(light * 0.8 + glow + np.array([0.03, 0.01, 0.09], np.float32), 0, 1)


def cyberpunk(image: Array) -> Array:
    """Night blue to hot pink to cyan light, with scan lines."""
    grey = contrast(blur(luma(image), 1.2), 1.2, 0.45)
    base = ramp(grey, (4, 6, 30), (30, 16, 90), (120, 16, 140), (236, 30, 150), (255, 120, 190), (170, 240, 255))
    rows, _ = grid(grey.shape)
    scan = 0.5 + 0.5 * np.cos(2 * np.pi * rows / CELL)
    base = base * (1 - 0.42 * scan)[..., None]
    edge = blur(ink(-image, 1.5), 1.5)[..., None] * np.array([0.1, 0.85, 0.95], np.float32)
    cyan = scan[..., None] * np.array([0.0, 0.16, 0.2], np.float32)
    return np.clip(base + edge + cyan, 0, 1).astype(np.float32)


def vaporwave(image: Array) -> Array:
    """Violet, pink and mint in soft steps."""
    grey = posterise(luma(smooth(image, 2, 0.14)), 6, 6)
    base = ramp(grey, (66, 30, 120), (150, 70, 190), (255, 113, 206), (255, 176, 214), (120, 220, 240), (240, 255, 250))
    return np.clip(base + blur(np.clip(base - 0.7, 0, 1).astype(np.float32), 5) * 0.3, 0, 1)


def blueprint(image: Array) -> Array:
    """White lines on gridded blue."""
    edge = ink(image, 1.6, 0.010, 0.03)
    rows, columns = grid(edge.shape)
    fine = ((rows % CELL) < 1) | ((columns % CELL) < 1)
    bold = ((rows % TILE) < 2) | ((columns % TILE) < 2)
    tone = 0.2 * smoothstep(blur(luma(image), 1.2), 0.3, 1.0)
    return ramp(
        np.clip(np.maximum(edge, np.maximum(fine * 0.2, bold * 0.42) + tone), 0, 1),
        (12, 44, 130),
        (74, 122, 200),
        (240, 247, 255),
    )


def chalk(image: Array) -> Array:
    """Coloured chalk, slanted strokes and contours, on a green board."""
    rows, columns = grid(image.shape)
    rub = 0.5 + 0.5 * np.cos(2 * np.pi * (rows - 2 * columns) / (2 * CELL))
    grain = 0.85 + 0.12 * tiled(noise_tile(21, 1.2), rub.shape)
    colour = mix(saturate(blur(image, 2), 1.8) * 0.5 + 0.5, (0.97, 0.97, 0.92), 0.3)
    board = np.broadcast_to(np.array([0.08, 0.19, 0.15], np.float32), image.shape)
    tone = smoothstep(blur(luma(image), 1.5), 0.25, 0.9) * (0.25 + 0.6 * rub)
    line = ink(1 - image, 1.8, 0.010, 0.03)
    return np.clip(mix(board, colour, np.clip(np.maximum(tone, line) * grain, 0, 1)), 0, 1)


def thermal(image: Array) -> Array:
    """Brightness as heat."""
    heat = contrast(blur(luma(image), 1.8), 1.15)
    return ramp(heat, (4, 2, 40), (74, 0, 130), (186, 20, 116), (244, 90, 30), (255, 186, 20), (255, 250, 200))


def gold(image: Array) -> Array:
    """Brightness and relief as polished metal."""
    soft = blur(luma(image), 1.4)
    relief = soft - np.roll(soft, (3, 3), (0, 1))
    value = np.clip(contrast(soft, 0.85) + relief * 2.2, 0, 1).astype(np.float32)
    return ramp(value, (28, 12, 4), (104, 58, 12), (190, 128, 32), (246, 204, 86), (255, 246, 204))


STYLES: dict[str, Callable[[Array], Array]] = {
    "photo": photo,
    "oil painting": oil,
    "impressionist": monet,
    "van gogh": vangogh,
    "watercolour": watercolour,
    "ukiyo-e": ukiyoe,
    "pencil sketch": pencil,
    "engraving": engraving,
    "comic": comic,
    "anime": anime,
    "pop art": popart,
    "pixel art": pixel,
    "toy bricks": bricks,
    "cross-stitch": crossstitch,
    "stained glass": stainedglass,
    "neon": neon,
    "cyberpunk": cyberpunk,
    "vaporwave": vaporwave,
    "blueprint": blueprint,
    "chalkboard": chalk,
    "thermal": thermal,
    "matrix": matrix,
    "gold": gold,
}


def _tinted(image: Array, gain: Sequence[float], lift: Sequence[float]) -> Array:
    return np.clip(image * np.asarray(gain, np.float32) + np.asarray(lift, np.float32), 0, 1)


MOODS: dict[str, Callable[[Array], Array]] = {
    "": photo,
    "golden hour": lambda image: _tinted(image, (1.14, 0.98, 0.6), (0.08, 0.03, -0.03)),
    "cold": lambda image: _tinted(image, (0.62, 0.9, 1.1), (-0.02, 0.02, 0.1)),
    "night": lambda image: _tinted(image**1.5, (0.42, 0.5, 0.86), (0.0, 0.0, 0.03)),
    "black and white": lambda image: luma(image)[..., None].repeat(3, -1),
    "sepia": lambda image: ramp(luma(image), (38, 22, 12), (150, 110, 72), (252, 236, 204)),
    "pink": lambda image: _tinted(image, (1.06, 0.66, 0.98), (0.1, 0.0, 0.12)),
}


def restyle(image: npt.NDArray[np.uint8], style: str, mood: str = "") -> npt.NDArray[np.uint8]:
    """The target of one uint8 picture."""
    target = MOODS[mood](STYLES[style](image.astype(np.float32) / 255))
    return (np.clip(target, 0, 1) * 255 + 0.5).astype(np.uint8)

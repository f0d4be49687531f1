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
    contrast,
    grid,
    kuwahara,
    lines,
    luma,
    mix,
    noise_tile,
    posterise,
    ramp,
    relight,
    saturate,
    smooth,
    smoothstep,
    strokes,
    tiled,
)
from patterns import bricks, crossstitch, engraving, matrix, pixel, popart, stainedglass


def photo(image: Array) -> Array:
    """The picture itself."""
    return image


def oil(image: Array) -> Array:
    """Broad flat dabs in warm, full colours."""
    base = contrast(saturate(kuwahara(image, 5), 1.55), 1.12)
    base = mix(base, base * np.array([1.06, 0.98, 0.86], np.float32), 0.8)
    return np.clip(base * (1 + 0.07 * strokes(base, 6, 0.9, 0.25))[..., None], 0, 1)


def monet(image: Array) -> Array:
    """Pastel dabs, lilac shadows, creamy lights."""
    base = saturate(kuwahara(image, 4), 1.3)
    grey = luma(base)
    base = mix(base, (0.45, 0.42, 0.78), 0.5 * (1 - smoothstep(grey, 0.05, 0.5)))
    base = mix(base, (1.0, 0.93, 0.74), 0.4 * smoothstep(grey, 0.5, 0.95)) * 0.86 + 0.13
    first, second = strokes(image, 3, 1.3, 0.2, 5), strokes(image, 3, 1.3, 0.2, 6)
    tint = np.stack([0.075 * first, 0.05 * second, 0.075 * -first + 0.04 * second], -1)
    return np.clip(base + tint + 0.02, 0, 1).astype(np.float32)


def vangogh(image: Array) -> Array:
    """Blue and yellow in long strokes along the contours."""
    base = kuwahara(image, 5)
    grey = contrast(luma(base), 1.2)
    palette = ramp(grey, (12, 20, 58), (24, 60, 132), (58, 116, 176), (150, 176, 140), (238, 200, 76), (255, 240, 170))
    base = mix(palette, saturate(base, 1.6), 0.3)
    return np.clip(base * (1 + 0.19 * strokes(image, 9, 1.0, 0.6))[..., None] + 0.0, 0, 1)


def watercolour(image: Array) -> Array:
    """Thin colour on paper, darker where a wash ends."""
    base = saturate(smooth(image, 3, 0.16), 1.25)
    base = 1 - (1 - base) * 0.62
    edge = np.abs(luma(base) - luma(blur(base, 3)))
    base = base * (1 - 1.6 * np.clip(edge, 0, 0.25))[..., None]
    bloom = tiled(noise_tile(11, 4.0), edge.shape) * 0.010 + tiled(noise_tile(12, 0.8), edge.shape) * 0.010
    base = np.clip(base + bloom[..., None], 0, 1)
    return mix(base, (0.99, 0.98, 0.95), smoothstep(luma(base), 0.8, 0.99) * 0.8)


def ukiyoe(image: Array) -> Array:
    """Flat steps of indigo, sand and vermilion with dark outlines."""
    base = smooth(image, 2, 0.16)
    value = posterise(luma(base), 5)
    palette = ramp(
        value, (26, 30, 60), (40, 74, 116), (104, 136, 140), (206, 184, 140), (240, 226, 190), (246, 236, 206)
    )
    warm = smoothstep(base[..., 0] - base[..., 2], 0.12, 0.45)
    reds = ramp(value, (70, 24, 28), (150, 52, 40), (206, 96, 62), (232, 160, 104), (244, 212, 164))
    out = mix(palette, reds, warm * 0.85)
    return mix(out, (0.09, 0.09, 0.14), lines(image, 1.1, 0.022, 0.06) * 0.95)


def pencil(image: Array) -> Array:
    """Lines and hatched shadows on white."""
    grey = luma(image)
    dodge = np.clip(grey / (blur(grey, 7) + 0.02), 0, 1)
    sheet = smoothstep(dodge, 0.55, 1.0)
    rows, columns = grid(grey.shape)
    hatch = 0.5 + 0.5 * np.cos(2 * np.pi * (rows + columns) / 4)
    dark = 1 - smoothstep(blur(grey, 1.5), 0.08, 0.62)
    sheet = sheet * (1 - dark * (0.30 + 0.42 * hatch))
    sheet = sheet * (1 - 0.75 * lines(image, 1.0, 0.02, 0.08))
    return ramp(np.clip(sheet, 0, 1), (40, 40, 44), (146, 146, 148), (250, 249, 245))


def comic(image: Array) -> Array:
    """Three bright tones, thick ink, dots in the shadows."""
    base = saturate(smooth(image, 3, 0.18), 1.9)
    value = posterise(np.clip(luma(base) * 1.15, 0, 1), 3)
    base = relight(base, value * 0.94 + 0.06)
    rows, columns = grid(value.shape)
    dots = np.cos(2 * np.pi * (rows + columns) / CELL) + np.cos(2 * np.pi * (rows - columns) / CELL)
    shade = (1 - smoothstep(luma(image), 0.25, 0.6)) * smoothstep(dots, 0.1, 0.7)
    base = mix(base, base * 0.5, shade)
    return mix(base, (0.03, 0.03, 0.06), lines(image, 1.5, 0.018, 0.04))


def anime(image: Array) -> Array:
    """Four soft tones, bluish shadows, thin lines."""
    base = saturate(smooth(image, 3, 0.14), 1.5)
    value = posterise(np.clip(luma(base) ** 0.8, 0, 1), 4, 10)
    base = relight(base, 0.16 + value * 0.84)
    base = mix(base, base * np.array([0.9, 0.92, 1.15], np.float32), 1 - smoothstep(value, 0.2, 0.6))
    base = np.clip(base + 0.18 * blur(np.clip(base - 0.6, 0, 1).astype(np.float32), 6), 0, 1)
    return mix(base, (0.22, 0.12, 0.16), lines(image, 0.9, 0.022, 0.06) * 0.9)


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
    """Night blue to hot pink to cyan, with scan lines."""
    grey = contrast(luma(image), 1.25, 0.45)
    base = ramp(grey, (6, 6, 24), (34, 14, 74), (128, 20, 120), (240, 50, 140), (70, 210, 235), (220, 255, 255))
    base = mix(base, saturate(image, 1.5) * 0.7, 0.22)
    edge = lines(image, 1.2, 0.03, 0.08)
    glow = blur(edge, 3)[..., None] * np.array([0.0, 0.35, 0.42], np.float32)
    rows, _ = grid(grey.shape)
    scan = 1 - 0.16 * (rows % 4 < 1.6)
    return np.clip((base + glow) * scan[..., None], 0, 1).astype(np.float32)


def vaporwave(image: Array) -> Array:
    """Violet, pink and mint in soft steps."""
    grey = posterise(luma(smooth(image, 2, 0.14)), 6, 6)
    base = ramp(grey, (66, 30, 120), (150, 70, 190), (255, 113, 206), (255, 176, 214), (120, 220, 240), (240, 255, 250))
    return np.clip(base + blur(np.clip(base - 0.7, 0, 1).astype(np.float32), 5) * 0.3, 0, 1)


def blueprint(image: Array) -> Array:
    """White lines on gridded blue."""
    edge = lines(image, 1.0, 0.015, 0.05)
    rows, columns = grid(edge.shape)
    fine = (((rows % CELL) < 1) | ((columns % CELL) < 1)) * 0.09 + (((rows % TILE) < 1) | ((columns % TILE) < 1)) * 0.2
    tone = 0.16 * smoothstep(luma(image), 0.35, 1.0)
    return ramp(np.clip(np.maximum(edge, fine) + tone, 0, 1), (14, 48, 128), (70, 116, 190), (236, 244, 255))


def chalk(image: Array) -> Array:
    """Coloured chalk lines on a green board."""
    edge = lines(image, 1.3, 0.015, 0.05)
    grain = 0.84 + 0.2 * tiled(noise_tile(21, 0.8), edge.shape)
    colour = mix(saturate(blur(image, 2), 1.6) * 0.5 + 0.5, (0.97, 0.97, 0.92), 0.45)
    board = (
        np.broadcast_to(np.array([0.09, 0.17, 0.14], np.float32), image.shape)
        + 0.016 * tiled(noise_tile(22, 2.0), edge.shape)[..., None]
    )
    tone = 0.34 * smoothstep(luma(image), 0.45, 0.95)
    return np.clip(mix(board, colour, np.clip((edge * 1.05 + tone) * grain, 0, 1)), 0, 1)


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

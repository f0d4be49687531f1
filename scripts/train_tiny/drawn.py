"""The teacher's styles made of dry marks: pencil, ink, engraving, woodcut, charcoal, chalk, pastel, crayon.

Each is a function of a picture and of its `Chance`; must not know the other families. Marks are the start noise,
smeared along the picture's directions and cut by its tone: lines of 4 pixels and more, which latents of 8 can hold.
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
    lightness,
    luma,
    mix,
    posterise,
    ramp,
    saturate,
    smooth,
    smoothstep,
    tinted,
)
from flow import Flow, lines, smear, tangents

SMEARED = 2.3
CELL = 8


def marks(chance: Chance, field: int, flow: Flow, reach: int) -> Array:
    """Strokes of deviation about 1 along the flow, [H, W]."""
    return smear(chance.grain(field), flow, reach) * np.float32(SMEARED * np.sqrt(reach / 12))


def paper(chance: Chance) -> Array:
    """Tooth of a rough sheet, deviation about 1, [H, W]."""
    return chance.grain(2)


def darkness(image: Array, sigma: float, factor: float, centre: float = 0.5) -> Array:
    """How much pigment a tone wants, 0 to 1, [H, W]: lifted in the shadows, then of that contrast."""
    return 1 - contrast(blur(0.5 * luma(image) + 0.5 * lightness(image), sigma), factor, centre)


def pencil(image: Array, chance: Chance) -> Array:
    """Graphite: slanted hatching that bends with the forms, firm contours, white lights."""
    flow = tangents(image, 3)
    tone = darkness(image, 0.8, 1.15)
    first = marks(chance, 0, flow.towards(-0.85, 0.55), 14)
    second = marks(chance, 1, flow.towards(-0.3, 0.8), 12)
    shade = 0.5 * smoothstep(tone + 0.2 * first, 0.3, 0.8) + 0.45 * smoothstep(tone + 0.16 * second, 0.6, 0.95)
    shade = shade + 0.10 * smoothstep(tone, 0.25, 0.7)
    drawn = np.clip(np.maximum(shade, 0.9 * lines(image, flow)) * (1 + 0.06 * paper(chance)), 0, 1)
    return ramp(1 - drawn, (36, 36, 42), (142, 142, 148), (251, 250, 246))


def coloured_pencil(image: Array, chance: Chance) -> Array:
    """Layers of coloured hatching over white paper, darker contours."""
    flow = tangents(image, 3)
    base = saturate(smooth(image, 1, 0.1), 1.6)
    tone = 1 - luma(base) * 0.92
    grey = base.max(-1) - base.min(-1)
    cover = np.clip(tone * 0.75 + 0.6 * grey, 0, 1)
    first = marks(chance, 0, flow.towards(-0.8, 0.6), 14)
    second = marks(chance, 1, flow.towards(0.5, 0.7), 12)
    shade = 0.62 * smoothstep(cover + 0.25 * first, 0.12, 0.8) + 0.38 * smoothstep(cover + 0.2 * second, 0.4, 0.9)
    pigment = saturate(np.clip(base * 0.9, 0, 1), 1.15)
    sheet = mix(flat_colour(image.shape, 0.985, 0.975, 0.95), pigment, np.clip(shade, 0, 1))
    return mix(sheet, tinted(pigment, 0.35, 0.3, 0.38), 0.75 * lines(image, flow))


def pen(image: Array, chance: Chance) -> Array:
    """Black ink: confident contours, hatching only in the shadows, solid blacks."""
    flow = tangents(image, 3)
    tone = darkness(image, 1.0, 1.3, 0.48)
    first = marks(chance, 0, flow.towards(-0.7, 0.4), 14)
    second = marks(chance, 1, flow.towards(0.75, 0.7), 12)
    hatch = smoothstep(tone + 0.14 * first, 0.60, 0.70) * 0.9
    cross = smoothstep(tone + 0.11 * second, 0.78, 0.86)
    black = smoothstep(tone, 0.86, 0.94)
    drawn = np.maximum.reduce([hatch, cross, black, lines(image, flow, 1.3, 0.006, 0.018)])
    return ramp(1 - drawn, (18, 18, 28), (128, 124, 122), (252, 248, 238))


def engraving(image: Array, chance: Chance) -> Array:
    """Copperplate: slanted lines that bend over the forms and swell in the shadows, brown on cream."""
    flow = tangents(image, 4)
    soft = blur(luma(image), 2.5)
    tone = darkness(image, 0.9, 1.3, 0.55)
    rows, columns = grid(tone.shape)
    hand = 0.5 * chance.grain(0, 7)
    first = 0.5 + 0.5 * np.cos(2 * np.pi * (rows + columns) / CELL + 7 * soft + hand)
    second = 0.5 + 0.5 * np.cos(2 * np.pi * (rows - columns) / CELL - 5 * soft + hand)
    swell = smoothstep(tone - (0.12 + 0.8 * first), -0.12, 0.12)
    cross = smoothstep(tone - (0.62 + 0.45 * second), -0.1, 0.1)
    drawn = np.maximum.reduce([swell, cross, 0.95 * lines(image, flow, 1.2, 0.006, 0.022)])
    return ramp(1 - drawn, (38, 24, 18), (140, 122, 100), (246, 238, 216))


def woodcut(image: Array, chance: Chance) -> Array:
    """Bold black and paper white, cut with a gouge along the forms, one red for what is warm."""
    flow = tangents(image, 7, 0.0)
    soft = kuwahara(image, 3)
    tone = darkness(soft, 0.6, 1.35, 0.52)
    cut = smear(chance.grain(0, 2.5), flow, 20) * 2.4
    half = smoothstep(tone, 0.2, 0.5) * (1 - smoothstep(detail(image), 0.02, 0.05))
    black = smoothstep(tone + 0.24 * cut * half, 0.5, 0.6)
    warm = smoothstep(soft[..., 0] - soft[..., 2], 0.16, 0.34)
    sheet = mix(
        flat_colour(image.shape, 0.95, 0.91, 0.82), (0.80, 0.23, 0.15), 0.85 * warm * smoothstep(tone, 0.1, 0.3)
    )
    return mix(sheet, (0.07, 0.06, 0.07), np.maximum(black, lines(image, flow, 1.5, 0.008, 0.024)))


def charcoal(image: Array, chance: Chance) -> Array:
    """Broad soft blacks rubbed into grained paper, smudged along the forms, lights lifted out."""
    flow = tangents(image, 5, -0.7)
    tone = smear(darkness(image, 0.9, 1.35, 0.48), flow, 3)
    stick = marks(chance, 0, flow.towards(-0.8, 0.35), 9)
    tooth = paper(chance)
    loose = 1 - 0.75 * smoothstep(detail(image), 0.02, 0.05)
    dark = smoothstep(tone + (0.12 * stick + 0.07 * tooth) * loose, 0.2, 0.95)
    dark = np.maximum(dark, 0.95 * lines(image, flow, 1.7, 0.004, 0.03) * (1 + 0.1 * tooth))
    return ramp(np.clip(1 - dark, 0, 1), (22, 21, 22), (118, 114, 110), (236, 230, 220))


def chalkboard(image: Array, chance: Chance) -> Array:
    """Coloured chalk on a green board: rubbed strokes in the lights, bright contours, dust."""
    flow = tangents(image, 4, -0.6)
    soft = blur(image, 1.0)
    value = 1 - darkness(image, 0.9, 1.2, 0.45)
    stroke = marks(chance, 0, flow.towards(-0.75, 0.5), 12)
    loose = 1 - 0.7 * smoothstep(detail(image), 0.02, 0.05)
    cover = 0.85 * smoothstep(value + (0.2 * stroke + 0.06 * paper(chance)) * loose, 0.3, 0.9)
    bright = lines(1 - image, flow, 1.4, 0.005, 0.024)
    chalk = mix(np.clip(saturate(soft, 1.7) * 0.55 + 0.45, 0, 1), (0.97, 0.97, 0.92), 0.3)
    board = flat_colour(image.shape, 0.085, 0.19, 0.155) + 0.02 * chance.grain(1, 9)[..., None]
    return np.clip(mix(board, chalk, np.clip(np.maximum(cover, 0.95 * bright), 0, 1)), 0, 1)


def pastel(image: Array, chance: Chance) -> Array:
    """Soft pastel: velvety strokes of full colour on a warm grey paper that shows between them."""
    flow = tangents(image, 5, 0.9)
    base = saturate(smear(smooth(image, 2, 0.12), flow, 4), 1.5)
    base = np.clip(base * 0.92 + 0.08, 0, 1)
    first, second = marks(chance, 0, flow.towards(0.9, 0.25), 11), marks(chance, 1, flow, 9)
    tooth = paper(chance)
    cover = smoothstep(0.5 + 0.3 * first + 0.16 * tooth + 0.5 * (1 - smoothstep(luma(base), 0.1, 0.45)), -0.1, 0.5)
    colour = np.clip(base * (1 + 0.09 * second)[..., None] + 0.035 * np.stack([second, 0 * second, -second], -1), 0, 1)
    sure = smoothstep(detail(image), 0.02, 0.055)
    sheet = mix(flat_colour(image.shape, 0.66, 0.60, 0.54), colour, np.clip(np.maximum(cover, 0.9 * sure), 0, 1))
    return np.clip(mix(sheet, tinted(base, 0.4, 0.32, 0.36), 0.55 * lines(image, flow, 1.5)), 0, 1)


def crayon(image: Array, chance: Chance) -> Array:
    """A child's wax crayons: few loud colours scribbled one way, paper through the wax, thick contours."""
    flow = tangents(image, 4, 0.8).towards(0.8, 1.2)
    flat = kuwahara(saturate(image, 2.0), 4)
    flat = mix(flat, saturate(image, 1.8), 0.7 * smoothstep(detail(image), 0.022, 0.06))
    value = posterise(luma(flat), 6, 8)
    wax = np.clip(flat * ((value + 0.15) / (luma(flat) + 0.15))[..., None] * 0.95 + 0.05, 0, 1)
    scribble = marks(chance, 0, flow, 13)
    cover = smoothstep(0.75 + 0.27 * scribble + 0.13 * paper(chance) - 0.45 * (value - 0.5), 0.1, 0.6)
    sheet = mix(flat_colour(image.shape, 0.97, 0.96, 0.93), wax, cover)
    contour = lines(image, tangents(image, 3), 1.9, 0.008, 0.03)
    return mix(sheet, tinted(wax, 0.28, 0.22, 0.3), 0.9 * contour)

"""The teacher's styles made of brush strokes: oil, impressionist, van Gogh, pointillism, gouache, palette knife.

Each is a function of a picture and of its `Chance`; must not know the other families. Strokes are broad where little
happens and give way to a careful drawing where something does, so that eyes stay eyes.
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
    kuwahara,
    luma,
    mix,
    posterise,
    ramp,
    relight,
    saturate,
    smoothstep,
    tinted,
)
from flow import Flow, smear, tangents
from strokes import Brush, Painting, layer, lit


def restless(chance: Chance, middle: float, spread: float, sigma: float = 22) -> Array:
    """Angles for empty areas [H, W]: wandering slowly around `middle` by about `spread` radians."""
    return (middle + spread * chance.grain(2, sigma)).astype(np.float32)


def careful(painting: Painting, drawing: Array, busy: Array, low: float, high: float, most: float = 0.85) -> Painting:
    """The painting with the finer `drawing` where the picture is `busy` (see `detail`), up to a share of `most`."""
    weight = most * smoothstep(busy, low, high)
    return Painting(mix(painting.colour, drawing, weight), painting.relief * (1 - 0.6 * weight))


def bristles(chance: Chance, flow: Flow, reach: int = 8) -> Array:
    """Furrows of a dry brush along the flow, deviation about 1, [H, W]."""
    return smear(chance.grain(0), flow, reach) * 2.2


def oil(image: Array, chance: Chance) -> Array:
    """Layered strokes in warm full colours that follow the forms, lit from one side."""
    base = tinted(contrast(saturate(kuwahara(image, 3), 1.3), 1.08), 1.03, 0.985, 0.91)
    flow, busy = tangents(image, 4, restless(chance, 0.6, 0.5)), detail(image)
    work = layer(Painting.ground(blur(base, 4)), blur(base, 2.5), flow, chance, Brush(24, 8, jitter=0.07))
    work = layer(work, blur(base, 1.2), flow, chance, Brush(12, 4.2, jitter=0.07), smoothstep(busy, 0.004, 0.016))
    work = careful(work, kuwahara(base, 2), busy, 0.016, 0.045, 0.9)
    return lit(work, 0.2)


def impressionist(image: Array, chance: Chance) -> Array:
    """Short bright dabs of broken colour, lilac shadows, creamy lights."""
    base = saturate(blur(image, 1.0), 1.35)
    grey = luma(base)
    base = mix(base, (0.40, 0.38, 0.72), 0.42 * (1 - smoothstep(grey, 0.05, 0.5)))
    base = mix(base, (1.0, 0.93, 0.76), 0.3 * smoothstep(grey, 0.55, 0.95)) * 0.9 + 0.07
    flow, busy = tangents(image, 5, restless(chance, 0.2, 0.4)), detail(image)
    brush = Brush(8.5, 4.2, turn=0.35, jitter=0.1, tint=0.06, bristle=0.3)
    work = layer(Painting.ground(blur(base, 3)), blur(base, 2), flow, chance, brush)
    fine = Brush(5.0, 2.3, turn=0.3, jitter=0.06, tint=0.04, bristle=0.2)
    work = layer(work, base, flow, chance, fine, smoothstep(busy, 0.012, 0.03))
    work = careful(work, contrast(base, 1.1), busy, 0.022, 0.06, 0.65)
    return lit(work, 0.2)


NIGHT = ((12, 18, 62), (24, 58, 140), (58, 120, 188), (150, 182, 142), (244, 202, 68), (255, 243, 176))


def van_gogh(image: Array, chance: Chance) -> Array:
    """Long swirling strokes of blue, green and yellow, thick enough to throw shadows."""
    soft = kuwahara(image, 3)
    value = np.clip(contrast(luma(soft), 1.15) * 0.9 + 0.05, 0, 1)
    base = mix(ramp(value, *NIGHT), saturate(soft, 1.7), 0.34)
    flow, busy = tangents(image, 6, restless(chance, 0.3, 1.3, 26)), detail(image)
    brush = Brush(16, 3.2, turn=0.1, jitter=0.17, tint=0.06, bristle=0.35)
    work = layer(Painting.ground(blur(base, 3) * 0.85), blur(base, 1.6), flow, chance, brush)
    fine = Brush(7, 2.0, turn=0.1, jitter=0.08, tint=0.03, bristle=0.1)
    work = layer(work, base, flow, chance, fine, smoothstep(busy, 0.016, 0.034))
    work = careful(work, contrast(base, 1.15), busy, 0.02, 0.055, 0.8)
    return lit(work, 0.34)


def pointillist(image: Array, chance: Chance) -> Array:
    """Round dots of pure colour beside each other on a light ground."""
    base = contrast(saturate(blur(image, 1.2), 1.7), 1.1)
    base = mix(base, (0.30, 0.30, 0.66), 0.3 * (1 - smoothstep(luma(base), 0.05, 0.45))) * 0.92 + 0.06
    flow, busy = tangents(image, 4), detail(image)
    ground = mix(blur(base, 2.5), (0.96, 0.93, 0.84), 0.45)
    dots = Brush(2, 3.2, jitter=0.17, tint=0.13, hardness=2.5, bristle=0.0, stray=0.2)
    work = layer(Painting.ground(ground), blur(base, 1.5), flow, chance, dots)
    fine = Brush(2, 1.8, jitter=0.12, tint=0.09, hardness=2.0, bristle=0.0, stray=0.2)
    work = layer(work, base, flow, chance, fine, smoothstep(busy, 0.0, 0.02) * 0.8 + 0.2)
    return lit(careful(work, contrast(base, 1.1), busy, 0.022, 0.06, 0.65), 0.12)


def gouache(image: Array, chance: Chance) -> Array:
    """Flat matt shapes in few tones, edges a little off, a dry brush dragged over them."""
    flow = tangents(image, 5, restless(chance, 0.1, 0.3))
    flat = image
    for _ in range(2):
        flat = kuwahara(flat, 5)
    flat = saturate(flat, 1.35)
    flat = relight(flat, posterise(luma(flat), 7, 9) * 0.86 + 0.11)
    flat = mix(flat, kuwahara(saturate(image, 1.3), 2), 0.8 * smoothstep(detail(image), 0.022, 0.06))
    dry = bristles(chance, flow, 10)
    flat = flat + 0.035 * dry[..., None] + 0.05 * smoothstep(dry, 0.6, 1.8)[..., None]
    return np.clip(mix(flat, (0.96, 0.93, 0.87), 0.06), 0, 1)


def knife(image: Array, chance: Chance) -> Array:
    """Slabs of thick paint laid on with a knife, crisp edges, bold colour."""
    base = contrast(saturate(kuwahara(image, 4), 1.5), 1.15)
    flow, busy = tangents(image, 7, restless(chance, 0.9, 0.7)), detail(image)
    slab = Brush(12, 9, turn=0.6, jitter=0.15, tint=0.05, hardness=3.0, bristle=0.1, stray=0.5)
    work = layer(Painting.ground(blur(base, 5)), blur(base, 3), flow, chance, slab)
    small = Brush(8, 5.5, turn=0.4, jitter=0.12, tint=0.03, hardness=3.0, bristle=0.1)
    work = layer(work, blur(base, 1.2), flow, chance, small, smoothstep(busy, 0.010, 0.024))
    work = Painting(kuwahara(work.colour, 5), work.relief)
    work = careful(work, kuwahara(contrast(saturate(image, 1.4), 1.1), 2), busy, 0.014, 0.04, 0.95)
    return lit(work, 0.26, 0.7)


def fauve(image: Array, chance: Chance) -> Array:
    """Wild pure colour: green and violet shadows, orange lights, loose broad strokes and blue contours."""
    soft = kuwahara(image, 3)
    grey = contrast(luma(soft), 1.2)
    hot = ramp(grey, (34, 16, 92), (20, 92, 120), (52, 150, 96), (236, 110, 62), (250, 190, 70), (255, 240, 190))
    base = mix(hot, saturate(soft, 2.4), 0.5)
    flow, busy = tangents(image, 5, restless(chance, 0.5, 0.8)), detail(image)
    broad = Brush(22, 8, turn=0.35, jitter=0.1, tint=0.05, bristle=0.5)
    work = layer(Painting.ground(blur(base, 4)), blur(base, 2), flow, chance, broad)
    small = Brush(10, 4, turn=0.25, jitter=0.08, tint=0.04, bristle=0.4)
    work = layer(work, base, flow, chance, small, smoothstep(busy, 0.008, 0.022))
    work = careful(work, contrast(base, 1.1), busy, 0.016, 0.045, 0.9)
    dark = smoothstep(blur(luma(image), 2.8) - blur(luma(image), 1.4), 0.014, 0.05)
    return mix(lit(work, 0.22), flat_colour(image.shape, 0.10, 0.10, 0.36), 0.8 * dark)

"""A teacher of many styles: one painter with random habits, for styles that have no name.

Must not know the named styles. A `Manner` holds what can be read from a picture in that style (palette, tones, strokes,
lines, paper); two pictures in one manner teach the model to take a style from a picture.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from chance import Chance
from drawn import marks
from filters import Array, blur, contrast, detail, flat_colour, kuwahara, luma, mix, posterise, saturate, smoothstep
from flow import lines, tangents
from painted import careful, restless
from strokes import Brush, Painting, layer, lit
from washed import rims, wobbled

STOPS = 6


@dataclass(frozen=True, eq=False)
class Manner:
    """The habits of one painter.

    Attributes:
        palette: float32 [STOPS, 3], colours from dark to bright in [0, 1].
        own: share of the picture's own colours, 0 to 1.
        saturation, contrast: of the picture before it is painted.
        flatness: radius of the flat areas in pixels, 0 for none.
        levels: tone steps, 0 for none.
        brush: strokes, or None for a smooth ground.
        relief: light on the strokes, 0 to 0.4.
        hatch: share of hatching by tone, 0 to 1; `hatch_angle` its direction in radians.
        contour: weight of dark lines, 0 to 1; `contour_width` in pixels.
        wash: share of dark rims and blooms, 0 to 1.
        tooth: grain of the paper, 0 to 0.1.
    """

    palette: Array
    own: float
    saturation: float
    contrast: float
    flatness: int
    levels: int
    brush: Brush | None
    relief: float
    hatch: float
    hatch_angle: float
    contour: float
    contour_width: float
    wash: float
    tooth: float


def palette_of(picture: npt.NDArray[np.uint8]) -> Array:
    """The mean colours of a picture's tones, [STOPS, 3] from dark to bright, in [0, 1]."""
    pixels = picture.reshape(-1, 3)[::7].astype(np.float32) / 255
    ordered = pixels[np.argsort(luma(pixels), kind="stable")]
    return np.stack([part.mean(0) for part in np.array_split(ordered, STOPS)]).astype(np.float32)


def _invented(rng: random.Random) -> Array:
    """A palette of a walk through hues, rising in brightness."""
    low, high = rng.uniform(0.02, 0.25), rng.uniform(0.75, 1.0)
    tones = np.linspace(low, high, STOPS, dtype=np.float32)
    hue, step, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(-1.2, 1.2), rng.uniform(0.05, 0.45)
    turn = hue + step * np.arange(STOPS, dtype=np.float32)
    swing = np.stack([np.cos(turn), np.cos(turn - 2.09), np.cos(turn + 2.09)], -1)
    middle = (1 - np.abs(np.linspace(-0.9, 0.9, STOPS, dtype=np.float32)))[:, None]
    return np.clip(tones[:, None] + chroma * swing * (0.35 + middle), 0, 1).astype(np.float32)


def manner(seed: int, pictures: list[npt.NDArray[np.uint8]]) -> Manner:
    """The habits that a seed stands for.

    Args:
        seed: everything is drawn from it.
        pictures: whose palettes may be taken; may be empty.
    """
    rng = random.Random(f"manner {seed}")
    palette = palette_of(rng.choice(pictures)) if pictures and rng.random() < 0.6 else _invented(rng)
    brush = None
    if rng.random() < 0.75:
        width = rng.uniform(3.0, 5.5) if rng.random() < 2 / 3 else rng.uniform(6, 10)
        brush = Brush(
            min(width * rng.uniform(1.1, 4.5), 26),
            width,
            rng.uniform(0.05, 0.5),
            rng.uniform(0.02, 0.18),
            rng.uniform(0, 0.09),
            rng.uniform(0.8, 2.5),
            rng.uniform(0.1, 0.6),
            rng.uniform(0.0, 0.6),
        )
    return Manner(
        palette,
        rng.choice((0.0, 0.2, 0.4, 0.6)) * rng.uniform(0.5, 1.2),
        rng.uniform(0.8, 1.9),
        rng.uniform(0.9, 1.35),
        rng.choice((0, 2, 3, 5)),
        rng.choice((0, 0, 0, 4, 6, 8)),
        brush,
        rng.uniform(0, 0.4),
        rng.uniform(0.3, 1.0) if rng.random() < 0.3 else 0.0,
        rng.uniform(-1.4, 1.4),
        rng.uniform(0.4, 1.0) if rng.random() < 0.4 else 0.0,
        rng.uniform(1.1, 2.0),
        rng.uniform(0.4, 1.0) if rng.random() < 0.25 else 0.0,
        rng.uniform(0, 0.05),
    )


def _coloured(value: Array, palette: Array) -> Array:
    """The palette's colour for each brightness [H, W]."""
    at = np.linspace(0.04, 0.96, STOPS)
    return np.stack([np.interp(value, at, palette[:, c]) for c in range(3)], -1).astype(np.float32)


def paint(image: npt.NDArray[np.uint8], chance: Chance, how: Manner) -> npt.NDArray[np.uint8]:
    """A picture uint8 [H, W, 3] in a manner."""
    source = image.astype(np.float32) / 255
    busy = detail(source)
    sure = smoothstep(busy, 0.02, 0.05)
    if how.wash:
        source = mix(wobbled(source, chance, 1.6), source, sure)
    flat = kuwahara(source, how.flatness) if how.flatness else source
    flat = mix(flat, source, 0.8 * sure)
    value = contrast(luma(flat), how.contrast)
    if how.levels:
        value = posterise(value, how.levels, 10)
    base = mix(_coloured(value, how.palette), saturate(flat, how.saturation), how.own)
    flow = tangents(source, 5, restless(chance, 0.4, 0.6))
    painting = Painting.ground(base)
    if how.brush:
        painting = layer(Painting.ground(blur(base, 2.5)), blur(base, 0.4 * how.brush.width), flow, chance, how.brush)
        painting = careful(painting, base, busy, 0.018, 0.055, 0.85)
    made = lit(painting, how.relief)
    if how.wash:
        dose = 1 + how.wash * (0.2 * chance.grain(2, 11) + 0.7 * rims(base) - 0.15)
        made = np.exp(np.log(np.clip(made, 0.03, 1)) * np.clip(dose, 0.3, 2.2)[..., None])
    if how.hatch:
        stroke = marks(chance, 0, flow.towards(how.hatch_angle, 0.6), 13)
        shade = smoothstep(1 - value + 0.22 * stroke, 0.4, 0.8)
        made = mix(made, flat_colour(made.shape, *how.palette[0]), how.hatch * 0.8 * shade)
        made = mix(made, flat_colour(made.shape, *how.palette[-1]), how.hatch * 0.5 * (1 - shade))
    if how.contour:
        made = mix(
            made, flat_colour(made.shape, *(how.palette[0] * 0.6)), how.contour * lines(source, flow, how.contour_width)
        )
    made = made * (1 + how.tooth * chance.grain(2))[..., None]
    return (np.clip(made, 0, 1) * 255 + 0.5).astype(np.uint8)

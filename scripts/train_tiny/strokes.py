"""Layers of oriented brush strokes, and the light on their relief.

Must not know any style. A stroke is a streak of the noise of `Chance` that is smeared along the flow and pushed towards
two values, which is what a small network learns to do; placing single strokes and choosing the topmost is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from chance import Chance
from filters import Array, blur, grid, mix
from flow import Flow, smear

GRAIN_PX = 5.0
"""Width of the finest noise."""
FURROW = 2.2
"""Puts furrows at a deviation of about 1."""


@dataclass(frozen=True)
class Brush:
    """How one layer is painted.

    Attributes:
        length: half of a stroke's length in pixels.
        width: half of its width in pixels.
        turn: deviation of its angle from the flow in radians.
        jitter: deviation of its brightness, as a share.
        tint: deviation of its warmth and of its green, absolute.
        hardness: how sharp its edges are.
        bristle: how deep the furrows along a stroke are, 0 to 1.
        stray: how far it takes its colour from beside its place, in widths: edges of things are torn by so much.
    """

    length: float = 13.0
    width: float = 4.5
    turn: float = 0.2
    jitter: float = 0.06
    tint: float = 0.02
    hardness: float = 1.6
    bristle: float = 0.5
    stray: float = 0.35


@dataclass(frozen=True, eq=False)
class Painting:
    """Paint so far: colour float32 [H, W, 3] and its relief float32 [H, W], about 0 to 1."""

    colour: Array
    relief: Array

    @classmethod
    def ground(cls, colour: Array) -> Painting:
        """A primed canvas."""
        return cls(colour.astype(np.float32), np.zeros(colour.shape[:2], np.float32))


def layer(
    under: Painting, image: Array, flow: Flow, chance: Chance, brush: Brush, where: Array | None = None
) -> Painting:
    """Strokes over all of the picture, in the colours that `image` has along them.

    Args:
        under: what shows where there are none.
        image: [H, W, 3], where colours come from; blurred about as much as a stroke is wide.
        flow: directions of the strokes.
        chance: places, turns, colours, relief.
        brush: size and manner.
        where: [H, W], 0 to 1: how much the strokes cover; everywhere 1 if None.
    """
    flow = flow.turned(brush.turn * chance.grain(2, brush.width))
    rank, bright, warm = cv2.split(_streaks(chance, flow, brush))
    aside = brush.width * brush.stray * rank
    angle = flow.angle
    rows, columns = grid(rank.shape)
    x, y = columns - 0.5 - aside * np.sin(angle), rows - 0.5 + aside * np.cos(angle)
    torn = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    # Together, as it is the way that takes time and not what is gathered on it.
    along = smear(np.dstack([torn, chance.grain(0)]), flow, max(3, round(brush.length / 2)))
    colour, furrows = along[..., :3], along[..., 3] * FURROW
    colour = colour * (1 + brush.jitter * bright)[..., None]
    colour = colour + brush.tint * np.stack([warm, -0.5 * bright, -warm], -1)
    relief = np.clip(0.5 + 0.3 * rank + 0.25 * brush.bristle * furrows, 0, 1)
    cover = np.ones_like(rank) if where is None else where
    return Painting(mix(under.colour, np.clip(colour, 0, 1), cover), under.relief * (1 - cover) + relief * cover)


def _streaks(chance: Chance, flow: Flow, brush: Brush) -> Array:
    """What differs from stroke to stroke, about -1 to 1, [H, W, 3]: noise smeared along the flow, with edges."""
    sigma, reach = 0.4 * brush.width, max(2, round(brush.length))
    # White noise loses deviation with the root of what it is averaged over; this noise is as wide as a stroke.
    gain = brush.hardness * np.sqrt(max(1.0, 2 * reach / (GRAIN_PX + 3.5 * sigma)))
    noise = np.dstack([chance.grain(field, sigma) for field in range(3)])
    return np.tanh(gain * smear(noise, flow, reach, max(1.5, reach / 7))).astype(np.float32)


def lit(painting: Painting, amount: float = 0.22, sigma: float = 0.8) -> Array:
    """The painting [H, W, 3] under a lamp from the upper left."""
    relief = blur(painting.relief, sigma)
    gx, gy = cv2.Sobel(relief, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(relief, cv2.CV_32F, 0, 1) / 4
    light = np.clip(-(gx + gy) * 2.0, -1, 1)
    shine = np.clip(light - 0.25, 0, 1) * 0.5 * amount
    return np.clip(painting.colour * (1 + amount * light)[..., None] + shine[..., None], 0, 1).astype(np.float32)

"""Layers of oriented brush strokes, and the light on their relief.

Must not know any style. Every stroke takes place, turn, colour and rank from `Chance`; which of several strokes lies on
top is decided softly, by weights exp(hardness * rank), since a hard choice of the topmost is hardly learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from chance import Chance
from filters import Array, blur
from flow import Flow


@dataclass(frozen=True)
class Brush:
    """How one layer is painted.

    Attributes:
        cell: one stroke for every cell of this many pixels, 4, 8 or 16.
        length: half of a stroke's length in pixels.
        width: half of its width in pixels.
        turn: deviation of its angle from the flow in radians.
        jitter: deviation of its brightness, as a share.
        tint: deviation of its warmth and of its green, absolute.
        bend: curvature, 0 for straight.
        hardness: how firmly the stroke of highest rank covers the others.
        bristle: how deep the furrows along a stroke are, 0 to 1.
    """

    cell: int = 8
    length: float = 13.0
    width: float = 4.5
    turn: float = 0.2
    jitter: float = 0.06
    tint: float = 0.02
    bend: float = 0.012
    hardness: float = 3.0
    bristle: float = 0.5


@dataclass(frozen=True, eq=False)
class Painting:
    """Paint so far: colour float32 [H, W, 3] and its relief float32 [H, W], about 0 to 1."""

    colour: Array
    relief: Array

    @classmethod
    def ground(cls, colour: Array) -> Painting:
        """A primed canvas."""
        return cls(colour.astype(np.float32), np.zeros(colour.shape[:2], np.float32))


def _sampled(plane: Array, x: Array, y: Array) -> Array:
    return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def layer(
    under: Painting, image: Array, flow: Flow, chance: Chance, brush: Brush, where: Array | None = None
) -> Painting:
    """One stroke for every cell, in the colour that `image` has at its centre.

    Args:
        under: what shows between the strokes.
        image: [H, W, 3], where colours come from; blurred about as much as a stroke is wide.
        flow: directions of the strokes.
        chance: places, turns, colours, ranks.
        brush: size and manner.
        where: [H, W], 0 to 1: opacity of the strokes that start there; everywhere 1 if None.
    """
    high, wide = image.shape[:2]
    place_y, place_x, turned, bright, warm, rank = _draws(chance, brush.cell)
    rows, columns = rank.shape
    y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5 + 0.4 * np.tanh(place_y)) * brush.cell
    x = (np.arange(columns, dtype=np.float32)[None] + 0.5 + 0.4 * np.tanh(place_x)) * brush.cell
    angle = 0.5 * np.arctan2(_sampled(flow.sin2, x, y), _sampled(flow.cos2, x, y)) + brush.turn * turned
    colour = _sampled(image, x, y) * (1 + brush.jitter * bright)[..., None]
    colour = colour + brush.tint * np.stack([warm, -0.5 * bright, -warm], -1)
    opacity = np.ones_like(rank) if where is None else _sampled(where, x, y)
    weight = opacity * np.exp(brush.hardness * np.clip(rank, -2, 2))

    total = np.full((high, wide), np.exp(-2.5 * brush.hardness), np.float32)
    paint, relief = under.colour * total[..., None], under.relief * total
    cos, sin = np.cos(angle), np.sin(angle)
    reach_x = np.abs(brush.length * cos) + np.abs(brush.width * sin) + 2
    reach_y = np.abs(brush.length * sin) + np.abs(brush.width * cos) + 2
    for i in range(rows):
        for j in range(columns):
            if opacity[i, j] < 0.02:
                continue
            top, left = max(0, int(y[i, j] - reach_y[i, j])), max(0, int(x[i, j] - reach_x[i, j]))
            bottom, right = int(y[i, j] + reach_y[i, j]) + 1, int(x[i, j] + reach_x[i, j]) + 1
            v = np.arange(top, min(bottom, high), dtype=np.float32)[:, None] - y[i, j]
            u = np.arange(left, min(right, wide), dtype=np.float32)[None] - x[i, j]
            mask, ridge = _print(u, v, cos[i, j], sin[i, j], float(rank[i, j]), brush)
            w = mask * weight[i, j]
            part = np.s_[top : top + len(v), left : left + u.shape[1]]
            total[part] += w
            paint[part] += w[..., None] * colour[i, j]
            relief[part] += w * ridge
    return Painting(np.clip(paint / total[..., None], 0, 1), relief / total)


def _print(u: Array, v: Array, cos: float, sin: float, rank: float, brush: Brush) -> tuple[Array, Array]:
    """One stroke's coverage and relief, at offsets u (across) and v (down) from its centre."""
    along, across = u * cos + v * sin, v * cos - u * sin
    across = across + brush.bend * np.sign(rank) * along * along
    p, q = (along / brush.length) ** 2, (across / brush.width) ** 2
    inside = p * p + q
    mask = np.clip((1.15 - inside) * 4, 0, 1)
    furrows = 1 - brush.bristle * (0.5 - 0.5 * np.cos(across * (6.0 / brush.width) + 3 * rank))
    ridge = np.clip(1 - 0.6 * q, 0, 1) * furrows * (0.75 - 0.25 * along / brush.length)
    return mask, ridge


def _draws(chance: Chance, cell: int) -> tuple[Array, ...]:
    """Six standard normal maps for a layer; cells of 4 pixels have three, which are used twice, shifted."""
    if cell == 4:
        first = [chance.maps(k, 4) for k in range(3)]
        return *(np.roll(m, 3, (0, 1)) for m in first), first[0], first[1], first[2]
    offset = 6 if cell == 16 else 0
    return tuple(chance.maps((offset + k) % 12, cell) for k in range(6))


def lit(painting: Painting, amount: float = 0.22, sigma: float = 0.8) -> Array:
    """The painting [H, W, 3] under a lamp from the upper left."""
    relief = blur(painting.relief, sigma)
    gx, gy = cv2.Sobel(relief, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(relief, cv2.CV_32F, 0, 1) / 4
    light = np.clip(-(gx + gy) * 2.0, -1, 1)
    shine = np.clip(light - 0.25, 0, 1) * 0.5 * amount
    return np.clip(painting.colour * (1 + amount * light)[..., None] + shine[..., None], 0, 1).astype(np.float32)

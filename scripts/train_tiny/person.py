"""Who is drawn and how the head is held: the random part of a drawn person, and the pixel grid around the head.

Must not know how skin, hair or clothes are drawn.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from filters import Array, blur
from solid import turning

Image = npt.NDArray[np.uint8]

SIZE = 256
SCREEN = 320
SKIN = ((255, 222, 196), (244, 200, 168), (228, 178, 138), (204, 146, 104), (168, 112, 74), (126, 82, 54), (88, 58, 42))
HAIR = ((24, 20, 20), (52, 36, 28), (88, 58, 36), (138, 98, 58), (206, 168, 108), (150, 72, 40), (140, 140, 144))
IRIS = ((66, 42, 26), (92, 64, 36), (74, 112, 150), (86, 122, 86), (104, 106, 112), (38, 28, 22))


@dataclass(frozen=True)
class Spot:
    """A place that must stay readable: an eye or the mouth; pixels of the final picture."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, eq=False)
class Person:
    """What one head is drawn from."""

    rng: random.Random
    skin: Array
    hair: Array
    iris: Array
    age: float
    smile: float
    mouth_open: float
    eye_open: float
    gaze: float


class Screen:
    """The pixel grid around a turned and rolled head."""

    def __init__(self, rng: random.Random) -> None:
        self.face_px = rng.uniform(40, 96)
        self.yaw, self.pitch, self.roll = rng.gauss(0, 0.28), rng.gauss(0.0, 0.13), rng.gauss(0, 0.11)
        self.x0 = SCREEN / 2 + rng.gauss(0, 26)
        self.y0 = SCREEN * 0.45 + rng.gauss(0, 18)
        self.turn = turning(self.yaw, self.pitch)
        self.pixel = 1 / self.face_px
        rows, columns = np.mgrid[0:SCREEN, 0:SCREEN].astype(np.float32)
        du, dv = (columns - self.x0) * self.pixel, (rows - self.y0) * self.pixel
        c, s = math.cos(self.roll), math.sin(self.roll)
        self.u, self.v = du * c + dv * s, dv * c - du * s
        self.upright = (du, dv)

    def seen(self, x: float, y: float, radius: float, axes: tuple[float, float, float]) -> Spot:
        """Where a place of the face lies in the final picture."""
        inside = 1 - (x / axes[0]) ** 2 - (y / axes[1]) ** 2
        u, v, _ = self.turn @ np.array([x, y, axes[2] * math.sqrt(max(inside, 0.05))], np.float32)
        c, s = math.cos(self.roll), math.sin(self.roll)
        scale = SIZE / SCREEN
        x_px = scale * (self.x0 + float(u * c - v * s) / self.pixel)
        y_px = scale * (self.y0 + float(u * s + v * c) / self.pixel)
        return Spot(x_px, y_px, scale * radius / self.pixel)


def near(rgb: tuple[int, ...], rng: random.Random, spread: float = 0.04) -> Array:
    return np.clip([c / 255 + rng.uniform(-spread, spread) for c in rgb], 0, 1).astype(np.float32)


def any_colour(rng: random.Random) -> Array:
    """Clothes and walls: mostly muted, sometimes loud."""
    grey, chroma = rng.uniform(0.08, 0.92), rng.choice((0.08, 0.15, 0.15, 0.4))
    return np.clip([grey + rng.uniform(-chroma, chroma) for _ in range(3)], 0, 1).astype(np.float32)


def noise(rng: random.Random, sigma: float) -> Array:
    made = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((SCREEN, SCREEN), np.float32)
    made = blur(made, sigma)
    return made / made.std()


def somebody(rng: random.Random) -> Person:
    age = rng.random()
    hair = near(rng.choice(HAIR), rng) if rng.random() > 0.06 else any_colour(rng)
    if age > 0.65 and rng.random() < 0.6:
        hair = near((200, 200, 202), rng) * rng.uniform(0.6, 1.0)
    smile = rng.uniform(-0.25, 1.0)
    opened = rng.uniform(0.2, 1.0) if rng.random() < 0.45 else 0.0
    skin = near(rng.choice(SKIN), rng, 0.03)
    iris = near(rng.choice(IRIS), rng)
    return Person(rng, skin, hair, iris, age, smile, opened, rng.uniform(0.65, 1.25), rng.gauss(0, 0.03))

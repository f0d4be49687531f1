"""Names and colours that the procedural pictures share."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

SIZE = 256


def random_colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    """Any colour with components from `low` to `high`."""
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def colour_near(rng: random.Random, colour: Colour, spread: int) -> Colour:
    """A colour not far from this one."""
    red, green, blue = (int(np.clip(c + rng.randint(-spread, spread), 0, 255)) for c in colour)
    return (red, green, blue)

"""The pictures whose masks by the original run time are kept in `tests/data/matte`: simple enough to be the same on all
machines. Must import numpy only: scripts/port_matte/golden.py runs it beside MediaPipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parent / "data" / "matte" / "golden.npy"
"""float16 [4, 32, 32]: each picture's mask at every eighth pixel of every eighth line."""
SIDE, STRIDE = 256, 8
Array = np.ndarray[Any, np.dtype[Any]]


def pictures() -> Array:
    """Somebody, two people, nobody before stripes, noise: uint8 [4, 256, 256, 3], RGB."""
    y, x = np.mgrid[:SIDE, :SIDE]
    wall = np.stack([90 + x // 4, 110 + y // 8, 140 - x // 8], -1)
    stripes = np.stack([(x + y) % 64 * 3, (x // 16 % 2) * 180, y], -1)
    noise = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (SIDE, SIDE, 3))
    one = _with_person(wall, 128, 100, 52)
    two = _with_person(_with_person(wall, 75, 110, 34), 185, 130, 38)
    return np.stack([one, two, stripes, noise]).astype(np.uint8)


def _with_person(picture: Array, x: int, y: int, radius: int) -> Array:
    """A head with hair, eyes and mouth on shoulders, all ellipses."""

    def inside(dx: float, dy: float, across: float, down: float) -> Array:
        at_y, at_x = np.mgrid[:SIDE, :SIDE]
        across, down = across * radius, down * radius
        return (((at_x - x - dx * radius) / across) ** 2 + ((at_y - y - dy * radius) / down) ** 2 < 1)[..., None]

    shade = 1.1 - 0.4 * np.abs(np.mgrid[:SIDE, :SIDE][1][..., None] - x) / radius
    parts = [
        (inside(0, 2.6, 1.9, 1.3), [52, 68, 120]), (inside(0, 1.1, 0.45, 0.7), [190, 140, 118]),
        (inside(0, -0.2, 1.0, 1.25), [48, 34, 28]), (inside(0, 0.1, 0.85, 1.1), [214, 164, 140]),
        (inside(-0.35, -0.1, 0.14, 0.08), [40, 30, 30]), (inside(0.35, -0.1, 0.14, 0.08), [40, 30, 30]),
        (inside(0, 0.65, 0.3, 0.09), [150, 70, 70]),
    ]  # fmt: skip
    for where, colour in parts:
        picture = np.where(where, (np.array(colour) * shade).clip(0, 255), picture)
    return picture

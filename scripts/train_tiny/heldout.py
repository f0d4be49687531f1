"""The pictures no training ever sees: six photographs of two Python packages and ten canvas sketches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import procedural
import skimage.data
import sklearn.datasets

Image = npt.NDArray[np.uint8]


def square(
    picture: Image, size: int = 256, top: int | None = None, left: int | None = None, side: int | None = None
) -> Image:
    """A square part (centred, as large as can be, unless told), resized."""
    high, wide = picture.shape[:2]
    side = side or min(high, wide)
    top = (high - side) // 2 if top is None else top
    left = (wide - side) // 2 if left is None else left
    part = np.ascontiguousarray(picture[top : top + side, left : left + side, :3])
    return np.asarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def photographs() -> dict[str, Image]:
    """The six photographs, one square each."""
    china, flower = sklearn.datasets.load_sample_images().images
    return {
        "astronaut": square(skimage.data.astronaut(), top=0, left=30, side=400),
        "chelsea": square(skimage.data.chelsea()),
        "coffee": square(skimage.data.coffee()),
        "rocket": square(skimage.data.rocket()),
        "china": square(china),
        "flower": square(flower),
    }


def sketches() -> dict[str, Image]:
    """The ten canvas sketches."""
    return {f"sketch {seed}": procedural.sketch(seed) for seed in range(procedural.HELD_OUT_SKETCHES)}


def crops() -> dict[str, Image]:
    """Six crops of every photograph, for figures that need more than six pictures."""
    china, flower = sklearn.datasets.load_sample_images().images
    whole = {"astronaut": skimage.data.astronaut(), "chelsea": skimage.data.chelsea(), "coffee": skimage.data.coffee()}
    whole |= {"rocket": skimage.data.rocket(), "china": china, "flower": flower}
    found: dict[str, Image] = {}
    for name, picture in whole.items():
        side = min(picture.shape[:2])
        rng = np.random.default_rng(len(found))
        for index in range(6):
            part = side if index == 0 else int(side * rng.uniform(0.6, 0.95))
            top, left = (
                int(rng.integers(0, picture.shape[0] - part + 1)),
                int(rng.integers(0, picture.shape[1] - part + 1)),
            )
            found[f"{name} {index}"] = square(picture, 256, top, left, part)
    return found

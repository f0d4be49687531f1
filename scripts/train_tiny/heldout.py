"""The pictures no training ever sees: six photographs of two Python packages and ten canvas sketches.

Must not know models or styles. The packages' files are read by path, so that nothing of theirs needs to be importable.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import procedural

Image = npt.NDArray[np.uint8]

#: name -> (package, file below it, top, left, side); the centred largest square where no numbers stand.
PHOTOGRAPHS: dict[str, tuple[str, str, tuple[int, int, int] | None]] = {
    "astronaut": ("skimage", "data/astronaut.png", (0, 30, 400)),
    "chelsea": ("skimage", "data/chelsea.png", None),
    "coffee": ("skimage", "data/coffee.png", None),
    "rocket": ("skimage", "data/rocket.jpg", None),
    "china": ("sklearn", "datasets/images/china.jpg", None),
    "flower": ("sklearn", "datasets/images/flower.jpg", None),
}


@cache
def whole(name: str) -> Image:
    """One photograph as its package ships it, RGB."""
    package, file, _ = PHOTOGRAPHS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the held-out picture {name} comes with the package {package}, which is not installed")
    picture = cv2.imread(str(Path(spec.origin).parent / file), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{package} has no {file}")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def square(picture: Image, size: int, box: tuple[int, int, int] | None = None) -> Image:
    """A square part (top, left, side; centred and as large as can be if None), resized to `size` pixels."""
    high, wide = picture.shape[:2]
    side = min(high, wide)
    top, left, side = box or ((high - side) // 2, (wide - side) // 2, side)
    part = np.ascontiguousarray(picture[top : top + side, left : left + side])
    way = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=way), np.uint8)


def photographs(size: int = 256) -> dict[str, Image]:
    """The six photographs, one square each."""
    return {name: square(whole(name), size, box) for name, (_, _, box) in PHOTOGRAPHS.items()}


def face(size: int = 256) -> Image:
    """The astronaut's head and shoulders: what a webcam sees."""
    return square(whole("astronaut"), size, (0, 110, 240))


def sketches() -> dict[str, Image]:
    """The ten canvas sketches."""
    return {f"sketch {seed}": procedural.sketch(seed) for seed in range(procedural.HELD_OUT_SKETCHES)}


def crops(each: int = 6) -> dict[str, Image]:
    """Several crops of every photograph, for figures that need more than six pictures."""
    found: dict[str, Image] = {}
    for number, name in enumerate(PHOTOGRAPHS):
        picture = whole(name)
        most, rng = min(picture.shape[:2]), np.random.default_rng(number)
        for index in range(each):
            side = most if index == 0 else int(most * rng.uniform(0.6, 0.95))
            top, left = (int(rng.integers(0, picture.shape[axis] - side + 1)) for axis in (0, 1))
            found[f"{name} {index}"] = square(picture, 256, (top, left, side))
    return found

"""The photographs that clips are made of: one of this repository, five that two Python packages bring.

Must not know clips or models. The packages' files are read by path, so that nothing of theirs needs to be importable.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from realtime.bench.errors import BenchError
from realtime.pixels import Pixels

ROOT = Path(__file__).parent.parent.parent
IN_PACKAGES = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
"""Package, and file below it. None of them was in a training of the embedded model."""
NAMES = ("astronaut", *IN_PACKAGES)
DISTRIBUTIONS = "pip install scikit-image scikit-learn"


def photograph(name: str, side_px: int) -> Pixels:
    """The largest square in the middle of a photograph, resized: uint8 [side_px, side_px, 3], RGB.

    Raises:
        BenchError: there is none of that name, or the package that brings it is not installed.
    """
    if name not in NAMES:
        raise BenchError(f"there is no photograph {name!r}; there are {', '.join(NAMES)}")
    picture = cv2.imread(str(_file(name)), cv2.IMREAD_COLOR)
    if picture is None:
        raise BenchError(f"the photograph {name!r} can't be read from {_file(name).name}: {DISTRIBUTIONS}")
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side >= side_px else cv2.INTER_CUBIC
    resized = cv2.resize(square, (side_px, side_px), interpolation=way)
    return np.ascontiguousarray(cast(Pixels, resized)[..., ::-1])


def _file(name: str) -> Path:
    if name not in IN_PACKAGES:
        return ROOT / "tests" / "data" / "frames" / f"{name}.jpg"
    package, file = IN_PACKAGES[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BenchError(f"the photograph {name!r} comes with a package that is not installed: {DISTRIBUTIONS}")
    return Path(spec.origin).parent / file

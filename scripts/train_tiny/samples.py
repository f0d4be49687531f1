"""Paints the pictures that ship with the model: photographs of clean licences, in manners that have no name.

    python scripts/train_tiny samples

Must not know the model. Public-domain paintings would be better: none was found in packages (README.md). Output: WebP
files below `samples/`, in the order of `SAMPLES`.
"""

from __future__ import annotations

import argparse

import cv2
import family
import numpy as np
import numpy.typing as npt
from chance import Chance
from heldout import square
from paths import WORK
from pictures import POOL

Image = npt.NDArray[np.uint8]

FOLDER = WORK / "samples"
SIDE, QUALITY = 256, 82
WINDMILL, DANDELIONS, MOOSE, IGLOO = "0020", "0055", "0046", "0041"
#: name -> the seed of its manner, and the picture of the pool that is painted in it; chosen by eye of sixty.
SAMPLES: dict[str, tuple[int, str]] = {
    "slate": (9000, WINDMILL),
    "violet meadow": (9001, DANDELIONS),
    "blue and straw": (9002, MOOSE),
    "lilac dusk": (9012, WINDMILL),
    "teal and rose": (9015, IGLOO),
    "turquoise": (9024, WINDMILL),
    "blue outlines": (9027, IGLOO),
    "deep teal": (9031, DANDELIONS),
    "ember": (9036, WINDMILL),
    "amber field": (9049, DANDELIONS),
    "crimson print": (9050, MOOSE),
    "lilac lines": (9054, WINDMILL),
}


def file_of(name: str) -> str:
    """The name of a sample's file."""
    return f"{name.replace(' ', '-')}.webp"


def sample(seed: int, picture: Image, palettes: list[Image]) -> Image:
    """A square of a picture, painted in the manner of a seed."""
    return family.paint(square(picture, SIDE), Chance.of(seed, SIDE, SIDE), family.manner(seed, palettes))


def main(options: list[str]) -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="samples", description=__doc__).parse_args(options)
    FOLDER.mkdir(parents=True, exist_ok=True)
    real = POOL / "real"
    palettes = [np.load(path)[..., :3] for path in sorted(real.glob("*.npy"))[::9]]
    for name, (seed, source) in SAMPLES.items():
        made = sample(seed, np.load(real / f"{source}.npy")[..., :3], palettes)
        cv2.imwrite(str(FOLDER / file_of(name)), made[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{FOLDER}: {len(SAMPLES)} pictures, {total / 1000:.0f} KB")

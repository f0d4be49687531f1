"""A piece of the restyled video in a file of its own, which is there when it is whole, and not before.

Must not know engines, or how pieces are put together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from ..errors import RunError
from ..pixels import Pixels

CODEC = "libx264"
OPTIONS = {
    "preset": "medium",
    "crf": "18",  # close to what came out of the model, at any size and rate
    "bf": "0",  # pictures leave in their order: timestamps stay as they are, and pieces fit together
    "colorspace": "bt709",
    "color_primaries": "bt709",
    "color_trc": "bt709",
    "color_range": "tv",
}


class SegmentWriter:
    """Writes one piece, as H.264 in MP4 that begins at 0.

    Args:
        file: where it is to be; until it is closed, it is written beside that.
        width, height: of all pictures, even.
        rate: frames a second, about.
        time_base: seconds a tick.
    """

    def __init__(self, file: Path, width: int, height: int, rate: Fraction, time_base: Fraction) -> None:
        self._file, self._unfinished = file, file.with_name(f"{file.name}.unfinished")
        self._time_base = time_base
        self._durations: dict[int, int] = {}
        self._container = av.open(str(self._unfinished), "w", format="mp4")
        stream = cast(Any, self._container.add_stream(CODEC, rate=rate))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = time_base
        stream.codec_context.options = OPTIONS
        self._stream = stream
        self.begin: int | None = None
        self.frames = 0

    def write(self, picture: Pixels, pts: int, duration: int) -> None:
        """Add a picture, uint8 [height, width, 3], RGB; times are in ticks of the whole video."""
        self.begin = pts if self.begin is None else self.begin
        frame = av.VideoFrame.from_ndarray(cast(Any, picture), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = pts - self.begin, self._time_base
        self._durations[frame.pts] = duration
        self._mux(frame)
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder still has; the file is whole then, and on the disk."""
        self._mux(None)
        self._container.close()
        with self._unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        self._unfinished.replace(self._file)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError, FFmpegError):  # it may be what could not be written
            self._container.close()
        self._unfinished.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.pop(packet.pts)
            self._container.mux(packet)


@contextmanager
def writing(place: Path) -> Generator[None]:
    """What can't be written in the block is a RunError that names the place."""
    try:
        yield
    except (OSError, FFmpegError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RunError(f"{place}: it can't be written: {why}; the work so far is kept for when it can be") from None

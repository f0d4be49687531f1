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

from ..errors import RunError
from ..outputs.h264 import SOFTWARE, frame_of, hwaccel_of, prepare
from ..pixels import Pixels


class SegmentWriter:
    """Writes one piece, as H.264 in MP4 that begins at 0.

    Args:
        file: where it is to be; until it is closed, it is written beside that.
        width, height: of all pictures, even.
        rate: frames a second, about.
        time_base: seconds a tick.
        encoder: FFmpeg's name of the H.264 encoder.
    """

    def __init__(
        self, file: Path, width: int, height: int, rate: Fraction, time_base: Fraction, encoder: str = SOFTWARE
    ) -> None:
        self._file, self._unfinished = file, file.with_name(f"{file.name}.unfinished")
        self._time_base = time_base
        self._durations: dict[int, int] = {}
        self._container = av.open(str(self._unfinished), "w", format="mp4")
        stream = cast(Any, self._container.add_stream(encoder, rate=rate, hwaccel=hwaccel_of(encoder)))
        prepare(stream.codec_context, encoder, width, height, live=False)
        stream.codec_context.time_base = stream.time_base = time_base
        self._stream = stream
        self.begin: int | None = None
        self.frames = 0

    def write(self, picture: Pixels, pts: int, duration: int) -> None:
        """Add a picture, uint8 [height, width, 3], RGB; times are in ticks of the whole video."""
        self.begin = pts if self.begin is None else self.begin
        at = pts - self.begin
        self._durations[at] = duration
        self._mux(frame_of(picture, at, self._time_base))
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

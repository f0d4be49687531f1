"""The recording that is restyled: what is known of it before, and all of its frames as fast as they are wanted.

Must not know what is made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.error import FFmpegError

from ..errors import SourceError
from ..media.decoding import VideoDecoding
from ..media.opening import Opening, opening_of
from ..media.source_errors import explained
from ..planes import Planes
from .pace import RisingTimes

HEAD_BYTES = 2**20
"""Of a file, that tell it from another one beside its size and its time."""
FPS_MIN, FPS_MAX, DEFAULT_FPS = 1, 240, Fraction(25)


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame of a recording.

    Attributes:
        pts, duration: in ticks of the recording's `time_base`; `pts` rises from each to the next.
    """

    number: int
    planes: Planes
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of video.

    Attributes:
        opening: of the file.
        width, height: of its pictures as they are shown, in square pixels.
        time_base: seconds a tick of its video's timestamps.
        rate: frames a second, as far as that is one number.
        frames: about how many there are; None where the file doesn't say.
        begin_s: when the first of all its streams begins.
    """

    opening: Opening
    width: float
    height: float
    time_base: Fraction
    rate: Fraction
    frames: int | None
    begin_s: Fraction

    @classmethod
    def look(cls, source: str) -> Recording:
        """Open a recording, decode its first frame, and close it.

        Raises:
            ConfigError: there is no such file, or it is none.
            SourceError: it holds nothing that can be shown.
        """
        opening = opening_of(source, named="INPUT")
        with opened(opening, source) as container:
            video = VideoDecoding(container, opening, None)
            if video.is_still:
                raise SourceError("it is a picture and no video; the page of realtime serve restyles pictures")
            frame = next(video.frames(), None)
            if frame is None:
                raise SourceError("it has no frames; give a file or stream that does", is_final=True)
            planes = video.planes_of(frame)
            rate = video.stream.guessed_rate or video.stream.average_rate
            rate = rate if rate and FPS_MIN <= rate <= FPS_MAX else DEFAULT_FPS
            time_base = video.stream.time_base or 1 / DEFAULT_FPS
            begin_us = cast("int | None", container.start_time)
            first_s = (frame.pts or 0) * (frame.time_base or time_base)
            begin_s = first_s if begin_us is None else Fraction(begin_us, 1_000_000)
            duration_s = (container.duration or 0) / 1_000_000
            frames = video.stream.frames or round(duration_s * rate) or None
        return cls(opening, *shown_size(planes), time_base, rate, frames, begin_s)

    def shots(self, first: int = 0) -> Generator[Shot]:
        """All frames from the one of this number on. Those before it are decoded too, and passed over.

        Raises:
            SourceError: the file can't be read any further.
        """
        with opened(self.opening) as container:
            video = VideoDecoding(container, self.opening, None)
            video.decoder.thread_type = "AUTO"
            times = RisingTimes(round(1 / (self.rate * self.time_base)))
            for number, frame in enumerate(video.frames()):
                ticks = (frame.time_base or self.time_base) / self.time_base
                pts = None if frame.pts is None else round(frame.pts * ticks)
                pts, duration = times.place(pts, round((frame.duration or 0) * ticks))
                if number >= first:
                    yield Shot(number, video.planes_of(frame), pts, duration)

    def identity(self) -> dict[str, Any]:
        """What tells the file from another, or from itself before a change, as JSON values."""
        file = Path(self.opening.file)
        facts = file.stat()
        with file.open("rb") as opened_file:
            head = hashlib.sha256(opened_file.read(HEAD_BYTES)).hexdigest()
        return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "head_sha256": head}


@contextmanager
def opened(opening: Opening, name: str | None = None) -> Generator[InputContainer]:
    """The file, opened; what goes wrong while it is read is a SourceError that names it."""
    with (
        explaining(opening, name),
        av.open(opening.file, format=opening.format, options=dict(opening.options)) as container,
    ):
        yield container


@contextmanager
def explaining(opening: Opening, name: str | None = None) -> Generator[None]:
    """What goes wrong in the block, where the file is read, is a SourceError that names it."""
    try:
        yield
    except (FFmpegError, SourceError) as error:
        raise SourceError(f"{name or opening.file}: {explained(error, opening)}", is_final=True) from None


def shown_size(planes: Planes) -> tuple[float, float]:
    """Width and height of a picture as it is shown, in square pixels."""
    rows, columns = planes.y.shape
    width, height = columns * planes.pixel_aspect, float(rows)
    return (height, width) if planes.orientation.is_transposed else (width, height)

"""Video that is read: the frames of a camera, a file or a URL, at the pace that they were made for.

Knows PyAV; must not know sessions or who wants the frames. Reading blocks: it is for a thread of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, cast
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import SourceError
from ..planes import UPRIGHT, Orientation, Planes
from .exif import orientation_of
from .opening import Opening, SourceKind
from .timeline import Timeline
from .video import captured_us_of, foreign_colours_of, planes_of

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 5.0
LIVE_FPS_MAX = 120.0
"""Frames a second that are read of what sets its own pace: what comes faster is a file in disguise, or a fault."""
HELD_EVERY_S = 0.5
"""How often a still is offered again, without decoding it: new params are to show. An unchanged frame costs nothing."""
DEFAULT_PERIOD_S = 1 / 25
BEHIND_S = 0.2
"""A recording that is decoded later than this leaves out frames that no other one needs, until it has caught up."""
DAMAGED_MAX = 100
"""Packets in a row without a picture, before a source counts as broken. A stream that is joined has some."""
THREADS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Of a decoder: the engine and its users have the other half of the machine."""
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these pass over the opacity that WebM may have beside the picture."""

OnFrame = Callable[[Planes, int], None]


def read(opening: Opening, on_frame: OnFrame, stopping: threading.Event, max_pixels: int) -> int:
    """Decode until the source ends, in this thread; what is no live source is played at its own pace.

    A file of one picture, as a still or the cover of a song, has no end: it is offered again every `HELD_EVERY_S`.

    Args:
        on_frame: told each frame, with its timestamp in microseconds.
        stopping: ends the reading once it is set.
        max_pixels: the largest picture that is decoded; larger ones are refused before that.

    Returns:
        How many frames there were.

    Raises:
        FFmpegError: it can't be opened or read.
        SourceError: it was opened, and holds nothing that can be shown.
    """
    options = {**dict(opening.options), "max_pixels": str(_decoder_pixels(max_pixels))}
    timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    with av.open(opening.file, format=opening.format, options=options, timeout=timeout) as container:
        return _Reading(container, opening, on_frame, stopping, max_pixels).run()


class _Reading:
    """One opened source while it is read. Owned by the reading thread."""

    def __init__(
        self,
        container: InputContainer,
        opening: Opening,
        on_frame: OnFrame,
        stopping: threading.Event,
        max_pixels: int,
    ) -> None:
        self._container, self._opening = container, opening
        self._on_frame, self._stopping, self._max_pixels = on_frame, stopping, max_pixels
        self._video = _stream_of(container)
        self._decoder = _decoder_of(self._video)
        self._check_size(self._decoder.width, self._decoder.height)
        self._sets_its_pace = _sets_its_pace(opening, container)
        # Decoding a frame in slices adds no delay; several frames at once would.
        self._decoder.thread_type = cast(Any, "SLICE" if self._sets_its_pace else "AUTO")
        self._decoder.thread_count = THREADS
        self._decoder.options = {**self._decoder.options, "max_pixels": str(_decoder_pixels(max_pixels))}
        rate = self._video.guessed_rate or self._video.average_rate
        self._timeline = Timeline(float(1 / rate) if rate and 1 <= rate <= 240 else DEFAULT_PERIOD_S)
        self._pixel_aspect = _pixel_aspect(self._video.sample_aspect_ratio)
        self._orientation: Orientation | None = None
        self._is_still = container.format.name.endswith("_pipe") or _has(self._video, Disposition.attached_pic)
        self._shown: tuple[Planes, int] | None = None

    def run(self) -> int:
        """See `read`."""
        frames = 0
        for frame in self._frames():
            self._wait(frame)
            if self._stopping.is_set():
                return frames
            self._show(frame)
            frames += 1
        if frames == 1 and not self._opening.is_live:
            self._hold(float("inf"))
        elif not self._sets_its_pace:
            self._hold(self._timeline.rest_s(time.monotonic()))
        return frames

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Decode; packets that are damaged are passed over, as players do."""
        damaged, has_shown = 0, False
        for packet in self._container.demux(self._video):
            if self._is_still and packet.size:
                found = orientation_of(bytes(packet))
                self._orientation = None if found == UPRIGHT else found
            try:
                frames = self._decoder.decode(packet)
            except InvalidDataError:
                if packet.has_sidedata("encryption_info"):
                    raise SourceError("it is encrypted; give one without copy protection", is_final=True) from None
                damaged += 1
                if damaged >= DAMAGED_MAX:
                    break
                continue
            if frames:
                damaged, has_shown = 0, True
            yield from frames
        if damaged and not (has_shown and self._opening.kind is SourceKind.FILE):
            raise self._undecodable()

    def _undecodable(self) -> SourceError:
        name = self._decoder.name
        why = "it is damaged, or cut off" if name != "webp" else "is it animated? Convert it to MP4 or GIF"
        is_final = self._opening.kind is SourceKind.FILE
        return SourceError(f"its {name} pictures can't be decoded: {why}", is_final=is_final)

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise SourceError(
                f"its pictures have {width} x {height} pixels; this server takes {self._max_pixels} in all: "
                f"start it with --max-pixels {width * height}, or make them smaller",
                is_final=True,
            )

    def _wait(self, frame: av.VideoFrame) -> None:
        """Wait until a frame is due; of what sets its own pace that is now, but for `LIVE_FPS_MAX`."""
        now_s = time.monotonic()
        time_s = frame.time if frame.pts is not None else None
        if self._sets_its_pace:
            time_s, lasts_s = None, 1 / LIVE_FPS_MAX
        else:
            lasts_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else None
        self._hold(self._timeline.wait_s(time_s, lasts_s, now_s))
        is_behind = not self._sets_its_pace and self._timeline.behind_s > BEHIND_S
        self._decoder.skip_frame = "NONREF" if is_behind else "DEFAULT"

    def _hold(self, seconds: float) -> None:
        """Wait, at most until `stopping`; offer what is shown again every `HELD_EVERY_S`."""
        end_s = time.monotonic() + seconds
        while (rest_s := end_s - time.monotonic()) > HELD_EVERY_S:
            if self._stopping.wait(HELD_EVERY_S):
                return
            if self._shown is not None:
                self._on_frame(*self._shown)
        if rest_s > 0:
            self._stopping.wait(rest_s)

    def _show(self, frame: av.VideoFrame) -> None:
        self._check_size(frame.width, frame.height)  # it may change on the way
        if colours := foreign_colours_of(frame):
            raise SourceError(
                f"its colours are {colours}, which this server doesn't show; convert it to BT.709 first", is_final=True
            )
        planes = planes_of(frame, untagged=None, pixel_aspect=self._pixel_aspect, orientation=self._orientation)
        self._shown = planes, captured_us_of(frame)
        self._on_frame(*self._shown)


def _stream_of(container: InputContainer) -> VideoStream:
    """The stream to show: a video rather than a cover, the first of several."""
    streams = container.streams.video
    if not streams:
        raise SourceError("it holds no video; give a file or stream that does", is_final=True)
    whole = [s for s in streams if not _has(s, Disposition.dependent)]
    if not whole:
        raise SourceError("it is a picture in tiles (HEIC); convert it to JPEG or PNG", is_final=True)
    moving = [s for s in whole if not _has(s, Disposition.attached_pic | Disposition.timed_thumbnails)]
    video = (moving or whole)[0]
    if cast(Any, video.codec_context) is None:
        raise SourceError(
            "its video is of a codec that this FFmpeg doesn't decode; convert it to H.264, for example", is_final=True
        )
    return video


def _has(stream: VideoStream, dispositions: Disposition) -> bool:
    return bool(stream.disposition & dispositions)


def _decoder_of(video: VideoStream) -> av.VideoCodecContext:
    """The stream's decoder, or one that reads its opacity where it has some."""
    own = video.codec_context
    name = ALPHA_DECODERS.get(own.name)
    if name is None or video.metadata.get("alpha_mode") != "1":
        return own
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
    decoder.width, decoder.height, decoder.extradata = own.width, own.height, own.extradata
    return decoder


def _sets_its_pace(opening: Opening, container: InputContainer) -> bool:
    """Whether frames come when they are made: a camera's do. A file's, and a download's, come as fast as can be."""
    if opening.kind is not SourceKind.URL:
        return opening.kind is not SourceKind.FILE
    is_download = urlsplit(opening.file).scheme in ("http", "https") and container.size > 0
    return not (container.duration or is_download or container.format.name in ("hls", "dash"))


def _pixel_aspect(ratio: Fraction | None) -> float:
    return float(ratio) if ratio and ratio > 0 else 1.0


def _decoder_pixels(max_pixels: int) -> int:
    """The decoder's own limit, which it checks whenever a stream changes its size: with room for whole blocks."""
    return 2 * max_pixels + 64 * 64

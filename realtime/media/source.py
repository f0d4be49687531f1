"""Video that is read: the frames of a camera, a file or a URL, at the pace that they were made for.

Knows PyAV; must not know sessions or who wants the frames. Reading blocks: it is for a thread of its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import InvalidDataError

from ..planes import Planes
from .decoding import VideoDecoding, decoder_pixels
from .opening import Opening, SourceKind
from .timeline import Timeline
from .video import captured_us_of

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 5.0
LIVE_FPS_MAX = 120.0
"""Frames a second that are read of what sets its own pace: what comes faster is a file in disguise, or a fault."""
HELD_EVERY_S = 0.5
"""How often a still is offered again, without decoding it: new params are to show. An unchanged frame costs nothing."""
BEHIND_S = 0.2
"""A recording that is decoded later than this leaves out frames that no other one needs, until it has caught up."""

OnFrame = Callable[[Planes, int], None]


class Listening(Protocol):
    """Takes the sound of a source, in the reading thread."""

    def opened(self, has_sound: bool) -> None:
        """Told once, before anything is read."""
        ...

    def heard(self, frame: av.AudioFrame) -> None:
        """Told each frame of the first track, when its neighbours among the pictures are due."""
        ...


def read(
    opening: Opening,
    on_frame: OnFrame,
    stopping: threading.Event,
    max_pixels: int,
    listening: Listening | None = None,
) -> int:
    """Decode until the source ends, in this thread; what is no live source is played at its own pace.

    A file of one picture, as a still or the cover of a song, has no end: it is offered again every `HELD_EVERY_S`.

    Args:
        on_frame: told each frame, with its timestamp in microseconds.
        stopping: ends the reading once it is set.
        max_pixels: the largest picture that is decoded; larger ones are refused before that.
        listening: takes its sound; None leaves that alone.

    Returns:
        How many frames there were.

    Raises:
        FFmpegError: it can't be opened or read.
        SourceError: it was opened, and holds nothing that can be shown.
    """
    options = {**dict(opening.options), "max_pixels": str(decoder_pixels(max_pixels))}
    timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    with av.open(opening.file, format=opening.format, options=options, timeout=timeout) as container:
        return _Reading(container, opening, on_frame, stopping, max_pixels, listening).run()


class _Reading:
    """One opened source while it is read. Owned by the reading thread."""

    def __init__(
        self,
        container: InputContainer,
        opening: Opening,
        on_frame: OnFrame,
        stopping: threading.Event,
        max_pixels: int,
        listening: Listening | None,
    ) -> None:
        self._opening, self._on_frame, self._stopping = opening, on_frame, stopping
        self._listening = listening
        self._sound = container.streams.audio[:1] if listening is not None else ()
        if listening is not None:
            listening.opened(bool(self._sound))
        self._video = VideoDecoding(container, opening, max_pixels)
        self._sets_its_pace = _sets_its_pace(opening, container)
        # Decoding a frame in slices adds no delay; several frames at once would.
        self._video.decoder.thread_type = cast(Any, "SLICE" if self._sets_its_pace else "AUTO")
        self._timeline = Timeline(self._video.period_s)
        self._shown: tuple[Planes, int] | None = None

    def run(self) -> int:
        """See `read`."""
        frames = 0
        for frame in self._video.frames(self._sound, self._hear):
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

    def _hear(self, packet: Any) -> None:
        if self._listening is not None and not self._stopping.is_set():
            with contextlib.suppress(InvalidDataError):  # passed over, as players do
                for frame in packet.decode():
                    self._listening.heard(frame)

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
        self._video.decoder.skip_frame = "NONREF" if is_behind else "DEFAULT"

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
        self._shown = self._video.planes_of(frame), captured_us_of(frame)
        self._on_frame(*self._shown)


def _sets_its_pace(opening: Opening, container: InputContainer) -> bool:
    """Whether frames come when they are made: a camera's do. A file's, and a download's, come as fast as can be."""
    if opening.kind is not SourceKind.URL:
        return opening.kind is not SourceKind.FILE
    is_download = urlsplit(opening.file).scheme in ("http", "https") and container.size > 0
    return not (container.duration or is_download or container.format.name in ("hls", "dash"))

"""The newest frame of a camera, a stream or a recording that is played: read in a thread, and read again when it broke.

Must not know what is made of frames.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import av
import numpy as np

from ..errors import SourceError
from ..media.opening import Opening
from ..media.source import Listening, read
from ..media.source_errors import explained
from ..planes import Planes
from .recording import Shot, shown_size
from .source_clock import SourceClock

SOUND_RATE = 48000
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 15.0
LOOK_EVERY_S = 0.1
"""How often who waits looks whether it is to stop: signals come to the thread that waits."""
MAX_PIXELS = 2**26
SOUND_OFF_S = 10.0
"""Sound whose time is further from now is left out: MPEG-TS begins below zero, which is 26 hours there."""
MICROSECONDS = 1e-6


class Read(Protocol):
    """`media.source.read`."""

    def __call__(
        self,
        opening: Opening,
        on_frame: Callable[[Planes, int], None],
        stopping: threading.Event,
        max_pixels: int,
        listening: Listening | None = None,
    ) -> int:
        """Read until the end."""
        ...


class LiveSource:
    """One source.

    Args:
        opening: of it; a file is played once, at its own pace.
        on_sound: told samples, float32 [2, n] at 48 kHz, and when they were made, of `time.monotonic`; by the reading
            thread.
        on_problem: told why it can't be read at the moment, and that it is tried again.
        reads: see `media.source.read`.

    Attributes:
        dropped: frames that a newer one replaced.
        has_sound: whether there is sound; None before it was opened.
        size: width and height as its pictures are shown, in square pixels; None before there was one.
    """

    def __init__(
        self,
        opening: Opening,
        on_sound: Callable[[Any, float], None],
        on_problem: Callable[[str], None] = lambda problem: None,
        reads: Read = read,
    ) -> None:
        self._opening, self._on_sound, self._on_problem, self._read = opening, on_sound, on_problem, reads
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._newest: tuple[Planes, float] | None = None
        self._ended = False
        self._error: SourceError | None = None
        self._taken = 0
        self._begun_s = time.monotonic()
        self._clock = SourceClock()
        self._resampler: tuple[Any, av.AudioResampler] | None = None
        self.dropped = 0
        self.frames = 0
        self.has_sound: bool | None = None
        self.size: tuple[float, float] | None = None
        threading.Thread(target=self._work, name="live-source", daemon=True).start()

    def take(self, is_waiting: bool, is_stopping: Callable[[], bool]) -> Shot | None:
        """The newest frame that was not taken yet; its `pts` is when it was made, in µs since this began.

        Args:
            is_waiting: wait for one; None is the end then.
            is_stopping: ends waiting.

        Raises:
            SourceError: it can't be read, and no further try can.
        """
        with self._changed:
            while is_waiting and self._newest is None and not self._ended and not is_stopping():
                self._changed.wait(LOOK_EVERY_S)
            newest, self._newest = self._newest, None
        if newest is None:
            if self._error is not None and is_waiting:
                raise self._error
            return None
        planes, made_s = newest
        number, self._taken = self._taken, self._taken + 1
        return Shot(number, planes, max(0, round((made_s - self._begun_s) / MICROSECONDS)), 0)

    def made_s(self, shot: Shot) -> float:
        """When a shot was made, of `time.monotonic`."""
        return self._begun_s + shot.pts * MICROSECONDS

    def wait_for_first(self, is_stopping: Callable[[], bool]) -> bool:
        """Wait until there is a frame, which stays to be taken; False where there will be none.

        Raises:
            SourceError: see `take`.
        """
        with self._changed:
            while self._newest is None and not self._ended and not is_stopping():
                self._changed.wait(LOOK_EVERY_S)
        if self._error is not None:
            raise self._error
        return self._newest is not None

    def close(self) -> None:
        """Read no more."""
        self._stopping.set()

    def opened(self, has_sound: bool) -> None:
        """See `Listening`."""
        if self.has_sound is None:
            self.has_sound = has_sound
        self._clock.restart()

    def heard(self, frame: av.AudioFrame) -> None:
        """See `Listening`."""
        made_s = None if frame.time is None else self._clock.heard_s(frame.time)
        if made_s is None or abs(made_s - time.monotonic()) > SOUND_OFF_S:
            return
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or self._resampler[0] != kind:
            self._resampler = kind, av.AudioResampler("fltp", "stereo", SOUND_RATE)
        for each in self._resampler[1].resample(frame):
            samples = np.ascontiguousarray(each.to_ndarray(), np.float32)
            self._on_sound(samples, made_s)
            made_s += samples.shape[1] / SOUND_RATE

    def _show(self, planes: Planes, captured_us: int) -> None:
        made_s = self._clock.made_s(captured_us * MICROSECONDS, time.monotonic())
        with self._changed:
            self.dropped += self._newest is not None
            self.frames += 1
            self._newest = planes, made_s
            self.size = self.size or shown_size(planes)
            self._changed.notify_all()

    def _work(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._stopping.is_set():
            before = self.frames
            problem = self._read_once()
            if self.frames != before:
                retry_s = FIRST_RETRY_S
            if problem is not None and (problem.is_final or not self._opening.is_live):
                self._end(problem)
                return
            if problem is None and (not self._opening.is_live or _has_an_end(self._opening)):
                break
            if not self._stopping.is_set():
                self._on_problem(str(problem or "the stream ended"))
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
        self._end(None)

    def _read_once(self) -> SourceError | None:
        try:
            frames = self._read(self._opening, self._show, self._stopping, MAX_PIXELS, self)
        except Exception as error:  # whatever it is, it is this source's, and is said
            return explained(error, self._opening)
        return None if frames else SourceError("it has no frames; give a file or stream that does")

    def _end(self, error: SourceError | None) -> None:
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()


def _has_an_end(opening: Opening) -> bool:
    """Whether a stream that ended without an error was whole: a download, or a playlist that says so."""
    return urlsplit(opening.file).scheme.lower() in ("http", "https")

"""What a run says while it works: a bar on a terminal, else a line now and then.

Must not know what is worked at.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..outputs.push import PushState, PushStatus

LINE_EVERY_S = 10.0
LIVE_EVERY_S = 0.5


class RunProgress(Protocol):
    """Told by the thread that works, but for `stage`: that by any."""

    def stage(self, text: str, percent: float | None = None) -> None:
        """What is done now, other than frames."""
        ...

    def begin(self, done: int, total: int | None) -> None:
        """Frames begin: so many are done already, of about so many."""
        ...

    def frame(self) -> None:
        """One more is done."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class LineProgress:
    """Implements `RunProgress` with lines.

    Args:
        write: takes a line.
        clock: monotonic seconds.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._stage = ""
        self._done, self._begun, self._total = 0, 0, None
        self._begun_s = self._said_s = clock()

    def stage(self, text: str, percent: float | None = None) -> None:
        """See `RunProgress`: said once."""
        if text != self._stage:
            self._stage = text
            self._write(text)

    def begin(self, done: int, total: int | None) -> None:
        """See `RunProgress`."""
        self._done = self._begun = done
        self._total: int | None = total
        self._begun_s = self._said_s = self._clock()

    def frame(self) -> None:
        """See `RunProgress`."""
        self._done += 1
        now_s = self._clock()
        if now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            self._write(self._line(now_s - self._begun_s))

    def _line(self, seconds: float) -> str:
        fps = (self._done - self._begun) / seconds
        if self._total is None or self._total < self._done:
            return f"{self._done} frames, {fps:.1f} a second"
        left_s = (self._total - self._done) / fps
        return f"{self._done} of {self._total} frames, {fps:.1f} a second, {in_time(left_s)} left"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is open."""


class TerminalProgress:
    """Implements `RunProgress` with a bar."""

    def __init__(self, stream: TextIO) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
        self._progress = Progress(*columns, TimeRemainingColumn(), console=Console(file=stream), transient=True)
        self._task: TaskID = self._progress.add_task("starting", total=None, said="")
        self._done, self._total = 0, None
        self._begun, self._begun_s = 0, time.monotonic()

    def stage(self, text: str, percent: float | None = None) -> None:
        """See `RunProgress`."""
        self._progress.update(
            self._task, description=text, total=100 if percent is not None else None, completed=percent or 0, said=""
        )

    def begin(self, done: int, total: int | None) -> None:
        """See `RunProgress`."""
        self._done = self._begun = done
        self._total: int | None = total
        self._begun_s = time.monotonic()
        self._progress.reset(self._task, total=total, completed=done, description="restyling", said="")

    def frame(self) -> None:
        """See `RunProgress`."""
        self._done += 1
        seconds = time.monotonic() - self._begun_s
        of = f" of {self._total}" if self._total is not None and self._total >= self._done else ""
        fps = (self._done - self._begun) / seconds if seconds else 0.0
        self._progress.update(self._task, completed=self._done, said=f"{self._done}{of} frames, {fps:.1f} fps")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


class LiveProgress:
    """What a run without an end says: one line that changes on a terminal, else a line now and then, and all news.

    Args:
        write: takes what is written.
        is_terminal: whether a line may be written over.
        clock: monotonic seconds.
    """

    def __init__(
        self, write: Callable[[str], object], *, is_terminal: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._is_terminal, self._clock = write, is_terminal, clock
        self._every_s = LIVE_EVERY_S if is_terminal else LINE_EVERY_S
        self._said_s = clock()
        self._news = ""
        self._lock = threading.Lock()

    def stage(self, text: str, percent: float | None = None) -> None:
        """What is done before there are pictures; each said once. Any thread."""
        self._tell(text)

    def source(self, problem: str) -> None:
        """Why INPUT can't be read at the moment. Any thread."""
        self._tell(f"INPUT: {problem}; trying again")

    def output(self, status: PushStatus) -> None:
        """What becomes of what is sent. Any thread."""
        if status.state is PushState.RETRYING:
            self._tell(f"OUTPUT {status.address}: {status.problem}; trying again")
        elif status.state is PushState.LIVE:
            by = f" by {status.encoder}" if status.encoder else ""
            self._tell(f"OUTPUT {status.address}: open{by}")

    def show(self, fps: float, delay_ms: float, dropped: int, status: PushStatus, problem: str) -> None:
        """How it goes, asked as often as you like."""
        now_s = self._clock()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s = now_s
        line = f"{fps:.1f} fps, {delay_ms:.0f} ms, {dropped} dropped, {status.state}"
        if problem:
            line += ", no INPUT"
        with self._lock:
            self._write(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")

    def _tell(self, text: str) -> None:
        with self._lock:
            if text != self._news:
                self._news = text
                self._write(f"\r\x1b[K{text}\n" if self._is_terminal else f"{text}\n")

    def close(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            self._write("\r\x1b[K")


def live_progress_on(stream: TextIO = sys.stderr) -> LiveProgress:
    """To a stream."""

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    return LiveProgress(write, is_terminal=stream.isatty())


def progress_on(stream: TextIO = sys.stderr) -> RunProgress:
    """A bar where the stream is a terminal, else lines."""
    if stream.isatty():
        return TerminalProgress(stream)
    return LineProgress(lambda line: print(line, file=stream, flush=True))


def in_time(seconds: float) -> str:
    """A duration for people: `5 s`, `2:05 min`, `1:02:05 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"

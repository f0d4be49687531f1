"""What leaves with a tick: waits for the device, looks at the pictures.

Must not know models or the rows that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import FrameError
from ..frame import Failure, Job, Result, Stamps
from ..media.codec import Pixels
from .rows import Mark, Row

Clock = Callable[[], int]

#: A result whose brightest value is at most this, of an input with one above the other, is a failed frame.
BLACK_MAX = 2
INPUT_NOT_BLACK = 16


class DiffusionPending:
    """The rows that leave with a tick, while the device may still work on them.

    Args:
        leaving: finished rows in the order of their admission.
        end: behind the tick's last work.
    """

    def __init__(self, leaving: Sequence[Row], end: Mark, clock: Clock) -> None:
        self.jobs: list[Job] = [row.job for row in leaving]
        self._rows = leaving
        self._end = end
        self._clock = clock
        self._end_ns = end if isinstance(end, int) else 0

    @property
    def finished_ns(self) -> int:
        """When the device was done with the tick; known after `collect`."""
        return self._end_ns

    def ready(self) -> bool:
        """Whether the device is done."""
        if not self._end_ns and not isinstance(self._end, int) and self._end.query():
            self._end_ns = self._clock()
        return self._end_ns != 0

    def collect(self) -> list[Result | Failure]:
        """Wait for the device and look at the pictures."""
        if not self.ready() and not isinstance(self._end, int):
            self._end.synchronize()
            self._end_ns = self._clock()
        return [self._outcome(row) for row in self._rows]

    def _outcome(self, row: Row) -> Result | Failure:
        if row.error is not None:
            return Failure(row.job, row.error)
        try:
            picture = _checked(row)
        except FrameError as error:
            return Failure(row.job, error)
        moments = {stage: self._moment(mark) for stage, mark in row.marks.items()}
        return Result(row.job, picture, replace(Stamps.opened(row.job), **moments))

    def _moment(self, mark: Mark) -> int:
        """A mark on our clock: CUDA's events only know how far apart they are."""
        if isinstance(mark, int) or isinstance(self._end, int):
            return mark if isinstance(mark, int) else 0
        return self._end_ns - round(mark.elapsed_time(self._end) * 1e6)


def _checked(row: Row) -> Pixels:
    """The row's picture.

    Raises:
        FrameError: it is broken: not a number somewhere, or black though the input was not.
    """
    if row.output is None or row.finite is None:
        return row.job.picture
    if not row.finite:
        raise FrameError("the model's result is not a number", "nan")
    picture: Pixels = row.output.numpy()
    if picture.max() <= BLACK_MAX and row.job.picture.max() > INPUT_NOT_BLACK:
        raise FrameError("the model's result is black", "black")
    return picture

"""What leaves the diffusion engine with a tick: `Pending`'s implementation, which checks the pictures.

Must not know models, or how rows are run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import torch

from ..errors import FrameError
from ..frame import Failure, Job, Result, Stamps
from ..pixels import Pixels
from .rows import Finished, Mark, Passed, Scores, own_pictures

_log = logging.getLogger(__name__)

Clock = Callable[[], int]

BLACK_MAX, INPUT_NOT_BLACK = 2, 16
"""A picture without a value above `BLACK_MAX` is a failure where its input has a value above `INPUT_NOT_BLACK`."""


WHOLE_SHARES = {"encode_latents": 1 / 6, "denoise": 5 / 6, "decode_latents": 1.0}
"""How far a frame of one step that is made by one call is at the end of each stage: there are no marks between them. A
third of it is the small autoencoder's, on the GPUs that this is done on.
"""


@dataclass(frozen=True, slots=True)
class Failed:
    """A frame without a picture: it could not be admitted, or the device ran out of memory."""

    job: Job
    error: FrameError


Leaving = Finished | Passed | Failed


class HostChecker(Protocol):
    """Says how unsafe pictures are; see `OnnxChecker`."""

    def scores(self, pictures: Sequence[Pixels]) -> list[float]:
        """Of pictures of one size, 0 to 1."""
        ...


class DiffusionPending:
    """Implements `Pending`.

    Args:
        leaving: what leaves, in the order of admission.
        end: mark behind the tick's last work.
        clock: monotonic nanoseconds.
        checker: looks at the pictures on the host when they are collected; None where nobody does, or has.
    """

    preparing_ns: Mapping[int, int] = MappingProxyType({})

    def __init__(self, leaving: Sequence[Leaving], end: Mark, clock: Clock, checker: HostChecker | None = None) -> None:
        self.jobs: list[Job] = [one.job for one in leaving]
        self._leaving = leaving
        self._end = end
        self._clock = clock
        self._checker = checker
        self._end_ns = end if isinstance(end, int) else 0

    @property
    def finished_ns(self) -> int:
        """See `Pending`; 0 until the device is known to be done."""
        return self._end_ns

    def ready(self) -> bool:
        """See `Pending`."""
        if not self._end_ns and not isinstance(self._end, int) and self._end.query():
            self._end_ns = self._clock()
        return self._end_ns != 0

    def collect(self) -> list[Result | Failure]:
        """See `Pending`: a picture that is broken becomes a `Failure`."""
        if not self.ready() and not isinstance(self._end, int):
            self._end.synchronize()
            self._end_ns = self._clock()
        if self._checker is not None:
            self._leaving = checked_on_host(self._leaving, self._checker)
        return [self._outcome(one) for one in self._leaving]

    def _outcome(self, one: Leaving) -> Result | Failure:
        match one:
            case Passed(job=job, mask=mask, scores=scores):
                return Result(job, job.picture, Stamps.opened(job), mask=_array(mask), score=_worst(scores))
            case Failed(job, error):
                return Failure(job, error)
            case Finished():
                return self._result(one)

    def _result(self, one: Finished) -> Result | Failure:
        try:
            picture = _checked(one)
        except FrameError as error:
            return Failure(one.job, error)
        moments = {stage: self._moment(mark) for stage, mark in one.marks.items()}
        if one.begun is not None:
            begun_ns, end_ns = self._moment(one.begun), moments["decode_latents"]
            moments = {stage: begun_ns + round(share * (end_ns - begun_ns)) for stage, share in WHOLE_SHARES.items()}
        hints = {key: view.numpy() for key, view in one.views.items()}
        stamps = replace(Stamps.opened(one.job), **moments)
        return Result(one.job, picture, stamps, mask=_array(one.mask), score=_worst(one.scores), hints=hints)

    def _moment(self, mark: Mark) -> int:
        """A mark in monotonic nanoseconds; an event counts back from the tick's end, as CUDA tells differences only."""
        if isinstance(mark, int) or isinstance(self._end, int):
            return mark if isinstance(mark, int) else 0
        return self._end_ns - round(mark.elapsed_time(self._end) * 1e6)


def checked_on_host(leaving: Sequence[Leaving], checker: HostChecker) -> list[Leaving]:
    """The same with scores. A checker that fails says that they are no numbers, so that nobody sees the pictures."""
    return [one if isinstance(one, Failed) else replace(one, scores=_scores_on_host(one, checker)) for one in leaving]


def _scores_on_host(one: Finished | Passed, checker: HostChecker) -> tuple[torch.Tensor, ...]:
    made: list[Pixels] = [one.picture.numpy()] if isinstance(one, Finished) else []
    try:
        return tuple(map(torch.tensor, checker.scores([*made, *own_pictures(one)])))
    except Exception:
        _log.exception("the frame checker fails: pictures are held")
        return (torch.tensor(math.nan),)


def _worst(scores: Scores) -> float | None:
    """The highest score; not a number where one is none."""
    if scores is None:
        return None
    values = [float(score) for score in scores]
    return math.nan if any(map(math.isnan, values)) else max(values)


def _array(mask: torch.Tensor | None) -> Pixels | None:
    return None if mask is None else mask.numpy()


def _checked(one: Finished) -> Pixels:
    """The picture of a decoded row, uint8 [H, W, 3].

    Raises:
        FrameError: latents or pixels were not finite, or the picture is black and its input is not.
    """
    if not one.finite:
        raise FrameError("the model's result is not a number: take other params, or start with --dtype float32", "nan")
    picture: Pixels = one.picture.numpy()
    if picture.max() <= BLACK_MAX and one.job.picture.max() > INPUT_NOT_BLACK:
        raise FrameError("the model's result is black: take other params, or start with --dtype float32", "black")
    return picture

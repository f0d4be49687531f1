"""A tick that runs in the engine's process: `Pending`'s implementation, which takes its pictures out of their slots.

Must not know how a process is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import FrameError
from ..frame import Failure, Job, Result, Stamps
from .messages import Made, Refused, Ticked
from .patience import Leeway
from .slots import Slots


@dataclass(frozen=True, slots=True)
class Occupant:
    """A job and the slot that its pictures are in."""

    job: Job
    slot: int


class ProcessPending:
    """Implements `Pending`.

    Args:
        admitted: the jobs that begin with the tick.
        leaving: what leaves, in the order of admission.
        slots: where its pictures are.
        free: slots that are free; those of `leaving` are put back by `collect`.
        leeway: how long the tick may take. Its reader may allow it more.
        on_ticked: called with its answer by whoever reads it.
    """

    def __init__(
        self,
        admitted: Sequence[Job],
        leaving: Sequence[Occupant],
        slots: Slots,
        free: list[int],
        leeway: Leeway,
        on_ticked: Callable[[Ticked], None],
    ) -> None:
        self.jobs: list[Job] = [one.job for one in leaving]
        self.leeway = leeway
        self._admitted = [job.number for job in admitted]
        self._leaving = leaving
        self._slots = slots
        self._free = free
        self._ended = threading.Event()
        self._on_ticked = on_ticked
        self._answer: Ticked | Exception | None = None

    def end(self, answer: Ticked | Exception) -> None:
        """The tick has ended, or never will: `collect` raises the exception. Any thread, once."""
        if isinstance(answer, Ticked):
            self._on_ticked(answer)
        self._answer = answer
        self._ended.set()

    def ready(self) -> bool:
        """See `Pending`."""
        return self._ended.is_set()

    def _ticked(self) -> Ticked:
        self._ended.wait()  # whoever reads what the process says ends it, and at the latest when that has ended
        if isinstance(self._answer, Ticked):
            return self._answer
        assert self._answer is not None
        raise self._answer

    @property
    def finished_ns(self) -> int:
        """See `Pending`."""
        return self._ticked().finished_ns

    @property
    def preparing_ns(self) -> Mapping[int, int]:
        """See `Pending`."""
        return dict(zip(self._admitted, self._ticked().preparing_ns, strict=True))

    def collect(self) -> list[Result | Failure]:
        """See `Pending`."""
        outcomes = self._ticked().outcomes
        found = [self._outcome(one, outcome) for one, outcome in zip(self._leaving, outcomes, strict=True)]
        self._free += [one.slot for one in self._leaving]
        return found

    def _outcome(self, one: Occupant, outcome: Made | Refused) -> Result | Failure:
        job = one.job
        if isinstance(outcome, Refused):
            return Failure(job, FrameError(outcome.message, outcome.code))
        height, width, _ = job.picture.shape
        picture = job.picture if outcome.is_input else self._slots.picture(one.slot, (height, width)).copy()
        stamps = replace(Stamps.opened(job), **outcome.marks)
        return Result(job, picture, stamps, mask=outcome.mask, score=outcome.score, hints=outcome.hints)

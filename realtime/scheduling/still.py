"""Decides whether an opened frame is run, or answered by the picture of an earlier one that shows the same.

Must not know sessions, rows, or how an answer reaches the client.
"""

from __future__ import annotations

from enum import Enum, auto

from ..channel import Channel
from ..frame import Job
from ..media.stillness import Stillness
from ..session import Delivery


class Judgement(Enum):
    """A gate's decision on an opened frame."""

    RUN = auto()
    """It shows something new, its params are new, or its picture has not come to rest: it needs a row."""
    REPEAT = auto()
    """It shows what the client's newest picture was made from: that picture answers it."""
    FOLLOW = auto()
    """It shows what a frame under way shows: the picture of that one will answer it, once it is delivered."""


class StillGate:
    """Judges the frames of one connection. Owned by the engine thread.

    The *reference* is the newest job that was run, as long as the client has its picture or will get it. Frames are
    compared with it and nothing else: compared with the frame before, a slow drift would hide. Where a picture takes
    several frames that show the same to come to rest (`Params.frames_to_rest`), so many are run first.

    Args:
        channel: of the connection.

    Attributes:
        is_still: whether the newest frame that was judged needed no row.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.is_still = False
        self._noise = Stillness()
        self._reference: Job | None = None
        self._shows_reference = False  # the newest frame that was judged
        self._alike = 0  # jobs in a row, up to the reference, that showed what the one before showed
        self._followers: dict[int, Job | None] = {}  # by number of a job under way: the newest frame that follows it

    def judge(self, job: Job) -> Judgement:
        """Compare a frame with the reference, and learn the source's noise from it. Once a frame, in their order."""
        self._shows_reference = self._shows_the_same(job)
        self.is_still = self._shows_reference and self._alike >= job.params.frames_to_rest
        if job.thumbnail is not None:
            self._noise.learn(job.thumbnail)
        if not self.is_still or self._reference is None:
            return Judgement.RUN
        return Judgement.FOLLOW if self._reference.number in self._followers else Judgement.REPEAT

    def _shows_the_same(self, job: Job) -> bool:
        reference = self._reference
        if reference is None or reference.thumbnail is None or job.thumbnail is None or reference.params != job.params:
            return False
        if job.checks_input and not reference.checks_input:
            return False
        return self._noise.is_unchanged(job.thumbnail, reference.thumbnail)

    def renew(self) -> None:
        """What the engine makes of frames has changed: the next one is run, whatever it shows."""
        self._reference = None

    def run(self, job: Job) -> None:
        """The frame got a row: it is the reference now."""
        self._alike = self._alike + 1 if self._shows_reference else 0
        self._reference = job
        self._followers[job.number] = None

    def follow(self, job: Job) -> Job | None:
        """Let the frame wait for the reference's picture.

        Returns:
            The frame that waited for it before, which is superseded; None where there was none.
        """
        assert self._reference is not None
        number = self._reference.number
        superseded, self._followers[number] = self._followers[number], job
        return superseded

    def settled(self, number: int, delivery: Delivery) -> Job | None:
        """The job of this number is no longer under way.

        Args:
            delivery: what became of its picture. Unless it was sent, the job is the reference no more.

        Returns:
            The frame that follows it: to be answered by a `Repeat` if the picture was sent, else to wait again. None
            where there is none.
        """
        if delivery is not Delivery.SENT and self._reference is not None and self._reference.number == number:
            self._reference = None
        return self._followers.pop(number)

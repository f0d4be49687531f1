"""The sessions that are served: their waiting frames are taken and opened here, and their answers delivered.

Must not know the engine, or whose turn it is.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from ..engine import RowCost
from ..frame import Failure, Job, Order, Repeat, Result
from ..media.pipeline import Pipeline
from ..params import Params
from ..session import Delivery, Session
from .capacity import MOST_FPS, SessionLoad
from .seat import Seat
from .still import Judgement, StillGate

NEW_NS = 5_000_000_000
"""Time after a session has joined in which its frame rate is not known yet."""


class Opened(NamedTuple):
    """An opened frame that needs a row, and where its answer goes."""

    seat: Seat
    gate: StillGate
    job: Job


class Seats:
    """All sessions that are served. `add`, `remove`, `loads` and iteration are for any thread, the rest for the
    engine thread.

    Args:
        rows_per_session: rows that a session may have in flight.
        pipeline: opens frames.
        clock: monotonic nanoseconds.
    """

    def __init__(self, rows_per_session: int, pipeline: Pipeline, clock: Callable[[], int]) -> None:
        self._rows_per_session = rows_per_session
        self._pipeline = pipeline
        self._clock = clock
        self._lock = threading.Lock()
        self._seats: tuple[Seat, ...] = ()
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        with self._lock:
            self._seats = (*self._seats, Seat(session, self._clock()))

    def remove(self, session: Session) -> None:
        """Serve this session no more. Its rows in flight run out: the scheduler has its seat until then."""
        with self._lock:
            self._seats = tuple(seat for seat in self._seats if seat.session is not session)

    @property
    def is_waiting(self) -> bool:
        """Whether a frame waits anywhere."""
        return any(seat.has_frame for seat in self)

    def loads(self, cost: Callable[[Params], RowCost]) -> list[SessionLoad]:
        """The load of each session that has a connection.

        A session that has just joined (`NEW_NS`) counts as one that sends as many frames as it can.
        """
        now_ns = self._clock()
        return [
            SessionLoad(
                MOST_FPS if now_ns - seat.joined_ns < NEW_NS else session.stats.wanted_fps(now_ns), cost(session.in_use)
            )
            for seat in self
            if (session := seat.session).channel is not None
        ]

    def ready(self) -> list[Seat]:
        """Seats with a waiting frame and a row to spare."""
        return [seat for seat in self if seat.has_frame and self._has_room(seat)]

    def next_coming(self, after_ns: float) -> tuple[float, Seat] | None:
        """The first frame that is expected of a seat with a row to spare.

        Args:
            after_ns: frames expected before this time do not count: they are overdue.

        Returns:
            The time by which it should be here, and the seat; None where no frame is expected.
        """
        coming = [
            (next_ns, seat)
            for seat in self
            if seat.session.channel is not None and not seat.has_frame and self._has_room(seat)
            if (next_ns := seat.rhythm.next_ns()) is not None and next_ns > after_ns
        ]
        return min(coming, key=itemgetter(0), default=None)

    def _has_room(self, seat: Seat) -> bool:
        return seat.rows < self._rows_per_session

    def open(self, seats: Sequence[Seat]) -> Iterator[Opened]:
        """Take and open the waiting frames of these seats; answer those that need no row, and yield the others."""
        taken = [one for seat in seats if (one := self._take(seat)) is not None]
        jobs = self._pipeline.open([order for _, _, order in taken])
        for (seat, gate, _), job in zip(taken, jobs, strict=True):
            session, channel = seat.session, gate.channel
            if isinstance(job, Failure):
                session.deliver(channel, job, self._clock())
                continue
            match gate.judge(job):
                case Judgement.RUN:
                    yield Opened(seat, gate, job)
                case Judgement.REPEAT:
                    session.deliver(channel, Repeat(job), self._clock())
                case Judgement.FOLLOW:
                    if (superseded := gate.follow(job)) is not None:
                        session.supersede(channel, superseded.frame)

    def _take(self, seat: Seat) -> tuple[Seat, StillGate, Order] | None:
        """Take the waiting frame; None where the client has left since it was seen."""
        gate = seat.gate
        frame = gate.channel.inbox.take() if gate is not None else None
        if gate is None or frame is None:
            return None
        now_ns = self._clock()
        session, channel = seat.session, gate.channel
        params = session.job_params(channel, now_ns)
        return seat, gate, Order(frame, params, session.name, now_ns, next(self._numbers), channel.takes_encoded)

    def answer(self, opened: Opened, outcome: Result | Failure) -> None:
        """Deliver the outcome of a job, and settle the frame that follows it, if any (`Judgement.FOLLOW`)."""
        seat, gate, _ = opened
        session, channel, now_ns = seat.session, gate.channel, self._clock()
        delivery = session.deliver(channel, outcome, now_ns)
        follower = gate.settled(outcome.order.number, delivery)
        if follower is None:
            return
        if delivery is Delivery.SENT:
            session.deliver(channel, Repeat(follower), now_ns)
        else:
            session.give_back(channel, follower.frame)

    def answer_still(self) -> None:
        """Open waiting frames of sessions that are still: an unchanged one is answered at once, without a tick.

        No more than are opened in parallel, so that the next admission is not late.
        """
        still = (seat for seat in self if seat.has_frame and (gate := seat.gate) is not None and gate.is_still)
        for seat, gate, job in self.open(list(itertools.islice(still, self._pipeline.concurrency))):
            seat.session.give_back(gate.channel, job.frame)  # it shows something new: it waits for its turn

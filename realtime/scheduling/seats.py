"""The sessions that are served: their waiting frames are taken and opened here, and their answers delivered.

Must not know the engine, or whose turn it is.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from ..control import Hint, hints_of_host
from ..engine import RowCost
from ..errors import FrameError
from ..frame import Failure, Job, Order, Repeat, Result
from ..media.pipeline import Done, Pipeline, ToOpen
from ..params import Params
from ..session import Delivery, Session
from ..stats import DropReason
from .ahead import PreparedParams, Preparing
from .capacity import MOST_FPS, SessionLoad
from .seat import Aside, Seat
from .still import Judgement, StillGate

next_number = itertools.count(1).__next__
"""The next number of an order: unique while the process lives, whoever takes it."""
NEW_NS = 5_000_000_000
"""Time after a session has joined in which its frame rate is not known yet."""


def load_of(session: Session, joined_ns: int, now_ns: int, cost: Callable[[Params], RowCost]) -> SessionLoad:
    """The load of a session. One that has just joined (`NEW_NS`) counts as one that sends as many frames as it can."""
    fps = MOST_FPS if now_ns - joined_ns < NEW_NS else session.stats.wanted_fps(now_ns)
    return SessionLoad(fps, cost(session.in_use))


class Taken(NamedTuple):
    """A frame that was taken out of an inbox, and where its answer goes."""

    seat: Seat
    gate: StillGate
    order: Order

    @property
    def to_open(self) -> ToOpen:
        """As the pipeline opens it: with what its client sees at this moment."""
        return self.order, self.gate.channel.past


class Opened(NamedTuple):
    """An opened frame that needs a row, and where its answer goes."""

    seat: Seat
    gate: StillGate
    job: Job


class Leaver(NamedTuple):
    """A seat that is served no more.

    Attributes:
        then: called when nothing of it is under way; None where its session is over.
    """

    seat: Seat
    then: Callable[[], None] | None


class Seats:
    """All sessions that are served. `add`, `remove`, `loads` and iteration are for any thread, the rest for the
    engine thread.

    Args:
        rows_per_session: rows that a session may have in flight.
        pipeline: opens frames.
        clock: monotonic nanoseconds.
        on_opened: called with a seat and the CPU time that opening its frame took, in nanoseconds.
        ring: called by any thread when a frame that was opened aside is ready.
        refusal: called with each frame that is taken: why it is not to be run, or None.
        nets: see `EngineInfo.nets`.
        engine: makes beside the ticks what params need; None: nothing is.
    """

    def __init__(
        self,
        rows_per_session: int,
        pipeline: Pipeline,
        clock: Callable[[], int],
        on_opened: Callable[[Seat, int], None] = lambda seat, spent_ns: None,
        ring: Callable[[], None] = lambda: None,
        refusal: Callable[[Order], FrameError | None] = lambda order: None,
        nets: Callable[[], Mapping[str, Hint]] = dict[str, Hint],
        engine: Preparing | None = None,
    ) -> None:
        self._rows_per_session = rows_per_session
        self._pipeline = pipeline
        self._clock = clock
        self._on_opened = on_opened
        self._ring = ring
        self._refusal = refusal
        self._nets = nets
        self._engine = engine
        self._lock = threading.Lock()
        self._seats: tuple[Seat, ...] = ()
        self._gone: tuple[Leaver, ...] = ()  # removed, and to be forgotten by the engine

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        with self._lock:
            self._seats = (*self._seats, Seat(session, self._clock()))

    def remove(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """Serve this session no more. What is under way is answered: the scheduler has its seat until then.

        Args:
            then: see `Leaver`.
        """
        with self._lock:
            self._gone += tuple(Leaver(seat, then) for seat in self._seats if seat.session is session)
            self._seats = tuple(seat for seat in self._seats if seat.session is not session)

    def remove_all(self) -> None:
        """Serve none of the sessions any more; they go on elsewhere, or come back. See `remove`."""
        with self._lock:
            self._gone += tuple(Leaver(seat, lambda: None) for seat in self._seats)
            self._seats = ()

    def take_gone(self) -> list[Leaver]:
        """Removed sessions of which nothing is under way; each once. A frame that is being opened aside waits again."""
        if not self._gone:
            return []
        with self._lock:
            over = [gone for gone in self._gone if not gone.seat.under_way]
            self._gone = tuple(gone for gone in self._gone if gone.seat.under_way)
        for seat, _ in over:
            if (aside := seat.aside) is not None:
                seat.aside = None
                seat.session.give_back(aside.gate.channel, aside.order.frame)
        return over

    @property
    def is_waiting(self) -> bool:
        """Whether a frame waits anywhere, or a session that is gone to be forgotten."""
        return any(map(self._has_frame, self)) or any(not gone.seat.under_way for gone in self._gone)

    def loads(self, cost: Callable[[Params], RowCost]) -> list[SessionLoad]:
        """The load of each session that has a connection."""
        now_ns = self._clock()
        return [
            load_of(seat.session, seat.joined_ns, now_ns, cost) for seat in self if seat.session.channel is not None
        ]

    def ready(self) -> list[Seat]:
        """Seats with a waiting frame and a row to spare. A session waits until one of its name before it is gone:
        to the engine they would be the same.
        """
        going = {gone.seat.session.name for gone in self._gone}
        ready = (seat for seat in self if self._has_frame(seat) and self._has_room(seat))
        return [seat for seat in ready if seat.session.name not in going]

    def _has_frame(self, seat: Seat) -> bool:
        """Whether a frame waits that can be taken."""
        return seat.has_frame and (seat.aside is not None or not seat.ahead.waits(self._clock()))

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
        return seat.rows + seat.sealing < self._rows_per_session

    def open(self, seats: Sequence[Seat]) -> Iterator[Opened]:
        """Take and open the waiting frames of these seats; answer those that need no row, and yield the others.

        A heavy frame is opened aside: its seat has no frame until that is done, and is to be passed again then.
        """
        quick: list[Taken] = []
        for seat in seats:
            if (aside := seat.aside) is not None:
                seat.aside = None
                yield from self._judge(Taken(seat, aside.gate, aside.order), aside.opening.result())
            elif (one := self._take(seat)) is None:
                continue
            elif (error := self._refusal(one.order)) is not None:
                seat.session.deliver(one.gate.channel, Failure(one.order, error), self._clock())
            elif self._pipeline.is_heavy_to_open(one.order):
                seat.aside = Aside(one.gate, one.order, self._pipeline.open_aside(one.to_open, self._ring))
            else:
                quick.append(one)
        for one, done in zip(quick, self._pipeline.open([one.to_open for one in quick]), strict=True):
            yield from self._judge(one, done)

    def _judge(self, taken: Taken, done: Done[Job | Failure]) -> Iterator[Opened]:
        seat, gate, _ = taken
        session, channel, job = seat.session, gate.channel, done.outcome
        self._on_opened(seat, done.spent_ns)
        if isinstance(job, Failure):
            session.deliver(channel, job, self._clock())
            return
        match gate.judge(job):
            case Judgement.RUN:
                yield Opened(seat, gate, job)
            case Judgement.REPEAT:
                session.deliver(channel, Repeat(job), self._clock())
            case Judgement.FOLLOW:
                if (superseded := gate.follow(job)) is not None:
                    session.supersede(channel, superseded.frame)

    def give_back(self, had: Sequence[Opened]) -> None:
        """Put what a broken engine had, and what is being opened aside, back into the inboxes: of each session the
        newest frame waits for another engine, the others are dropped.
        """
        frames = [(seat.session, gate.channel, job.frame) for seat, gate, job in had]
        for seat, gate, job in had:
            if (follower := gate.settled(job.number, Delivery.REFUSED)) is not None:
                frames.append((seat.session, gate.channel, follower.frame))
        for seat in (*self, *(gone.seat for gone in self._gone)):
            if (aside := seat.aside) is not None:
                seat.aside = None
                frames.append((seat.session, aside.gate.channel, aside.order.frame))
        for session, channel, frame in sorted(frames, key=lambda one: one[2].seq, reverse=True):
            session.give_back(channel, frame, DropReason.ENGINE_RESTARTED)

    def _take(self, seat: Seat) -> Taken | None:
        """Take the waiting frame; None where the client has left since it was seen, or what it needs is being made."""
        gate = seat.gate
        frame = gate.channel.inbox.take() if gate is not None else None
        if gate is None or frame is None:
            return None
        now_ns = self._clock()
        session, channel = seat.session, gate.channel
        params = session.job_params(channel, now_ns)
        if frame.is_as_is:
            params = params.untouched
        order = Order(
            frame,
            params,
            session.name,
            now_ns,
            next_number(),
            channel.takes_encoded,
            dissolve=session.dissolve_at(now_ns),
        )
        order = self._prepared(seat, self._naming(session, order, params))
        if order is None:
            session.give_back(channel, frame)
            return None
        if not frame.is_as_is:
            session.in_use = order.params
        return Taken(seat, gate, order)

    def _naming(self, session: Session, order: Order, params: Params) -> Order:
        """An order with these params, and with what they name."""
        hints = hints_of_host(params.control, self._nets()) if params.control else ()
        return replace(
            order,
            params=params,
            references=session.references(params),
            hints_wanted=hints,
            checks_input=session.shows_input(params),
        )

    def _prepared(self, seat: Seat, order: Order) -> Order | None:
        """The order, or one with the params before, see `PreparedParams`; None: it waits. Whose it is pays for all that
        is made for it.
        """
        if self._engine is None or order.frame.is_as_is:
            return order
        if (spent_ns := seat.ahead.take_spent_ns(order.admitted_ns)) > 0:
            self._on_opened(seat, spent_ns)
        return seat.ahead.chosen(
            order,
            self._engine,
            order.admitted_ns,
            lambda params: self._naming(seat.session, order, params),
            self._ring,
        )

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

    def renew(self) -> None:
        """What the engine makes of frames has changed: each session's next frame is run, whatever it shows."""
        for seat in self:
            seat.ahead = PreparedParams()
            if (gate := seat.gate) is not None:
                gate.renew()

    def answer_still(self) -> None:
        """Open waiting frames of sessions that are still: an unchanged one is answered at once, without a tick.

        No more than are opened in parallel, so that the next admission is not late.
        """
        still = (
            seat
            for seat in self
            if seat.aside is None and self._has_frame(seat) and (gate := seat.gate) is not None and gate.is_still
        )
        for seat, gate, job in self.open(list(itertools.islice(still, self._pipeline.concurrency))):
            seat.session.give_back(gate.channel, job.frame)  # it shows something new: it waits for its turn

"""The server's side of a worker on another machine: sends it the sessions' frames, and hands its answers over.

It schedules nothing: whose frame is next, which is still and how large a tick is, the worker's own scheduler decides.
Must not know how a worker is found, or when it is lost.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...channel import Channel
from ...engine import RowCost
from ...errors import FrameError
from ...frame import Failure, Order, Repeat, Stamps
from ...media import codec
from ...params import OutputFormat, Params
from ...planes import Planes
from ...scheduling.capacity import MOST_FPS, Capacity, Line, SessionLoad, rate_for_all
from ...scheduling.seats import load_of, next_number
from ...scheduling.suspects import Suspects
from ...session import Session
from ...stats import DropReason
from .link import Link
from .messages import HandedBack, Offering, Overtaken, PictureMade, PictureRefused, RemoteAnswer, Reply
from .sent import sent_result

WAITING_THERE = 2
"""Frames of a session that are sent beside those that have rows: one waits in the worker's mailbox, where the newest
wins, and one is on its way to take its place."""
VIDEO_QUALITY = 95
"""Of pictures on their way from and to a client that sends or takes video."""
KEEP_S = 0.5
"""How long the worker may take to keep a picture for prompts."""
REFERENCES_SENT = 64

_log = logging.getLogger(__name__)
_connections = itertools.count(1)


@dataclass(slots=True)
class _Sent:
    """A frame that the worker has.

    Attributes:
        params: as they were sent.
        sent_ns: when.
    """

    line: _Line
    order: Order
    params: Params
    sent_ns: int


@dataclass(slots=True, eq=False)
class _Line:
    """What is sent of one connection of a session, and in which order its answers belong.

    Attributes:
        number: see `Offering.connection`.
        under_way: by `Offering.seq`.
        next: number of the answer that is to be handed over next.
        early: answers that came before it.
        is_over: whether the worker has let go of it: nothing more is sent on it.
        is_torn: whether an answer will never come, so that the others are not held back for it.
    """

    channel: Channel
    number: int
    under_way: dict[int, _Sent] = field(default_factory=dict[int, _Sent])
    next: int = 0
    early: dict[int, tuple[_Sent, RemoteAnswer]] = field(default_factory=dict[int, "tuple[_Sent, RemoteAnswer]"])
    is_over: bool = False
    is_torn: bool = False


@dataclass(slots=True, eq=False)
class _Post:
    """A session that the worker serves.

    Attributes:
        line: of its newest connection.
        old: lines of earlier ones, of which something is under way.
        is_leaving: whether nothing more is to be sent.
        then: called when nothing is under way, once it is leaving.
    """

    session: Session
    joined_ns: int
    line: _Line | None = None
    old: list[_Line] = field(default_factory=list[_Line])
    is_leaving: bool = False
    then: Callable[[], None] | None = None

    @property
    def lines(self) -> list[_Line]:
        """All of which something may be under way."""
        return [*self.old, self.line] if self.line is not None else self.old

    @property
    def under_way(self) -> int:
        """Number of its frames that the worker has."""
        return sum(len(line.under_way) + len(line.early) for line in self.lines)


class _Came(NamedTuple):
    """The end of a call."""

    post: _Post
    sent: _Sent
    seq: int
    reply: Reply | None  # None: there is no answer


class Forwarder:
    """Serves sessions by a worker elsewhere, as a `Scheduler` does by an engine here. `add`, `remove`, `ring`,
    `rate_with` and `give_up` are for any thread; a thread of its own does the rest, until `give_up`.

    Args:
        link: to the worker.
        epoch: see `Offering`.
        rows_per_session: of the worker.
        cost: see `Engine.cost`.
        max_pixels: the largest picture that a client may send.
        on_trouble: called, by any thread, when the worker could not run a frame: nothing more is sent until `resume`.
        suspects: whose frames broke engines.
        clock: monotonic nanoseconds.

    Attributes:
        capacity: as the worker said last.
        cost: may be replaced.
    """

    def __init__(
        self,
        link: Link,
        epoch: int,
        rows_per_session: int,
        cost: Callable[[Params], RowCost],
        max_pixels: int,
        on_trouble: Callable[[], None],
        suspects: Suspects | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.capacity = Capacity(None, 1)
        self.cost = cost
        self.epoch = epoch
        self._link = link
        self._window = rows_per_session + WAITING_THERE
        self._max_pixels = max_pixels
        self._on_trouble = on_trouble
        self._suspects = suspects or Suspects(clock)
        self._clock = clock
        self._lock = threading.Lock()  # around `_posts`
        self._posts: tuple[_Post, ...] = ()
        self._came: deque[_Came] = deque()
        self._bell = threading.Event()
        self._is_paused = False
        self._after: Callable[[], None] | None = None  # set: the worker is given up
        self._blames_until_ns: int | None = None
        self._suspected: list[Order] = []  # of an engine that broke there
        self._references: deque[str] = deque(maxlen=REFERENCES_SENT)
        self._seq = itertools.count(1)
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    # -- any thread -----------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> int:
        """Frames that the worker has."""
        return sum(post.under_way for post in self._posts)

    def ring(self) -> None:
        """A frame waits, or an answer has come."""
        self._bell.set()

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        with self._lock:
            self._posts = (*self._posts, _Post(session, self._clock()))
        session.served_by(self.ring)

    def remove(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """Serve this session no more. See `Scheduler.remove`."""
        for post in self._posts:
            if post.session is session and not post.is_leaving:
                post.is_leaving, post.then = True, then
        self.ring()

    def spend(self, session: Session, spent_ns: int) -> None:
        """See `Scheduler`. It is time of this machine, and the worker's is what sessions there share: not charged."""

    def rate_with(self, newcomers: Sequence[Params], like: Line | None = None) -> float:
        """See `Scheduler.rate_with`; by what the worker has measured."""
        now_ns = self._clock()
        loads = [SessionLoad(MOST_FPS, self.cost(params)) for params in newcomers]
        loads += [
            load_of(post.session, post.joined_ns, now_ns, self.cost)
            for post in self._posts
            if post.session.channel is not None and not post.is_leaving
        ]
        line, max_rows = self.capacity
        return rate_for_all(loads, line or like, max_rows)

    def resume(self) -> None:
        """Send again."""
        self._is_paused = False
        self.ring()

    def give_up(self, then: Callable[[], None], *, blames_until_ns: int | None) -> None:
        """The worker is lost: give its frames back, and end.

        Args:
            then: called by this one's thread behind that.
            blames_until_ns: what was sent until then is suspected of having broken the worker; None: nothing is.
        """
        self._blames_until_ns = blames_until_ns
        self._after = then
        self.ring()

    # -- its own thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (after := self._after) is None:
            self._bell.wait()
            self._bell.clear()
            try:
                while self._came:
                    self._settle(self._came.popleft())
                self._let_go()
                if not self._is_paused:
                    self._send()
            except Exception:  # a mistake of ours that one frame shows must not keep all others waiting
                _log.exception("a frame on its way to a worker or back is lost")
        self._give_back()
        after()

    def _let_go(self) -> None:
        """Have the worker forget sessions that are leaving and of which nothing is under way."""
        over = [post for post in self._posts if post.is_leaving and not post.under_way]
        if not over:
            return
        with self._lock:
            self._posts = tuple(post for post in self._posts if post not in over)
        for post in over:
            if post.line is not None:
                self._link.call("forget", self.epoch, post.session.name, post.line.number)
            if post.then is None:
                self._suspects.forget(post.session.name)
            else:
                post.then()

    # sending

    def _suspect(self) -> None:
        if self._suspected:
            self._suspects.broke(self._suspected)
            self._suspected = []

    def _send(self) -> None:
        """Send the waiting frames of sessions that have room. What is suspected is run alone, as by a `Scheduler`."""
        self._suspect()
        if any(post.under_way and post.session.name in self._suspects for post in self._posts):
            return
        ready = [post for post in self._posts if self._has_frame(post)]
        suspected = [
            post for post in ready if self._suspects.must_run_alone(post.session.name, post.session.params.version)
        ]
        if suspected:
            ready = [] if self.jobs else suspected[:1]
        for post in ready:
            self._send_one(post)

    def _has_frame(self, post: _Post) -> bool:
        channel = post.session.channel
        return channel is not None and channel.inbox.full and not post.is_leaving and post.under_way < self._window

    def _send_one(self, post: _Post) -> None:
        session, now_ns = post.session, self._clock()
        if (channel := session.channel) is None or (frame := channel.inbox.take()) is None:
            return
        params = session.job_params(channel, now_ns)
        references = session.references(params)
        order = Order(
            frame,
            params,
            session.name,
            now_ns,
            next_number(),
            channel.takes_encoded,
            references,
            checks_input=session.shows_input(params),
        )
        try:
            if (refusal := self._suspects.refusal(order)) is not None:
                raise refusal
            order, sent_params = self._for_the_way(order)
        except FrameError as error:
            session.deliver(channel, Failure(order, error), now_ns)
            return
        if not self._have_kept(order):
            session.give_back(channel, frame)
            self._pause()
            return
        line = self._line(post, channel)
        sent, seq = _Sent(line, order, sent_params, now_ns), next(self._seq)
        line.under_way[seq] = sent
        assert not isinstance(order.frame.data, Planes)
        offering = Offering(
            self.epoch,
            session.name,
            line.number,
            seq,
            order.frame.format,
            bytes(order.frame.data),
            sent_params,
            order.checks_input,
            session.is_unsafe,
        )
        call = self._link.call("offer", offering)
        call.add_done_callback(lambda done: self._note(post, sent, seq, done))

    def _for_the_way(self, order: Order) -> tuple[Order, Params]:
        """An order whose frame is encoded, and the params for its way. Raises FrameError."""
        params, frame = order.params, order.frame
        if isinstance(frame.data, Planes):
            picture, alpha = codec.decode_with_alpha(
                frame.data, frame.format, params.width, params.height, self._max_pixels
            )
            # A key is kept by PNG alone as it is; it comes with few videos.
            kind = OutputFormat.JPEG if alpha is None else OutputFormat.PNG
            encoded_as, data = codec.encode(picture, kind, VIDEO_QUALITY, alpha)
            order = replace(order, frame=replace(frame, format=encoded_as, data=data))
        if not order.encode:
            params = params.model_copy(update={"output_format": OutputFormat.JPEG, "output_quality": VIDEO_QUALITY})
        return order, params

    def _have_kept(self, order: Order) -> bool:
        """Have the worker keep the pictures that the params name; whether it has."""
        for name, picture in order.references.items():
            if name in self._references:
                continue
            _, png = codec.encode(picture, OutputFormat.PNG, 100)
            try:
                self._link.call("keep", name, png).result(KEEP_S)
            except Exception:  # whatever is wrong with the worker: its heartbeat tells
                return False
            self._references.append(name)
        return True

    def _line(self, post: _Post, channel: Channel) -> _Line:
        if post.line is None or post.line.channel is not channel or post.line.is_over:
            if post.line is not None:
                post.old = [line for line in post.lines if line.under_way or line.early]
            post.line = _Line(channel, next(_connections))
        return post.line

    def _note(self, post: _Post, sent: _Sent, seq: int, done: Future[Any]) -> None:
        """A call has ended. Any thread."""
        reply: Reply | None = done.result() if not done.cancelled() and done.exception() is None else None
        self._came.append(_Came(post, sent, seq, reply))
        self.ring()

    def _pause(self) -> None:
        self._is_paused = True
        self._on_trouble()

    # answers

    def _settle(self, came: _Came) -> None:
        """Hand an answer over, and those that waited for it."""
        post, sent, seq, reply = came
        line = sent.line
        del line.under_way[seq]
        if reply is None:
            line.is_torn = True
            for ready in [line.early.pop(number) for number in sorted(line.early)]:
                self._hand_over(post, *ready)
            self._hand_over(post, sent, HandedBack(is_suspect=False))
        elif reply.number < 0 or line.is_torn:
            self._hand_over(post, sent, reply.answer)
        else:
            line.early[reply.number] = sent, reply.answer
            while (ready := line.early.pop(line.next, None)) is not None:
                line.next += 1
                self._hand_over(post, *ready)

    def _hand_over(self, post: _Post, sent: _Sent, answer: RemoteAnswer) -> None:
        session, channel, order, now_ns = post.session, sent.line.channel, sent.order, self._clock()
        match answer:
            case PictureMade():
                self._suspects.cleared(order)
                session.stats.count_wanted(now_ns)
                self._deliver(session, channel, sent, answer, now_ns)
            case PictureRefused(message, code):
                self._suspects.cleared(order)
                session.stats.count_wanted(now_ns)
                session.deliver(channel, Failure(order, FrameError(message, code)), now_ns)
            case Overtaken():
                if channel is session.channel:
                    session.overtake(channel, order.frame, now_ns)
            case HandedBack(is_suspect):
                sent.line.is_over = True
                if is_suspect:
                    self._suspected.append(order)
                session.give_back(channel, order.frame, DropReason.ENGINE_RESTARTED)
                self._pause()
            case _:
                session.deliver(channel, Repeat(order), now_ns)

    def _deliver(self, session: Session, channel: Channel, sent: _Sent, made: PictureMade, now_ns: int) -> None:
        order = sent.order
        if made.params is not None and order.encode:
            order = replace(order, params=made.params)
        order = replace(order, checks_input=made.checks_input)
        # The way there and back are taken for equally long: no two machines have the same clock.
        begun_ns = sent.sent_ns + max(0, now_ns - sent.sent_ns - made.spent_ns) // 2
        marks = {stage: begun_ns + after_ns for stage, after_ns in made.marks_ns.items()}
        stamps = replace(Stamps(order.frame.received_ns), **marks)
        has_key, encode, views, score = made.has_key, order.encode, made.hints, made.score
        result = sent_result(
            order, made.format, made.data, stamps, has_key=has_key, encode=encode, views=views, score=score
        )
        if not order.encode:
            _ = result.picture  # here, and not on the event loop that sends it
        session.deliver(channel, result, now_ns)

    def _give_back(self) -> None:
        """Put what the worker has back into the inboxes: of each session the newest waits for another worker."""
        left = [
            (post.session, sent)
            for post in self._posts
            for line in post.lines
            for sent in (*line.under_way.values(), *(sent for sent, _ in line.early.values()))
        ]
        if (until_ns := self._blames_until_ns) is not None:
            self._suspected += [sent.order for _, sent in left if sent.sent_ns <= until_ns]
        self._suspect()
        for session, sent in sorted(left, key=lambda one: one[1].order.frame.seq, reverse=True):
            session.give_back(sent.line.channel, sent.order.frame, DropReason.ENGINE_RESTARTED)

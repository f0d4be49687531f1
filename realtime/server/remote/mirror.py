"""A session as a worker on another machine has it: what its scheduler asks of one, while the session stays with the
server.

Must not know Ray, or how an answer reaches the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...channel import Channel
from ...frame import STAGES, Failure, Frame, Outcome, Repeat, Result
from ...media import codec
from ...params import OutputFormat, Params
from ...session import Delivery, Session
from ...stats import DropReason
from .messages import HandedBack, Offering, Overtaken, PictureMade, PictureRefused, RemoteAnswer, Reply, ShownBefore

if TYPE_CHECKING:
    from ...pixels import Pixels

GiveAnswer = Callable[[Reply], None]
"""Takes the answer to a frame; any thread."""
VIEW_QUALITY = 85
"""Of hints that people see: as JPEG they are a tenth of a picture."""
NUMBERLESS = -1
"""Of a `Reply` to a frame of a connection that is no more."""


@dataclass(slots=True)
class _Offered:
    """A frame that is to be answered."""

    params: Params
    give: GiveAnswer
    received_ns: int


@dataclass(slots=True)
class _Attached:
    """One connection of the session's client, at the server.

    Attributes:
        offered: frames that are not answered yet, by `Offering.seq`.
        answered: how many are.
    """

    number: int
    channel: Channel
    offered: dict[int, _Offered] = field(default_factory=dict[int, _Offered])
    answered: int = 0


class MirroredSession(Session):
    """A session's frames and params, without its client. Each frame is answered once.

    The event loop offers; the engine thread takes and delivers, as with any session.

    Args:
        first: a frame of it.
        references: the pictures of these ids, as far as they are kept.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        first: Offering,
        references: Callable[[Collection[str]], Mapping[str, Pixels]],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(first.session, first.params, 0, clock=clock)
        self._newest_params = first.params
        self._checks_input = first.checks_input
        self.is_unsafe = first.is_unsafe
        self._named = references
        self._now = clock
        self._lock = threading.Lock()  # around `_connection.offered` and `.answered`
        self._connection: _Attached | None = None

    # -- the event loop -------------------------------------------------------------------------------------------

    def take(self, offering: Offering, give: GiveAnswer) -> None:
        """Put a frame into the inbox; one that waits there is answered as overtaken."""
        connection = self._connected(offering.connection)
        if connection is None:
            give(Reply(NUMBERLESS, Overtaken()))
            return
        now_ns = self._now()
        with self._lock:
            is_late = any(offering.seq < seq for seq in connection.offered)
            connection.offered[offering.seq] = _Offered(offering.params, give, now_ns)
        if is_late:
            self._settle(connection, offering.seq, Overtaken())
            return
        self._newest_params, self._checks_input = offering.params, offering.checks_input
        self.is_unsafe = offering.is_unsafe
        self.offer(connection.channel, Frame(offering.seq, offering.format, offering.data, 0, now_ns))

    def _connected(self, number: int) -> _Attached | None:
        """The connection of this number; None where a newer one has come."""
        known = self._connection
        if known is not None and number < known.number:
            return None
        if known is None or number > known.number:
            self._settle_all(Overtaken())
            known = self._connection = _Attached(number, self.attach(lambda: None))
        return known

    def is_of(self, connection: int) -> bool:
        """Whether its newest connection is this one, or one before it."""
        return self._connection is None or self._connection.number <= connection

    def leave(self) -> None:
        """Nobody waits for answers any more."""
        self._settle_all(Overtaken())
        if self.channel is not None:
            self.detach(self.channel)

    def hand_back(self, *, is_suspect: bool) -> None:
        """The engine is not there: give all frames back."""
        if self.channel is not None:
            self.channel.inbox.take()
        self._settle_all(HandedBack(is_suspect))

    # -- the engine's side, on the engine thread ------------------------------------------------------------------

    @property
    def params(self) -> Params:
        """Those that came with the newest frame."""
        return self._newest_params

    def job_params(self, channel: Channel, now_ns: int) -> Params:
        """See `Session`: the server has made them, with glides and governor."""
        self.in_use = self._newest_params
        return self.in_use

    def shows_input(self, params: Params) -> bool:
        """See `Session`: the server knows."""
        return self._checks_input or super().shows_input(params)

    def references(self, params: Params) -> Mapping[str, Pixels]:
        """See `Session`."""
        return self._named(params.pictures)

    def deliver(self, channel: Channel, outcome: Outcome, now_ns: int) -> Delivery:
        """See `Session`."""
        connection, seq = self._connection, outcome.order.frame.seq
        if connection is None or channel is not connection.channel:
            return Delivery.GONE
        if isinstance(outcome, Failure):
            channel.past = None
            self._settle(connection, seq, PictureRefused(str(outcome.error), outcome.error.code))
            return Delivery.REFUSED
        if seq <= channel.last_delivered:
            self._settle(connection, seq, Overtaken())
            return Delivery.SUPERSEDED
        channel.last_delivered = seq
        if isinstance(outcome, Repeat):
            self._settle(connection, seq, ShownBefore())
        else:
            channel.past = outcome
            self._settle(connection, seq, outcome)
        return Delivery.SENT

    def _drop(self, channel: Channel, seq: int, reason: DropReason) -> None:
        connection = self._connection
        if connection is not None and channel is connection.channel:
            self._settle(connection, seq, Overtaken())

    # -- any thread -----------------------------------------------------------------------------------------------

    def _settle_all(self, answer: RemoteAnswer) -> None:
        connection = self._connection
        for seq in list(connection.offered) if connection is not None else ():
            assert connection is not None
            self._settle(connection, seq, answer)

    def _settle(self, connection: _Attached, seq: int, answer: RemoteAnswer | Result) -> None:
        with self._lock:
            offered = connection.offered.pop(seq, None)
            if offered is None:
                return  # it was answered when its connection ended, or its engine
            number = connection.answered
            connection.answered += 1
        if isinstance(answer, Result):
            answer = _made(answer, offered, self._now())
        offered.give(Reply(number, answer))


def _made(result: Result, offered: _Offered, now_ns: int) -> PictureMade:
    marks = {stage: getattr(result.stamps, stage) for stage in STAGES}
    return PictureMade(
        result.format,
        result.data,
        result.key is not None,
        result.job.params if result.job.params is not offered.params else None,
        {stage: mark - offered.received_ns for stage, mark in marks.items() if mark},
        now_ns - offered.received_ns,
        {key: codec.encode(view, OutputFormat.JPEG, VIEW_QUALITY)[1] for key, view in result.hints.items()},
        result.score,
        result.job.checks_input,
    )

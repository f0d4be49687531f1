"""The scheduler's state of one session, for as long as the session is served.

Must not know the engine, or whose turn it is.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from ..frame import Failure, Job, Order
from ..media.pipeline import Done
from ..session import Session
from .ahead import PreparedParams
from .fair_queue import Tag
from .still import StillGate
from .timing import Rhythm


class Aside(NamedTuple):
    """A frame that is being opened aside (`Pipeline.open_aside`), and the gate that it will come to."""

    gate: StillGate
    order: Order
    opening: Future[Done[Job | Failure]]


@dataclass(slots=True, eq=False)
class Seat:
    """One session that is served. Owned by the engine thread, but for `session` and `joined_ns`, which never change.

    Attributes:
        joined_ns: our monotonic clock when it began to be served.
        tag: its place in the fair queue.
        rhythm: of its frames' arrivals.
        under_way: number of its frames that were given a row and are not answered yet.
        rows: number of its rows in flight.
        sealing: number of its results that are being sealed aside, or wait for one that is.
        aside: its frame that is being opened aside.
        ahead: what its frames can be run with.
    """

    session: Session
    joined_ns: int
    tag: Tag = field(default_factory=Tag)
    rhythm: Rhythm = field(default_factory=Rhythm)
    under_way: int = 0
    rows: int = 0
    sealing: int = 0
    aside: Aside | None = None
    ahead: PreparedParams = field(default_factory=PreparedParams)
    _gate: StillGate | None = None

    @property
    def gate(self) -> StillGate | None:
        """The gate of the session's connection, a new one for each connection; None while there is none."""
        channel = self.session.channel
        if channel is None:
            return None
        if self._gate is None or self._gate.channel is not channel:
            self._gate = StillGate(channel)
        return self._gate

    @property
    def has_frame(self) -> bool:
        """Whether a frame waits: one that was opened aside, or one in the connection's inbox while none is."""
        if self.aside is not None:
            return self.aside.opening.done()
        return (channel := self.session.channel) is not None and channel.inbox.full

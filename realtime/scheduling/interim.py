"""Serves sessions while there is no engine: viewers of those who want that see the input as it comes in.

Must not know engines, or when one comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from ..channel import Channel
from ..frame import Air, Failure, Frame, Job, Order, Result, Stamps
from ..media.pipeline import Done, Pipeline
from ..params import Fallback
from ..session import Session
from ..stats import DropReason
from .seats import next_number


class _BeingOpened(NamedTuple):
    """A frame that is being opened aside."""

    channel: Channel
    order: Order
    opening: Future[Done[Job | Failure]]


class Interim:
    """A thread between two engines. `add`, `remove`, `ring` and `stop` are for any thread.

    Of sessions whose `fallback` is the input it takes the frames; the newest of each is given back at the end, so that
    the next engine makes its picture. Those of others wait where they came in.

    Args:
        pipeline: opens frames; closed at the end.
        clock: monotonic nanoseconds.
        shows_input: whether any input is shown: where all that is seen is checked none is, as no checker is there.
    """

    def __init__(
        self, pipeline: Pipeline, clock: Callable[[], int] = time.monotonic_ns, *, shows_input: bool = True
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._shows_input = shows_input
        self._bell = threading.Event()
        self._lock = threading.Lock()  # around `_sessions` and `_is_over`, and what must not be shown behind it
        self._sessions: tuple[Session, ...] = ()
        self._is_over = False
        self._held: dict[Session, tuple[Channel, Frame]] = {}
        self._aside: dict[Session, _BeingOpened] = {}
        self._thread = threading.Thread(target=self._run, name="interim", daemon=True)
        self._thread.start()

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        with self._lock:
            self._sessions = (*self._sessions, session)
        session.served_by(self.ring)

    def remove(self, session: Session) -> None:
        """Serve this session no more."""
        with self._lock:
            self._sessions = tuple(other for other in self._sessions if other is not session)

    def ring(self) -> None:
        """A frame waits."""
        self._bell.set()

    def stop(self) -> None:
        """Show nothing more; soon the frames are given back."""
        with self._lock:
            self._is_over = True
        self._bell.set()

    def _run(self) -> None:
        while not self._is_over:
            self._bell.wait()
            self._bell.clear()
            for session in self._sessions:
                self._serve(session)
        for session, (channel, order, _) in self._aside.items():
            self._hold(session, channel, order.frame)
        for session, (channel, frame) in self._held.items():
            session.give_back(channel, frame, DropReason.ENGINE_RESTARTED)
            session.ring()
        self._pipeline.close()  # which may wait for a frame that is opened aside

    def _serve(self, session: Session) -> None:
        """Show a session's waiting frame, if there is one and it is to be shown. A heavy one is opened aside; the next
        waits until it is done.
        """
        if (aside := self._aside.get(session)) is not None:
            if not aside.opening.done():
                return
            del self._aside[session]
            self._show(session, aside.channel, aside.opening.result().outcome)
        channel = session.channel
        wants_input = self._shows_input and session.params.fallback is Fallback.INPUT
        if channel is None or not wants_input or self._is_over:
            return
        frame = channel.inbox.take()
        if frame is None:
            return
        order = Order(frame, session.params, session.name, self._clock(), next_number(), encode=False)
        if self._pipeline.is_heavy_to_open(order):
            opening = self._pipeline.open_aside((order, None), self._bell.set)
            self._aside[session] = _BeingOpened(channel, order, opening)
        else:
            (opened,) = self._pipeline.open([(order, None)])
            self._show(session, channel, opened.outcome)

    def _show(self, session: Session, channel: Channel, job: Job | Failure) -> None:
        if isinstance(job, Failure):
            session.deliver(channel, job, self._clock())
            return
        self._hold(session, channel, job.frame)
        with self._lock:
            if not self._is_over:
                session.show(Result(job, job.picture, Stamps.opened(job), air=Air.INPUT))

    def _hold(self, session: Session, channel: Channel, frame: Frame) -> None:
        if (before := self._held.get(session)) is not None:
            session.drop_for_restart(*before)
        self._held[session] = (channel, frame)

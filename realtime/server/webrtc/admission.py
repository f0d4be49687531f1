"""Which peers may come: by seats, viewers, and the number of those that have not connected yet.

Must not know peer connections' insides, nor requests and responses. Event loop only.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import SessionLimitError
from ...session import Session
from ..engine_state import State
from ..lobby import check_name
from ..roles import Grant
from ..service import Service
from .peer import Peer
from .publisher import Publisher
from .sdp import Purpose

PEERS_PER_SEAT = 2
"""A client that comes back has two peers for a while; beyond that offers are refused before any work is done."""
YIELD_AFTER_S = 2.0
"""Time that a peer has to connect for certain. After it, and until `CONNECT_S`, it makes room for the next offer."""


@dataclass(eq=False, slots=True)
class Resource:
    """A peer under its address.

    Attributes:
        name: can't be guessed.
        tag: the ETag that a PATCH must name; it stays, as there are no ICE restarts.
        grant: of whoever made it.
        address: his.
        publisher: None for those who only watch.
        has_arrived: whether it has connected. Before, it has no seat.
    """

    purpose: Purpose
    peer: Peer
    grant: Grant
    address: str
    name: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    publisher: Publisher | None = None
    since_s: float = field(default_factory=time.monotonic)
    has_arrived: bool = False
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Conflict(Exception):
    """The session has a publisher already."""


class NotReady(Exception):
    """The engine is still being loaded."""


class Admission:
    """Decides who may come.

    Args:
        service: of the server.
        resources: the peers that live, oldest first.
    """

    def __init__(self, service: Service, resources: Mapping[str, Resource]) -> None:
        self._service = service
        self._resources = resources

    def check(self, purpose: Purpose, session_name: str | None) -> Session | None:
        """Check an offer's peer before any work is done, and make room for it.

        Args:
            session_name: to publish to, or to watch.

        Returns:
            The session that it is to watch; None where it publishes.

        Raises:
            ProtocolError: the session's name is none.
            SessionLimitError: the server is full.
            NotReady: the engine is being loaded, and this peer could not be told so.
            Conflict: a publisher that is alive has the session.
            LookupError: there is no such session to watch.
        """
        check_name(session_name)
        service = self._service
        if purpose is not Purpose.DUPLEX and service.host.state is not State.READY:
            raise NotReady
        session: Session | None = None
        if purpose is Purpose.PLAY:
            service.viewers.check()
            session = service.session(session_name or "")
            if session is None:
                raise LookupError(session_name)
        else:
            self.check_seat(purpose, session_name)
        self._make_room(purpose)
        return session

    def check_seat(self, purpose: Purpose, session_name: str | None) -> None:
        """Check whether a publisher may take a seat.

        Raises:
            SessionLimitError, Conflict: see `check`.
        """
        service = self._service
        if service.running is not None and service.host.state is State.READY:
            service.running.lobby.check_room(session_name, may_wait=purpose is Purpose.DUPLEX)
        if purpose is Purpose.PUBLISH and session_name is not None:
            self._check_free(session_name)

    def _make_room(self, purpose: Purpose) -> None:
        """End the oldest peer that doesn't come, if there are as many as may be.

        Raises:
            SessionLimitError: all are in, or still have time to connect.
        """
        config = self._service.config
        seats = config.max_viewers if purpose is Purpose.PLAY else config.max_sessions + config.max_waiting
        alike = [
            other
            for other in self._resources.values()
            if (other.purpose is Purpose.PLAY) is (purpose is Purpose.PLAY) and not other.ending.is_set()
        ]
        if len(alike) < PEERS_PER_SEAT * seats:
            return
        now_s = time.monotonic()
        late = next((r for r in alike if not r.has_arrived and now_s - r.since_s >= YIELD_AFTER_S), None)
        if late is None:
            raise SessionLimitError("too many peers are connecting; try again later")
        late.ending.set()

    def _check_free(self, session_name: str) -> None:
        session = self._service.session(session_name)
        if session is None or session.channel is None:
            return
        for resource in self._resources.values():
            publisher = resource.publisher
            if publisher is not None and publisher.channel is session.channel and publisher.is_silent:
                return  # an encoder that crashed and came back, before the old connection was found dead
        raise Conflict

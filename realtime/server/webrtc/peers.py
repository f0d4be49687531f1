"""All peers of one server, as the HTTP resources that they are: made by an offer, trickled to, deleted.

Must not know requests and responses. Event loop only; every peer lives in the task group of `run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from aiortc import RTCIceServer

from ...errors import CloseCode, SessionLimitError
from ...session import Session
from ..connection import Closed, end_with_server, ending
from ..engine_host import State
from ..lobby import check_name
from ..service import Service
from . import seams
from .broadcast import Broadcaster
from .peer import Peer
from .publisher import Publisher
from .sdp import Purpose, parse_fragment

DECODERS = max(1, (os.cpu_count() or 1) // 2)
"""Threads in which the video of all peers is decoded: never more than half of the cores."""
PEERS_PER_SEAT = 2
"""A client that comes back has two peers for a while; beyond that offers are refused before any work is done."""


@dataclass(eq=False, slots=True)
class Resource:
    """A peer under its address.

    Attributes:
        name: can't be guessed.
        tag: the ETag that a PATCH must name; it stays, as there are no ICE restarts.
        publisher: None for those who only watch.
    """

    purpose: Purpose
    peer: Peer
    name: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    publisher: Publisher | None = None
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Conflict(Exception):
    """The session has a publisher already."""


class NotReady(Exception):
    """The engine is still being loaded."""


class Peers:
    """Makes, keeps and ends peers.

    Args:
        service: of the server.
        ice_servers: for our own candidates, and told to peers.
    """

    def __init__(self, service: Service, ice_servers: list[RTCIceServer]) -> None:
        self._service = service
        self._ice_servers = ice_servers
        self._on_loopback = any(ip_address(address).is_loopback for address in service.config.ice_addresses)
        self._resources: dict[str, Resource] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._broadcaster: Broadcaster | None = None
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="video-decoder")
        service.metrics.gauge("realtime_peers", "WebRTC peers.", lambda: self.count)
        service.metrics.gauge("realtime_video_encodings", "Video encodings that run.", lambda: self.encodings)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Peers may come and live while the block runs."""
        seams.notice_dead_peers()
        seams.offer_addresses(self._service.config.ice_addresses)
        async with asyncio.TaskGroup() as lives, asyncio.TaskGroup() as encodings:
            self._tasks, self._broadcaster = lives, Broadcaster(encodings)
            try:
                yield
            finally:
                for resource in self._resources.values():
                    resource.ending.set()
                await asyncio.gather(*(resource.ended.wait() for resource in tuple(self._resources.values())))
                self._broadcaster.stop()
                self._decoders.shutdown(wait=False, cancel_futures=True)

    @property
    def count(self) -> int:
        """Peers that live."""
        return len(self._resources)

    @property
    def encodings(self) -> int:
        """Video encodings that run."""
        return self._broadcaster.encodings if self._broadcaster is not None else 0

    def get(self, purpose: Purpose, name: str) -> Resource | None:
        """The peer of this address."""
        resource = self._resources.get(name)
        return resource if resource is not None and resource.purpose is purpose else None

    async def open(self, purpose: Purpose, offer: str, session_name: str | None) -> tuple[Resource, str]:
        """Answer an offer and let the peer live.

        Args:
            session_name: to publish to, or to watch; None makes one where that is possible.

        Returns:
            The peer's resource and the answer.

        Raises:
            OfferError: the offer is refused.
            ProtocolError: the session's name is none.
            SessionLimitError: the server is full.
            NotReady: the engine is being loaded, and this peer could not be told so.
            Conflict: a publisher that is alive has the session.
            LookupError: there is no such session to watch.
        """
        watched = self._check(purpose, session_name)
        peer = Peer(purpose, self._ice_servers, on_loopback=self._on_loopback)
        resource = Resource(purpose, peer)
        self._resources[resource.name] = resource  # counted before any work, which takes a while
        try:
            answer = await peer.answer(offer)
        except BaseException:
            del self._resources[resource.name]
            resource.ended.set()
            await peer.close()
            raise
        assert self._tasks is not None and self._broadcaster is not None
        if watched is None:
            resource.publisher = Publisher(self._service, peer, self._broadcaster, self._decoders)
            life = self._publish(resource, resource.publisher, session_name)
        else:
            life = self._watch(resource, watched)
        self._tasks.create_task(self._live(resource, life))
        return resource, answer

    def _check(self, purpose: Purpose, session_name: str | None) -> Session | None:
        """Look whether the peer may come in, before any work is done; the session that it wants to watch."""
        check_name(session_name)
        service = self._service
        if purpose is not Purpose.DUPLEX and service.host.state is not State.READY:
            raise NotReady
        config = service.config
        seats = config.max_viewers if purpose is Purpose.PLAY else config.max_sessions + config.max_waiting
        alike = sum((other.purpose is Purpose.PLAY) is (purpose is Purpose.PLAY) for other in self._resources.values())
        if alike >= PEERS_PER_SEAT * seats:
            raise SessionLimitError("too many peers are connecting; try again later")
        if purpose is Purpose.PLAY:
            service.viewers.check()
            session = service.session(session_name or "")
            if session is None:
                raise LookupError(session_name)
            return session
        if service.running is not None and service.host.state is State.READY:
            service.running.lobby.check_room(session_name, may_wait=purpose is Purpose.DUPLEX)
        if purpose is Purpose.PUBLISH and session_name is not None:
            self._check_free(session_name)
        return None

    def _check_free(self, session_name: str) -> None:
        session = self._service.session(session_name)
        if session is None or session.channel is None:
            return
        for resource in self._resources.values():
            publisher = resource.publisher
            if publisher is not None and publisher.channel is session.channel and publisher.is_silent:
                return  # an encoder that crashed and came back, before the old connection was found dead
        raise Conflict

    # -- lives ------------------------------------------------------------------------------------------------------

    async def _live(self, resource: Resource, life: Coroutine[Any, Any, None]) -> None:
        try:
            async with ending(resource.peer.control.close):
                await life
        finally:
            await resource.peer.close()
            del self._resources[resource.name]
            resource.ended.set()

    async def _publish(self, resource: Resource, publisher: Publisher, session_name: str | None) -> None:
        peer = resource.peer
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until(resource.ending))
            tasks.create_task(peer.watch())
            tasks.create_task(end_with_server(self._service))
            tasks.create_task(publisher.live(session_name))
            if peer.intake is not None:
                tasks.create_task(publisher.read_video(peer.intake))
            if resource.purpose is Purpose.DUPLEX:
                tasks.create_task(publisher.read_control())

    async def _watch(self, resource: Resource, session: Session) -> None:
        outbound, broadcaster = resource.peer.outbound, self._broadcaster
        assert outbound is not None and broadcaster is not None
        with self._service.viewers.seat():
            resource.peer.send_by(broadcaster.add(session, outbound))
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_until(resource.ending))
                    tasks.create_task(resource.peer.watch())
                    tasks.create_task(end_with_server(self._service))
                    tasks.create_task(_until_ended(session))
            finally:
                broadcaster.remove(outbound)

    async def trickle(self, resource: Resource, fragment: str) -> None:
        """Take a fragment with further candidates.

        Raises:
            OfferError: it is none, or asks for what there is not.
        """
        await resource.peer.trickle(parse_fragment(fragment))

    async def close(self, resource: Resource) -> None:
        """End a peer, and return when it has."""
        resource.ending.set()
        await resource.ended.wait()


async def _until(ending: asyncio.Event) -> None:
    await ending.wait()
    raise Closed(CloseCode.DONE, "the connection was ended")


async def _until_ended(session: Session) -> None:
    await session.ended.wait()
    raise Closed(CloseCode.DONE, "the session has ended")

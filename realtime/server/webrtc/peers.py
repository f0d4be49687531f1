"""All peers of one server, as the HTTP resources that they are: made by an offer, trickled to, deleted.

Must not know requests and responses. Event loop only; every peer lives in the task group of `run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aioice.ice
from aiortc import RTCIceServer

from ...config import Config, port_range
from ...errors import CloseCode, SessionLimitError
from ...session import Session
from ..connection import Closed, end_with_grant, end_with_server, ending
from ..lobby import ViewedBy
from ..roles import Grant
from ..service import Service
from ..tasks import Tasks
from . import seams
from .admission import Admission, Conflict, Resource
from .broadcast import Broadcaster
from .peer import Peer
from .publisher import Publisher
from .sdp import Purpose, parse_fragment
from .udp_ports import OnePort, PortRange

DECODERS = max(1, (os.cpu_count() or 1) // 2)
"""Threads in which the video of all peers is decoded: never more than half of the cores."""


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
        self._ports = _ports_of(service.config)
        self._resources: dict[str, Resource] = {}
        self._admission = Admission(service, self._resources)
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
        seams.use_ports(self._ports)
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
                if isinstance(self._ports, OnePort):
                    self._ports.close()

    @property
    def count(self) -> int:
        """Peers that live."""
        return len(self._resources)

    def check_ports(self) -> None:
        """Raises ConfigError where all peers are to share a UDP port that another program has."""
        if isinstance(self._ports, OnePort):
            self._ports.check(self._service.config.ice_addresses or aioice.ice.get_host_addresses(True, True))

    @property
    def encodings(self) -> int:
        """Video encodings that run."""
        return self._broadcaster.encodings if self._broadcaster is not None else 0

    def get(self, purpose: Purpose, name: str) -> Resource | None:
        """The peer of this address."""
        resource = self._resources.get(name)
        return resource if resource is not None and resource.purpose is purpose else None

    async def open(
        self, purpose: Purpose, offer: str, session_name: str | None, grant: Grant, address: str
    ) -> tuple[Resource, str]:
        """Answer an offer and let the peer live.

        Args:
            session_name: to publish to, or to watch; None makes one where that is possible.
            grant: of whoever sends the offer.
            address: his.

        Returns:
            The peer's resource and the answer.

        Raises:
            OfferError: the offer is refused.
            ProtocolError, SessionLimitError, NotReady, Conflict, LookupError: see `Admission.check`.
        """
        watched = self._admission.check(purpose, session_name)
        peer = Peer(purpose, self._ice_servers, on_loopback=self._on_loopback)
        resource = Resource(purpose, peer, grant, address)
        self._resources[resource.name] = resource  # counted before any work, which takes a while
        try:
            answer = await peer.answer(offer)
            if self._ports is not None and "a=candidate:" not in answer:
                raise SessionLimitError("all UDP ports of this server (--udp-ports) are in use; try again later")
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
        async with Tasks() as tasks:
            tasks.create_task(_until(resource.ending))
            tasks.create_task(peer.watch())
            tasks.create_task(end_with_server(self._service))
            tasks.create_task(end_with_grant(self._service, resource.grant))
            tasks.create_task(self._enter(resource, publisher, session_name))
            if peer.intake is not None:
                tasks.create_task(publisher.read_video(peer.intake))
            if resource.purpose is Purpose.DUPLEX:
                tasks.create_task(publisher.read_control())

    async def _enter(self, resource: Resource, publisher: Publisher, session_name: str | None) -> None:
        """Take a seat once the peer has connected, so that one that never does keeps nobody out."""
        await resource.peer.arrived()
        resource.has_arrived = True
        if resource.purpose is Purpose.PUBLISH:
            try:
                self._admission.check_seat(resource.purpose, session_name)  # somebody may have come in between
            except Conflict:
                raise Closed(CloseCode.TRY_LATER, "somebody publishes to the session already: choose another") from None
        await publisher.live(session_name, resource.grant, resource.address)

    async def _watch(self, resource: Resource, session: Session) -> None:
        async with Tasks() as tasks:
            tasks.create_task(_until(resource.ending))
            tasks.create_task(resource.peer.watch())
            tasks.create_task(end_with_server(self._service))
            tasks.create_task(end_with_grant(self._service, resource.grant))
            tasks.create_task(_until_ended(session))
            tasks.create_task(self._show(resource, session))

    async def _show(self, resource: Resource, session: Session) -> None:
        """Send the session's pictures once the peer has connected. Runs until it is cancelled."""
        outbound, broadcaster = resource.peer.outbound, self._broadcaster
        assert outbound is not None and broadcaster is not None
        await resource.peer.arrived()
        resource.has_arrived = True
        with self._service.viewers.seat(session.name, ViewedBy.WHEP):
            resource.peer.send_by(broadcaster.add(session, outbound))
            try:
                await resource.ended.wait()
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


def _ports_of(config: Config) -> OnePort | PortRange | None:
    """The UDP ports that the server is to keep to; None: any."""
    match port_range(config.udp_ports):
        case range() as ports if len(ports) == 1:
            return OnePort(ports[0])
        case ports:
            return PortRange(ports) if ports else None


async def _until(ending: asyncio.Event) -> None:
    await ending.wait()
    raise Closed(CloseCode.DONE, "the connection was ended")


async def _until_ended(session: Session) -> None:
    await session.ended.wait()
    raise Closed(CloseCode.DONE, "the session has ended")

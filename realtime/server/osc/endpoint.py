"""The UDP socket of OSC: reads packets within limits, and tells whoever plays what has changed. Event loop only.

Must not know what addresses mean.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from typing import cast

from ...config import Config, osc_target
from ...errors import ConfigError, ParamsError
from ...session import Session
from ..addresses import network_of
from ..budget import Budgets
from ..service import Service
from .addresses import act, told
from .wire import PACKET_MAX_BYTES, OscError, OscMessage, OscValue, pack_message, parse_packet

log = logging.getLogger(__name__)

PREFIX = "/realtime/"
SESSION_PREFIX = "session/"
"""In an address that names its session: `/realtime/session/NAME/strength`."""
MESSAGES_PER_SECOND = 400
"""Of a sender, and as many at once; further ones are dropped. A fader sends up to a hundred."""
SENDERS_MAX = 256
"""Whose rate is known."""
TELL_EVERY_S = 0.05
STATS_EVERY = 20
"""Times of telling from one `fps` to the next."""
LISTENS_S = 60.0
"""Whoever has sent nothing for so long is told nothing."""
ERRORS_PER_SECOND = 5
SENT_AT_ONCE = 100
"""Messages of one time of telling; what is left is told the next time."""

Sender = tuple[str, int]


class OscEndpoint(asyncio.DatagramProtocol):
    """OSC of one server.

    Args:
        service: whose sessions are played.
        to: who is told what changes; None: whoever sent last.
        clock: monotonic seconds.

    Attributes:
        read, refused, dropped: numbers of messages that were carried out, of packets and messages that were none, and
            of those above the limits.
    """

    def __init__(self, service: Service, to: Sender | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.read = self.refused = self.dropped = 0
        self._service = service
        self._to = to
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None
        self._budgets = Budgets(MESSAGES_PER_SECOND, 1.0, SENDERS_MAX, clock)
        self._errors = Budgets(ERRORS_PER_SECOND, 1.0, SENDERS_MAX, clock)
        self._last: tuple[Sender, float] | None = None  # who sent last, and when
        self._told: dict[str, tuple[OscValue, ...]] = {}
        self._told_to: tuple[Sender, str] | None = None  # of which session

    # -- in ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def error_received(self, exc: Exception) -> None:
        """Somebody who is told has gone, as the system says: it may come back."""
        log.debug("OSC: %s", exc)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """A packet has come."""
        sender = (str(addr[0]), int(addr[1]))
        network = network_of(sender[0])
        if not self._budgets.take(network, 1):
            self.dropped += 1
            return
        try:
            messages = parse_packet(data)
        except OscError as error:
            self._refuse(sender, f"this packet is not read: {error}")
            return
        self._last = (sender, self._clock())
        for index, message in enumerate(messages):
            if index and not self._budgets.take(network, 1):
                self.dropped += len(messages) - index
                return
            self._on_message(message, sender)

    def _on_message(self, message: OscMessage, sender: Sender) -> None:
        if not message.address.startswith(PREFIX):
            self._refuse(sender, f"addresses begin with {PREFIX}")
            return
        path, name = message.address.removeprefix(PREFIX), None
        if path.startswith(SESSION_PREFIX):
            name, _, path = path.removeprefix(SESSION_PREFIX).partition("/")
        if path == "sync":
            self._told.clear()
            return
        if (session := self._session(name)) is None:
            self._refuse(sender, "no session is connected: open the studio")
            return
        try:
            act(session, path, message.values)
        except ParamsError as error:
            self._refuse(sender, str(error))
            return
        self.read += 1
        if self._told_to == (sender, session.name) and path in self._told:
            self._told[path] = told(session).get(path, ())  # a fader that is told what it says would jump under a hand

    def _session(self, name: str | None) -> Session | None:
        """The session of that name, or the one that has been connected for the longest time."""
        if name is not None:
            return self._service.session(name)
        connected = [session for session in self._service.sessions if session.channel is not None]
        return min(connected, key=lambda session: session.begun_ns, default=None)

    def _refuse(self, sender: Sender, why: str) -> None:
        self.refused += 1
        if self._errors.take(network_of(sender[0]), 1):
            self._send(self._to or sender, "error", (why,))

    # -- out --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what changes. Runs until it is cancelled."""
        times = 0
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            times += 1
            self.tell(with_stats=times % STATS_EVERY == 0)

    def tell(self, *, with_stats: bool = False) -> None:
        """Tell what has changed since the last time: all, where somebody else is told, or of another session."""
        listener, session = self._listener, self._session(None)
        if listener is None or session is None:
            return
        if self._told_to != (listener, session.name):
            self._told_to, self._told = (listener, session.name), {}
        changed = {path: values for path, values in told(session).items() if self._told.get(path) != values}
        for path in list(changed)[:SENT_AT_ONCE]:
            self._send(listener, path, changed[path])
            self._told[path] = changed[path]
        if with_stats:
            fps = float(session.stats.snapshot(time.monotonic_ns())["fps_out"])
            self._send(listener, "fps", (fps,))

    @property
    def _listener(self) -> Sender | None:
        if self._to is not None or self._last is None:
            return self._to
        sender, at_s = self._last
        return sender if self._clock() - at_s < LISTENS_S else None

    def _send(self, to: Sender, path: str, values: tuple[OscValue, ...]) -> None:
        packet = pack_message(PREFIX + path, values)
        if self._transport is not None and len(packet) <= PACKET_MAX_BYTES:
            self._transport.sendto(packet, to)


def bound_socket(config: Config) -> socket.socket:
    """The socket that OSC listens on.

    Raises:
        ConfigError: the system does not give it.
    """
    host, port = config.osc_host, config.osc or 0
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise ConfigError(
            f"osc: UDP port {port} of {host} can't be listened on: {error.strerror}: take another with --osc"
        ) from None
    return made


async def listen_for_osc(service: Service, config: Config) -> tuple[OscEndpoint, asyncio.DatagramTransport]:
    """Begin to listen. Close the transport to end."""
    made = bound_socket(config)
    loop = asyncio.get_running_loop()
    target = osc_target(config.osc_to) if config.osc_to else None
    transport, endpoint = await loop.create_datagram_endpoint(lambda: OscEndpoint(service, target), sock=made)
    host, port = made.getsockname()[:2]
    log.info("OSC is heard at UDP port %d of %s", port, host)
    if not ipaddress.ip_address(host).is_loopback:
        log.warning("OSC has no token: whoever reaches UDP port %d may change what sessions look like", port)
    return endpoint, transport

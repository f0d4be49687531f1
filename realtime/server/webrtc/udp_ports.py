"""Which UDP sockets peers' media take: one each of a range of ports, or one for all of them.

On one port a packet belongs to whoever its STUN says, and what is no STUN to whom its sender's address was proved for:
by a check with that peer's name and password, or by an answer to a check of ours. A packet of nobody's is dropped, and
gets no answer. Source: RFC 8445 section 7.3, RFC 7983 section 7, RFC 8489 section 9.1.

Must not know aiortc, peers or offers. Event loop only.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aioice import stun

from ...errors import ConfigError

RECEIVE_BUFFER_BYTES = 4 << 20
"""Of a socket that all peers share; the system may grant less."""
PROVED_MAX = 32
"""Addresses that one peer may send from. One that is behind a NAT has several, and another each time that it moves."""
_STUN_MAX = 3
"""Highest first byte of a STUN message."""

Address = tuple[str, int]
Made = tuple[asyncio.BaseTransport, asyncio.DatagramProtocol]
MakeProtocol = Callable[[], Any]


class UdpPorts(Protocol):
    """Gives ICE its sockets."""

    async def endpoint(self, make_protocol: MakeProtocol, address: str) -> Made:
        """As asyncio's `create_datagram_endpoint`, at an address of this machine.

        Raises:
            OSError: there is no port for it.
        """
        ...


class PortRange:
    """A port of its own for each endpoint.

    Args:
        ports: to choose from.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports

    async def endpoint(self, make_protocol: MakeProtocol, address: str) -> Made:
        """See `UdpPorts`."""
        # In an order that changes: what was meant for a peer that has just gone is not the next one's.
        for port in random.sample(self._ports, len(self._ports)):
            try:
                udp = bound(address, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return await asyncio.get_running_loop().create_datagram_endpoint(make_protocol, sock=udp)
        raise OSError(errno.EADDRINUSE, "all UDP ports are in use")


class OnePort:
    """One port for all endpoints, a socket for each address of this machine.

    Args:
        port: the port.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: dict[str, _Shared] = {}

    async def endpoint(self, make_protocol: MakeProtocol, address: str) -> Made:
        """See `UdpPorts`. Its `close` leaves the socket open for the others."""
        if address not in self._sockets:
            udp = bound(address, self._port)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            made = await asyncio.get_running_loop().create_datagram_endpoint(_Shared, sock=udp)
            self._sockets[address] = made[1]
        return self._sockets[address].admit(make_protocol())

    def check(self, addresses: Sequence[str]) -> None:
        """Raises ConfigError where another program has the port at one of these addresses of this machine."""
        for address in addresses:
            try:
                bound(address, self._port).close()
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise ConfigError(
                        f"can't use UDP port {self._port} at {address}: another program has it; end it, or choose "
                        "another with --udp-ports"
                    ) from None

    def close(self) -> None:
        """Close the sockets; there are no endpoints any more."""
        for shared in self._sockets.values():
            shared.close()
        self._sockets.clear()


def bound(address: str, port: int) -> socket.socket:
    """A UDP socket for asyncio. Raises OSError."""
    udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.bind((address, port))
    except OSError:
        udp.close()
        raise
    return udp


@dataclass(eq=False, slots=True)
class _Tenant:
    """A peer on a socket that many share.

    Attributes:
        protocol: aioice's `StunProtocol`, which gets its packets.
        proved: where it has been.
    """

    protocol: Any
    proved: list[Address] = field(default_factory=list["Address"])

    @property
    def name(self) -> str:
        return self.protocol.receiver.local_username

    def has_signed(self, message: stun.Message) -> bool:
        """Whether a check was made with the password that only its other side was told."""
        if "MESSAGE-INTEGRITY" not in message.attributes:
            return False
        return message.check_message_integrity(self.protocol.receiver.local_password.encode())


class _Shared(asyncio.DatagramProtocol):
    """One socket, and whose each of its packets is."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._named: dict[str, list[_Tenant]] = {}
        """By the name that ICE gave each; seldom two have the same."""
        self._proved: dict[Address, _Tenant] = {}
        """Whose packets come from where. The first one keeps an address for as long as it lives."""

    def admit(self, protocol: Any) -> Made:
        """Give a protocol its endpoint."""
        tenant = _Tenant(protocol)
        self._named.setdefault(tenant.name, []).append(tenant)
        endpoint = _Endpoint(self._transport, lambda: self._leave(tenant))
        protocol.connection_made(endpoint)
        return endpoint, protocol

    def close(self) -> None:
        """Close the socket."""
        self._transport.close()

    def _leave(self, tenant: _Tenant) -> None:
        self._named[tenant.name].remove(tenant)
        if not self._named[tenant.name]:
            del self._named[tenant.name]
        for address in tenant.proved:
            del self._proved[address]
        asyncio.get_running_loop().call_soon(tenant.protocol.connection_lost, None)

    def _prove(self, address: Address, tenant: _Tenant) -> None:
        if address not in self._proved and len(tenant.proved) < PROVED_MAX:
            self._proved[address] = tenant
            tenant.proved.append(address)

    # -- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Pass a packet to whom it belongs."""
        address = (addr[0], addr[1])
        if data and data[0] <= _STUN_MAX:
            owner = self._owner_of_stun(data)
            if owner is not None:
                self._prove(address, owner)
        else:
            owner = self._proved.get(address)
        if owner is not None:
            owner.protocol.datagram_received(data, address)

    def _owner_of_stun(self, data: bytes) -> _Tenant | None:
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error, IndexError):
            return None
        if message.message_class is stun.Class.REQUEST:
            name = str(message.attributes.get("USERNAME", "")).partition(":")[0]
            return next((one for one in self._named.get(name, ()) if one.has_signed(message)), None)
        every = (one for same in self._named.values() for one in same)
        return next((one for one in every if message.transaction_id in one.protocol.transactions), None)


class _Endpoint(asyncio.DatagramTransport):
    """What one peer has of a socket that many share."""

    def __init__(self, shared: asyncio.DatagramTransport, leave: Callable[[], None]) -> None:
        super().__init__()
        self._shared = shared
        self._leave = leave
        self._is_closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket's name. The socket itself is nobody's alone, and so not given: it has its options."""
        return self._shared.get_extra_info(name, default) if name == "sockname" else default

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a packet."""
        if not self._is_closing:
            self._shared.sendto(data, addr)

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._is_closing

    def close(self) -> None:
        """Take no more packets; the socket stays open."""
        if not self._is_closing:
            self._is_closing = True
            self._leave()

    def abort(self) -> None:
        """As `close`: nothing is held back."""
        self.close()

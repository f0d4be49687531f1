"""A network that fails on command: a relay between clients and a server, on loopback.

Must not know what goes through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator

PIECE_BYTES = 64 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing resets the connection."""


class Cable:
    """Relays connections to a port.

    Attributes:
        port: where it listens.
    """

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._lines: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._dangling: list[asyncio.StreamWriter] = []
        self._flows = asyncio.Event()
        self._flows.set()

    @contextlib.asynccontextmanager
    async def plugged(self) -> AsyncGenerator[Cable]:
        """Relay while the block runs."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for writer in self._dangling:
                writer.transport.abort()

    def cut(self) -> None:
        """Reset all connections, on both sides."""
        for line in tuple(self._lines):
            for writer in line:
                _reset(writer)

    def vanish(self) -> None:
        """Reset all connections on the clients' side. On the server's they stay open, and nothing is said or taken any
        more: as where a machine has lost its network.
        """
        for client, server in tuple(self._lines):
            self._dangling.append(server)  # nobody reads it any more: `_relay` ends with the client's side
            _reset(client)

    def hold(self) -> None:
        """Relay nothing until `go_on`: neither side is told."""
        self._flows.clear()

    def go_on(self) -> None:
        """Relay what waits, and what follows."""
        self._flows.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            _reset(writer)
            return
        line = (writer, far_writer)
        self._lines.add(line)
        try:
            ways = [self._pass(reader, far_writer), self._pass(far_reader, writer)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._lines.discard(line)
            for end in line:
                if end not in self._dangling:
                    end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()

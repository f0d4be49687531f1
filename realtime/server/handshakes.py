"""Accepts connections that are to speak TLS, and bounds those that have not shaken hands yet.

asyncio accepts and shakes hands too, for a minute each, and as many at once as there are descriptors: their protocol,
where limits are, only hears of a connection afterwards. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0
"""From accepting a connection to the end of its handshake."""
UNFINISHED_MAX = 128
"""Connections that have not shaken hands yet. One more closes the oldest."""
AGAIN_S = 1.0
"""Until connections are accepted again where there were no descriptors left; as in asyncio."""


class Handshakes:
    """Takes connections of a listening socket to the end of their handshakes, and then to a protocol.

    Args:
        listening: does not block.
        context: of a server.
        protocol: makes the protocol of one connection.
    """

    def __init__(self, listening: socket.socket, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]):
        self._listening = listening
        self._context = context
        self._protocol = protocol
        self._unfinished: dict[socket.socket, None] = {}  # the oldest first

    async def accept(self) -> None:
        """Accept connections, until it is cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listening)
                except OSError as error:
                    log.warning("no connection can be accepted for %g s: %s", AGAIN_S, error.strerror)
                    await asyncio.sleep(AGAIN_S)
                    continue
                self._make_room()
                self._unfinished[connection] = None
                tasks.create_task(self._shake_hands(connection))

    def _make_room(self) -> None:
        while len(self._unfinished) >= UNFINISHED_MAX:
            oldest = next(iter(self._unfinished))
            del self._unfinished[oldest]
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its handshake fails, and closes it

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:  # ssl.SSLError and time-outs too
            log.debug("a handshake failed: %s", error)
            connection.close()
        except Exception:  # one connection's: the others are accepted on
            log.exception("a handshake failed")
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            self._unfinished.pop(connection, None)

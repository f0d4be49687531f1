"""HTTP and WebSockets: uvicorn's protocol, settings and server, and the socket that it listens on.

Must not know routes, or what an app is made of.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..config import Config
from ..errors import ConfigError
from .service import Service

SEND_BUFFER_BYTES = 256 * 1024
"""The kernel's default of 4 MB holds 2.7 s of stale video for a client that stops reading."""
DRAIN_S = 4


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with two changes: a client that takes nothing can't keep its connection open, and
    reading does not pause at each message, which costs two system calls: a twelfth of a picture's way in and out.
    """

    def send_receive_event_to_app(self) -> None:
        """Hand a message over, and pause reading only where `ws_max_queue` messages wait."""
        has_room = not self.read_paused and self.queue.qsize() + 1 < self.config.ws_max_queue
        if has_room:
            self.read_paused = True  # uvicorn pauses the transport only if this is False
        super().send_receive_event_to_app()
        if has_room:
            self.read_paused = False

    async def run_asgi(self) -> None:
        """Serve one connection, and abort its transport where it does not close."""
        await super().run_asgi()
        # A closing transport waits for its buffer to empty: for ever, if the client reads nothing.
        self.loop.call_later(self.close_timeout + 1 if self.close_sent else 1, self.transport.abort)


class Server(uvicorn.Server):
    """uvicorn's server, which ends when the engine fails, and says why to all clients before their sockets close."""

    def __init__(self, config: uvicorn.Config, service: Service, on_start: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections and call `on_start`: from then on a signal shuts the server down in order."""
        await super().startup(sockets)
        self._on_start()

    async def main_loop(self) -> None:
        """Serve until a signal or until the engine fails."""
        watch = asyncio.create_task(self._exit_when_engine_fails())
        try:
            await super().main_loop()
        finally:
            watch.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the main loop on a signal. uvicorn would raise it again at the end, and so replace our exit code."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def _exit_when_engine_fails(self) -> None:
        await self._service.host.ended.wait()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the engine, at which every connection closes with its reason (uvicorn's own code would be 1012)."""
        await self._service.host.stop()
        for _ in range(20):
            if not self.server_state.tasks:
                break
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def http_settings(app: ASGIApp, config: Config) -> uvicorn.Config:
    """uvicorn's settings, for any app."""
    return uvicorn.Config(
        app,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,  # JPEG does not deflate: 13-50 times the CPU for nothing
        ws_max_size=config.max_message_bytes,
        ws_max_queue=4,
        log_config=None,
        log_level="warning",  # at debug it logs the headers of handshakes, tokens among them
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )


def listen(config: Config) -> socket.socket:
    """A socket that listens on the configured host and port.

    Raises:
        ConfigError: the address is in use, or not this machine's.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # accepted sockets inherit it
            listening.bind(address)
            listening.listen(128)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(f"can't listen on {config.host}:{config.port}: {why}; choose another with --port") from None
    return listening

"""uvicorn's server and its settings, and the socket that it listens on.

Must not know routes, or what an app is made of.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ..config import Config
from ..errors import ConfigError
from ..process import STOP_SIGNALS, is_ignored_hangup
from .handshakes import Handshakes
from .protocols import HttpProtocol, Settings
from .service import Service
from .tls import Certificate

SEND_BUFFER_BYTES = 256 * 1024
"""The kernel's default of 4 MB holds 2.7 s of stale video for a client that stops reading."""
GOODBYE_S, FLUSH_S, DRAIN_S = 1.0, 0.3, 1
"""How long a server that ends waits: for its connections to say why, then for their last bytes to be taken, and then
for what is left. Together with the engine's last tick below the `PATIENCE_S` of a process."""
OTHER_CONNECTIONS = 256
"""Open connections beside those of sessions, the line and viewers: pages that load, requests to the API."""


class Server(uvicorn.Server):
    """uvicorn's server, which ends when the engine fails, and says why to all clients before their sockets close.

    Args:
        config: from `http_settings`.
        service: whose engine it is.
        on_start: called when connections are accepted.
        on_signal: called at each signal that ends it, by the signal's handler.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        on_start: Callable[[], None] = lambda: None,
        on_signal: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = on_start
        self._on_signal = on_signal
        self._doors: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections and call `on_start`: from then on a signal shuts the server down in order."""
        context = self.config.ssl
        await super().startup(sockets if context is None else [])
        if context is not None:
            self._doors = [
                asyncio.create_task(Handshakes(each, context, self._protocol).accept()) for each in sockets or []
            ]
        self._on_start()

    def _protocol(self) -> asyncio.Protocol:
        """The protocol of a connection, as uvicorn makes it."""
        assert isinstance(self.config, Settings)
        return HttpProtocol(self.config, self.server_state, self.lifespan.state)

    async def main_loop(self) -> None:
        """Serve until a signal or until the engine fails."""
        watch = asyncio.create_task(self._exit_when_engine_fails())
        try:
            await super().main_loop()
        finally:
            watch.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle `STOP_SIGNALS` while the block runs, if this is the main thread. uvicorn knows no SIGHUP, and raises
        what it caught again at the end, which would replace our exit code.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [number for number in STOP_SIGNALS if not is_ignored_hangup(number)]
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the main loop on a signal; with a second one wait for nobody."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._on_signal()

    async def _exit_when_engine_fails(self) -> None:
        await self._service.host.ended.wait()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the engine, at which every connection closes with its reason (uvicorn's own code would be 1012)."""
        for door in self._doors:
            door.cancel()
        await asyncio.gather(self._service.host.stop(), self._goodbye())
        asyncio.get_running_loop().call_later(FLUSH_S, self._abort)
        await super().shutdown(sockets)

    async def _goodbye(self) -> None:
        """Wait until the connections have ended by themselves, at most `GOODBYE_S`."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=GOODBYE_S)

    def _abort(self) -> None:
        """Cut the connections of clients that take nothing, which uvicorn would wait for."""
        for connection in self.server_state.connections:
            connection.transport.abort()


def http_settings(app: ASGIApp, config: Config, certificate: Certificate | None = None) -> Settings:
    """uvicorn's settings, for any app; https where there is a certificate."""
    return Settings(
        app,
        ssl_certfile=certificate and certificate.certificate,
        ssl_keyfile=certificate and certificate.key,
        most_connections=config.max_sessions + config.max_waiting + config.max_viewers + OTHER_CONNECTIONS,
        send_timeout_s=config.send_timeout_s,
        ws_per_message_deflate=False,  # JPEG does not deflate: 13-50 times the CPU for nothing
        ws_max_size=config.max_message_bytes,
        ws_max_queue=4,
        log_config=None,
        log_level="error",  # a warning for each request that is none; at debug the headers of handshakes, with tokens
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )


def listen(config: Config) -> socket.socket:
    """A socket that listens on the configured host and port.

    Raises:
        ConfigError: the address is in use, not this machine's, no address at all, or not allowed.
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
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"can't listen on {config.host}, port {config.port}: {_why_not(error)}") from None
    return listening


def _why_not(error: OSError | UnicodeError) -> str:
    """What is wrong with an address that can't be listened on, and what to do."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "there is no host of this name; give an address of this machine with --host, or 0.0.0.0 for all of them"
    match error.errno:
        case errno.EADDRINUSE:
            return "another program has this port; end it, or choose another port with --port"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address; give one that it has with --host, or 0.0.0.0 for all of them"
        case errno.EACCES:
            return "the system keeps this port for itself; choose one from 1024 on with --port"
        case _:
            return f"{error.strerror}; give another address with --host, or another port with --port"

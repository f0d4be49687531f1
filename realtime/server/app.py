"""The server put together: app, lifespan, pages, and the process's life from bind to drain.

The only module that knows all others of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from types import FrameType

import uvicorn
from aiortc import RTCIceServer
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .. import __version__
from ..config import Config, IceServer, InputSource
from ..engine import load_engine
from ..errors import ConfigError, SessionLimitError
from . import lag, pages
from .access import Access
from .engine_host import Load, State
from .ingest import Ingest
from .routes import router
from .service import Service
from .webrtc.peers import Peers
from .webrtc.routes import make_router

log = logging.getLogger(__name__)

SEND_BUFFER_BYTES = 256 * 1024
"""The kernel's default of 4 MB holds 2.7 s of stale video for a client that stops reading."""
SWITCH_INTERVAL_S = 0.0005
"""A Python-bound engine thread stalls the event loop 12-53 ms at p99 with the default 5 ms, 0.06-7 ms with this."""
DRAIN_S = 4
RETRY_AFTER_S = 5
"""What who finds the server full is told to wait."""
EXIT_OK, EXIT_ENGINE_FAILED, EXIT_CONFIG = 0, 1, 2


def create_app(config: Config, load: Load = load_engine, token: str | None = None) -> FastAPI:
    """The ASGI app; its lifespan loads the engine.

    Args:
        config: of the process.
        load: makes the engine; tests bring their own.
        token: what clients must bring; None where nobody needs one.
    """
    service = Service(config, load)
    ice_servers = [RTCIceServer(**IceServer.parse(server).wire()) for server in config.ice_servers]
    peers = Peers(service, ice_servers)
    ingests = [Ingest(service, source) for source in InputSource.parse_all(config.inputs)]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as tasks, peers.running():
            service.host.start()
            endless = [tasks.create_task(ingest.run()) for ingest in ingests]
            endless.append(tasks.create_task(lag.watch(service.metrics.observe_lag)))
            yield
            for task in endless:
                task.cancel()
            await service.host.stop()

    app = FastAPI(title="realtime", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service, app.state.peers = service, peers
    app.include_router(router)
    if config.webrtc:
        app.include_router(make_router(peers, ice_servers))
    app.add_exception_handler(SessionLimitError, _full)
    pages.add_to(app)
    app.add_middleware(Access, config=config, token=token)
    return app


async def _full(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503, {"retry-after": str(RETRY_AFTER_S)})


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, except that a client which takes nothing can't keep its connection from closing, and that reading
    does not stop for every message: that costs two system calls, a twelfth of a picture's way in and out."""

    def send_receive_event_to_app(self) -> None:
        """Hand a message over, and stop reading where `ws_max_queue` wait to be taken."""
        has_room = not self.read_paused and self.queue.qsize() + 1 < self.config.ws_max_queue
        self.read_paused |= has_room  # uvicorn stops what has not stopped
        super().send_receive_event_to_app()
        if has_room:
            self.read_paused = False

    async def run_asgi(self) -> None:
        """Serve one connection and see to its end."""
        await super().run_asgi()
        # A transport that closes waits for its buffer to empty: for ever, where nobody reads.
        self.loop.call_later(self.close_timeout + 1 if self.close_sent else 1, self.transport.abort)


class Server(uvicorn.Server):
    """uvicorn, with our clients told before the sockets close, and an end when the engine fails."""

    def __init__(self, config: uvicorn.Config, service: Service, on_start: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so: from here on a signal ends the server in order."""
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
        """A signal ends the main loop; uvicorn would raise it again at the end, and the exit code would not be ours."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def _exit_when_engine_fails(self) -> None:
        host = self._service.host
        while host.state is not State.FAILED:
            await host.changed.wait()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the engine: every connection then says why and closes (uvicorn's own code would be 1012)."""
        await self._service.host.stop()
        for _ in range(20):
            if not self.server_state.tasks:
                break
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def serve(config: Config, load: Load = load_engine, announce: Callable[[str], None] = print) -> int:
    """Run the server until a signal comes or the engine fails.

    Args:
        announce: told the address, once it answers.

    Returns:
        The process's exit code: 0, 1 where the engine failed, 2 where the configuration does not fit the model.

    Raises:
        ConfigError: the address can't be listened on.
    """
    token = config.token.get_secret_value() if config.token else None
    if token is None and not config.is_loopback:
        token = secrets.token_urlsafe(24)
    app = create_app(config, load, token)
    listening = listen(config)
    address = _address(config, listening.getsockname()[1], token)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    make_server(app, config, lambda: announce(address)).run(sockets=[listening])
    error = app.state.service.host.error
    if error is None:
        return EXIT_OK
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_ENGINE_FAILED


def make_server(app: FastAPI, config: Config, on_start: Callable[[], None] = lambda: None) -> Server:
    """The server of `create_app`'s app; `run` it with a listening socket."""
    return Server(http_settings(app, config), app.state.service, on_start)


def http_settings(app: ASGIApp, config: Config) -> uvicorn.Config:
    """How HTTP and WebSockets are spoken, whatever the app."""
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
    """A socket that listens where the configuration says.

    Raises:
        ConfigError: the address is taken or not this machine's.
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


def _address(config: Config, port: int, token: str | None) -> str:
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "") else config.host
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")

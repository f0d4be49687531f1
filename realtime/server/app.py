"""The server put together: app, lifespan, pages, and the process's life from bind to drain.

The only module that knows all others of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import sys
from collections.abc import AsyncGenerator, Callable

from aiortc import RTCIceServer
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from ..config import Config, IceServer, InputSource
from ..engine import Engine, Progress
from ..engine.load import check_engine, load_engine
from ..engine.rungs.upgrade import abandon_upgrades
from ..errors import ConfigError, SessionLimitError
from ..version import __version__
from . import lag, pages
from .access import Access
from .engine_host import Load
from .http import Server, http_settings, listen
from .ingest import Ingest
from .routes import router
from .service import Service
from .webrtc.peers import Peers
from .webrtc.routes import make_router

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""A Python-bound engine thread stalls the event loop 12-53 ms at p99 with the default 5 ms, 0.06-7 ms with this."""

RETRY_AFTER_S = 5
"""The `Retry-After` of an answer that the server is full."""
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


def serve(
    config: Config,
    load: Load = load_engine,
    announce: Callable[[str], None] = print,
    on_signal: Callable[[], None] = lambda: None,
) -> int:
    """Run the server until a signal comes or the engine fails. Threads of an engine that is busy then outlive it.

    Args:
        announce: told the address, once it answers.
        on_signal: called at each signal, by its handler.

    Returns:
        The process's exit code: 0, 1 where the engine failed, 2 where the configuration does not fit the model.

    Raises:
        ConfigError: the address can't be listened on, or the model's name is none.
        ModelError: there can't be a model of that name.
    """
    check_engine(config)
    token = config.token.get_secret_value() if config.token else None
    if token is None and not config.is_loopback:
        token = secrets.token_urlsafe(24)
    app = create_app(config, _settled(load), token)
    listening = listen(config)
    address = _address(config, listening.getsockname()[1], token)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    make_server(app, config, lambda: announce(address), on_signal).run(sockets=[listening])
    abandon_upgrades()
    error = app.state.service.host.error
    if error is None:
        return EXIT_OK
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_ENGINE_FAILED


def _settled(load: Load) -> Load:
    """`load`, after which the garbage collector passes over all that there is by then, as it stays: with torch and a
    model half a million objects, which took 0.5 s at once (measured), in which nobody got a picture.
    """

    def load_and_freeze(config: Config, progress: Progress) -> Engine:
        engine = load(config, progress)
        gc.freeze()
        return engine

    return load_and_freeze


def make_server(
    app: FastAPI,
    config: Config,
    on_start: Callable[[], None] = lambda: None,
    on_signal: Callable[[], None] = lambda: None,
) -> Server:
    """The server of `create_app`'s app; `run` it with a listening socket."""
    return Server(http_settings(app, config), app.state.service, on_start, on_signal)


def _address(config: Config, port: int, token: str | None) -> str:
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "") else config.host
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")

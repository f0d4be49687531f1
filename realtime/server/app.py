"""The server put together: app, lifespan, pages, and the process's life from bind to drain.

The only module that knows all others of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from aiortc import RTCIceServer
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from .. import forked
from ..config import Config, IceServer, InputSource, OutputSetting, Tls
from ..engine import Engine, Progress
from ..engine.load import check_engine, load_engine
from ..engine.rungs.upgrade import abandon_upgrades
from ..engine_process.engine import EngineProcess, load_engine_process, wants_process
from ..engine_process.process import preload_of
from ..errors import ConfigError, SessionLimitError
from ..memory import settle
from ..version import __version__
from . import lag, pages, tls
from .access import Access
from .command_routes import router as command_router
from .credentials import Credentials
from .egress import Egress
from .engine_host import Load
from .hint_routes import router as hint_router
from .hint_views import HintViews
from .http import Server, http_settings, listen
from .ingest import Ingest
from .lora_routes import router as lora_router
from .model_routes import router as model_router
from .osc.endpoint import bound_socket, listen_for_osc
from .output_routes import router as output_router
from .picture_routes import router as picture_router
from .prefix import Prefix
from .remembering import Memory
from .remote.fleet import Cluster, Fleet
from .restarting import BACK_OFF_S
from .routes import router
from .service import Service
from .state_file import StateFile, state_folder
from .still_routes import router as still_router
from .stills import Stills
from .swaps import Swaps
from .ticket_routes import router as ticket_router
from .tls import Certificate
from .webrtc.peers import Peers
from .webrtc.routes import make_router
from .worker_routes import router as worker_router

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""A Python-bound engine thread stalls the event loop 12-53 ms at p99 with the default 5 ms, 0.06-7 ms with this."""

RETRY_AFTER_S = 5
"""The `Retry-After` of an answer that the server is full."""
EXIT_OK, EXIT_ENGINE_FAILED, EXIT_CONFIG = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Announced:
    """Where the server answers.

    Attributes:
        address: of the page, with the token, on this machine.
        on_network: for others on its network; None where there is no such address, or `address` says it.
        fingerprint: of a certificate that was made here.
    """

    address: str
    on_network: str | None = None
    fingerprint: str | None = None


def create_app(
    config: Config,
    load: Load = load_engine,
    token: str | None = None,
    memory: Memory | None = None,
    back_off_s: Sequence[float] = BACK_OFF_S,
    cluster: Cluster | None = None,
) -> FastAPI:
    """The ASGI app; its lifespan loads the engine.

    Args:
        config: of the process.
        load: makes the engine; tests bring their own.
        token: what clients must bring; None where nobody needs one.
        memory: what outlives the server; None: nothing.
        back_off_s: see `EngineHost`.
        cluster: where workers on other machines are found; None: the engines are here.
    """
    service = Service(config, load, memory, back_off_s)
    service.metrics.gauge("realtime_tasks", "Tasks of the event loop.", lambda: len(asyncio.all_tasks()))
    ice_servers = [RTCIceServer(**IceServer.parse(server).wire()) for server in config.ice_servers]
    peers = Peers(service, ice_servers)
    service.outputs = egresses = [Egress(service, setting) for setting in OutputSetting.parse_all(config.outputs)]
    service.asks_for_token = token is not None
    swaps = Swaps(service)
    service.metrics.count("realtime_swaps", "Changes of the model, by how they ended.", "state", lambda: swaps.counts)
    ingests = [Ingest(service, source) for source in InputSource.parse_all(config.inputs)]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with service.listening(), asyncio.TaskGroup() as tasks, peers.running():
            if cluster is None and wants_process(config):
                forked.preload(preload_of(config))  # by the one process that decoders are forked from as well
            service.decoders.begin()
            service.host.start()
            endless = [tasks.create_task(each.run()) for each in (*ingests, *egresses)]
            endless.append(tasks.create_task(swaps.run()))
            endless.append(tasks.create_task(service.rules.watch(service.check_rules)))
            endless.append(tasks.create_task(lag.watch(service.metrics.observe_lag)))
            endless.append(tasks.create_task(service.loras.run()))
            if cluster is not None:
                endless.append(tasks.create_task(Fleet(cluster, config, service.host).run()))
            osc = await listen_for_osc(service, config) if config.osc is not None else None
            if osc is not None:
                endless.append(tasks.create_task(osc[0].run()))
            tasks.create_task(service.memory.keep(lambda: service.sessions, lambda: service.owners, service.host.ended))
            yield
            for task in endless:
                task.cancel()
            if osc is not None:
                osc[1].close()
            await service.host.stop()
            await asyncio.to_thread(service.decoders.close)

    app = FastAPI(title="realtime", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service, app.state.peers, app.state.stills, app.state.swaps = service, peers, Stills(service), swaps
    app.state.hint_views = HintViews(service.host.spend, service.aside)
    app.include_router(router)
    app.include_router(ticket_router)
    app.include_router(worker_router)
    app.include_router(lora_router)
    app.include_router(model_router)
    app.include_router(picture_router)
    app.include_router(still_router)
    app.include_router(hint_router)
    app.include_router(command_router)
    app.include_router(output_router)
    if config.webrtc:
        app.include_router(make_router(peers, ice_servers))
    app.add_exception_handler(SessionLimitError, _full)
    pages.add_to(app)
    credentials = Credentials(token, service.tickets)
    app.add_middleware(Access, config=config, credentials=credentials, owners=lambda: service.owners)
    app.add_middleware(Prefix, root_path=config.root_path)
    return app


async def _full(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503, {"retry-after": str(RETRY_AFTER_S)})


def serve(
    config: Config,
    load: Load | None = None,
    announce: Callable[[Announced], None] = lambda announced: print(announced.address),
    on_signal: Callable[[], None] = lambda: None,
) -> int:
    """Run the server until a signal comes or the engine fails. Threads of an engine that is busy then outlive it.

    Args:
        load: makes the engine; None makes the one that the configuration asks for.
        announce: told the address, once the server answers.
        on_signal: called at each signal, by its handler.

    Returns:
        The process's exit code: 0, 1 where the engine failed, 2 where the configuration does not fit the model.

    Raises:
        ConfigError: the address or UDP port can't be listened on, the model's name is none, a certificate can't be
            used, or the cluster can't be joined.
        ModelError: there can't be a model of that name.
    """
    check_engine(config)
    token = config.token.get_secret_value() if config.token else None
    if token is None and not config.is_loopback:
        token = secrets.token_urlsafe(24)
    certificate = _certificate(config)
    load = load or (load_engine_process if wants_process(config) else load_engine)
    cluster = _cluster(config)
    app = create_app(config, _settled(load), token, _memory(config), cluster=cluster)
    if config.webrtc:
        app.state.peers.check_ports()
    if config.osc is not None:
        bound_socket(config).close()
    listening = listen(config)
    announced = _announced(config, listening.getsockname()[1], token, certificate)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    make_server(app, config, lambda: announce(announced), on_signal, certificate).run(sockets=[listening])
    abandon_upgrades()
    error = app.state.service.host.error
    if error is None:
        return EXIT_OK
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_ENGINE_FAILED


def _cluster(config: Config) -> Cluster | None:
    """The cluster that has the engines, if one does. Raises ConfigError."""
    if not config.ray:
        return None
    from .remote.ray_cluster import RayCluster

    cluster = RayCluster(config.ray)
    settle("")
    return cluster


def _memory(config: Config) -> Memory:
    """What this server remembers: of a port of its own choice there is nothing to come back to."""
    path = config.state
    if path is None and not config.no_state and config.port != 0:
        path = state_folder() / f"{config.port}.json"
    return Memory(StateFile(path.expanduser()) if path is not None else None)


def _settled(load: Load) -> Load:
    """`load`, after which the process settles."""

    def load_and_settle(config: Config, progress: Progress) -> Engine:
        engine = load(config, progress)
        settle("" if isinstance(engine, EngineProcess) else engine.info.device)
        return engine

    return load_and_settle


def make_server(
    app: FastAPI,
    config: Config,
    on_start: Callable[[], None] = lambda: None,
    on_signal: Callable[[], None] = lambda: None,
    certificate: Certificate | None = None,
) -> Server:
    """The server of `create_app`'s app; `run` it with a listening socket."""
    return Server(http_settings(app, config, certificate), app.state.service, on_start, on_signal)


def _certificate(config: Config) -> Certificate | None:
    """For https, if that is wanted. Raises ConfigError."""
    if config.tls_cert is not None and config.tls_key is not None:
        return tls.given(config.tls_cert.expanduser(), config.tls_key.expanduser())
    if config.tls is Tls.SELF:
        return tls.own(state_folder() / "tls", tls.own_names(config.allowed_hosts), tls.lan_addresses())
    return None


def _announced(config: Config, port: int, token: str | None, certificate: Certificate | None) -> Announced:
    def address(host: str) -> str:
        host = f"[{host}]" if ":" in host else host
        query = f"?token={token}" if token else ""
        return f"{'http' if certificate is None else 'https'}://{host}:{port}/{query}"

    is_everywhere = config.host in tls.EVERYWHERE
    on_network = next((str(each) for each in tls.lan_addresses()), None) if is_everywhere else None
    return Announced(
        address("127.0.0.1" if is_everywhere else config.host),
        address(on_network) if on_network else None,
        certificate and certificate.fingerprint,
    )

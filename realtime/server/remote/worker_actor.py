"""The worker on another machine: one engine with its scheduler, decoding and encoding, and whoever replaces it.

Must not know Ray: its methods are called by name, one at a time, on an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ...config import Config, Device
from ...decoder_process.pictures import PictureDecoders
from ...engine.devices import VISIBLE, see_one_gpu
from ...engine.hearing import Heard
from ...engine.load import load_engine
from ...engine_process.engine import EngineProcess, load_engine_process, wants_process
from ...errors import RealtimeError
from ...frame import Format
from ...media import codec
from ...memory import settle
from ...params import Params
from ...scheduling.suspects import Suspects
from ...version import __version__
from ..engine_host import EngineHost, Load
from ..engine_state import PutLoras, Stage, State
from ..life import Life
from ..restarting import BACK_OFF_S
from .messages import Engaged, HandedBack, Offering, Reply, Status, WorkOrder
from .mirror import NUMBERLESS, MirroredSession

if TYPE_CHECKING:
    from ...pixels import Pixels

_log = logging.getLogger(__name__)

REFERENCES_KEPT = 256
"""More than the server counts on, as calls may overtake each other."""
INHERITED = (VISIBLE, "OMP_NUM_THREADS")
"""Variables that Ray changes: it hides the GPUs and all processors but one from who has not reserved any."""
LEAVE_EVERY_S = 0.1
LEAVE_S = 10.0
"""How long a worker that is to end waits for its sessions to go on elsewhere."""
UNLOAD_S = 60.0
"""How long an engine may take to be closed, with its loading where that has begun; then the process ends."""


def loader_of(config: Config) -> Load:
    """What loads the engine of such a configuration."""
    return load_engine_process if wants_process(config) else load_engine


class WorkerActor:
    """What a server calls on a worker. Every method is called on one event loop.

    Args:
        device: one of `devices`.
        environment: `INHERITED` of whoever started it; None for what is not set there.
        loader: chooses what loads an engine.
        die: called where the process is of no use any more.
    """

    def __init__(
        self,
        device: str,
        environment: Mapping[str, str | None] = MappingProxyType({}),
        loader: Callable[[Config], Load] = loader_of,
        die: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self._device = device
        self._environment = environment
        self._loader = loader
        self._die = die
        self._process = secrets.token_hex(8)
        self._order: WorkOrder | None = None
        self._host: EngineHost | None = None
        self._decoders: PictureDecoders | None = None
        self._suspects = Suspects()
        self._was_ready = False
        self._epoch = 0
        self._sessions: dict[str, MirroredSession] = {}
        self._references: OrderedDict[str, Pixels] = OrderedDict()
        self._version = 0
        self._engaged: Engaged | None = None
        self._is_leaving = False
        self._put: tuple[tuple[str, ...], PutLoras] | None = None
        self._lock = asyncio.Lock()  # while an engine is replaced by another order's

    # -- what the server asks -------------------------------------------------------------------------------------

    async def begin(self, order: WorkOrder, anew: bool = False) -> None:
        """Load the engine of this order, unless it is there.

        Args:
            anew: also where it has failed.
        """
        async with self._lock:
            has_failed = self._host is not None and self._host.state in (State.FAILED, State.STOPPED)
            if order == self._order and not (anew and has_failed):
                return
            await self._unload()
            self._order = order
            logging.getLogger("realtime").setLevel(order.log_level)
            self._load(order)

    async def end(self) -> None:
        """Close the engine."""
        async with self._lock:
            await self._unload()

    async def package_version(self) -> str:
        """Of `realtime` in this process: the server calls nothing else of another than its own."""
        return __version__

    async def beat(self, epoch: int, known_version: int) -> Status:
        """A sign of life.

        Args:
            epoch: of whoever asks; see `Offering`.
            known_version: see `Status`.
        """
        self._enter(epoch)
        host, life = self._host, self._host.life if self._host is not None else None
        self._note_engaged(life)
        away, capacity = host.away if host is not None else None, life.scheduler.capacity if life is not None else None
        reason = away.reason if away is not None else ""
        if host is not None and host.error is not None:
            reason = str(host.error) or type(host.error).__name__
        return Status(
            process=self._process,
            device=self._device,
            order=self._order,
            state=host.state if host is not None else State.STOPPED,
            stage=host.stage if host is not None else Stage(),
            reason=reason,
            back_s=max(0, away.back_ns - time.monotonic_ns()) / 1e9 if away is not None else 0.0,
            version=self._version,
            engaged=self._engaged if self._version != known_version else None,
            line=capacity.line if capacity is not None else None,
            max_rows=capacity.max_rows if capacity is not None else 1,
            jobs=life.scheduler.jobs if life is not None else 0,
            is_apart=life is not None and isinstance(life.engine, EngineProcess),
            is_leaving=self._is_leaving,
        )

    async def ready_loras(self, loras: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """See `Host.ready_loras`: its notes, and why they can't be worn; empty where they can."""
        try:
            if self._host is None or self._host.life is None:
                return (), "the worker has no engine at the moment: try again"
            self._put = loras, await self._host.ready_loras(loras)
        except RealtimeError as error:
            return (), str(error)
        return self._put[1].notes, ""

    async def put_loras(self) -> str:
        """Have those in force that were read last. Returns why they can't be; empty where they are."""
        if self._put is None or self._order is None:
            return "the worker has begun anew: try again"
        (loras, change), self._put = self._put, None
        try:
            await change.put()
        except RealtimeError as error:
            return str(error)
        self._order = self._order.with_loras(loras)
        return ""

    async def offer(self, offering: Offering) -> Reply:
        """Run a frame; the answer comes when there is one."""
        loop = asyncio.get_running_loop()
        self._enter(offering.epoch)
        life = self._host.life if self._host is not None else None
        if life is None or offering.epoch < self._epoch:
            return Reply(NUMBERLESS, HandedBack(is_suspect=False))
        answered: asyncio.Future[Reply] = loop.create_future()

        def give(reply: Reply) -> None:
            loop.call_soon_threadsafe(answered.set_result, reply)

        session = self._sessions.get(offering.session)
        if session is None:
            session = self._sessions[offering.session] = MirroredSession(offering, self._named)
            life.scheduler.add(session)
        session.take(offering, give)
        return await answered

    async def keep(self, reference: str, png: bytes) -> None:
        """Keep a picture that params may name."""
        self._references[reference] = codec.decode_encoded(png, Format.PNG)[0]
        while len(self._references) > REFERENCES_KEPT:
            self._references.popitem(last=False)

    async def hear(self, params: Params) -> Heard | None:
        """See `Engine.hear`; None where there is no engine."""
        life = self._host.life if self._host is not None else None
        return await asyncio.to_thread(life.engine.hear, params) if life is not None else None

    async def forget(self, epoch: int, name: str, connection: int) -> None:
        """A session is over, or goes on elsewhere, unless a newer connection of it has come."""
        session = self._sessions.get(name)
        if epoch >= self._epoch and session is not None and session.is_of(connection):
            self._drop(session)

    async def leave(self) -> None:
        """Have the sessions go on elsewhere: returns when they do, or after a while."""
        self._is_leaving = True
        end_s = time.monotonic() + LEAVE_S
        while self._sessions and time.monotonic() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(LEAVE_EVERY_S)

    # -- its own --------------------------------------------------------------------------------------------------

    def _enter(self, epoch: int) -> None:
        """Let go of all sessions of an earlier epoch."""
        if epoch > self._epoch:
            self._epoch = epoch
            for session in list(self._sessions.values()):
                self._drop(session)

    def _drop(self, session: MirroredSession) -> None:
        del self._sessions[session.name]
        session.leave()
        if self._host is not None and self._host.life is not None:
            self._host.life.scheduler.remove(session)

    def _load(self, order: WorkOrder) -> None:
        fields = dict(order.fields)
        if self._device.startswith("cuda"):
            fields |= {"devices": self._device, "device": Device.CUDA}
        elif self._device != Device.AUTO:
            fields |= {"device": Device(self._device)}
        config = Config.model_construct(**fields)  # as the server checked it, whatever this machine's environment says
        for name, text in self._environment.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
        if not wants_process(config):
            see_one_gpu(config.devices)
        self._was_ready = False
        self._decoders = PictureDecoders(config)
        self._decoders.begin()
        self._host = EngineHost(
            config,
            self._loader(config),
            on_life=self._on_life,
            back_off_s=BACK_OFF_S,
            suspects=self._suspects,
            decoding=self._decoders,
        )
        self._host.start()

    async def _unload(self) -> None:
        host, decoders = self._host, self._decoders
        self._host = self._decoders = self._order = None
        for session in list(self._sessions.values()):
            del self._sessions[session.name]
            session.hand_back(is_suspect=False)
        if host is not None:
            await host.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(UNLOAD_S):
                    while not host.is_closed:
                        await host.changed.wait()
            if not host.is_closed or host.hangs:
                _log.error("the engine can't be closed: its process ends, and another begins")
                self._die()
        if decoders is not None:
            await asyncio.to_thread(decoders.close)

    def _on_life(self, life: Life | None) -> None:
        """The engine is ready, or gone."""
        self._note_engaged(life)
        if life is not None:
            if not self._was_ready:
                settle("" if isinstance(life.engine, EngineProcess) else life.engine.info.device)
            self._was_ready = True
            return
        for session in list(self._sessions.values()):
            del self._sessions[session.name]
            session.hand_back(is_suspect=session.name in self._suspects)
        if self._was_ready and self._host is not None and self._host.state is State.FAILED:
            _log.error("the engine broke in this process: it ends, and another begins")
            self._die()

    def _note_engaged(self, life: Life | None) -> None:
        if life is None or (self._engaged is not None and life.engine.info is self._engaged.info):
            return
        engine = life.engine
        self._engaged = Engaged(engine.info, engine.cost, life.defaults, life.max_output_pixels)
        self._version += 1

    def _named(self, references: Collection[str]) -> Mapping[str, Pixels]:
        return {one: self._references[one] for one in references if one in self._references}

"""The engines of the next model in the places of those that serve: loaded and tried beside them, or behind them.

Must not know who asks for it, or what there is to choose from.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from typing import Any

from ..config import AUTO_VARIANTS, KNOWN_VARIANTS, Config, ModelConfig
from ..engine import Engine, EngineInfo, Progress
from ..engine.load import is_echo
from ..engine_process.engine import wants_process
from ..errors import ConfigError, FrameError, ModelError
from ..memory import give_back
from .engine_host import Load
from .engine_state import State
from .fitting import ModelOffer
from .life import offered
from .rehearsal import Shown, rehearse
from .samples import opened_sample
from .service import Service
from .worker import Worker

OWN_OPTIONS = ("base", "loras", "vae", "sampler")
"""Options of `ModelConfig` that belong to the configured model, and to no other."""


CALLED_OFF = "it was cancelled"
FITTED_OPTIONS = ("control", "reference", "embeddings", "clip_skip")
"""Options that stay where the model changes, as far as they fit the next one."""

log = logging.getLogger(__name__)


class NotLoaded(Exception):
    """The next model does not serve; the message says why."""


@dataclass(frozen=True, slots=True)
class Successor:
    """The next model.

    Attributes:
        model: as `Config.model` has it.
        name: for people.
    """

    model: str
    name: str


class Succession:
    """Puts engines of another model in the places of those that serve. Event loop only.

    Args:
        service: the server's state.

    Attributes:
        loading: the worker that loads now, or did last.
        left_out: what of the options the newest was loaded without, and why, for people; empty where it has all.
        can_be_called_off: whether `call_off` has an effect: until the next one serves.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.can_be_called_off = False
        self.left_out = ""
        self._is_called_off = False
        self.loading: Worker | None = None
        self._load_s = 0.0  # how long the newest took

    @property
    def in_service(self) -> list[Worker]:
        """The workers whose engines are in service."""
        return [each for each in self._service.host.workers if not (each.is_drained or each.host.is_closed)]

    async def call_off(self) -> None:
        """Load the next model no further: whoever waits for it is told by NotLoaded, once what was loaded is closed."""
        self._is_called_off = self.can_be_called_off
        loading = self.loading
        if self._is_called_off and loading is not None and loading.host.state is State.LOADING:
            await loading.host.close()

    @contextlib.contextmanager
    def _cancellable(self) -> Generator[None]:
        """While the block runs, it can be called off."""
        self.can_be_called_off, self._is_called_off = True, False
        try:
            yield
        finally:
            self.can_be_called_off = self._is_called_off = False

    def _check_called_off(self) -> None:
        if self._is_called_off:
            raise NotLoaded(CALLED_OFF)

    async def beside(self, following: Successor, on_moving: Callable[[], None]) -> None:
        """Load the next model beside the one that serves, on each device in turn; once all are ready, go over to it.

        Args:
            on_moving: called when sessions begin to go over.

        Raises:
            NotLoaded: the next can't be loaded; all is as it was.
        """
        host = self._service.host
        next_ones: dict[Worker, Worker] = {}
        try:
            with self._cancellable():
                for worker in self.in_service:
                    next_ones[worker] = await self._load(worker, following)
                for worker in next_ones.values():
                    if worker.host.state is not State.READY:
                        raise NotLoaded(worker.reason or "its engine broke before it served")
                self._check_called_off()
        except BaseException:
            for worker in next_ones.values():
                await host.retire(worker)
            raise
        on_moving()
        for worker in host.workers:
            if worker not in next_ones:
                next_ones[worker] = self._make(worker, following)
        host.succeed(next_ones, following.model, "", 0.0)
        await self._retire(next_ones)

    async def _load(self, worker: Worker, following: Successor) -> Worker:
        """Load the next engine for a worker's device, and try it. Raises NotLoaded."""
        self._check_called_off()
        host, begun_s = self._service.host, time.monotonic()
        self.left_out = ""
        self.loading = one = self._make(worker, following)
        one.host.start()
        await self._until_loaded(one)
        if one.host.state is not State.READY:
            reason = one.reason or "its engine broke before it served"
            await host.retire(one)
            self._check_called_off()
            raise NotLoaded(reason)
        self._load_s = time.monotonic() - begun_s
        return one

    async def _until_loaded(self, worker: Worker) -> None:
        host = self._service.host
        while worker.host.state is State.LOADING and not host.ended.is_set():
            await host.changed.wait()
        if host.ended.is_set():
            raise NotLoaded("the server ends")

    def _make(self, worker: Worker, following: Successor) -> Worker:
        options = self._options(following.model)
        if self._service.config.variants == AUTO_VARIANTS:
            options["variants"] = KNOWN_VARIANTS  # to try others takes the device from those who are served
        return self._service.host.beside(worker, options, self._rehearsed)

    def _options(self, model: str) -> dict[str, Any]:
        """What of the configuration is another with this model."""
        config = self._service.config
        if model == config.model:
            return {"model": model, **{name: getattr(config, name) for name in OWN_OPTIONS}}
        return {"model": model, **{name: ModelConfig.model_fields[name].default for name in OWN_OPTIONS}}

    async def behind(self, following: Successor, past_name: str) -> None:
        """Close the engines that serve, then load the next model; if that fails, load the one before again.

        Args:
            past_name: of the model before.

        Raises:
            NotLoaded: the next can't be loaded.
        """
        host, before = self._service.host, self._service.host.model
        name = following.name
        with host.holding():
            try:
                with self._cancellable():
                    await self._in_place(following, f"{name} is loaded in place of {past_name}")
            except NotLoaded as error:
                if host.ended.is_set():
                    raise
                again = Successor(before, past_name)
                self._service.dissolve_s = 0.0
                with contextlib.suppress(NotLoaded):  # then the server ends, as where the first engine can't be loaded
                    await self._in_place(again, f"{name} can't be loaded ({error}): {past_name} is again")
                raise

    async def _in_place(self, following: Successor, reason: str) -> None:
        host = self._service.host
        next_ones = {worker: self._make(worker, following) for worker in host.workers}
        starting = [next_ones[worker] for worker in host.workers if not worker.is_drained]
        host.succeed(next_ones, following.model, reason, self._load_s)
        await self._retire(next_ones)
        failed: str | None = None
        self.left_out = ""
        for worker in starting:
            if self._is_called_off:
                worker.host.is_closed = True  # as it was never started
                continue
            self.loading = worker
            worker.is_drained = worker.host.is_closed = False
            worker.host.start()
            await self._until_loaded(worker)
            if worker.host.state is not State.READY:
                failed = failed or worker.reason or "its engine broke"
        self._check_called_off()
        if failed is not None:
            raise NotLoaded(failed)

    async def _retire(self, workers: Collection[Worker]) -> None:
        """Close engines that serve no more, and give their memory back."""
        for worker in workers:
            await self._service.host.retire(worker)
        config = self._service.config
        if not (wants_process(config) or is_echo(config)):
            await asyncio.to_thread(give_back)

    # -- on an engine's thread --------------------------------------------------------------------------------------

    def _rehearsed(self, load: Load) -> Load:
        """What loads engines, made to try the first of them on what is shown."""
        shots = self._shots()
        references, tried = self._service.references, threading.Event()

        def load_and_rehearse(config: Config, progress: Progress) -> Engine:
            engine = self._fitting(load, config, progress)
            if tried.is_set():
                return engine
            tried.set()
            try:
                progress("trying it on what is shown", None)  # raises where the change was called off meanwhile
                offer = ModelOffer(engine.info, *offered(engine.info, config))
                _open_samples(engine.info, config.max_pixels)
                rehearse(engine, offer, shots, references)
                shots.clear()
            except BaseException:
                with contextlib.suppress(Exception):
                    engine.close()
                raise
            return engine

        return load_and_rehearse

    def _fitting(self, load: Load, config: Config, progress: Progress) -> Engine:
        """Load an engine; where it can't be as nets, adapters or words are in the way, without those."""
        try:
            return load(config, progress)
        except (ModelError, ConfigError) as error:
            wanted = [name for name in FITTED_OPTIONS if getattr(config, name)]
            if not wanted or config.model == self._service.config.model:
                raise
            why = str(error)
        plain = {name: ModelConfig.model_fields[name].default for name in wanted}
        engine = load(config.model_copy(update=plain), progress)
        flags = ", ".join(f"--{name.removesuffix('s').replace('_', '-')}" for name in wanted)
        self.left_out = f"without {flags}, as not all of it fits: {why}"
        log.warning("%s is loaded %s", config.model, self.left_out)
        return engine

    def _shots(self) -> list[Shown]:
        return [
            Shown(session.newest.job if session.newest is not None else None, session.params, session.defaults)
            for session in self._service.sessions
            if session.channel is not None
        ]


def _open_samples(info: EngineInfo, max_pixels: int) -> None:
    for _, data in info.pictures:
        with contextlib.suppress(FrameError):
            opened_sample(data, max_pixels)

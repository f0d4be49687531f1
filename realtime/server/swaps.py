"""Changing the model of a server that runs: the next one is loaded and tried beside the one that serves, then sessions
go over to it; what fails leaves all as it was.

Must not know HTTP, or how sessions go from worker to worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

from ..config import Config, Device
from ..engine.free_memory import free_memory
from ..engine.load import is_echo, likely_device
from ..engine.models.shelf import Shelved, list_shelved
from ..errors import EngineError, RealtimeError
from .engine_state import Stage, State
from .service import Service
from .shortage import shortage
from .succession import CALLED_OFF, NotLoaded, Succession, Successor

log = logging.getLogger(__name__)

DISSOLVE_MAX_S = 10.0
DISSOLVE_S = 0.5
LISTED_S = 3.0
"""How long a listing is kept: pages ask twice a second how far a change is."""

T = TypeVar("T")


class NoSwap(Exception):
    """The model can't be changed to this one, or not now; says why, and what to do.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Phase(StrEnum):
    """How far a change is. DONE, FAILED and CANCELLED are final."""

    DOWNLOADING = "downloading"
    LOADING = "loading"
    """The next one is loaded and tried, while the one before serves, if there is memory for both."""
    MOVING = "moving"
    """Sessions go over, and the one before is closed."""
    CANCELLING = "cancelling"
    """What was loaded is closed."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """A change that was asked for.

    Attributes:
        shelved: the next model.
        dissolve_s: see `Service`.
        frees_first: whether the one before is closed first, as there is no memory for both.
    """

    shelved: Shelved
    dissolve_s: float = DISSOLVE_S
    frees_first: bool = False


@dataclass(frozen=True, slots=True)
class Swap:
    """The newest change, as it is told.

    Attributes:
        name: of the next model.
        reason: why it failed; or what of the options the next model does without, and why.
    """

    name: str
    phase: Phase
    stage: Stage = field(default_factory=lambda: Stage(""))
    reason: str = ""

    def wire(self) -> dict[str, Any]:
        """As JSON values."""
        told = {"name": self.name, "state": self.phase.value, "stage": self.stage.name, "percent": self.stage.percent}
        return told | ({"reason": self.reason} if self.reason else {})


class Swaps:
    """Changes of a server's model, one at a time. Event loop only.

    Args:
        service: the server's state.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._plan: SwapPlan | None = None
        self._change: Swap | None = None
        self._succession = Succession(service)
        self._asked = asyncio.Event()
        self._listed: tuple[list[Shelved], float] = [], 0.0  # and until when it is not looked again
        self._end_download: Callable[[], None] | None = None
        self.counts = {Phase.DONE: 0, Phase.FAILED: 0, Phase.CANCELLED: 0}

    @property
    def model(self) -> str:
        """The name of the model that serves."""
        return self._service.shown_names.get(self._service.host.model, name_of(self._service.host.model))

    @property
    def change(self) -> Swap | None:
        """The newest change; None before the first. It has models' names: where they lie is the server's own."""
        change = self._change
        if change is None:
            return None
        loading = self._succession.loading
        stage = loading.host.stage if loading is not None and change.phase is Phase.LOADING else change.stage
        named = Stage(self._named(stage.name), stage.percent)
        return replace(change, stage=named, reason=self._named(change.reason))

    def _named(self, text: str) -> str:
        names = {self._service.config.model: name_of(self._service.config.model), **self._service.shown_names}
        for model in sorted(names, key=len, reverse=True):  # one folder may be in another
            text = text.replace(model, names[model])
        return text

    async def models(self) -> list[Shelved]:
        """All that the model can be changed to, the one that serves among them."""
        found, until_s = self._listed
        if time.monotonic() >= until_s:
            config = self._service.config
            found = await asyncio.to_thread(list_shelved, tuple(folder.expanduser() for folder in config.model_folders))
            if all(one.model != config.model for one in found):
                found.insert(0, Shelved(name_of(config.model), config.model, "as the server was started"))
            self._listed = found, time.monotonic() + LISTED_S
        return found

    async def begin(self, name: str, dissolve_s: float = DISSOLVE_S, *, frees_first: bool = False) -> Swap:
        """Begin to change the model.

        Args:
            name: of one of `models`, or `echo:MS` where the server was started with an echo.

        Raises:
            NoSwap: there is none, or it can't be now.
        """
        self._check_time()
        shelved = await self._find(name)
        self._check_time()
        host = self._service.host
        if shelved.model == host.model:
            raise NoSwap(409, f"{name} is what serves already")
        if not shelved.is_here and _is_offline():
            raise NoSwap(409, f"{name} is not on this machine, and HF_HUB_OFFLINE is set: pull it elsewhere first")
        plan = SwapPlan(shelved, dissolve_s, frees_first)
        if shelved.is_here:
            await self._check_memory(plan)
            self._check_time()
        self._listed = [], 0.0  # a download is here then
        self._plan, self._change = plan, Swap(name, Phase.LOADING if shelved.is_here else Phase.DOWNLOADING)
        self._succession.loading = None
        self._asked.set()
        return self._change

    async def cancel(self) -> Swap:
        """Call the change off that is on its way; what of it was loaded is closed. Returns at once: `change` tells.

        Raises:
            NoSwap: there is none, or it is too late.
        """
        plan, change = self._plan, self._change
        if plan is None or change is None:
            raise NoSwap(409, "no change is on its way")
        if change.phase is Phase.CANCELLING:
            return change
        is_early = self._asked.is_set() or change.phase is Phase.DOWNLOADING
        if not (is_early or self._succession.can_be_called_off):
            raise NoSwap(409, f"it is too late: {plan.shelved.name} is about to serve, or has failed already")
        self._change = Swap(plan.shelved.name, Phase.CANCELLING)
        if self._end_download is not None:
            self._end_download()
        await self._succession.call_off()
        return self._change

    @property
    def _is_called_off(self) -> bool:
        return self._change is not None and self._change.phase is Phase.CANCELLING

    def _check_time(self) -> None:
        """Raises NoSwap where no change can begin now."""
        host = self._service.host
        if host.is_fleet:
            raise NoSwap(409, "engines on other machines keep their model: start the server with another --model")
        if self._plan is not None:
            raise NoSwap(409, f"{self._plan.shelved.name} is on its way: wait until it serves, or has failed")
        if host.state is not State.READY:
            raise NoSwap(409, "no engine is ready: wait until one is")

    async def _find(self, name: str) -> Shelved:
        if is_echo(self._service.config) and is_echo(self._configured(name)):
            return Shelved(name, name)
        found = next((one for one in await self.models() if one.name == name), None)
        if found is None:
            raise NoSwap(404, f"there is no model {name[:64]!r} here: GET /api/models lists all")
        return found

    def _configured(self, model: str) -> Config:
        return self._service.config.model_copy(update={"model": model})

    # -- one change -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out what is begun, until it is cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            plan = self._plan
            assert plan is not None
            name = plan.shelved.name
            try:
                await self._carry_out(plan)
            except (NotLoaded, NoSwap, RealtimeError) as error:
                if self._is_called_off:
                    log.info("the model stays %s: the change to %s was cancelled", self.model, name)
                    self._say(Swap(name, Phase.CANCELLED))
                else:
                    log.warning("the model stays %s: %s: %s", self.model, name, error)
                    self._say(Swap(name, Phase.FAILED, reason=str(error)))
            except Exception:
                log.exception("the model can't be changed to %s", name)
                self._say(Swap(name, Phase.FAILED, reason="the server failed: its log says why"))
            else:
                log.info("the model is %s", name)
                self._say(Swap(name, Phase.DONE, reason=self._succession.left_out))
            finally:
                self._plan = None

    def _say(self, change: Swap) -> None:
        self._change = change
        if change.phase in self.counts:
            self.counts[change.phase] += 1

    async def _carry_out(self, plan: SwapPlan) -> None:
        shelved = plan.shelved
        if not (shelved.is_here or self._is_called_off):
            await self._download(plan)
            await self._check_memory(plan)
        if self._is_called_off:
            raise NotLoaded(CALLED_OFF)
        self._say(Swap(shelved.name, Phase.LOADING))
        self._service.shown_names[shelved.model] = shelved.name
        self._service.dissolve_s = plan.dissolve_s
        if plan.frees_first:
            await self._succession.behind(Successor(shelved.model, shelved.name), self.model)
        else:
            await self._succession.beside(
                Successor(shelved.model, shelved.name), lambda: self._say(Swap(shelved.name, Phase.MOVING))
            )

    async def _download(self, plan: SwapPlan) -> None:
        from ..engine.models.presets import pull

        name, loop = plan.shelved.name, asyncio.get_running_loop()
        prefer_fp16 = likely_device(self._service.config.device) is Device.CUDA

        cancelled, over = threading.Event(), loop.create_future()

        def tell(stage: Stage) -> None:
            if not cancelled.is_set():
                self._say(Swap(name, Phase.DOWNLOADING, stage))

        def progress(stage: str, percent: float | None) -> None:
            if cancelled.is_set():
                raise EngineError("the download was cancelled")  # by which it ends; what is here stays
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, Stage(stage, percent))

        def end() -> None:
            cancelled.set()
            if not over.done():
                over.set_exception(NotLoaded(CALLED_OFF))  # at once: a network that is silent says nothing

        self._end_download = end
        try:
            await _in_thread(lambda: pull(name, progress, prefer_fp16), over)
        finally:
            self._end_download = None

    async def _check_memory(self, plan: SwapPlan) -> None:
        """Raises NoSwap where the next model does not fit beside the one that serves, and nobody said what then."""
        if plan.frees_first:
            return
        config = self._service.config
        if is_echo(self._configured(plan.shelved.model)):
            return
        devices = [worker.own_device for worker in self._succession.in_service]
        why = await asyncio.to_thread(shortage, plan.shelved, config, devices, free_memory)
        if why:
            raise NoSwap(507, f"{why}: with free_first that one goes first, and who watches sees what `fallback` says")


def name_of(model: str) -> str:
    """How a model is named to clients: a file or folder without its path."""
    return Path(model).name if os.path.sep in model and Path(model).expanduser().exists() else model


def _is_offline() -> bool:
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


async def _in_thread(work: Callable[[], T], done: asyncio.Future[T]) -> T:
    """What `work` returns or raises, made in a thread that the process does not wait for at its end.

    Args:
        done: is waited for; whoever ends it before leaves the thread to itself.
    """
    loop = asyncio.get_running_loop()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast(T, result))

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="download", daemon=True).start()
    return await done

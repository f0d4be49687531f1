"""The engine's life beside the event loop: loading with progress, running on its own thread, ending loudly.

Must not know connections or routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ..config import Config
from ..engine import Engine, Progress
from ..engine.load import load_engine
from ..errors import RealtimeError
from ..media.pipeline import Stages
from ..scheduling.scheduler import Scheduler

log = logging.getLogger(__name__)

Load = Callable[[Config, Progress], Engine]
JOIN_TIMEOUT_S = 3.0


class State(Enum):
    """Where the engine is in its life; it only moves down this list."""

    LOADING = auto()
    READY = auto()
    STOPPED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Stage:
    """What loading is at: a sentence for people and a percentage, None where none is known."""

    name: str = "starting"
    percent: float | None = None


class EngineHost:
    """Loads the engine in a thread, then runs the scheduler on it; tells the event loop what happened.

    Args:
        config: passed on to `load`.
        load: makes the engine; runs on the engine thread.
        on_tick: passed on to the scheduler.
    """

    def __init__(
        self,
        config: Config,
        load: Load = load_engine,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
    ) -> None:
        self.state = State.LOADING
        self.stage = Stage()
        self.error: BaseException | None = None
        self._config = config
        self._load = load
        self._on_tick = on_tick
        self._engine: Engine | None = None
        self._scheduler: Scheduler | None = None
        self._logged: tuple[str, int | None] = ("", None)
        self._changed = asyncio.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)

    @property
    def engine(self) -> Engine:
        """The engine. Only where `state` is READY, or was."""
        assert self._engine is not None
        return self._engine

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler. Only where `state` is READY, or was."""
        assert self._scheduler is not None
        return self._scheduler

    def start(self) -> None:
        """Start loading. On the event loop, which is told from now on."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def changed(self) -> asyncio.Event:
        """Set when `state` or `stage` is another; ask for it before looking at them, or a change may be missed."""
        return self._changed

    async def stop(self) -> None:
        """Tell everybody at once, let the tick under way end, then free the device. Doing it again does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._set(state=State.STOPPED)
        if self._scheduler is not None:
            self._scheduler.stop()
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT_S)

    # -- the engine thread --------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            self._engine = self._load(self._config, self._progress)
            stages = Stages(self._config.max_pixels)
            self._scheduler = Scheduler(self._engine, self._config.rows_per_session, self._on_tick, stages=stages)
            log.info("ready: %s on %s", self._engine.info.model, self._engine.info.rung)
            self._tell(state=State.READY)
            if self._stopping.is_set():
                self._scheduler.stop()  # `stop` came while there was nothing to stop
            self._scheduler.run()
            self._engine.close()
        except RealtimeError as error:
            log.error("%s", error)
            self._fail(error)
        except BaseException as error:
            log.exception("the engine is broken")
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self._tell(state=State.FAILED)

    def _progress(self, stage: str, percent: float | None) -> None:
        tenth = None if percent is None else int(percent // 10)
        if (stage, tenth) != self._logged:
            self._logged = (stage, tenth)
            log.info("%s", stage if percent is None else f"{stage}: {percent:.0f} %")
        self._tell(stage=Stage(stage, percent))

    def _tell(self, *, state: State | None = None, stage: Stage | None = None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(lambda: self._set(state=state, stage=stage))

    def _set(self, *, state: State | None = None, stage: Stage | None = None) -> None:
        if state is not None and state.value > self.state.value:
            self.state = state
        if stage is not None:
            self.stage = stage
        # Whoever waits holds the old event; whoever comes next waits for the next change.
        self._changed.set()
        self._changed = asyncio.Event()

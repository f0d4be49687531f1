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
from ..errors import ConfigError, RealtimeError
from ..scheduling.scheduler import Scheduler
from .life import Life

log = logging.getLogger(__name__)

Load = Callable[[Config, Progress], Engine]
JOIN_TIMEOUT_S = 3.0


class State(Enum):
    """Where the engine is in its life. STOPPED and FAILED are the end: nothing follows."""

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
        on_life: told, on the event loop, of each engine that is ready, and of its end by None.

    Attributes:
        life: the engine that is ready; None in every other state.
        error: why the engine failed.
        ended: set where `state` is STOPPED or FAILED.
    """

    def __init__(
        self,
        config: Config,
        load: Load = load_engine,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        on_life: Callable[[Life | None], None] = lambda life: None,
    ) -> None:
        self.state = State.LOADING
        self.stage = Stage()
        self.life: Life | None = None
        self.error: BaseException | None = None
        self.ended = asyncio.Event()
        self._config = config
        self._load = load
        self._on_tick = on_tick
        self._on_life = on_life
        self._running: Scheduler | None = None  # the engine thread sets it, before the event loop knows
        self._logged: tuple[str, int | None] = ("", None)
        self._changed = asyncio.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)

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
        self._set_state(State.STOPPED)
        if self._running is not None:
            self._running.stop()
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT_S)

    # -- the engine thread --------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            life = self._begin()
            log.info("ready: %s on %s", life.engine.info.model, life.engine.info.rung)
            self._running = life.scheduler
            self._tell(lambda: self._set_state(State.READY, life))
            if self._stopping.is_set():
                life.scheduler.stop()  # `stop` came while there was nothing to stop
            life.scheduler.run()
            life.engine.close()
        except RealtimeError as error:
            log.error("%s", error)
            self._fail(error)
        except BaseException as error:
            log.exception("the engine is broken")
            self._fail(error)

    def _begin(self) -> Life:
        engine = self._load(self._config, self._progress)
        try:
            return Life.begin(engine, self._config, self._on_tick)
        except ConfigError:
            engine.close()
            raise

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self._tell(lambda: self._set_state(State.FAILED))

    def _progress(self, stage: str, percent: float | None) -> None:
        tenth = None if percent is None else int(percent // 10)
        if (stage, tenth) != self._logged:
            self._logged = (stage, tenth)
            log.info("%s", stage if percent is None else f"{stage}: {percent:.0f} %")
        self._tell(lambda: self._set_stage(Stage(stage, percent)))

    def _tell(self, change: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(change)

    # -- the event loop -----------------------------------------------------------------------------------------

    def _set_state(self, state: State, life: Life | None = None) -> None:
        if self.ended.is_set():
            return
        self.state, self.life = state, life
        if state in (State.STOPPED, State.FAILED):
            self.ended.set()
        self._on_life(life)
        self._wake()

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage
        self._wake()

    def _wake(self) -> None:
        # Whoever waits holds the old event; whoever comes next waits for the next change.
        self._changed.set()
        self._changed = asyncio.Event()

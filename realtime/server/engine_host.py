"""The engine thread: loads an engine, runs its scheduler, replaces it where it breaks; the event loop is told of each
change of state.

Must not know connections or routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from ..config import Config
from ..engine import Engine, Progress
from ..engine.load import load_engine
from ..errors import ConfigError, RealtimeError
from ..scheduling.scheduler import Scheduler
from .life import Life

log = logging.getLogger(__name__)

Load = Callable[[Config, Progress], Engine]
JOIN_TIMEOUT_S = 1.0
"""How long `stop` waits for the engine thread: a second's work is worth waiting for, and the process ends in three."""
LEAVE_TIMEOUT_S = 3.0
"""How long the engine thread waits until the event loop has dropped a broken engine, before it loads another."""


class State(Enum):
    """LOADING → READY → LOADING where a broken engine is replaced; STOPPED and FAILED are final."""

    LOADING = auto()
    READY = auto()
    STOPPED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage of loading.

    Attributes:
        name: a phrase for people.
        percent: 0 to 100; None where no percentage is known.
    """

    name: str = "starting"
    percent: float | None = None


class EngineHost:
    """Loads an engine in a thread of its own and runs its scheduler there.

    An engine that raises while it runs is replaced, `config.engine_restarts` times at most. One that fails to load is
    not.

    Args:
        config: passed on to `load`.
        load: makes the engine, on the engine thread.
        on_tick: see `Scheduler`; called on the engine thread.
        on_life: called on the event loop at each change of `state`, with `life`.

    Attributes:
        state, stage: changed on the event loop only.
        life: the ready engine; None unless `state` is READY.
        error: what made `state` FAILED; None otherwise.
        ended: set when `state` is STOPPED or FAILED.
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
        """Start the engine thread. Called on the event loop that is to be told of changes."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def changed(self) -> asyncio.Event:
        """An event for the next change of `state` or `stage`, and for no later one. Get it before reading them, or a
        change between may be missed.
        """
        return self._changed

    async def stop(self) -> None:
        """Set STOPPED at once, then wait, at most `JOIN_TIMEOUT_S`, until the engine's last tick has ended and it is
        closed. Does not wait for an engine that is still loading. A second call does nothing.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._set_state(State.STOPPED)
        if self._running is not None:
            self._running.stop()
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT_S)

    # -- the engine thread --------------------------------------------------------------------------------------

    def _live(self) -> None:
        """The thread's function: run one engine after the other until one ends that is not to be replaced."""
        restarts_left = self._config.engine_restarts
        while self._live_once(is_last=restarts_left == 0):
            restarts_left -= 1
            gc.unfreeze()
            gc.collect()  # models hold reference cycles, and two may not fit into memory
            log.warning("the engine is loaded again; after that %d more times", restarts_left)

    def _live_once(self, *, is_last: bool) -> bool:
        """Load an engine and run it until it ends.

        Args:
            is_last: whether it is not replaced if it breaks.

        Returns:
            True if it broke while it ran and another is to be loaded; this thread holds no reference to it then.
        """
        life: Life | None = None
        try:
            life = self._begin()
            log.info("ready: %s on %s", life.engine.info.model, life.engine.info.rung)
            self._running = life.scheduler
            self._tell(partial(self._set_state, State.READY, life))
            if self._stopping.is_set():
                life.scheduler.stop()  # `stop` came while there was nothing to stop
            life.scheduler.run()
            life.engine.close()
        except BaseException as error:
            if isinstance(error, RealtimeError):
                log.error("%s", error)
            else:
                log.exception("the engine is broken")
            if life is None or is_last or self._stopping.is_set():
                self.error = error
                self._tell(partial(self._set_state, State.FAILED))
                return False
        else:
            return False
        self._let_go(life)
        return not self._stopping.is_set()

    def _begin(self) -> Life:
        engine = self._load(self._config, self._progress)
        try:
            return Life.begin(engine, self._config, self._on_tick)
        except ConfigError:
            engine.close()
            raise

    def _let_go(self, life: Life) -> None:
        """Answer a broken engine's frames with failures, close it, and wait, at most `LEAVE_TIMEOUT_S`, until the event
        loop has dropped its reference.
        """
        life.scheduler.give_up()
        try:
            life.engine.close()
        except Exception as error:
            log.warning("the broken engine can't be closed: %s", error)
        self._running = None
        left = threading.Event()
        self._tell(partial(self._leave, left))
        left.wait(LEAVE_TIMEOUT_S)

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

    def _leave(self, left: threading.Event) -> None:
        """Go back to LOADING; sets `left` when nothing on the event loop refers to the broken engine."""
        self.stage = Stage()
        self._set_state(State.LOADING)
        left.set()

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage
        self._wake()

    def _wake(self) -> None:
        # Waiters hold the old event; who asks for `changed` from now on gets the next change's.
        self._changed.set()
        self._changed = asyncio.Event()

"""The engine thread: loads an engine, runs its scheduler, replaces it where it breaks; the event loop is told of each
change of state.

Must not know connections or routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from ..config import Config
from ..engine import Engine, LoraChange, Progress
from ..engine.load import load_engine
from ..engine_process.engine import restarts
from ..errors import EngineError, ModelError, RealtimeError
from ..media.pipeline import Decoding
from ..scheduling.scheduler import Scheduler
from ..scheduling.suspects import Suspects
from .descent import Descent
from .engine_state import Away, Changes, PutLoras, Stage, State
from .life import Life
from .restarting import BACK_OFF_S, Restarts
from .watchdog import LOOK_EVERY_S, LORAS_S

log = logging.getLogger(__name__)

Load = Callable[[Config, Progress], Engine]
JOIN_TIMEOUT_S = 1.0
"""How long `stop` waits for the engine thread: a second's work is worth waiting for, and the process ends in three."""
LEAVE_TIMEOUT_S = 3.0
"""How long the engine thread waits until the event loop has dropped a broken engine, before it loads another."""
HANGING_S = 30.0
"""How long an engine that hangs in a thread may yet come back; then it is given up, as a thread can't be ended."""
CALLS_SHOWN = 6
"""Of the stack of one that hangs, in the log."""


class EngineHost:
    """Loads an engine in a thread of its own and runs its scheduler there.

    An engine that raises while it runs is replaced, as often as `config.engine_restarts` says. The first must load; of
    later ones it is said why they don't, and they are tried again. One that gives no answer, and has no process that
    could be killed, is AWAY until it does; after `HANGING_S` it is given up, and the state is FAILED.

    Args:
        config: passed on to `load`.
        load: makes the engine, on the engine thread.
        on_tick: see `Scheduler`; called on the engine thread.
        on_life: called on the event loop at each change of `state` or `away`, with `life`.
        back_off_s: see `BACK_OFF_S`.
        suspects: whose frames broke engines: of all that may come to serve the same sessions; None: of this one.
        changes: told of each change of `state`, `away` or `stage`, behind `on_life`; None: this one's own.
        name: of this one among several, for the log; empty where there is one.
        decoding: see `Pipeline`.

    Attributes:
        state, stage: changed on the event loop only.
        life: the ready engine; None unless `state` is READY.
        away: set while `state` is AWAY; then None.
        error: what made `state` FAILED; None otherwise.
        ended: set when `state` is STOPPED or FAILED.
        loras: what the newest engine wears, see `ModelConfig`.
        is_closed: whether its last engine is gone, behind that, or hangs for ever. Changed on the event loop only.
        hangs: whether the engine was given up, or left at the end, as it gives no answer. Its thread and its memory
            last as long as the process.
    """

    def __init__(
        self,
        config: Config,
        load: Load = load_engine,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        on_life: Callable[[Life | None], None] = lambda life: None,
        back_off_s: Sequence[float] = BACK_OFF_S,
        suspects: Suspects | None = None,
        changes: Changes | None = None,
        name: str = "",
        decoding: Decoding | None = None,
    ) -> None:
        self.state = State.LOADING
        self.stage = Stage()
        self.life: Life | None = None
        self.away: Away | None = None
        self.error: BaseException | None = None
        self.ended = asyncio.Event()
        self.is_closed = False
        self.hangs = False
        self._config = config
        self._load = load
        self._on_tick = on_tick
        self._on_life = on_life
        self._decoding = decoding
        self._restarts = Restarts(restarts(config), back_off_s)
        self._suspects = suspects or Suspects()
        self._descent = Descent()
        self._prefix = f"{name}: " if name else ""
        self._gap: Away | None = None  # the engine thread's own
        self._loaded_loras = config.loras  # the engine thread sets it before it tells the event loop
        self._load_ns = 0  # how long the newest engine took to load
        self.loras: tuple[str, ...] = config.loras
        self._running: Scheduler | None = None  # the engine thread sets it, before the event loop knows
        self._newest: Life | None = None  # the event loop's: the engine that is ready, or hangs
        self._hanging: Away | None = None  # the event loop's: set while it hangs
        self._looking: asyncio.TimerHandle | None = None
        self._looks_left = 0  # at one that hangs, until it is given up
        self._logged: tuple[str, int | None] = ("", None)
        self._told: Stage | None = None  # the engine thread's
        self._changes = changes or Changes()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)

    def start(self) -> None:
        """Start the engine thread. Called on the event loop that is to be told of changes."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def changed(self) -> asyncio.Event:
        """See `Changes.next`."""
        return self._changes.next

    async def stop(self) -> None:
        """Set STOPPED at once, then wait, at most `JOIN_TIMEOUT_S`, until the engine's last tick has ended and it is
        closed. Does not wait for an engine that is still loading. A second call does nothing.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._set_state(State.STOPPED)
        if (running := self._running) is not None:
            running.stop()
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT_S)
            if self._hanging is not None and self._thread.is_alive():
                self._leave_behind()

    async def close(self) -> None:
        """See `stop`: the engine here ends with whoever runs it."""
        await self.stop()

    async def ready_loras(self, loras: tuple[str, ...]) -> PutLoras:
        """See `Host`: an engine that is loaded later has them from the start."""
        life = self.life
        change = await asyncio.to_thread(life.engine.ready_loras, loras) if life is not None else None
        return PutLoras(lambda: self._put_loras(loras, life, change), change.notes if change is not None else ())

    async def _put_loras(self, loras: tuple[str, ...], life: Life | None, change: LoraChange | None) -> None:
        before, self._config = self._config, self._config.model_copy(update={"loras": loras})
        if life is None or change is None:
            return
        put: Future[None] = Future()

        def chain(done: Future[None]) -> None:
            error = done.exception()
            put.set_exception(error) if error is not None else put.set_result(None)

        def put_on() -> None:
            with life.dog.watching(LORAS_S) if life.dog is not None else contextlib.nullcontext():
                change.put().add_done_callback(chain)

        life.scheduler.change(put_on)
        done = asyncio.wrap_future(put)
        while not done.done() and self._newest is life:  # an engine that breaks is followed by one that has them
            changed = asyncio.ensure_future(self.changed.wait())
            await asyncio.wait((done, changed), return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        if not done.done():
            done.cancel()
            return
        if isinstance(done.exception(), ModelError):
            self._config = before
        done.result()
        if self._newest is life:
            self.loras = loras

    # -- the engine thread --------------------------------------------------------------------------------------

    def _live(self) -> None:
        """The thread's function: run one engine after the other until one ends that is not to be replaced."""
        while (wait_s := self._live_once()) is not None and not self._stopping.wait(wait_s):
            gc.unfreeze()
            gc.collect()  # models hold reference cycles, and two may not fit into memory
        self._running = None  # which has the last engine
        self._tell(self._note_closed)

    def _live_once(self) -> float | None:
        """Load an engine and run it until it ends.

        Returns:
            How long to wait before another is loaded; None where none is. This thread holds no reference to the engine
            then.
        """
        life: Life | None = None
        begun_ns = time.monotonic_ns()
        try:
            life = self._begin()
            self._load_ns = time.monotonic_ns() - begun_ns
            self._run(life)
        except BaseException as error:
            self._log_end(error)
            wait_s = self._next_s(life, begun_ns)
            if wait_s is None:
                self._fail(error)
            reason = str(error) or type(error).__name__
            is_its_own = not isinstance(error, EngineError) or error.blames_engine
        else:
            return None
        if life is not None:
            blamed = life.scheduler.give_up()
            reason += self._descend(life.engine.info.rung.name, blamed) if is_its_own else ""
        left = self._say_away(reason, wait_s) if wait_s is not None else None
        if life is not None:
            _close(life)
        if left is not None:
            left.wait(LEAVE_TIMEOUT_S)
        return wait_s

    def _descend(self, rung: str, blamed: str | None) -> str:
        """Leave the rung out where it broke one engine too many; what is to be said of it."""
        if not self._descent.broke(rung, blamed):
            return ""
        log.warning("engines broke again on %s: it is left out from now on", rung)
        return f"; again on {rung}, so the next engine goes without it"

    def _begin(self) -> Life:
        config = self._config
        engine = self._load(self._descent.configure(config), self._progress)
        self._loaded_loras = config.loras
        try:
            return Life.begin(engine, self._config, self._on_tick, self._suspects, self._decoding)
        except BaseException:
            engine.close()
            raise

    def _run(self, life: Life) -> None:
        log.info("%sready: %s on %s", self._prefix, life.engine.info.model, life.engine.info.rung)
        self._gap = None
        self._running = life.scheduler
        self._tell(partial(self._begin_with, life))
        if self._stopping.is_set():
            life.scheduler.stop()  # `stop` came while there was nothing to stop
        life.scheduler.run()
        life.engine.close()

    def _next_s(self, life: Life | None, begun_ns: int) -> float | None:
        """See `_live_once`, for an engine that broke, or that could not be loaded where `life` is None."""
        if life is None and self._gap is None:
            return None  # the first one
        return self._restarts.next_s(0.0 if life is None else (time.monotonic_ns() - begun_ns) / 1e9)

    def _fail(self, error: BaseException) -> None:
        if not self._stopping.is_set():
            self.error = error
            self._tell(partial(self._set_state, State.FAILED))

    def _say_away(self, reason: str, wait_s: float) -> threading.Event:
        """Tell the event loop that an engine broke, or could not be loaded, and that another is loaded after a time.

        Returns:
            Set when the event loop has dropped its reference to the engine.
        """
        now_ns = time.monotonic_ns()
        since_ns, tries = (now_ns, 0) if self._gap is None else (self._gap.since_ns, self._gap.tries + 1)
        self._gap = Away(reason, since_ns, now_ns + int(wait_s * 1e9) + self._load_ns, tries)
        self._running = None
        left = threading.Event()
        self._tell(partial(self._leave, self._gap, left))
        return left

    def _progress(self, stage: str, percent: float | None) -> None:
        """Tell a stage of loading. Raises EngineError where nobody wants the engine any more: by that loading ends."""
        if self._stopping.is_set():
            raise EngineError("it is not wanted any more", blames_frames=False, blames_engine=False)
        tenth = None if percent is None else int(percent // 10)
        if (stage, tenth) != self._logged:
            self._logged = (stage, tenth)
            log.info("%s%s", self._prefix, stage if percent is None else f"{stage}: {percent:.0f} %")
        if (told := Stage(stage, percent)) != self._told:
            self._told = told
            self._tell(lambda: self._set_stage(told))

    def _log_end(self, error: BaseException) -> None:
        """Log how an engine ended; one that ends because it is stopped is no news."""
        if self._stopping.is_set():
            log.debug("%sthe engine has ended: %s", self._prefix, error)
        elif isinstance(error, RealtimeError):
            log.error("%s%s", self._prefix, error)
        else:
            log.exception("%sthe engine is broken", self._prefix)

    def _tell(self, change: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(change)

    # -- the event loop -----------------------------------------------------------------------------------------

    def _set_state(self, state: State, life: Life | None = None, away: Away | None = None) -> None:
        if self.ended.is_set():
            return
        self.state, self.life, self.away = state, life, away
        if state in (State.STOPPED, State.FAILED):
            self._newest = None
            self.ended.set()
        self._on_life(life)
        self._changes.tell()

    def _begin_with(self, life: Life) -> None:
        """Go to READY with a new engine."""
        if self.ended.is_set():
            return
        self.loras = self._loaded_loras
        self._newest, self._hanging = life, None
        self._set_state(State.READY, life)
        if self._looking is not None:
            self._looking.cancel()
        self._look()

    def _leave(self, away: Away, left: threading.Event) -> None:
        """Go to AWAY; sets `left` when nothing on the event loop refers to the broken engine."""
        self._newest = self._hanging = None
        self.stage = Stage(f"another engine, as {away.reason}")
        self._set_state(State.AWAY, away=away)
        left.set()

    def _look(self) -> None:
        """See whether the newest engine hangs, has come back, or hangs for ever; as long as there is one."""
        life = self._newest
        if life is None or life.dog is None:
            return
        if (hanging := self._hanging) is None:
            over_s = life.dog.overdue_s()
            if over_s is not None and life.dog.write_off(life.scheduler.let_go):
                self._hang(over_s)
        elif not life.dog.is_written_off:
            self._come_back(life, hanging)
        elif self._looks_left <= 0:
            self._give_up(life, hanging)
        else:
            self._looks_left -= 1  # and not by the clock: this process may stand still itself
        self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _hang(self, over_s: float) -> None:
        """Go to AWAY, without the sessions that the engine served: it has given them back."""
        log.error("%sthe engine has given no answer for %.1f s, in %s", self._prefix, over_s, self._whereabouts())
        now_ns = time.monotonic_ns()
        away = Away(f"the engine has given no answer for {over_s:.1f} s", now_ns, now_ns + int(HANGING_S * 1e9))
        self._hanging, self._looks_left = away, round(HANGING_S / LOOK_EVERY_S)
        self.stage = Stage(f"{away.reason}; it is waited for")
        self._set_state(State.AWAY, away=away)

    def _whereabouts(self) -> str:
        """Where the engine thread is, for the log: the innermost calls first."""
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  it is documented
        frame = frames.get(self._thread.ident or 0)
        calls = list(reversed(traceback.extract_stack(frame)))[:CALLS_SHOWN] if frame is not None else []
        return ", in ".join(f"{call.name} ({Path(call.filename).name}:{call.lineno})" for call in calls)

    def _come_back(self, life: Life, hanging: Away) -> None:
        gone_s = (time.monotonic_ns() - hanging.since_ns) / 1e9
        log.warning("%sthe engine has answered again, %.1f s later", self._prefix, gone_s)
        self._hanging = None
        self._set_state(State.READY, life)

    def _give_up(self, life: Life, hanging: Away) -> None:
        """Go to FAILED, with an engine whose thread nobody can end."""
        self.error = EngineError(
            f"{hanging.reason}, and none in {HANGING_S:g} s more: it hangs in a thread, which can't be ended; start "
            "the server again, with --engine-process to have an engine that hangs replaced"
        )
        log.error("%s%s", self._prefix, self.error)
        self._stopping.set()
        life.scheduler.stop()  # where it comes back after all
        self._set_state(State.FAILED)
        self._leave_behind()

    def _leave_behind(self) -> None:
        self.hangs = True
        self._note_closed()

    def _note_closed(self) -> None:
        self.is_closed = True
        self._changes.tell()

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage
        self._changes.tell()


def _close(life: Life) -> None:
    """Close a broken engine."""
    try:
        life.engine.close()
    except Exception as error:
        log.warning("the broken engine can't be closed: %s", error)

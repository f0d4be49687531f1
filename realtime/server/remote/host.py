"""A worker on another machine, as the server has it: what an `EngineHost` is for an engine here.

Must not know sessions, or how a worker is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ...engine import EngineInfo
from ...engine.hearing import Heard
from ...errors import EngineError, ModelError
from ...params import Params
from ...scheduling.capacity import Capacity
from ...scheduling.suspects import Suspects
from ...version import __version__
from ..engine_state import Away, Changes, PutLoras, Stage, State
from ..life import ReadyEngine
from .forwarder import Forwarder
from .link import Link
from .messages import Engaged, Status, WorkOrder
from .pulse import LOOK_EVERY_NS, Pulse

log = logging.getLogger(__name__)

BACK_S = 10.0
"""When a lost worker is expected back: Ray has another process in 4 to 6 s, which has its engine to load."""
HEAR_S = 2.0
READY_LORAS_S = 150.0
"""Longer than an engine's process may take."""
END_S = 10.0
"""How long a worker may take to close its engine."""
LOST = "gives no sign of life"


class RemoteEngine:
    """What the server asks of an engine on another machine beside the frames.

    Attributes:
        info: as the worker said last.
    """

    def __init__(self, info: EngineInfo, link: Link) -> None:
        self.info = info
        self._link = link

    def hear(self, params: Params) -> Heard:
        """See `Engine`; waits for the worker. Raises EngineError where there is no answer."""
        try:
            heard: Heard | None = self._link.call("hear", params).result(HEAR_S)
        except Exception as error:  # whatever is wrong with the worker: its heartbeat tells
            raise EngineError(f"the worker does not say how prompts are heard: {type(error).__name__}") from None
        if heard is None:
            raise EngineError("the worker has no engine at the moment")
        return heard


@dataclass(frozen=True, slots=True)
class RemoteLife:
    """A ready engine on another machine; see `ReadyEngine`."""

    engine: RemoteEngine
    scheduler: Forwarder
    defaults: Params
    max_output_pixels: int


class RemoteHost:
    """Follows a worker by its signs of life, and has it load what the server wants. Event loop only.

    Args:
        name: of the worker.
        link: to it.
        order: what it is to load.
        on_life: called at each change of `state` or `away`, with `life`, behind the frames that it gave back.
        changes: told of each change, behind that.
        suspects: whose frames broke engines, of all workers.
        measured: what all workers have measured (`Status.line`), by their names.
        clock: monotonic nanoseconds.

    Attributes:
        state, stage, life, away, error, is_closed, loras: see `EngineHost`.
        is_leaving: whether the worker is about to end.
        device: as the worker named it; empty until it has answered.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        order: WorkOrder,
        on_life: Callable[[ReadyEngine | None], None],
        changes: Changes,
        suspects: Suspects,
        measured: dict[str, tuple[float, float]] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self.state = State.LOADING
        self.stage = Stage(f"waiting for {name}")
        self.life: RemoteLife | None = None
        self.away: Away | None = None
        self.error: BaseException | None = None
        self.is_closed = False
        self.is_leaving = False
        self.device = ""
        self.loras: tuple[str, ...] = tuple(order.fields["loras"])
        self._link = link
        self._order = order
        self._next_order = order  # while LoRAs are being put on: the worker may have either
        self._on_life = on_life
        self._changes = changes
        self._suspects = suspects
        self._measured = measured if measured is not None else {}
        self._clock = clock
        self._epoch = time.time_ns()  # also above those of a server before this one
        self._pulse = Pulse(clock())
        self._engaged: Engaged | None = None
        self._version = -1
        self._process = ""
        self._package_version: str | None = None  # of the worker's process; None until it has said
        self._has_begun = False
        self._loaded_s = BACK_S
        self._begun_ns = clock()
        self._is_giving_up = False
        self._is_apart = False
        self._watching: asyncio.Task[None] | None = None

    # -- as an engine host ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the worker from now on."""
        self._loop = asyncio.get_running_loop()
        self._watching = self._loop.create_task(self._watch())

    async def stop(self) -> None:
        """Set STOPPED, and let go of the worker, which keeps its engine for the next server."""
        if self.state is State.STOPPED:
            return
        if self._watching is not None:
            self._watching.cancel()
        forwarder, self.life, self.away = self._forwarder, None, None
        self.state = State.STOPPED
        if forwarder is not None:
            forwarder.give_up(lambda: None, blames_until_ns=None)
        self._on_life(None)
        self._changes.tell()

    async def close(self) -> None:
        """As `stop`, and have the worker close its engine."""
        await self.stop()
        with contextlib.suppress(Exception):  # it is gone, and its engine with it
            await asyncio.wait_for(asyncio.wrap_future(self._link.call("end")), END_S)
        self.is_closed = True
        self._changes.tell()

    async def ready_loras(self, loras: tuple[str, ...]) -> PutLoras:
        """See `Host`. Names and paths are those of the worker's machine."""
        if self.life is None:
            raise EngineError(f"the worker {self.name} has no engine at the moment: try again when it has")
        notes, refusal = await self._asked("ready_loras", loras)
        if refusal:
            raise ModelError(refusal)

        async def put() -> None:
            self._next_order = self._order.with_loras(loras)
            try:
                if refusal := await self._asked("put_loras"):
                    raise ModelError(refusal)
                self._order, self.loras = self._next_order, loras
            finally:
                self._next_order = self._order

        return PutLoras(put, tuple(notes))

    async def _asked(self, method: str, *arguments: object) -> Any:
        """The worker's answer. Raises EngineError where there is none."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._link.call(method, *arguments)), READY_LORAS_S)
        except Exception as error:  # whatever is wrong with the worker: its heartbeat tells
            log.debug("%s: %s: %s", self.name, method, error)
            raise EngineError(
                f"the worker {self.name} does not change its LoRAs, as it gives no answer: try again when it does"
            ) from None

    @property
    def _forwarder(self) -> Forwarder | None:
        return self.life.scheduler if self.life is not None else None

    # -- signs of life --------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_NS / 1e9)

    def look(self) -> None:
        """Ask for a sign of life where one is due, and see whether the last was too long ago."""
        now_ns = self._clock()
        if self._pulse.due(now_ns):
            self._ask()
        is_known = self._process != ""  # before its first sign it is only waited for
        if self._pulse.is_lost(now_ns) and is_known and self.state is not State.AWAY:
            self._lose(f"the worker {self.name} {LOST}")

    def _ask(self) -> None:
        self._pulse.asked(self._clock())
        if self._package_version != __version__:
            said = self._link.call("package_version")
            said.add_done_callback(lambda done: self._tell(lambda: self._told_version(done)))
        asked = self._link.call("beat", self._epoch, self._version)
        asked.add_done_callback(lambda done: self._tell(lambda: self._told(done)))

    def _ask_now(self) -> None:
        """The worker could not run a frame: see what it says."""
        if self.state is not State.STOPPED and self._pulse.may_ask:
            self._ask()

    def _told(self, done: Future[Any]) -> None:
        self._pulse.answered()
        if self.state is State.STOPPED:
            return
        error = done.exception()
        if error is None:
            self._pulse.heard()
            if self._package_version == __version__:
                self.follow(done.result())
        else:
            self._package_version = None  # what comes in its place may have another
            if self.life is not None:
                log.debug("%s: %s", self.name, error)
                self._lose(f"the worker {self.name} is gone: {type(error).__name__}")

    def _told_version(self, done: Future[Any]) -> None:
        """What crosses is understood by the same version alone: any other gets no work."""
        error = done.exception()
        if self.state is State.STOPPED or (error is not None and not isinstance(error, AttributeError)):
            return
        version = done.result() if error is None else "of a version before this"  # which could not be asked
        self._package_version = version
        if version == __version__:
            return
        self._pulse.heard()
        reason = f"the worker {self.name} is realtime {version}, and this server {__version__}: install the same there"
        if self.life is not None:
            self._lose(reason)
        elif str(self.error) != reason:
            log.error("%s", reason)
            self.error = EngineError(reason)
            self._set(State.FAILED)

    def _tell(self, change: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(change)

    def follow(self, status: Status) -> None:
        """Do as the worker says that it is."""
        before = self.device, self.is_leaving, self.stage
        self.device, self.is_leaving = status.device, status.is_leaving
        if status.process != self._process:
            is_anew = self._process != ""
            self._process, self._version, self._engaged, self._has_begun = status.process, -1, None, False
            if self.life is not None:
                self._lose(f"the worker {self.name} has begun anew")
            if is_anew:  # it may have another version: nothing is asked of it before it has told
                self._package_version = None
                return
        if status.engaged is not None:
            self._version, self._engaged = status.version, status.engaged
        if status.order not in (self._order, self._next_order):
            self._begin(status)
        else:
            self._has_begun = True
            self._take_state(status)
        if before != (self.device, self.is_leaving, self.stage):  # else four times a second for nothing
            self._changes.tell()

    def _begin(self, status: Status) -> None:
        """The worker works at something else, or at nothing."""
        if self.life is not None or self._has_begun:
            self._has_begun = status.order is not None  # another server has it: that one may keep it
            if status.order is not None:
                self._lose(f"the worker {self.name} works for another server")
                return
        if not self._has_begun:
            self._has_begun = True
            self._begun_ns = self._clock()
            self.stage = Stage(f"{self.name} begins to load")
            begun = self._link.call("begin", self._order, status.state is State.FAILED)
            begun.add_done_callback(self._note_begun)

    def _note_begun(self, done: Future[Any]) -> None:
        """`begin` has ended. Any thread."""
        if (error := done.exception()) is not None:
            log.warning("%s does not load: %s", self.name, error)
            self._tell(self._try_again)

    def _try_again(self) -> None:
        self._has_begun = False

    def _take_state(self, status: Status) -> None:
        if self._is_giving_up:
            return
        match status.state:
            case State.READY if self.life is not None:
                self._update(self.life, status)
            case State.READY if self._engaged is not None:
                self._loaded_s = max(1.0, (self._clock() - self._begun_ns) / 1e9)
                self._open(self._engaged, status)
            case State.AWAY:
                self._lose(status.reason, status.back_s, blames_frames=False)  # the worker itself knows whom to blame
            case State.FAILED if self.state is not State.FAILED:
                self.error = ModelError(status.reason)
                log.error("%s: %s", self.name, status.reason)
                self._set(State.FAILED)
            case State.LOADING:
                self.stage = Stage(f"{self.name}: {status.stage.name}", status.stage.percent)
                if self.life is not None:
                    self._lose(f"the worker {self.name} loads its engine again", self._loaded_s)
            case _:
                pass

    def _open(self, engaged: Engaged, status: Status) -> None:
        """Sessions may be put at the worker."""
        fields = self._order.fields
        forwarder = Forwarder(
            self._link,
            self._epoch,
            fields["rows_per_session"],
            engaged.cost,
            fields["max_pixels"],
            lambda: self._tell(self._ask_now),
            self._suspects,
            self._clock,
        )
        life = RemoteLife(
            RemoteEngine(engaged.info, self._link), forwarder, engaged.defaults, engaged.max_output_pixels
        )
        self._update(life, status)
        log.info("%s: ready: %s on %s", self.name, engaged.info.model, engaged.info.rung)
        self.error = None
        self._set(State.READY, life)

    def _update(self, life: RemoteLife, status: Status) -> None:
        if self._engaged is not None:
            life.engine.info, life.scheduler.cost = self._engaged.info, self._engaged.cost
        self._is_apart = status.is_apart
        if status.line is not None:
            self._measured[self.name] = status.line
        # Who has measured nothing yet would seem to have room for any number of sessions that come at once.
        line = self._measured.get(self.name) or next(iter(self._measured.values()), None)
        life.scheduler.capacity = Capacity(line, status.max_rows)
        life.scheduler.resume()

    def _lose(self, reason: str, back_s: float = BACK_S, *, blames_frames: bool | None = None) -> None:
        """Let go of the worker until it is ready again: its frames are given back, then its sessions go elsewhere."""
        now_ns = self._clock()
        since_ns = self.away.since_ns if self.away is not None else now_ns
        is_news = self.life is not None or self.away is None or self.away.reason != reason
        away = Away(reason, since_ns, now_ns + int(back_s * 1e9))
        forwarder = self._forwarder
        self._epoch = time.time_ns()  # whatever it has of this one is forgotten when it comes back
        self.stage = Stage(f"another engine, as {reason}")
        if is_news:
            log.warning("%s", reason)
        if forwarder is None:
            if is_news:
                self._set(State.AWAY, away=away)
            return
        self.state, self.life, self.away = State.AWAY, None, away
        self._is_giving_up = True
        blames = blames_frames if blames_frames is not None else not self._is_apart
        # Where a cable, or more than one worker, is cut: who was sent to the next one meanwhile is not to blame for it.
        blames_until_ns = self._pulse.silent_since_ns(now_ns) if blames else None
        forwarder.give_up(lambda: self._tell(self._has_given_up), blames_until_ns=blames_until_ns)

    def _has_given_up(self) -> None:
        self._is_giving_up = False
        if self.state is not State.STOPPED:
            self._on_life(None)
            self._changes.tell()

    def _set(self, state: State, life: RemoteLife | None = None, away: Away | None = None) -> None:
        self.state, self.life, self.away = state, life, away
        self._on_life(life)
        self._changes.tell()

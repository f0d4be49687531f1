"""What the server's side knows of an engine's process: what it has said, what it still owes, and why it ended.

Must not know rows, or how a process is started.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from ..engine import EngineInfo, LoraChange, Progress
from ..engine.hearing import Heard
from ..errors import ConfigError, EngineError, ModelError
from ..params import Params
from .messages import (
    Answer,
    Ask,
    Beat,
    Broke,
    Launch,
    Loaded,
    LoadOrder,
    LoadStage,
    LorasPut,
    LorasReady,
    Prepare,
    Prepared,
    ReadyLoras,
    Said,
    Ticked,
    ToChild,
    ToParent,
    WearLoras,
)
from .patience import Leeway, Limits, code_of
from .pending import ProcessPending
from .process import ChildProcess
from .recent import Crossing
from .slots import Slots

READY_LORAS_S = 120.0
"""How long reading LoRAs may take: a slow disk gives 100 MB/s, and a large one has 2 GB."""
TELL_AGAIN_S = 0.25
"""How often the stage of loading is told while there is nothing new."""
HEAR_S = 5.0
"""How long to wait for the answer how prompts are heard."""
PASSED_ON = {kind.__name__: kind for kind in (ConfigError, EngineError, ModelError)}
"""Errors that are raised as the process raised them; of all others an `EngineError` tells the text."""


class Dialogue:
    """A process with an engine, and all that it has said. Any thread; `Owner`'s methods are its reader's.

    Args:
        order: what the process loads.
        slots: shared with it.
        progress: called with the stages of loading, by whoever waits in `loaded`.
        limits: of patience.

    Attributes:
        child: the process.
        info: the engine's, as the process said last; only once it is `loaded`.
    """

    info: EngineInfo

    def __init__(self, order: LoadOrder, slots: Slots, progress: Progress, limits: Limits) -> None:
        self._progress = progress
        self._limits = limits
        self._lock = threading.Lock()  # around `_failure`, and what it ends
        self._failure: Exception | None = None
        self._loaded: Future[Loaded] = Future()
        self._stages = SimpleQueue[LoadStage | None]()  # None: it is loaded, or has failed
        self._loaded.add_done_callback(lambda done: self._stages.put(None))
        self._due: deque[ProcessPending] = deque()
        self._asked: dict[int, Future[Heard | None]] = {}
        self._prepared: dict[int, Future[int]] = {}
        self._numbers = itertools.count()
        self._loras: dict[int, tuple[Future[LorasReady], Future[None]]] = {}
        self._putting_on: set[int] = set()  # numbers of LoRAs; ticks wait behind them
        self._signs = 0
        self._is_closing = False
        self._broke: Broke | None = None
        self._on_broken: Callable[[], None] = lambda: None
        self.child = ChildProcess(order, slots, self)

    def loaded(self) -> Loaded:
        """What was loaded; waits for it, and tells the stages, the newest again and again: so whoever is told may raise
        to wait no longer.

        Raises:
            ModelError, ConfigError: see `load_engine`.
            EngineError: the process has ended, or says nothing.
        """
        newest: LoadStage | None = None
        while True:
            with contextlib.suppress(Empty):
                if (newest := self._stages.get(timeout=TELL_AGAIN_S)) is None:
                    return self._loaded.result()
            if newest is not None:
                self._progress(newest.name, newest.percent)

    def when_broken(self, call: Callable[[], None]) -> None:
        """See `Engine`."""
        with self._lock:
            self._on_broken = call
            is_broken = self._failure is not None
        if is_broken:
            call()

    def launch(self, message: Launch, pending: ProcessPending) -> None:
        """Have a tick run.

        Raises:
            EngineError: the engine is broken.
        """
        with self._lock:
            self._check()
            self._signs += not self._due
            self._due.append(pending)
        self.child.send(message)

    def ask(self, params: Params) -> Heard:
        """Ask how prompts are heard.

        Raises:
            EngineError: there is no answer.
        """
        number, answer = next(self._numbers), Future[Heard | None]()
        with self._lock:
            self._check()
            self._asked[number] = answer
        self.child.send(Ask(number, params))
        try:
            heard = answer.result(HEAR_S)
        except TimeoutError:
            heard = None
        finally:
            self._asked.pop(number, None)
        if heard is None:
            raise EngineError("the engine's process does not say how prompts are heard")
        return heard

    def prepare(self, params: Params, references: Crossing) -> Future[int]:
        """See `Engine.prepare_beside`; it ends at once where the engine is broken: a tick says so."""
        number, prepared = next(self._numbers), Future[int]()
        with self._lock:
            if self._failure is not None:
                prepared.set_result(0)
                return prepared
            self._prepared[number] = prepared
        self.child.send(Prepare(number, params, references))
        return prepared

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """See `Engine`."""
        number, ready, put = next(self._numbers), Future[LorasReady](), Future[None]()
        with self._lock:
            self._check()
            self._loras[number] = ready, put
        self.child.send(ReadyLoras(number, tuple(loras)))
        try:
            answer = ready.result(READY_LORAS_S)
        except TimeoutError:
            self._loras.pop(number, None)
            raise EngineError("the engine's process does not say whether it has read the LoRAs") from None
        if answer.refusal:
            self._loras.pop(number, None)
            raise ModelError(answer.refusal)

        def put_on() -> Future[None]:
            with self._lock:
                self._putting_on.add(number)
                self._signs += 1
            self.child.send(WearLoras(number))
            return put

        return LoraChange(put_on, answer.notes)

    def tell(self, message: ToChild) -> None:
        """Send what has no answer."""
        self.child.send(message)

    def close(self, message: ToChild) -> None:
        """Send the last message, and end the process, by force where it does not end by itself."""
        self._is_closing = True
        self.child.send(message)
        self.child.close(self._limits.closing_s)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- `Owner`'s --------------------------------------------------------------------------------------------------

    def hear(self, message: ToParent) -> None:
        """A message has come."""
        match message:
            case Ticked():
                self._due.popleft().end(message)
            case Beat(info):
                if info is not None:
                    self._hear_info(info)
            case LoadStage():
                self._stages.put(message)
            case Loaded(info):
                self.info = info
                self._loaded.set_result(message)
            case Answer(number, heard):
                if (answer := self._asked.pop(number, None)) is not None:  # or `ended` may come before who asked does
                    answer.set_result(heard)
            case Prepared(number, took_ns):
                if (prepared := self._prepared.pop(number, None)) is not None:
                    prepared.set_result(took_ns)
            case LorasReady(number):
                if (loras := self._loras.get(number)) is not None:
                    loras[0].set_result(message)
            case LorasPut(number, refusal):
                self._putting_on.discard(number)
                if (loras := self._loras.pop(number, None)) is not None and refusal:
                    loras[1].set_exception(ModelError(refusal))
                elif loras is not None:
                    loras[1].set_result(None)
            case Said(logger, level, text):
                logging.getLogger(logger).log(level, "%s", text)
            case Broke():
                self._broke = message
        is_idle = not self._due and not self._putting_on
        if isinstance(message, Ticked | LorasPut) or not self._loaded.done() or is_idle:
            with self._lock:
                self._signs += 1

    def _hear_info(self, info: EngineInfo) -> None:
        """The engine has changed. Where other code runs ticks from now on, those under way may be the first by it."""
        if code_of(info.rung) != code_of(self.info.rung):
            for pending in self._due:
                pending.leeway = pending.leeway.at_least(self._limits.climbing_s)
        self.info = info

    def leeway(self) -> Leeway:
        """How long the process may be silent now."""
        if not self._loaded.done():
            return Leeway(self._limits.loading_s, self._limits.loading_s)
        leeway = self._due[0].leeway if self._due else Leeway.of_idle(self._limits.idle_s)
        if not self._putting_on:
            return leeway
        return (leeway if self._due else Leeway(0.0, 0.0)).at_least(self._limits.loading_s)

    def signs(self) -> int:
        """See `Wait`: answers of ticks, LoRAs that are put on, and whatever it says while no tick is due."""
        return self._signs

    def ended(self, how: str, *, blames_frames: bool) -> None:
        """The process has ended."""
        failure: Exception = EngineError(how, blames_frames=blames_frames, blames_engine=blames_frames)
        if self._broke is not None:
            failure = PASSED_ON.get(self._broke.error, EngineError)(self._broke.message)
        with self._lock:
            self._failure = failure
            call = self._on_broken
        for prepared in tuple(self._prepared.values()):
            prepared.set_result(0)
        for pending in self._due:
            pending.end(failure)
        for answer in tuple(self._asked.values()):
            answer.set_exception(failure)
        for waiting in (future for both in tuple(self._loras.values()) for future in both if not future.done()):
            waiting.set_exception(failure)
        if not self._loaded.done():
            self._loaded.set_exception(failure)
        if not self._is_closing:
            call()

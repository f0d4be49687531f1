"""The child's main function: loads an engine, runs the ticks that it is told to, and answers each.

Must not know the server. What it imports before it is told what to load is torch-free.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NoReturn

from .. import errors
from ..engine import Engine, EngineInfo, LoraChange, Pending
from ..engine.devices import see_one_gpu
from ..engine.hearing import Heard
from ..forked import end_with_server
from ..frame import STAGES, Failure, Format, Frame, Job, Order, Result
from ..memory import settle
from ..params import Params
from .messages import (
    Answer,
    Ask,
    Beat,
    Broke,
    Close,
    Entrant,
    Forget,
    Launch,
    Loaded,
    LoadOrder,
    LoadStage,
    LorasPut,
    LorasReady,
    Made,
    Prepare,
    Prepared,
    ReadyLoras,
    Refused,
    Said,
    Ticked,
    ToChild,
    ToParent,
    WearLoras,
)
from .recent import RECENT_HINTS_MAX, Recent, SizedHint
from .slots import Slots

_log = logging.getLogger(__name__)

BEAT_EVERY_S = 0.25
POLL_S = 0.0003
"""How often a tick that an asynchronous device works on is looked at, while no message comes."""
_NO_FRAME = Frame(0, Format.NONE, b"", 0, 0)
"""In place of one that stays with the server."""
FINISHED = [stage for stage in STAGES if stage not in ("queue", "decode", "encode")]
"""The stages of `Stamps` that an engine marks."""


def main(connection: Connection, slots: Slots, order: LoadOrder) -> NoReturn:
    """Serve an engine until the parent says so, or is gone. Leaves the process."""
    end_with_server()
    faulthandler.enable()
    parent = _Parent(connection)
    logging.getLogger().setLevel(order.log_level)
    logging.getLogger().addHandler(_PassedOn(parent))
    engine: Engine | None = None
    try:
        beats = threading.Thread(target=parent.beat, name="beat", daemon=True)
        beats.start()
        see_one_gpu(order.config.devices)
        engine = order.load(order.config, lambda name, percent: parent.tell(LoadStage(name, percent)))
        settle(engine.info.device)
        parent.engine = engine
        parent.tell(Loaded(engine.info, engine.free_rows, engine.cost))
        _Loop(engine, parent, slots).run()
        engine.close()
    except BaseException as error:
        _log.debug("the engine is broken", exc_info=True)
        kind = type(error).__name__ if isinstance(error, errors.RealtimeError) else ""
        parent.tell(Broke(kind, str(error) if kind else "".join(traceback.format_exception_only(error)).strip()))
        if not kind:
            traceback.print_exc()
    os._exit(0)


class _Parent:
    """The way to the parent, for any thread.

    Attributes:
        engine: whose info is told with beats; None while it is loaded.
    """

    def __init__(self, connection: Connection) -> None:
        self.engine: Engine | None = None
        self._connection = connection
        self._lock = threading.Lock()

    def next(self) -> ToChild:
        """Wait for the next message. Leaves the process where there is none to come."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            os._exit(0)

    def has_next(self, within_s: float) -> bool:
        """Whether a message is there, or comes within this time."""
        return self._connection.poll(within_s)

    def tell(self, message: ToParent) -> None:
        """Send a message. Leaves the process where nobody can take it."""
        try:
            with self._lock:
                self._connection.send(message)
        except OSError:
            os._exit(0)

    def beat(self) -> NoReturn:
        """Give signs of life, and what has changed of the engine. The function of a thread."""
        told: EngineInfo | None = None
        while True:
            info = self.engine.info if self.engine is not None else None
            self.tell(Beat(info if info != told else None))
            told = info
            time.sleep(BEAT_EVERY_S)


class _PassedOn(logging.Handler):
    """Has the parent log what is logged here."""

    def __init__(self, parent: _Parent) -> None:
        super().__init__()
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            self._parent.tell(Said(record.name, record.levelno, self.format(record)))


@dataclass(frozen=True, slots=True)
class _Launched:
    """A tick that was launched and is not answered yet."""

    pending: Pending
    leaving: Sequence[int]
    preparing_ns: tuple[int, ...]


class _Loop:
    """Runs ticks in the order in which they come. A job's number is its slot."""

    def __init__(self, engine: Engine, parent: _Parent, slots: Slots) -> None:
        self._engine = engine
        self._parent = parent
        self._slots = slots
        self._running: deque[_Launched] = deque()
        self._recent = Recent[str]()
        self._recent_hints = Recent[SizedHint](RECENT_HINTS_MAX)
        self._outcomes: dict[int, Made | Refused] = {}  # of jobs that left, until their tick is answered
        self._ear = ThreadPoolExecutor(1, "listener")
        self._reader = ThreadPoolExecutor(1, "loras")
        self._loras: dict[int, LoraChange] = {}  # those that were read and are not put on

    def run(self) -> None:
        """Until `Close`."""
        while not isinstance(message := self._next(), Close):
            match message:
                case Launch():
                    self._launch(message)
                case Ask(number, params):
                    self._ear.submit(self._hear, number, params)
                case Prepare():
                    self._prepare_beside(message)
                case Forget(session):
                    self._engine.forget(session)
                case ReadyLoras(number, loras):
                    self._reader.submit(self._ready_loras, number, loras)
                case WearLoras(number):
                    self._put_loras(number)

    def _next(self) -> ToChild:
        """The next message; meanwhile ticks are answered as they end."""
        while self._running:
            if self._running[0].pending.ready():
                self._answer(self._running.popleft())
            elif self._parent.has_next(POLL_S):
                break
        return self._parent.next()

    def _prepare_beside(self, message: Prepare) -> None:
        """Have something made beside the ticks, and say when it is."""
        number, params, references = message
        order = Order(_NO_FRAME, params, "", 0, references=self._recent.unpacked(references))
        prepared = self._engine.prepare_beside(order)
        prepared.add_done_callback(lambda done: self._parent.tell(Prepared(number, done.result())))

    def _launch(self, message: Launch) -> None:
        jobs = [self._job(entrant) for entrant in message.entrants]
        preparing_ns = tuple(map(self._prepare, jobs))
        pending = self._engine.tick(jobs)
        self._running.append(_Launched(pending, message.leaving, preparing_ns))

    def _prepare(self, job: Job) -> int:
        """Make what a job needs; how long that took."""
        begun_ns = time.monotonic_ns()
        self._engine.prepare(job)
        return time.monotonic_ns() - begun_ns

    def _job(self, entrant: Entrant) -> Job:
        picture = self._slots.picture(entrant.slot, entrant.shape)
        original = self._slots.original(entrant.slot, entrant.shape) if entrant.has_original else None
        hints = {key: self._slots.hint(entrant.slot, i, entrant.shape) for i, key in enumerate(entrant.hints)}
        others = self._recent_hints.unpacked(entrant.hints_of_references)
        return Job(
            _NO_FRAME,
            entrant.params,
            entrant.session,
            0,
            entrant.slot,
            references=self._recent.unpacked(entrant.references),
            checks_input=entrant.checks_input,
            picture=picture,
            original=original,
            hints=hints | {one.key: hint for one, hint in others.items()},
        )

    def _answer(self, tick: _Launched) -> None:
        for outcome in tick.pending.collect():
            self._outcomes[outcome.order.number] = self._made(outcome)
        outcomes = tuple(self._outcomes.pop(slot) for slot in tick.leaving)
        self._parent.tell(Ticked(outcomes, tick.pending.finished_ns, tick.preparing_ns))

    def _made(self, outcome: Result | Failure) -> Made | Refused:
        if isinstance(outcome, Failure):
            return Refused(str(outcome.error), outcome.error.code)
        job = outcome.job
        is_input = outcome.picture is job.picture
        if not is_input:
            job.picture[:] = outcome.picture
        marks = {stage: getattr(outcome.stamps, stage) for stage in FINISHED}
        return Made(marks, is_input, outcome.mask, outcome.score, outcome.hints)

    def _ready_loras(self, number: int, loras: Sequence[str]) -> None:
        """Read LoRAs, and say whether they can be worn."""
        try:
            change = self._engine.ready_loras(loras)
        except Exception as error:
            _log.debug("these LoRAs can't be worn", exc_info=True)
            self._parent.tell(LorasReady(number, refusal=str(error) or type(error).__name__))
        else:
            self._loras = {number: change}  # one that was never put on is forgotten
            self._parent.tell(LorasReady(number, change.notes))

    def _put_loras(self, number: int) -> None:
        change = self._loras.pop(number, None)
        error = change.put().exception() if change is not None else errors.ModelError("the LoRAs are others by now")
        self._parent.tell(LorasPut(number, "" if error is None else str(error)))

    def _hear(self, number: int, params: Params) -> None:
        heard: Heard | None = None
        try:
            heard = self._engine.hear(params)
        except Exception:
            _log.exception("can't tell how prompts are heard")
        self._parent.tell(Answer(number, heard))

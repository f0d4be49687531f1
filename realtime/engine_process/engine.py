"""An engine whose work is done in a process of its own: `EngineProcess`, which keeps what the scheduler asks for at any
moment, and sends the rest across.

Must not know sessions, or how an engine works.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ..config import Config, Device, EngineConfig
from ..control import INPUT
from ..engine import EngineInfo, LoraChange, Progress, RowCost
from ..engine.hearing import Heard
from ..engine.load import is_echo, likely_device, load_engine
from ..errors import EngineError
from ..forked import NotStartedError
from ..frame import Job, Order
from ..params import Params
from .dialogue import Dialogue
from .known import KnownSubjects
from .messages import Close, Entrant, Forget, Launch, LoadEngine, LoadOrder, Ticked
from .patience import Limits, TickPatience, code_of
from .pending import Occupant, ProcessPending
from .recent import RECENT_HINTS_MAX, Recent, SizedHint
from .slots import Slots


@dataclass(slots=True)
class _Mirrored:
    """A job in flight, as the engine has it: all of them are one step further with each tick."""

    occupant: Occupant
    works: Sequence[int]
    done: int = 0


class EngineProcess:
    """Implements `Engine`: `tick` returns at once, whatever the device.

    Which rows the engine has is known here without asking it, as a job takes as many ticks as its cost says. One that
    leaves earlier, because it fails, is answered when it was to leave.

    Args:
        config: of the server. Only the fields of `EngineConfig` are passed on.
        progress: called with the stages of loading.
        load: loads the engine in the process: a function of a module's top level.
        limits: of patience.

    Raises:
        ModelError, ConfigError: see `load_engine`.
        EngineError: the process has ended while it loaded, or says nothing.
    """

    def __init__(
        self,
        config: Config,
        progress: Progress = lambda stage, percent: None,
        load: LoadEngine = load_engine,
        limits: Limits = Limits(),  # noqa: B008  it is frozen
    ) -> None:
        self._max_rows = config.max_rows
        # As many as can have rows, and as many again that left with a tick that is not collected yet.
        self._slots = Slots(2 * config.max_rows, config.max_output_pixels)
        self._free = list(range(self._slots.count))
        self._rows: list[_Mirrored] = []
        self._recent = Recent[str]()
        self._recent_hints = Recent[SizedHint](RECENT_HINTS_MAX)
        self._known = KnownSubjects()
        self._patience = TickPatience(limits)
        self._last_ns = 0  # when the newest tick ended that was answered
        settings = EngineConfig(**config.model_dump(include=set(EngineConfig.model_fields)))
        order = LoadOrder(settings, load, logging.getLogger().getEffectiveLevel())
        try:
            self._dialogue = Dialogue(order, self._slots, progress, limits)
        except NotStartedError as error:
            self._slots.close()
            raise EngineError(
                f"the engine's process can't be started: {error}", blames_frames=False, blames_engine=False
            ) from None
        try:
            loaded = self._dialogue.loaded()
            self._cost = loaded.cost
            self._max_rows = min(config.max_rows, loaded.max_rows)  # its device may have memory for fewer
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._dialogue.child.pid

    @property
    def info(self) -> EngineInfo:
        """See `Engine`."""
        return self._dialogue.info

    @property
    def cost(self) -> Callable[[Params], RowCost]:
        """See `Engine`."""
        return self._cost

    def hear(self, params: Params) -> Heard:
        """See `Engine`; raises EngineError where there is no answer."""
        return self._dialogue.ask(params)

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """See `Engine`."""
        change = self._dialogue.ready_loras(loras)

        def put() -> Future[None]:
            self._known.forget()
            return change.put()

        return LoraChange(put, change.notes)

    def when_broken(self, call: Callable[[], None]) -> None:
        """See `Engine`."""
        self._dialogue.when_broken(call)

    @property
    def free_rows(self) -> int:
        """See `Engine`."""
        return self._max_rows - len(self._rows)

    @property
    def busy_rows(self) -> int:
        """See `Engine`."""
        return len(self._rows)

    def is_prepared(self, order: Order) -> bool:
        """See `Engine`."""
        return not self.info.prepares_beside or self._known.covers(order)

    def prepare_beside(self, order: Order) -> Future[int]:
        """See `Engine`."""
        epoch = self._known.epoch
        prepared = self._dialogue.prepare(order.params, self._recent.packed(order.references))
        prepared.add_done_callback(lambda done: self._known.add(order, epoch))
        return prepared

    def prepare(self, order: Order) -> None:
        """See `Engine`: what was not made beside is left to the tick."""

    def tick(self, admitted: Sequence[Job]) -> ProcessPending:
        """See `Engine`."""
        if len(admitted) > self.free_rows:
            raise EngineError(f"{len(admitted)} jobs for {self.free_rows} free rows")
        entrants = tuple(self._enter(job) for job in admitted)
        work, form = sum(row.works[row.done] for row in self._rows), self._form()
        for row in self._rows:
            row.done += 1
        leaving = [row.occupant for row in self._rows if row.done == len(row.works)]
        self._rows = [row for row in self._rows if row.done < len(row.works)]
        rung = self.info.rung
        code = code_of(rung)
        leeway = self._patience.leeway(form, code, work, climbs=rung.climbs)
        launched_ns = time.monotonic_ns()

        def on_ticked(ticked: Ticked) -> None:
            started_ns, self._last_ns = max(launched_ns, self._last_ns), ticked.finished_ns
            self._patience.note(form, code, work, max(0, ticked.finished_ns - started_ns) / 1e9)

        pending = ProcessPending(admitted, leaving, self._slots, self._free, leeway, on_ticked)
        self._dialogue.launch(Launch(entrants, tuple(one.slot for one in leaving)), pending)
        return pending

    def _enter(self, job: Job) -> Entrant:
        slot = self._free.pop()
        height, width, _ = job.picture.shape
        self._slots.picture(slot, (height, width))[:] = job.picture
        if job.original is not None:
            self._slots.original(slot, (height, width))[:] = job.original
        self._rows.append(_Mirrored(Occupant(job, slot), self._cost(job.params).works))
        of_input = tuple(key for key in job.hints if key.source == INPUT)
        for number, key in enumerate(of_input):
            self._slots.hint(slot, number, (height, width))[:] = job.hints[key]
        others = {SizedHint(key, width, height): hint for key, hint in job.hints.items() if key.source != INPUT}
        return Entrant(
            slot,
            (height, width),
            job.original is not None,
            job.params,
            job.session,
            self._recent.packed(job.references),
            of_input,
            self._recent_hints.packed(others),
            job.checks_input,
        )

    def _form(self) -> Hashable:
        """All of a tick on which it depends which code runs it, as far as it can be seen from here."""
        shapes = ((row.occupant.job.picture.shape, tuple(row.works), row.done) for row in self._rows)
        return tuple(sorted(shapes))

    def forget(self, session: str) -> None:
        """See `Engine`."""
        self._dialogue.tell(Forget(session))

    def close(self) -> None:
        """See `Engine`: the process is gone behind it."""
        self._dialogue.close(Close())
        self._slots.close()


def wants_process(config: Config) -> bool:
    """Whether the engine is to have a process of its own: what `engine_process` says, else where it runs on a GPU or
    is one of `devices`.
    """
    if config.engine_process is not None:
        return config.engine_process
    return bool(config.devices) or (not is_echo(config) and likely_device(config.device) is not Device.CPU)


def restarts(config: Config) -> float:
    """How often an engine that broke is replaced: what `engine_restarts` says, else without end where it has a process
    of its own, and else never.
    """
    if config.engine_restarts is not None:
        return config.engine_restarts
    return float("inf") if wants_process(config) else 0


def load_engine_process(config: Config, progress: Progress = lambda stage, percent: None) -> EngineProcess:
    """As `load_engine`, in a process of its own."""
    return EngineProcess(config, progress)

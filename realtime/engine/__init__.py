"""The interface of an engine, as the scheduler and the server use it: `Engine`, `Pending` and what they describe.

Must not import torch or diffusers, nor know which engines there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from ..control import Hint
from ..frame import Failure, Job, Order, Result
from ..params import Matte, Params
from ..prompts import Layers, PicturesHeard
from .hearing import Heard
from .state import RungState

Progress = Callable[[str, "float | None"], None]
"""Called with a stage's name and its percentage, None where no percentage is known; from any thread. It may raise where
nobody wants any more what is loaded: by that loading ends.
"""


class Guidance(StrEnum):
    """How a model uses `guidance_scale`; the values are the wire's."""

    NONE = "none"
    """Distilled without guidance: the scale has no effect."""
    EMBEDDED = "embedded"
    """The scale is an input of the UNet, embedded like the timestep (`time_cond_proj_dim`)."""
    CFG = "cfg"
    """Classifier-free guidance where the scale is above 1, in each of the ways of `params.GuidanceMode`."""


@dataclass(frozen=True, slots=True)
class RowCost:
    """What a job costs an engine. The scheduler measures how long a tick of so much work takes.

    Attributes:
        works: added by the job's row to each of the ticks that it is in, the first to the last, in the engine's own
            unit; at least one, 0 where the frame passes through.
    """

    works: tuple[int, ...]

    @property
    def ticks(self) -> int:
        """Number of ticks that the row is in."""
        return len(self.works)

    @property
    def first(self) -> int:
        """Work in the tick that admits the job."""
        return self.works[0]

    @property
    def total(self) -> int:
        """Work of the whole job."""
        return sum(self.works)


@dataclass(frozen=True, slots=True)
class Batches:
    """Which numbers of rows an engine runs well in one tick.

    Attributes:
        sizes: numbers of rows of one picture size that leave no place of a batch empty, rising from 1: what lies
            between two of them takes as long as the larger. Empty where rows have no places.
        most_work: largest work of a tick for which memory suffices, as far as that is known, in the unit of
            `RowCost.works`. A single row may have more: it is tried.
    """

    sizes: tuple[int, ...] = ()
    most_work: float = math.inf

    def filled_by(self, rows: int) -> int:
        """The largest of `sizes` that is at most `rows`; `rows` where there is none."""
        return max((size for size in self.sizes if size <= rows), default=rows)

    def places_for(self, rows: int) -> int:
        """Places of a batch that so many rows are in: the smallest of `sizes` that is at least `rows`, else `rows`."""
        return min((size for size in self.sizes if size >= rows), default=rows) if rows else 0

    def at_most(self, work: float) -> Batches:
        """The same for a tick of at most so much work."""
        return Batches(self.sizes, min(self.most_work, work))


class NetKind(StrEnum):
    """How a net steers; the values are the wire's."""

    CONTROLNET = "controlnet"
    """A second half of the UNet, called in each step."""
    ADAPTER = "adapter"
    """A T2I-Adapter: called once a frame."""


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """A net that params may name in `control`.

    Attributes:
        name: in params; `union/canny` is one of the ways of the net `union`.
        hint: what it is shown.
        title: for people.
        weight: at which it is best.
    """

    name: str
    hint: Hint
    title: str
    weight: float = 1.0
    kind: NetKind = NetKind.CONTROLNET

    def wire(self) -> dict[str, Any]:
        """As `ready` has it."""
        return {"name": self.name, "hint": self.hint, "title": self.title, "weight": self.weight, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about a loaded engine.

    Attributes:
        model: the name the user asked for.
        family: the model family, for example `sd`, `sdxl`, `tiny`, `echo`.
        device: for people, for example `cpu`, `cuda (NVIDIA H100)`.
        rung: which acceleration runs, and why.
        defaults: fields of params whose default differs for this model.
        styles: lists of prompts that the model was trained for, for the client's panel (see `ModelCard`); empty where
            it takes any words.
        guidance: how it uses `guidance_scale`; the param `guidance` has an effect with `CFG` only, and so has
            `negative_prompt` where it is not `hears_negative`.
        hears_negative: whether `negative_prompt` acts by `negative_scale`, too.
        hears_pictures: whether a prompt may have pictures in it (`Order.references`).
        reference_layers: which `layers` the `references` may have; empty where there is no adapter for them.
        takes_loras: whether its LoRAs may be changed while it runs (`Engine.ready_loras`).
        best_steps, pictures: see `ModelCard`.
        mattes: which values of `matte` act.
        controls: the nets that are loaded.
        max_output_pixels: largest width times height of a picture; None leaves the limit to the configuration.
        notes: messages for the user about how it was loaded, one line each: what is slower than it could be, and why.
        prepares_beside: whether `Engine.prepare_beside` makes anything: else all is `prepared`.
        batches: how many rows it runs well in one tick at present.
    """

    model: str
    family: str
    device: str
    rung: RungState
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    styles: dict[str, Any] = field(default_factory=dict[str, Any])
    guidance: Guidance = Guidance.NONE
    hears_negative: bool = False
    hears_pictures: bool = False
    reference_layers: tuple[Layers, ...] = ()
    takes_loras: bool = False
    best_steps: int | None = None
    pictures: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    mattes: tuple[Matte, ...] = (Matte.OFF, Matte.DRAWN)
    controls: tuple[ControlInfo, ...] = ()
    max_output_pixels: int | None = None
    notes: tuple[str, ...] = ()
    prepares_beside: bool = False
    batches: Batches = Batches()

    @property
    def nets(self) -> Mapping[str, Hint]:
        """What each net is shown, by its name."""
        return {one.name: one.hint for one in self.controls}

    @property
    def pictures_heard(self) -> PicturesHeard:
        """Where it hears pictures."""
        return PicturesHeard(self.hears_pictures, self.reference_layers, bool(self.controls))


class Pending(Protocol):
    """The outcome of one tick, while the device may still work on it. Scheduler's thread only."""

    @property
    def jobs(self) -> Sequence[Job]:
        """The jobs that leave with this tick. Known at once, without waiting for the device."""
        ...

    @property
    def finished_ns(self) -> int:
        """When the device finished the tick, in monotonic nanoseconds. Valid after `collect`."""
        ...

    @property
    def preparing_ns(self) -> Mapping[int, int]:
        """By number of a job: how long what it needs was made within the tick, where `Engine.prepare` left it to that.
        Valid after `collect`.
        """
        ...

    def ready(self) -> bool:
        """True if `collect` would return without waiting for the device."""
        ...

    def collect(self) -> list[Result | Failure]:
        """Wait for the device. Called once.

        Returns:
            One outcome for each of `jobs`, in their order; pictures are not encoded.

        Raises:
            EngineError: the engine is broken; so does any other exception say.
        """
        ...


class LoraChange(NamedTuple):
    """LoRAs that were read and fit, and may be put on an engine.

    Attributes:
        put: puts them on, and takes off all others. Called by the scheduler's thread, between two ticks and while no
            row is in flight. All ticks behind it have them. Its future ends when it is done; with a `ModelError` where
            it could not be, and then the LoRAs before are in force.
        notes: what of them has no effect, or not at once, for the user.
    """

    put: Callable[[], Future[None]]
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """Runs jobs in rows, all of which move one step on with each tick.

    Called by the scheduler's thread only, but for `cost`, `hear`, `ready_loras` and `info`.
    """

    @property
    def info(self) -> EngineInfo:
        """What is loaded and on which rung it runs now: a new value whenever that changes. Any thread."""
        ...

    @property
    def free_rows(self) -> int:
        """Number of jobs that the next tick can admit."""
        ...

    @property
    def busy_rows(self) -> int:
        """Number of rows that have steps left: while there are any, the scheduler must tick again."""
        ...

    @property
    def cost(self) -> Callable[[Params], RowCost]:
        """The cost of a job with these params. It takes microseconds, for any thread; and it can be pickled."""
        ...

    def when_broken(self, call: Callable[[], None]) -> None:
        """Have this called once, by any thread, if the engine breaks while nobody waits for it; the next call of the
        engine says why. Called before the first tick.
        """
        ...

    def hear(self, params: Params) -> Heard:
        """How the model hears the prompts of these params. Takes up to 10 ms; any thread."""
        ...

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """Read LoRAs that are to be worn instead of those in force, and check that they fit, while ticks go on. Takes
        seconds for one that is new; any thread, one at a time.

        Args:
            loras: all of them, each as `--lora` has it: `NAME_OR_PATH[:SCALE]`.

        Raises:
            ModelError: one can't be worn, and why; nothing has changed.
            EngineError: the engine does not answer.
        """
        ...

    def is_prepared(self, order: Order) -> bool:
        """Whether a job with these params and references may be admitted now: what takes long to make for it is there,
        was refused, or can't be made beside ticks. Takes microseconds.
        """
        ...

    def prepare_beside(self, order: Order) -> Future[int]:
        """Begin to make what takes long to make for such a job, while ticks go on; only where it is not `is_prepared`.

        Returns:
            Ends, in any thread, when that is made, or can't be: then the tick that admits the job says why. With how
            long it took, in nanoseconds.
        """
        ...

    def prepare(self, order: Order) -> None:
        """Make what a job needs and is not kept from earlier ones, encoded prompts for example.

        Called before the tick that admits such a job, so that whose it is pays for it and no tick's duration has it in
        it. What can't be made is none of its business: the tick says so. An engine that is elsewhere does so in the
        tick, and says in `Pending.preparing_ns` how long it took.
        """
        ...

    def tick(self, admitted: Sequence[Job]) -> Pending:
        """Admit jobs and move every row one step on. Only launches the work where the device is asynchronous (CUDA).

        A job that can't be admitted (the model can't use its params) leaves with this tick as a `Failure`.

        Args:
            admitted: at most `free_rows` new jobs.

        Raises:
            EngineError: the engine is broken; so does any other exception say.
        """
        ...

    def forget(self, session: str) -> None:
        """Drop whatever is kept of the session of this name: it is over, and another may come under its name.

        Called between ticks, when none of its jobs has a row any more; pictures of its last ones may still be to be
        collected. An engine that keeps nothing from one job to the next has nothing to do.
        """
        ...

    def close(self) -> None:
        """Free the device's memory. No other call follows."""
        ...

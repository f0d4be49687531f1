"""What the scheduler needs of an engine.

Must not import torch or diffusers, nor know which engines there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from ..frame import Failure, Job, Result
from ..params import Params
from .state import RungState

Progress = Callable[[str, "float | None"], None]
"""Called with a stage's name and its percentage, or None where no percentage is known. May be called from any thread.
"""


class Guidance(StrEnum):
    """How a model hears `guidance_scale`; the values are the wire's."""

    NONE = "none"
    """Distilled without: the scale does nothing."""
    EMBEDDED = "embedded"
    """The scale goes into the UNet beside the timestep (`time_cond_proj_dim`)."""
    CFG = "cfg"
    """Classifier-free: a second row with the negative prompt where the scale is above 1."""


@dataclass(frozen=True, slots=True)
class RowCost:
    """What a job costs an engine, in a unit of its own: the scheduler learns how long that takes.

    Attributes:
        work: what the job's row adds to each tick that it is in: 0 where the frame passes through.
        ticks: how many ticks the row is in, at least 1.
    """

    work: int
    ticks: int


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a loaded engine is.

    Attributes:
        model: the name the user asked for.
        family: the model family, for example `sd`, `sdxl`, `tiny`, `echo`.
        device: where it runs, for people: `cpu`, `cuda (NVIDIA H100)`.
        rung: which acceleration runs, and why.
        defaults: params fields that this model wants other than the general defaults.
        styles: what the model says about the words it knows, for the client; empty where it knows them all.
        guidance: how it hears `guidance_scale`; only the second row of `CFG` hears the negative prompt.
        max_output_pixels: the largest picture it makes; None leaves the limit to the configuration.
        notes: what the user should know about how it was loaded, one line each: a slower way, and why.
    """

    model: str
    family: str
    device: str
    rung: RungState
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    styles: dict[str, Any] = field(default_factory=dict[str, Any])
    guidance: Guidance = Guidance.NONE
    max_output_pixels: int | None = None
    notes: tuple[str, ...] = ()


class Pending(Protocol):
    """The outcome of one tick while the device still works on it."""

    @property
    def jobs(self) -> Sequence[Job]:
        """The jobs that leave with this tick: known at once, before their pictures are."""
        ...

    @property
    def finished_ns(self) -> int:
        """Monotonic nanoseconds when the device was done with the tick; only asked for after `collect`."""
        ...

    def ready(self) -> bool:
        """Whether `collect` would return without waiting for the device."""
        ...

    def collect(self) -> list[Result | Failure]:
        """Wait for the device: one outcome for each of `jobs`, in their order, none of them encoded. Called once.

        Raises:
            EngineError: the engine is broken. (Any other exception means the same to the scheduler.)
        """
        ...


class Engine(Protocol):
    """Rows and ticks. One thread, the scheduler's, calls everything but `cost` and `info`; the engine never blocks it
    longer than it must.
    """

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and what runs at this moment: a new value whenever something changes. Any thread."""
        ...

    @property
    def free_rows(self) -> int:
        """How many jobs the next tick can admit."""
        ...

    @property
    def busy_rows(self) -> int:
        """How many rows have steps left to do: if any, the scheduler must tick again."""
        ...

    def cost(self, params: Params) -> RowCost:
        """What a job with these params costs. Cheap; any thread may call it."""
        ...

    def tick(self, admitted: Sequence[Job]) -> Pending:
        """Admit jobs, move every row one step on, and return at once where the device works on its own.

        A job that can't be admitted (the model can't use its params) leaves with this tick as a `Failure`.

        Args:
            admitted: at most `free_rows` new jobs.

        Raises:
            EngineError: the engine is broken. (Any other exception means the same to the scheduler.)
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...

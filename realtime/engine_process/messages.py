"""What crosses between the server's process and the engine's: plain values, pickled into a pipe.

Must not know tensors, sessions or how a process is started. Pictures don't cross: they lie in `Slots`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..config import EngineConfig
from ..control import HintKey
from ..engine import Engine, EngineInfo, Progress, RowCost
from ..engine.hearing import Heard
from ..params import Params
from .recent import Crossing, HintsCrossing

if TYPE_CHECKING:
    from ..pixels import Pixels

LoadEngine = Callable[[EngineConfig, Progress], Engine]
"""Loads an engine in the child: a function of a module's top level, which is pickled by its name."""


class LoadOrder(NamedTuple):
    """What the child is to load.

    Attributes:
        log_level: of the records that it passes on.
    """

    config: EngineConfig
    load: LoadEngine
    log_level: int


# -- to the child ---------------------------------------------------------------------------------------------------


class Entrant(NamedTuple):
    """A job as it is admitted; its picture is in its slot, where its result's will be.

    Attributes:
        shape: height and width.
        has_original: whether its original is there too.
        references: see `Order` and `Recent`.
        hints: those of its picture, which lie in its slot in this order.
        hints_of_references: the others, as references cross.
        checks_input: see `Order`.
    """

    slot: int
    shape: tuple[int, int]
    has_original: bool
    params: Params
    session: str
    references: Crossing
    hints: tuple[HintKey, ...]
    hints_of_references: HintsCrossing
    checks_input: bool


class Launch(NamedTuple):
    """Run a tick.

    Attributes:
        leaving: slots of the jobs whose outcomes are to be in its answer, in the order of admission.
    """

    entrants: tuple[Entrant, ...]
    leaving: tuple[int, ...]


class Ask(NamedTuple):
    """How are the prompts of these params heard?"""

    number: int
    params: Params


class Prepare(NamedTuple):
    """Make what takes long to make for jobs with these params. See `Engine.prepare_beside`.

    Attributes:
        references: see `Recent`.
    """

    number: int
    params: Params
    references: Crossing


class Forget(NamedTuple):
    """See `Engine.forget`."""

    session: str


class ReadyLoras(NamedTuple):
    """See `Engine.ready_loras`."""

    number: int
    loras: tuple[str, ...]


class WearLoras(NamedTuple):
    """Put on the LoRAs of this number, before the next tick."""

    number: int


class Close(NamedTuple):
    """Close the engine and end."""


ToChild = Launch | Ask | Prepare | Forget | ReadyLoras | WearLoras | Close


# -- to the parent --------------------------------------------------------------------------------------------------


class LoadStage(NamedTuple):
    """A stage of loading."""

    name: str
    percent: float | None


class Loaded(NamedTuple):
    """The engine is ready.

    Attributes:
        cost: see `Engine.cost`.
    """

    info: EngineInfo
    max_rows: int
    cost: Callable[[Params], RowCost]


class Beat(NamedTuple):
    """A sign of life.

    Attributes:
        info: the engine's, where it has changed since it was told last.
    """

    info: EngineInfo | None


class Made(NamedTuple):
    """A picture that was made; it lies in its job's slot.

    Attributes:
        marks: when it left which stage of `Stamps`, in monotonic nanoseconds.
        is_input: whether it is the job's own picture, so that the slot holds nothing new.
        mask, score, hints: see `Result`.
    """

    marks: Mapping[str, int]
    is_input: bool
    mask: Pixels | None
    score: float | None
    hints: Mapping[HintKey, Pixels]


class Refused(NamedTuple):
    """A job that gets no picture: a `FrameError`."""

    message: str
    code: str


class Ticked(NamedTuple):
    """A tick has ended; they are answered in the order in which they were launched.

    Attributes:
        outcomes: as `Launch.leaving`.
        preparing_ns: of each of `Launch.entrants`. See `Pending.preparing_ns`.
    """

    outcomes: tuple[Made | Refused, ...]
    finished_ns: int
    preparing_ns: tuple[int, ...]


class Answer(NamedTuple):
    """The answer to `Ask`; None where the engine can't say, and the log says why."""

    number: int
    heard: Heard | None


class Prepared(NamedTuple):
    """The answer to `Prepare`: how long it took."""

    number: int
    took_ns: int


class LorasReady(NamedTuple):
    """The answer to `ReadyLoras`.

    Attributes:
        refusal: why they can't be worn; empty where they can.
    """

    number: int
    notes: tuple[str, ...] = ()
    refusal: str = ""


class LorasPut(NamedTuple):
    """The answer to `WearLoras`; see `LorasReady`."""

    number: int
    refusal: str = ""


class Said(NamedTuple):
    """A record of the child's log."""

    logger: str
    level: int
    text: str


class Broke(NamedTuple):
    """The engine has raised, or can't be loaded: the child ends.

    Attributes:
        error: the name of a class of `errors` where it is one of them, else empty.
    """

    error: str
    message: str


ToParent = LoadStage | Loaded | Beat | Ticked | Answer | Prepared | LorasReady | LorasPut | Said | Broke

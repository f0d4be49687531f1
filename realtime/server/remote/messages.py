"""What crosses between the server and a worker on another machine: plain values, pickled, and encoded pictures.

Must not know Ray, sessions or engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...config import Config, EngineConfig
from ...control import HintKey
from ...engine import EngineInfo, RowCost
from ...frame import Format
from ...params import Params
from ..engine_state import Stage, State

CROSSING = (
    *EngineConfig.model_fields,
    "engine_process",
    "engine_restarts",
    "decoder_process",
    "rows_per_session",
    "max_message_bytes",
    "max_pixels",
    "max_output_pixels",
)
"""The fields of the configuration that a worker needs to know; none of them is secret."""


class WorkOrder(NamedTuple):
    """What a worker is to load.

    Attributes:
        fields: `CROSSING` of the server's configuration.
        log_level: of the worker's records.
    """

    fields: Mapping[str, Any]
    log_level: int

    @classmethod
    def of(cls, config: Config, log_level: int) -> WorkOrder:
        """What the workers of a server are to load."""
        return cls(config.model_dump(include=set(CROSSING)), log_level)

    def with_loras(self, loras: tuple[str, ...]) -> WorkOrder:
        """The same with these LoRAs, and no others."""
        return self._replace(fields={**self.fields, "loras": loras})


class Offering(NamedTuple):
    """A session's frame.

    Attributes:
        epoch: of whoever sends it; a later one is another server, or the same one behind a gap.
        connection: of the session, rising.
        seq: of the frame, by whoever sends it: no other has it, and it rises.
        format: of `data`, one of those that are encoded.
        params: with which the frame is to be run, unless a newer one has brought newer ones.
        checks_input: see `Order`.
        is_unsafe: see `Session`: by it the first picture is judged that a worker makes of the session.
    """

    epoch: int
    session: str
    connection: int
    seq: int
    format: Format
    data: bytes
    params: Params
    checks_input: bool = False
    is_unsafe: bool = False


NO_VIEWS: Mapping[HintKey, bytes] = {}


class PictureMade(NamedTuple):
    """The answer to a frame: its picture.

    Attributes:
        format, data: the encoded picture, with its opacity where `has_key`.
        params: that it was made with, where these are not those that came with the frame.
        marks_ns: when it left which stage of `Stamps`, from the frame's arrival.
        spent_ns: from the frame's arrival to the answer.
        hints: see `Result`; JPEGs.
        score: see `Result`; and whether the frame's own picture is in it.
    """

    format: Format
    data: bytes
    has_key: bool
    params: Params | None
    marks_ns: Mapping[str, int]
    spent_ns: int
    hints: Mapping[HintKey, bytes] = NO_VIEWS
    score: float | None = None
    checks_input: bool = False


class PictureRefused(NamedTuple):
    """The answer to a frame that gets no picture: a `FrameError`."""

    message: str
    code: str


class ShownBefore(NamedTuple):
    """The answer to a frame that shows nothing new: the picture before answers it."""


class Overtaken(NamedTuple):
    """The answer to a frame that a newer one has replaced."""


class HandedBack(NamedTuple):
    """The answer to a frame that can't be run at the moment: the engine broke, or is not there.

    Attributes:
        is_suspect: whether its session's frames may have broken it.
    """

    is_suspect: bool


RemoteAnswer = PictureMade | PictureRefused | ShownBefore | Overtaken | HandedBack


class Reply(NamedTuple):
    """The answer to an `Offering`.

    Attributes:
        number: answers of a session's connection are numbered from 0, in the order in which they belong; below 0 where
            it does not matter.
    """

    number: int
    answer: RemoteAnswer


class Engaged(NamedTuple):
    """A ready engine; see `Life` and `Engine`."""

    info: EngineInfo
    cost: Callable[[Params], RowCost]
    defaults: Params
    max_output_pixels: int


class Status(NamedTuple):
    """A worker's sign of life.

    Attributes:
        process: of the worker; another one has another.
        order: what it works at; None where nobody has said.
        state: of its engine.
        reason: why it is away or has failed, in words; empty where it is neither.
        back_s: when an engine that is away should be back.
        version: of `engaged`, rising.
        engaged: the ready engine, where its version is not the one that the server knows.
        line, max_rows: see `Scheduler.capacity`.
        jobs: frames that the engine has.
        is_apart: whether its engine has a process of its own: then it is not the engine's frames that end this one.
        is_leaving: whether the worker is about to end: its sessions are to go on elsewhere.
    """

    process: str
    device: str
    order: WorkOrder | None
    state: State
    stage: Stage
    reason: str
    back_s: float
    version: int
    engaged: Engaged | None
    line: tuple[float, float] | None
    max_rows: int
    jobs: int
    is_apart: bool
    is_leaving: bool

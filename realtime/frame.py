"""The data of a picture on its way: a Frame comes in, is picked as an Order, opened into a Job, answered by an Outcome.

Plain frozen data, so that an engine may live in another process. Must not know sessions, sockets or tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from .control import HintKey
from .errors import FrameError
from .params import Params
from .planes import Planes
from .references import NO_REFERENCES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .pixels import Pixels

    Thumbnail = npt.NDArray[np.float32]


HINT_VIEW_PX = 192
"""Longest side of what people see of hints."""
NO_HINTS: Mapping[HintKey, Pixels] = {}


class Format(IntEnum):
    """Picture encodings. Numbers up to 255 are those of the wire."""

    NONE = 0
    JPEG = 1
    PNG = 2
    WEBP = 3
    PLANES = 256
    """No encoding: `Planes`, as a video decoder gives them."""

    @property
    def media_type(self) -> str:
        """The MIME type, for example `image/jpeg`."""
        return f"image/{self.name.lower()}"

    @classmethod
    def sniff(cls, data: bytes | memoryview) -> Format:
        """The encoding by a picture's first bytes; `NONE` where it is none that this server reads."""
        head = bytes(data[:12])
        if head.startswith(b"\xff\xd8\xff"):
            return cls.JPEG
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return cls.PNG
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return cls.WEBP
        return cls.NONE


class Air(Enum):
    """The picture that a session's viewers get; the values are the commands that choose it."""

    OUTPUT = "on_air"
    INPUT = "bypass"
    BLACK = "black"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as it came in.

    Attributes:
        seq: the client's number for it; rises within a connection.
        format: how `data` is encoded.
        data: the encoded picture, which may be a view into the received message; `Planes` out of a video decoder.
        captured_us: the client's clock, echoed and never interpreted.
        received_ns: our monotonic clock at arrival.
        is_as_is: whether it is shown as it is, whatever the params say.
    """

    seq: int
    format: Format
    data: bytes | memoryview | Planes
    captured_us: int
    received_ns: int
    is_as_is: bool = False


@dataclass(frozen=True, slots=True)
class Dissolve:
    """A stretch of time in which a session's pictures go over from one model's to the next model's.

    Attributes:
        begun_ns: our monotonic clock, when the next model began to make its pictures.
        lasts_ns: positive.
    """

    begun_ns: int
    lasts_ns: int

    def left_ns(self, now_ns: int) -> int:
        """Time to its end; 0 behind it."""
        return max(0, self.begun_ns + self.lasts_ns - now_ns)

    def share(self, last_ns: int, now_ns: int) -> float:
        """The share of the last picture in the next, when they were admitted: so that, picture by picture, what is left
        of the model before falls in a straight line from 1 to 0.
        """
        left_ns = self.left_ns(now_ns)
        return left_ns / max(left_ns, min(self.lasts_ns, self.left_ns(last_ns))) if left_ns else 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """A frame with the params in force when it was picked.

    Attributes:
        session: name of the session, opaque to the engine: rows with the same one belong together.
        admitted_ns: our monotonic clock when the scheduler picked the frame.
        number: given by the scheduler, unique while the process lives.
        encode: whether the result is to be encoded; a connection that sends video takes its pixels.
        references: the pictures that the params name, by id, as far as they are kept: uint8 [height, width, 3], RGB.
        hints_wanted: what the job is to bring beside its picture, see `control.hints_of_host`.
        dissolve: from the pictures of a model before; None where there is none.
        checks_input: whether a frame checker looks at the frame's own picture too, as that may be seen.
    """

    frame: Frame
    params: Params
    session: str
    admitted_ns: int
    number: int = 0
    encode: bool = True
    references: Mapping[str, Pixels] = field(default_factory=lambda: NO_REFERENCES, compare=False, repr=False)
    hints_wanted: tuple[HintKey, ...] = ()
    dissolve: Dissolve | None = None
    checks_input: bool = False

    @property
    def needs_past(self) -> bool:
        """Whether its picture is sealed with the one before it."""
        return bool(self.params.calm) or self.dissolve is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Order):
    """An opened order, as an engine takes it.

    Attributes:
        picture: what the model gets: uint8 [height, width, 3] of the params' size, RGB, contiguous; shared, so nobody
            writes to it.
        original: the frame's own picture, alike in form, where something was mixed into `picture`; else None.
        alpha: opacity of the frame's own picture, uint8 [height, width]; None where its format or it has none.
        thumbnail: float32 [32, 32, 3] of the frame's own picture, see `media.thumbnail`; None where the params want
            every frame run.
        hints: what was wanted beside the picture (`Order.hints_wanted`): uint8 [height, width, 3] of the params' size.
        opened_ns: our monotonic clock when it was decoded.
    """

    picture: Pixels = field(compare=False, repr=False)
    alpha: Pixels | None = field(default=None, compare=False, repr=False)
    original: Pixels | None = field(default=None, compare=False, repr=False)
    thumbnail: Thumbnail | None = field(default=None, compare=False, repr=False)
    hints: Mapping[HintKey, Pixels] = field(default_factory=lambda: NO_HINTS, compare=False, repr=False)
    opened_ns: int = 0

    @property
    def input(self) -> Pixels:
        """What the frame itself shows, whatever was mixed into it."""
        return self.picture if self.original is None else self.original


STAGES = ("queue", "decode", "encode_latents", "denoise", "decode_latents", "encode")
"""Stages of a frame, in the order in which it passes them; see `Stamps`."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a frame left each stage, in monotonic nanoseconds.

    Consecutive marks on one clock, so the stages sum to the whole. A stage that a frame skipped (a pass-through has no
    `denoise`) is 0 and takes no time; time spent waiting counts to the stage after it.
    """

    received_ns: int
    queue: int = 0
    decode: int = 0
    encode_latents: int = 0
    denoise: int = 0
    decode_latents: int = 0
    encode: int = 0

    @classmethod
    def opened(cls, job: Job) -> Stamps:
        """The marks that a job brings with it into an engine."""
        return cls(job.frame.received_ns, queue=job.admitted_ns, decode=job.opened_ns)

    def durations_ms(self) -> dict[str, float]:
        """Milliseconds spent in each of `STAGES`; they sum to the time from arrival to the last mark."""
        durations: dict[str, float] = {}
        last = self.received_ns
        for stage in STAGES:
            mark: int = getattr(self, stage)
            durations[stage] = (mark - last) / 1e6 if mark else 0.0
            last = mark or last
        return durations


@dataclass(frozen=True, slots=True)
class Result:
    """The picture that answers a job.

    Attributes:
        picture: uint8 [height, width, 3], RGB; shared, so nobody writes to it. As an engine gives it, restyled as a
            whole; sealed, what is to be shown.
        stamps: when its frame left each stage.
        mask: where people are, uint8 [h, w] of any size, where the params want it; sealed, steadied by that before it.
        restyled: the whole picture where `picture` shows a part of it (`Params.matte`); None where that is it.
        key: opacity of a sealed picture, uint8 [height, width]; None where all of it is opaque.
        score: how sure a frame checker is that what may be seen of it is unsafe, 0 to 1; not a number where it could
            not say, None where there is no checker.
        data: the encoded picture, once it is sealed; empty where the job is not to be encoded.
        format: encoding of `data`; NONE where it is empty.
        air: which picture of the job `picture` is.
        hints: those that the engine made for nets, for people to see: uint8 [h, w, 3], no side above `HINT_VIEW_PX`.
    """

    job: Job
    picture: Pixels = field(compare=False, repr=False)
    stamps: Stamps = field(compare=False)
    data: bytes = b""
    format: Format = Format.NONE
    air: Air = Air.OUTPUT
    mask: Pixels | None = field(default=None, compare=False, repr=False)
    restyled: Pixels | None = field(default=None, compare=False, repr=False)
    key: Pixels | None = field(default=None, compare=False, repr=False)
    hints: Mapping[HintKey, Pixels] = field(default_factory=lambda: NO_HINTS, compare=False, repr=False)
    score: float | None = None

    @property
    def order(self) -> Order:
        """The order that is answered, as in every outcome."""
        return self.job

    @property
    def whole(self) -> Pixels:
        """The restyled picture, also where only a part of it is shown: what the next one may be made from."""
        return self.picture if self.restyled is None else self.restyled

    def on_air(self, air: Air) -> Result:
        """The result as viewers get it: itself, or unencoded with the job's input or a black one in its place. An input
        is black that was not checked, where all that is seen is.
        """
        if air is Air.OUTPUT:
            return self
        is_seen = air is Air.INPUT and (self.score is None or self.job.checks_input)
        picture = self.job.input if is_seen else self.picture * 0  # black, of the same shape
        return replace(self, picture=picture, key=None, data=b"", format=Format.NONE, air=air)

    def answering(self, frame: Frame) -> Result:
        """This result as the answer to another frame that shows the same."""
        return replace(self, job=replace(self.job, frame=frame))


@dataclass(frozen=True, slots=True)
class Repeat:
    """The answer to a frame that shows nothing new: the picture that the client has answers it."""

    order: Order


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer to a frame that gets no picture. It may not even have been opened.

    Attributes:
        error: without the traceback that it was raised with, whose calls hold the frame's pixels, and this failure.
    """

    order: Order
    error: FrameError

    def __post_init__(self) -> None:
        self.error.__traceback__ = self.error.__context__ = self.error.__cause__ = None


Outcome = Result | Repeat | Failure

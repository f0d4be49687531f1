"""What moves: a Frame comes in, is taken on as an Order, opened into a Job of the engine, and answered by an Outcome.

Plain frozen data, so that an engine may live in another process. Must not know sessions, sockets or tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING

from .errors import FrameError
from .params import Params

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Thumbnail = npt.NDArray[np.float32]


class Format(IntEnum):
    """Picture encodings, numbered as on the wire. What a byte can't hold is never on it."""

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
        """The encoding that a picture's first bytes announce; `NONE` where it is none that we take."""
        head = bytes(data[:12])
        if head.startswith(b"\xff\xd8\xff"):
            return cls.JPEG
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return cls.PNG
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return cls.WEBP
        return cls.NONE


class Air(Enum):
    """What those who watch a session see; by the names of the commands that choose it."""

    OUTPUT = "on_air"
    INPUT = "bypass"
    BLACK = "black"


class Matrix(Enum):
    """How luma and chroma make colours. Source: ITU-R BT.601 and BT.709."""

    BT601 = auto()
    BT709 = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A picture in 4:2:0, not converted and not resized: a frame that is superseded must cost nothing.

    Attributes:
        y: luma, uint8 [H, W], both even; rows may be padded.
        u, v: chroma, uint8 [H/2, W/2].
        matrix: how they make RGB.
        is_full_range: luma from 0 to 255 instead of 16 to 235.
    """

    y: Pixels
    u: Pixels
    v: Pixels
    matrix: Matrix = Matrix.BT601
    is_full_range: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as it came in.

    Attributes:
        seq: the client's number for it; rises within a connection.
        format: how `data` is encoded.
        data: the encoded picture, perhaps a view into the received message; `Planes` where a decoder was before us.
        captured_us: the client's clock, echoed and never interpreted.
        received_ns: our monotonic clock at arrival.
    """

    seq: int
    format: Format
    data: bytes | memoryview | Planes
    captured_us: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class Order:
    """A frame with the params in force when it was picked.

    Attributes:
        session: an opaque name: rows with the same one belong together. The engine must not look into it.
        admitted_ns: our monotonic clock when the scheduler picked the frame.
        number: the scheduler's own, unique while the process lives.
        encode: whether the result is wanted encoded; whoever sends video takes its pixels.
    """

    frame: Frame
    params: Params
    session: str
    admitted_ns: int
    number: int = 0
    encode: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Order):
    """An opened order: what an engine is given.

    Attributes:
        picture: uint8 [height, width, 3] of the params' size, RGB, contiguous; shared, so nobody writes to it.
        thumbnail: float32 [32, 32, 3], see `thumbnail`; None where the params want every frame run.
        opened_ns: our monotonic clock when it was decoded.
    """

    picture: Pixels = field(compare=False, repr=False)
    thumbnail: Thumbnail | None = field(default=None, compare=False, repr=False)
    opened_ns: int = 0


#: The stages of a frame in the order in which it passes them; see `Stamps`.
STAGES = ("queue", "decode", "encode_latents", "denoise", "decode_latents", "encode")


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a frame left each stage, in monotonic nanoseconds.

    Consecutive marks on one clock, so the stages add up to the whole by construction. A stage that a frame skipped
    (a pass-through has no `denoise`) is left at 0 and lasts no time; time spent waiting counts to the stage that
    the wait precedes.
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
        picture: uint8 [height, width, 3], RGB; shared, so nobody writes to it.
        stamps: when it left each stage.
        data: the same, encoded, once it is sealed; empty where the job did not want that.
        format: how it is encoded; NONE where it is not.
        air: what `picture` is of the job.
    """

    job: Job
    picture: Pixels = field(compare=False, repr=False)
    stamps: Stamps = field(compare=False)
    data: bytes = b""
    format: Format = Format.NONE
    air: Air = Air.OUTPUT

    @property
    def order(self) -> Order:
        """What it answers: every outcome has one."""
        return self.job

    def on_air(self, air: Air) -> Result:
        """What those who watch see of it: itself, what it was made from, or black; the latter two not yet encoded."""
        if air is Air.OUTPUT:
            return self
        picture = self.job.picture if air is Air.INPUT else self.picture * 0
        return replace(self, picture=picture, data=b"", format=Format.NONE, air=air)

    def answering(self, frame: Frame) -> Result:
        """The same picture as the answer to another frame, which shows the same."""
        return replace(self, job=replace(self.job, frame=frame))


@dataclass(frozen=True, slots=True)
class Repeat:
    """The answer to a frame that shows what the one before showed: the picture that the client has is its picture."""

    order: Order


@dataclass(frozen=True, slots=True)
class Failure:
    """A frame that got no picture: it is lost, nothing else. Its picture may not even have been one."""

    order: Order
    error: FrameError


Outcome = Result | Repeat | Failure

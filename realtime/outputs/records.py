"""What goes to the process that sends: its order as a line of JSON, then pictures and sound; and what it says back.

Pure. Must not know processes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..pixels import Pixels
from .target import OutputKind

Samples = npt.NDArray[np.float32]
"""Sound, float32 [2, n], -1 to 1, at `SOUND_RATE`."""
SOUND_RATE = 48000
SOUND_CHANNELS = 2

HEAD = struct.Struct("<cQI")
"""Kind, number, bytes that follow."""
PICTURE, REPEAT, SOUND = b"P", b"R", b"S"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What the process is to make, and of what.

    Attributes:
        kind, address, muxer: see `OutputTarget`.
        width, height: of all pictures, even.
        rate: pictures a second.
        has_sound: whether a track of sound comes along.
        encoder: FFmpeg's name of the H.264 encoder; empty where nothing is encoded.
    """

    kind: OutputKind
    address: str = field(repr=False)
    muxer: str
    width: int
    height: int
    rate: int
    has_sound: bool
    encoder: str

    def line(self) -> bytes:
        """The spec as the first line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> OutputSpec:
        """See `line`."""
        fields: dict[str, Any] = json.loads(line)
        return cls(kind=OutputKind(fields.pop("kind")), **fields)


@dataclass(frozen=True, slots=True)
class SinkReport:
    """What the process says back, a line each time.

    Attributes:
        problem: why nothing more is sent; None where it is open now.
        is_final: whether another try is of no use.
        is_encoders: whether it was the encoder that failed.
    """

    problem: str | None = None
    is_final: bool = False
    is_encoders: bool = False

    def line(self) -> bytes:
        """As a line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> SinkReport:
        """See `line`."""
        return cls(**json.loads(line))


def picture_record(number: int, picture: Pixels) -> tuple[bytes, memoryview]:
    """A picture, uint8 [height, width, 3], RGB, as head and body; `number` is its place at the constant rate."""
    whole = np.ascontiguousarray(picture)
    return HEAD.pack(PICTURE, number, whole.nbytes), memoryview(cast(Any, whole)).cast("B")


def repeat_record(number: int) -> bytes:
    """The picture before, once more."""
    return HEAD.pack(REPEAT, number, 0)


def sound_record(samples: Samples) -> bytes:
    """The next samples; they begin where those before end."""
    return HEAD.pack(SOUND, 0, samples.nbytes) + np.ascontiguousarray(samples).tobytes()


@dataclass(frozen=True, slots=True)
class Record:
    """One of the records.

    Attributes:
        picture: uint8 [height, width, 3]; None where it is the one before, or sound.
        samples: of sound; else None.
    """

    number: int
    picture: Pixels | None = None
    samples: Samples | None = None


def records(read: Callable[[int], bytes], spec: OutputSpec) -> Iterator[Record]:
    """All that is sent, until there is no more or it is cut off.

    Args:
        read: gives so many bytes, fewer at the end.
    """
    while len(head := read(HEAD.size)) == HEAD.size:
        kind, number, size = HEAD.unpack(head)
        body: Any = read(size) if size else b""
        if len(body) < size:
            return
        if kind == PICTURE:
            yield Record(number, np.frombuffer(body, np.uint8).reshape(spec.height, spec.width, 3))
        elif kind == SOUND:
            yield Record(number, samples=np.frombuffer(body, np.float32).reshape(SOUND_CHANNELS, -1))
        else:
            yield Record(number)

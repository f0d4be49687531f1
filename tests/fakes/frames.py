"""Frames, jobs, results and messages with a small picture in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime.frame import Format, Frame, Job, Result, Stamps
from realtime.params import Params
from realtime.protocol import HEADER, VERSION

from .pictures import Pixels, a_jpeg, a_plain_jpeg


def a_frame(seq: int = 1, data: bytes | None = None, received_ns: int = 0) -> Frame:
    """A small picture that is unlike those of the seqs beside it."""
    return Frame(seq, Format.JPEG, a_plain_jpeg(seq * 97 % 256) if data is None else data, seq * 1000, received_ns)


def a_job(
    seq: int = 1, params: Params | None = None, session: str = "s", picture: Pixels | None = None, **frame: Any
) -> Job:
    params = params or Params()
    if picture is None:
        picture = np.full((params.height, params.width, 3), 128, np.uint8)
    return Job(a_frame(seq, **frame), params, session, 0, seq, picture=picture)


def a_result(job: Job | None = None, data: bytes = b"picture") -> Result:
    job = job or a_job()
    picture = np.zeros((job.params.height, job.params.width, 3), np.uint8)
    return Result(job, picture, Stamps(job.frame.received_ns), data, Format.JPEG)


def a_message(
    seq: int, picture: bytes | None = None, *, captured_us: int = 0, version: int = VERSION, kind: int = 1
) -> bytes:
    """A client's binary message; without a picture of its own it has one that is unlike those beside it."""
    picture = a_jpeg(seed=seq % 64) if picture is None else picture
    return HEADER.pack(version, kind, 0, seq, captured_us, 0, 0) + picture

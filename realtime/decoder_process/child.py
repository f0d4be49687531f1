"""A decoder's process: answers one ask after the other, within limits of memory and processor time.

Must not know the server, or torch. What it decodes may be made to break it.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, NoReturn

from ..errors import FrameError
from ..forked import end_with_server
from .room import Room

Serve = Callable[[Any, Room], Any]
"""Answers an ask; bytes lie in the room, both ways. May raise FrameError."""
Make = Callable[[], Serve]
"""Called once in the process, with its limits in force: can be pickled."""


class DecoderLimits(NamedTuple):
    """What a decoder may take.

    Attributes:
        memory_bytes: of address space, beside what the process has as it begins.
        cpu_s: of processor time for one ask, in whole seconds; None for what decodes all the time.
    """

    memory_bytes: int
    cpu_s: int | None


class Answered(NamedTuple):
    """An answer.

    Attributes:
        cpu_ns: processor time of this process.
    """

    answer: Any
    cpu_ns: int


class DecoderRefusal(NamedTuple):
    """A `FrameError`."""

    message: str
    code: str


def main(connection: Connection, room: Room, make: Make, limits: DecoderLimits) -> NoReturn:
    """Answer until nobody asks any more. Leaves the process."""
    end_with_server()
    _limit_memory(limits)
    serve = make()
    try:
        while True:
            ask = connection.recv()
            _limit_time(limits)
            begun_ns = time.process_time_ns()
            answer = _answer(serve, ask, room)
            connection.send(Answered(answer, time.process_time_ns() - begun_ns))
    except (EOFError, OSError):
        os._exit(0)


def _answer(serve: Serve, ask: Any, room: Room) -> Any:
    try:
        return serve(ask, room)
    except FrameError as error:
        return DecoderRefusal(str(error), error.code)
    except MemoryError:
        return DecoderRefusal("the picture takes too much memory to decode: send a smaller one", "invalid_frame")


def _limit_memory(limits: DecoderLimits) -> None:
    """Also: no file is written, and none is left behind by a crash."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS keeps to no limit of address space
        with open("/proc/self/statm") as statm:
            taken_bytes = int(statm.read().split()[0]) * resource.getpagesize()
        most = taken_bytes + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time(limits: DecoderLimits) -> None:
    """The system ends the process when it has worked for so long."""
    if sys.platform == "win32" or limits.cpu_s is None:
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + limits.cpu_s, most))

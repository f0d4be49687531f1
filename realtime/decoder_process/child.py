"""A decoder's process: answers one ask after the other, within limits of memory and processor time.

Must not know the server, or torch. What it decodes may be made to break it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import sys
import time
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, NoReturn

from ..errors import FrameError
from ..forked import end_with_server
from .room import Room

Serve = Callable[[Any, Room], Any]
"""Answers an ask; bytes lie in the room, both ways. May raise FrameError."""
Make = Callable[[], Serve]
"""Called once in the process, with its limits in force: can be pickled."""


GRACE_S = 5.0
"""How much later than the server, which is there as a rule, this process itself sees that an ask takes too long."""


class DecoderLimits(NamedTuple):
    """What a decoder may take.

    Attributes:
        memory_bytes: of address space, beside what the process has as it begins.
        cpu_s: of processor time for one ask, in whole seconds; None for what decodes all the time.
        patience_s: how long the server waits for the answer to one ask, at most.
    """

    memory_bytes: int
    cpu_s: int | None
    patience_s: float


class Begun(NamedTuple):
    """The first thing that a process says: it waits for what it is asked."""


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
    ends_by_system = end_with_server()
    _limit_memory(limits)
    serve = make()
    try:
        connection.send(Begun())
        while True:
            ask = connection.recv()
            _limit_time(limits)
            begun_ns = time.process_time_ns()
            with contextlib.nullcontext() if ends_by_system else _patience(limits.patience_s + GRACE_S):
                answer = _answer(serve, ask, room)
            connection.send(Answered(answer, time.process_time_ns() - begun_ns))
    except (EOFError, OSError):
        os._exit(0)


@contextlib.contextmanager
def _patience(seconds: float) -> Generator[None]:
    """End the process where the block takes longer, by a thread that needs no lock of Python's: native code may keep
    that for ever, and the server, which would kill this process, may be gone.
    """
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _answer(serve: Serve, ask: Any, room: Room) -> Any:
    try:
        return serve(ask, room)
    except FrameError as error:
        return DecoderRefusal(str(error), error.code)
    except MemoryError:
        return DecoderRefusal("the picture takes too much memory to decode: send a smaller one", "invalid_frame")


def missing_limits(platform: str = sys.platform) -> str:
    """What a system has no limits of, for the log; empty where it has all."""
    missing = {
        "linux": "",
        "win32": "memory, processor time and files: what is too much of time is killed all the same",
    }
    return missing.get(platform, "memory")


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

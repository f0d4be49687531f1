"""What the processes of a server hold: descriptors, threads, children, shared memory.

Must not know what they do with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SHARED_PICTURES, DECODERS_ROOMS = "realtime-engine", "realtime-decoder"
"""In the names of the memory that engines and decoders share with the server, see `Slots` and `Room`."""
SLACK: Mapping[str, int] = {"descriptors": 18, "threads": 6, "children": 3, "rooms": 3}
"""What may be more than before: pools of threads and of decoders fill as they are needed (each decoder has four
descriptors), connections come and go."""


@dataclass(frozen=True, slots=True)
class Census:
    """Numbers of one moment, of the server's own process where nothing else is said.

    Attributes:
        children: processes below it, all of them.
        zombies: of those, and the server itself.
        maps: pictures shared with engines that it has mapped.
        rooms: memory shared with decoders that it has mapped.
        files: files below /dev/shm that look like multiprocessing's, of any process of this machine.
    """

    descriptors: int
    threads: int
    children: int
    zombies: int
    maps: int
    rooms: int
    files: int

    def more_than(self, before: Census) -> dict[str, tuple[int, int]]:
        """What there is more of than before, by more than `SLACK`: with then and now."""
        then, now = asdict(before), asdict(self)
        return {name: (then[name], now[name]) for name in now if now[name] > then[name] + SLACK.get(name, 0)}


def take_census(pid: int) -> Census:
    """Count what a server's process holds now.

    Raises:
        psutil.NoSuchProcess: there is no such process.
    """
    process = psutil.Process(pid)
    children = process.children(recursive=True)
    return Census(
        process.num_fds(),
        process.num_threads(),
        len(children),
        sum(map(is_zombie, [process, *children])),
        _mapped(pid, SHARED_PICTURES),
        _mapped(pid, DECODERS_ROOMS),
        len(shared_files()),
    )


def is_zombie(process: psutil.Process) -> bool:
    """Whether it has ended and nobody has asked how."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return False


def shared_files() -> set[Path]:
    """Files of shared memory, as multiprocessing and we name them."""
    return {*Path("/dev/shm").glob("p[sy]m*"), *Path("/dev/shm").glob("realtime-*")}


def engines_of(pid: int) -> list[psutil.Process]:
    """The processes of a server's engines: those below it that have its pictures mapped, in the order of their ids."""
    return _below(pid, SHARED_PICTURES)


def decoders_of(pid: int) -> list[psutil.Process]:
    """The processes of a server's decoders, likewise."""
    return _below(pid, DECODERS_ROOMS)


def _below(pid: int, what: str) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        below = psutil.Process(pid).children(recursive=True)
        return sorted((each for each in below if _mapped(each.pid, what)), key=lambda each: each.pid)
    return []


def _mapped(pid: int, what: str) -> int:
    """Mappings of memory of this name; 0 of a process that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/maps").read_text().count(what)
    return 0


def resident_mb(pid: int) -> float:
    """Resident memory in MiB; 0 of a process that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).memory_info().rss / 2**20
    return 0.0

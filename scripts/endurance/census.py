"""What the processes of a server hold: descriptors, threads, children, shared memory.

Must not know what they do with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SHARED_PICTURES = "realtime-engine"
"""In the name of the memory that engines share with the server, see `engine_process/slots.py`."""
SLACK: Mapping[str, int] = {"descriptors": 6, "threads": 6}
"""What may be more than before: pools of threads fill as they are needed, connections come and go."""


@dataclass(frozen=True, slots=True)
class Census:
    """Numbers of one moment, of the server's own process where nothing else is said.

    Attributes:
        children: processes below it, all of them.
        zombies: of those, and the server itself.
        maps: shared pictures that it has mapped.
        files: files below /dev/shm that look like multiprocessing's, of any process of this machine.
    """

    descriptors: int
    threads: int
    children: int
    zombies: int
    maps: int
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
        _pictures_of(pid),
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
    with contextlib.suppress(psutil.NoSuchProcess):
        below = psutil.Process(pid).children(recursive=True)
        return sorted((each for each in below if _pictures_of(each.pid)), key=lambda each: each.pid)
    return []


def _pictures_of(pid: int) -> int:
    """Mappings of shared pictures; 0 of a process that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/maps").read_text().count(SHARED_PICTURES)
    return 0


def resident_mb(pid: int) -> float:
    """Resident memory in MiB; 0 of a process that is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).memory_info().rss / 2**20
    return 0.0

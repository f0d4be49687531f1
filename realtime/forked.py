"""Processes that belong to the server: how they are started, memory that they share with it, their end with its own.

Must not know what they do.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from multiprocessing.context import BaseContext
from multiprocessing.heap import Arena

from .process import STOP_SIGNALS

START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""Elsewhere than on Linux what is forked may not use the system's frameworks, Metal among them."""
PR_SET_PDEATHSIG = 1
"""Source: Linux's prctl(2)."""

_preloaded: list[str] = []


def preload(*modules: str) -> None:
    """Have modules imported by the one process that all others are forked from, where they are. Without effect once it
    runs: then they are imported by each process that needs them.
    """
    _preloaded.extend(module for module in modules if module not in _preloaded)


def context() -> BaseContext:
    """What starts processes."""
    found = multiprocessing.get_context(START_METHOD)
    if START_METHOD == "forkserver":
        # The program itself is imported by each process, unless that one has.
        found.set_forkserver_preload(["__main__", *_preloaded])
    return found


def end_with_server() -> None:
    """Leave signals to the server, and end when the process does that this one was forked from, even where this one is
    stopped. Called by a process as it begins. Elsewhere than on Linux, it is for it to see the end of its connection.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "linux":
        return
    from multiprocessing import forkserver

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The other process ends when nobody has this any more; it is ours in case that we fork too.
    alive: int | None = getattr(forkserver, "_forkserver")._forkserver_alive_fd  # noqa: B009
    if alive is not None:
        os.close(alive)


def shared_memory(size: int, whose: str) -> Arena:
    """Memory that is given to a process as it is started, as under `multiprocessing`'s own arrays.

    Args:
        whose: for people who look at the system's list of what a process has mapped.

    It has no name that could outlive the processes: it is gone when the last of them is, however they end. It is only
    taken as it is written to.
    """
    if sys.platform != "linux":
        return Arena(size)
    # Not below /dev/shm: containers have 64 MB there, and who writes to what a full one can't hold is killed.
    descriptor = os.memfd_create(f"realtime-{whose}")
    os.ftruncate(descriptor, size)
    return Arena(size, descriptor)


def give_back(memory: Arena) -> None:
    """Give this process's part of shared memory back; nothing may refer to it any more."""
    memory.buffer.close()
    if sys.platform == "linux":
        os.close(memory.fd)

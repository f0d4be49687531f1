"""Processes that belong to the server: how they are started and reaped, memory that they share with it, their end with
its own.

Must not know what they do.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.heap import Arena
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from .process import STOP_SIGNALS

log = logging.getLogger(__name__)

START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""Elsewhere than on Linux what is forked may not use the system's frameworks, Metal among them. Windows has no fork."""
PR_SET_PDEATHSIG = 1
"""Source: Linux's prctl(2)."""
REAP_S = 1.0
"""How long to wait for the exit code of a process that has ended."""
AGAIN_S = (0.02, 0.1, 0.5)
"""Waits until a process is tried to be started again: the one that all others are forked from was killed just now, and
there is another as soon as it is quite gone.
"""
START_S = 180.0
"""How long the process that all others are forked from may take to fork one, with what it imports first: torch from a
slow disk takes a minute. Behind that it is taken to be stopped, and killed: there is another at the next try. All that
was forked from it ends with it.
"""

if TYPE_CHECKING:
    from multiprocessing.connection import PipeConnection

    Link = Connection[Any, Any] | PipeConnection[Any, Any]

_preloaded: list[str] = []


class NotStartedError(Exception):
    """There is no process: descriptors, memory or processes are short, say. The message says what was."""


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


def start(target: Callable[..., Any], arguments: tuple[Any, ...], name: str) -> tuple[BaseProcess, Link]:
    """Start a process, and connect to it.

    Args:
        target: a function of a module's top level; called with its end of the connection, and the arguments.

    Raises:
        NotStartedError: it can't be started.
    """
    for again_s in (*AGAIN_S, None):
        try:
            return _started(target, arguments, name)
        except (OSError, EOFError, RuntimeError) as error:  # the last where there is no thread left
            if again_s is None or not isinstance(error, EOFError | ConnectionError):
                raise NotStartedError(str(error) or "the process that it is forked from has ended") from None
            time.sleep(again_s)
    raise AssertionError


def _started(target: Callable[..., Any], arguments: tuple[Any, ...], name: str) -> tuple[BaseProcess, Link]:
    found = context()
    ours, theirs = found.Pipe()
    process: BaseProcess = found.Process(  # pyright: ignore[reportAttributeAccessIssue]
        target=target, args=(theirs, *arguments), name=name, daemon=True
    )
    late = threading.Timer(START_S, _kill_forkserver, (_forkservers_pid(),))
    late.daemon = True
    try:
        late.start()
        process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        late.cancel()
        theirs.close()
    _ask_one_by_one(process)
    return process, ours


def _kill_forkserver(before: int | None) -> None:
    """End the process that all others are forked from, where one is: whoever waits for it reads its end then.

    Args:
        before: the one that it was when something was to be forked, None for none; where there is another by now that
            one is let be.
    """
    pid = _forkservers_pid()
    if pid is not None and before in (None, pid):
        log.error(
            "the process that others are forked from (%d) has forked none for %.0f s: it is killed, and what it forked "
            "with it; all are started again",
            pid,
            START_S,
        )
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def exit_code(process: BaseProcess, within_s: float = REAP_S) -> int | None:
    """Wait until a process has ended; its exit code, None where it goes on."""
    process.join(within_s)
    return process.exitcode


def _ask_one_by_one(process: BaseProcess) -> None:
    """Have threads ask for an exit code one after the other.

    It is told once: of two that ask together the other finds the end of a pipe, or no such process, and takes that for
    the answer. Whoever starts a process asks for those of all others.
    """
    popen: Any = process._popen  # pyright: ignore[reportAttributeAccessIssue]
    asking, poll = threading.Lock(), popen.poll

    def one_by_one(*arguments: Any) -> int | None:
        with asking:
            return poll(*arguments)

    popen.poll = one_by_one


def end_with_server() -> bool:
    """Leave signals to the server, and end when the process does that this one was started by. Called by a process as
    it begins.

    Returns:
        Whether the system sees to that, whatever this process is at, even where it is stopped: on Linux, where it was
        forked. Else a thread sees it, which has to get Python's lock.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if (alive := _forkservers_pipe()) is None:
        server = multiprocessing.parent_process()
        assert server is not None
        threading.Thread(target=_end_behind, args=(server.sentinel,), name="server-watch", daemon=True).start()
        return False
    # Not where it was spawned: it would end with the thread that has started it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The other process ends when nobody has this any more; it is ours in case that we fork too.
    os.close(alive)
    return True


def _forkservers_pipe() -> int | None:
    return _of_forkserver("_forkserver_alive_fd")


def _forkservers_pid() -> int | None:
    return _of_forkserver("_forkserver_pid")


def _of_forkserver(name: str) -> int | None:
    if sys.platform == "win32":
        return None
    from multiprocessing import forkserver

    return getattr(getattr(forkserver, "_forkserver"), name)  # noqa: B009


def _end_behind(sentinel: int) -> None:
    with contextlib.suppress(OSError):
        wait([sentinel])
    os._exit(0)


# -- memory ------------------------------------------------------------------------------------------------------------


def shared_memory(size: int, whose: str) -> Arena:
    """Memory that is given to a process as it is started, as under `multiprocessing`'s own arrays.

    Args:
        whose: for people who look at the system's list of what a process has mapped.

    It has no name that could outlive the processes: it is gone when the last of them is, however they end. It is only
    taken as it is written to.
    """
    if sys.platform == "win32":
        return Arena(size)  # its name goes with the last that has it
    descriptor = unnamed(whose)
    os.ftruncate(descriptor, size)
    return Arena(size, descriptor)


def by_memfd(whose: str) -> int:
    """See `unnamed`: of Linux."""
    # Not below /dev/shm: containers have 64 MB there, and who writes to what a full one can't hold is killed.
    return os.memfd_create(f"realtime-{whose}")


def by_unlinked_name(whose: str) -> int:
    """See `unnamed`: of POSIX."""
    # Not a temporary file, as an `Arena` by itself: its folder would be left, and pictures would be written to a disk.
    import _posixshmem

    name = f"/realtime-{whose}-{secrets.token_hex(4)}"  # macOS takes up to 31 characters
    descriptor = _posixshmem.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    _posixshmem.shm_unlink(name)
    return descriptor


unnamed: Callable[[str], int] = by_memfd if sys.platform == "linux" else by_unlinked_name
"""Opens memory without a name, and gives its descriptor."""


def give_back(memory: Arena) -> None:
    """Give this process's part of shared memory back; nothing may refer to it any more."""
    memory.buffer.close()
    if sys.platform != "win32":
        os.close(memory.fd)

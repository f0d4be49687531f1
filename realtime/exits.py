"""How a process of the server's own has ended, in words, and whether that was its own doing: by the system's account.

Must not know what ran in it.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import NamedTuple

ORPHANED = 255
"""What `multiprocessing`'s forkserver is taken to have said of a process where it has ended itself, see `poll` of its
`popen_forkserver`. No process of ours ends by itself with it."""
NT_ERROR = 0xC0000000
"""The least status of a process that Windows has ended, as for reading where nothing is. Source: ntstatus.h."""


class Exit(NamedTuple):
    """How a process has ended.

    Attributes:
        how: a verb and what follows, as in "it …".
        is_own_doing: False where somebody else has ended it, whatever it was at.
    """

    how: str
    is_own_doing: bool = True


STOPPED = Exit("was stopped by a signal", is_own_doing=False)
"""What is known of a process that is silent because of that."""


def how_ended(code: int | None, *, was_memory_short: bool) -> Exit:
    """How a process has ended by itself, or by a signal.

    Args:
        code: its exit code as `multiprocessing` gives it; None: it is not known.
        was_memory_short: whether the system may have killed processes since it began, as memory was short.
    """
    if code == ORPHANED:
        return Exit("has ended with the process that it was forked from", is_own_doing=False)
    if code is not None and code >= NT_ERROR:
        return Exit(f"crashed: {code:#x}")
    if code is None or code >= 0:
        return Exit(f"has ended with {code}")
    name = signal.Signals(-code).name
    if name != "SIGKILL":
        return Exit(f"crashed: {name}")
    if was_memory_short:
        return Exit("was killed: by the system, as memory was short, or by somebody")
    return Exit("was killed by somebody", is_own_doing=False)


def oom_kills() -> int | None:
    """How many processes the system has killed as memory was short, of all containers; None where it doesn't say.

    Source: Linux, `count_vm_event(OOM_KILL)` of `mm/oom_kill.c`, which memory limits of control groups call too.
    """
    try:
        found = re.search(rb"^oom_kill (\d+)$", Path("/proc/vmstat").read_bytes(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def is_stopped_by_signal(pid: int) -> bool:
    """Whether a process is stopped, by SIGSTOP for example; False where the system doesn't say.

    Source: Linux, `/proc/PID/stat` in proc(5): the state follows the name, which may hold anything, in brackets.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False

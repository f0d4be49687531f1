"""How the engine's process has ended, in words, and whether that was its own doing.

Must not know what runs in it.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import NamedTuple


class End(NamedTuple):
    """How a process has ended.

    Attributes:
        how: in words.
        blames_frames: see `EngineError`.
    """

    how: str
    blames_frames: bool = True


def gave_no_answer(for_s: float, *, is_stopped: bool) -> End:
    """How a process has ended that was killed as it gave no answer; one that is stopped can give none."""
    why = ": it was stopped by a signal" if is_stopped else ""
    return End(f"the engine's process gave no answer for {for_s:.1f} s{why}", blames_frames=not is_stopped)


def how_ended(code: int | None, *, was_memory_short: bool) -> End:
    """How a process has ended by itself.

    Args:
        code: its exit code as `multiprocessing` gives it.
        was_memory_short: whether the system may have killed processes since it began, as memory was short.
    """
    if code is None or code >= 0:
        return End(f"the engine's process has ended with {code}")
    name = signal.Signals(-code).name  # only where there are signals
    if name != "SIGKILL":
        return End(f"the engine's process crashed: {name}")
    if was_memory_short:
        return End("the engine's process was killed: by the system, as memory was short, or by somebody")
    return End("the engine's process was killed by somebody", blames_frames=False)


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

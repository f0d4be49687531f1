"""Memory and processor time of a process.

Must not know what the process is.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_EVERY_S = 0.5


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MiB; None where there is neither /proc nor psutil."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        pass
    try:
        import psutil
    except ImportError:
        return None
    return psutil.Process(pid).memory_info().rss / 2**20


def cpu_s(pid: int) -> float | None:
    """Processor time of a process in seconds, user and system; None where there is neither /proc nor psutil."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        pass
    try:
        import psutil
    except ImportError:
        return None
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@dataclass(slots=True)
class MemoryLog:
    """A process's resident memory over time.

    Attributes:
        seconds, mb: of each sample, seconds since the watch began and MiB.
    """

    seconds: list[float] = field(default_factory=list[float])
    mb: list[float] = field(default_factory=list[float])

    def growth_mb(self) -> float | None:
        """Mean of the last quarter less that of the second, in MiB; None for fewer than four samples.

        The first quarter is left out, as buffers grow to their size in it.
        """
        quarter = len(self.mb) // 4
        if quarter == 0:
            return None
        return (sum(self.mb[-quarter:]) - sum(self.mb[quarter : 2 * quarter])) / quarter


@contextmanager
def watch_memory(pid: int) -> Generator[MemoryLog]:
    """Sample a process's memory every `SAMPLE_EVERY_S` while the block runs."""
    log = MemoryLog()
    ended = threading.Event()

    def watch() -> None:
        begin = time.monotonic()
        while not ended.wait(SAMPLE_EVERY_S):
            if (mb := resident_mb(pid)) is None:
                return
            log.seconds.append(time.monotonic() - begin)
            log.mb.append(mb)

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield log
    finally:
        ended.set()
        thread.join()

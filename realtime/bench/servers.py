"""Processes to measure: the server itself, and the bare loop that it is compared with.

Must not know what is measured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.state import RungState
from .load import BenchError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
SAMPLE_EVERY_S = 0.5
READY_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Process:
    """A server that listens.

    Attributes:
        pid: of its process.
        url: of its page, with a slash at the end.
    """

    pid: int
    url: str

    @property
    def websocket_url(self) -> str:
        """Where frames go."""
        return f"ws{self.url.removeprefix('http')}ws"

    def metric(self, name: str) -> float | None:
        """A number of `/metrics`; None where there is none."""
        found = re.search(rf"^{name} (\S+)$", self._metrics(), re.MULTILINE)
        return float(found[1]) if found else None

    def histogram(self, name: str) -> dict[float, float]:
        """A histogram of `/metrics`: how many values were at most so large; empty where there is none."""
        found = re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\S+)$', self._metrics(), re.MULTILINE)
        return {float(limit): float(count) for limit, count in found}

    def rung(self) -> RungState | None:
        """What the model runs on; None while it is loaded."""
        state = json.loads(self._get("api/config") or "{}").get("rung_state")
        return RungState.parse(state) if state is not None else None

    def _metrics(self) -> str:
        return self._get("metrics")

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""


@contextmanager
def start(*command: str, settings: Mapping[str, str] | None = None) -> Generator[Process]:
    """Run a Python module that prints its address, and end it afterwards.

    Args:
        command: the module and its arguments.
        settings: `REALTIME_*` variables of its environment.

    Raises:
        BenchError: it ended, or printed no address in time.
    """
    # What is set for a server of this machine's user must not change the one that is measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REALTIME_")}
    environment |= settings or {}
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, env=environment, text=True)
    try:
        yield Process(process.pid, _address(process))
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            if (found := re.search(r"http://\S+", line)) is not None:
                return found[0]
    finally:
        timer.cancel()
    raise BenchError("the server did not start; what it said stands above")


def wait_until_ready(process: Process, timeout_s: float = 300.0) -> None:
    """Until the server's model is loaded and frames are welcome.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + timeout_s
    while process.metric("realtime_ready") != 1:
        if time.monotonic() > end_s:
            raise BenchError(f"the server was not ready after {timeout_s:g} s")
        time.sleep(READY_EVERY_S)


def serve_command(model: str) -> tuple[str, ...]:
    """The server with this model, on a free port, forgetting its clients at once, and turning nobody away.

    What it does when there are too many is to be seen, and on a busy machine two may be.
    """
    options = ("--port", "0", "--resume-s", "0", "--min-session-fps", "0", "--log-level", "warning")
    return ("realtime", "serve", "--model", model, *options)


def floor_command(tick_ms: float, *, with_codec: bool) -> tuple[str, ...]:
    """The bare loop; see `floor`."""
    return ("realtime.bench.floor", f"{tick_ms:g}", *(["--codec"] if with_codec else []))


def resident_mb(pid: int) -> float | None:
    """Memory of a process; None where this machine tells it neither by /proc nor by psutil."""
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
    """Processor seconds that a process has used; None where this machine does not tell."""
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
    """A process's memory over time."""

    seconds: list[float] = field(default_factory=list[float])
    mb: list[float] = field(default_factory=list[float])

    def growth_mb(self) -> float | None:
        """Mean of the last quarter less that of the second; the first is left out, buffers grow to their size in it."""
        quarter = len(self.mb) // 4
        if quarter == 0:
            return None
        return (sum(self.mb[-quarter:]) - sum(self.mb[quarter : 2 * quarter])) / quarter


@contextmanager
def watch_memory(pid: int) -> Generator[MemoryLog]:
    """Look at a process's memory twice a second."""
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

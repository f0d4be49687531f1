"""Starts servers as processes of their own, and reads their metrics and configuration over HTTP.

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
from dataclasses import dataclass

from ..engine.state import RungState
from . import report
from .errors import BenchError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
READY_TIMEOUT_S = 300.0
CLIMB_TIMEOUT_S = 300.0
READY_EVERY_S, CLIMBED_EVERY_S = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Process:
    """A running server.

    Attributes:
        pid: of its process.
        url: of its page, with a slash at the end.
    """

    pid: int
    url: str

    @property
    def websocket_url(self) -> str:
        """The URL of its WebSocket."""
        return f"ws{self.url.removeprefix('http')}ws"

    def metric(self, name: str) -> float | None:
        """The value of a metric without labels; None where there is none."""
        found = re.search(rf"^{name} (\S+)$", self._metrics(), re.MULTILINE)
        return float(found[1]) if found else None

    def histogram(self, name: str) -> dict[float, float]:
        """A histogram: number of values up to each bucket's limit; empty where there is none."""
        found = re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\S+)$', self._metrics(), re.MULTILINE)
        return {float(limit): float(count) for limit, count in found}

    def ready_engines(self) -> int:
        """How many of its engines are ready."""
        return len(re.findall(r"^realtime_worker_ready\{.*\} 1\.0$", self._metrics(), re.MULTILINE))

    def workers_of_sessions(self) -> dict[str, int | None]:
        """The engine that each session is at, by its name; None while that is at none."""
        found = json.loads(self._get("api/sessions") or '{"sessions": []}')
        return {one["session"]: one["worker"] for one in found["sessions"]}

    def rung(self) -> RungState | None:
        """The engine's rung; None while it is loading."""
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
    """Run a Python module that prints its URL, and terminate it after the block.

    Args:
        command: the module and its arguments.
        settings: `REALTIME_*` environment variables; those of this process are not passed on.

    Raises:
        BenchError: it ended, or printed no URL in time.
    """
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


def wait_until(process: Process, metric: str, timeout_s: float) -> None:
    """Wait until a metric without labels exists and is not 0.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + timeout_s
    while not process.metric(metric):
        if time.monotonic() > end_s:
            raise BenchError(f"{metric} of the server stays 0 for {timeout_s:g} s: its output says why")
        time.sleep(READY_EVERY_S)


def wait_until_climbed(process: Process) -> RungState:
    """Wait until the engine is loaded and its upgrade makes nothing.

    Returns:
        The rung.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + CLIMB_TIMEOUT_S
    while True:
        rung = process.rung()
        if rung is not None and rung.doing is None:
            return rung
        if time.monotonic() > end_s:
            raise BenchError(
                f"the server still climbs after {CLIMB_TIMEOUT_S:g} s ({rung}): start again, what it made is kept"
            )
        time.sleep(CLIMBED_EVERY_S)


def serve_command(model: str) -> tuple[str, ...]:
    """The arguments of `start` for a server on a free port that keeps no session and refuses none for lack of speed:
    overload is to be measured.
    """
    options = ("--port", "0", "--resume-s", "0", "--min-session-fps", "0", "--log-level", "warning")
    return ("realtime", "serve", "--model", model, *options)


@contextmanager
def serving(model: str, *options: str, settings: Mapping[str, str] | None = None) -> Generator[Process]:
    """Start a server and wait until it accepts frames.

    Args:
        model: as in `realtime serve`.
        options: further options of `realtime serve`.
        settings: see `start`.

    Raises:
        BenchError: it did not start, or was not ready in time.
    """
    report.progress(f"starting a server with --model {' '.join((model, *options))}")
    with start(*serve_command(model), *options, settings=settings) as process:
        wait_until(process, "realtime_ready", READY_TIMEOUT_S)
        yield process

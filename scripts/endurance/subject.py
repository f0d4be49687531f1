"""A server under test: `realtime serve` in a process of its own, on a port that it keeps when it is started again.

Must not know what is done to it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import psutil

from .census import Census, decoders_of, engines_of, take_census
from .errors import EnduranceError
from .waiting import PATIENCE_S, until

ASK_S = 5.0
START_S = 600.0
"""How long a model may take to load, on a busy machine, with an empty cache."""
LINES_MAX = 1000
SPAWNING = "scripts.endurance.spawning"


class Subject:
    """The server.

    Args:
        folder: for its state and cache.
        model, options: of `realtime serve`.
        spawns: whether its processes are spawned, as on other systems than Linux.

    Attributes:
        port: where it listens, on loopback alone.
        starts: how often it was started.
        state: the file of its state.
        said: lines that it has said so far, the newest `LINES_MAX`.
    """

    def __init__(self, folder: Path, model: str, options: Sequence[str], *, spawns: bool = False) -> None:
        self.port = _free_port()
        self.starts = 0
        self.said: deque[str] = deque(maxlen=LINES_MAX)
        self.state = folder / "state.json"
        self._command = (
            *(sys.executable, "-m", SPAWNING if spawns else "realtime"),
            *("serve", "--model", model, "--port", str(self.port)),
            *("--state", str(self.state), *options),
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REALTIME_")}
        self._environment = {**kept, "REALTIME_CACHE": os.environ.get("REALTIME_CACHE", str(folder / "cache"))}
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Of its page, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until it takes frames.

        Raises:
            EnduranceError: it has ended, or is not ready in time.
        """
        self._begin()
        await self.until_ready("it was started")

    def _begin(self) -> None:
        # Not to a file, which a disk that is full would not take.
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._environment, text=True
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.starts += 1

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            self.said.extend(line.rstrip() for line in stream)

    async def until_ready(self, after: str) -> None:
        """Wait until it takes frames.

        Raises:
            EnduranceError: it has ended, or is not ready in time.
        """
        await until(self.is_ready, f"the server is ready after {after}", START_S, in_thread=True)

    def is_ready(self) -> bool:
        """Whether it takes frames.

        Raises:
            EnduranceError: it has ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise EnduranceError(f"the server has ended by itself: {'; '.join(tuple(self.said)[-5:])}")
        return self.status_of("readyz") == 200

    def status_of(self, path: str) -> int:
        """The status of a GET; 0 without an answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=ASK_S) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except (OSError, urllib.error.URLError):
            return 0

    def post(self, path: str) -> None:
        """POST nothing, and wait for the answer.

        Raises:
            EnduranceError: it is refused.
        """
        try:
            urllib.request.urlopen(urllib.request.Request(self.url + path, b"", method="POST"), timeout=START_S).close()
        except urllib.error.HTTPError as error:
            raise EnduranceError(f"POST {path}: {error.code} {error.read().decode()}") from None

    def metric(self, name: str) -> float | None:
        """A metric without labels; None where there is none, or no answer."""
        try:
            with urllib.request.urlopen(self.url + "metrics", timeout=ASK_S) as answer:
                found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        except (OSError, urllib.error.URLError):
            return None
        return float(found[1]) if found else None

    def engines(self) -> list[psutil.Process]:
        """The processes of its engines."""
        return engines_of(self.pid)

    def decoders(self) -> list[psutil.Process]:
        """The processes of its decoders."""
        return decoders_of(self.pid)

    def census(self) -> Census:
        """What it holds now."""
        return take_census(self.pid)

    def signal(self, number: int) -> None:
        """Send its process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, how: signal.Signals) -> int:
        """End it by a signal, and wait until nothing is left of it.

        Returns:
            Its exit code.

        Raises:
            EnduranceError: it, or a process below it, goes on.
        """
        assert self._process is not None
        process, below = self._process, psutil.Process(self.pid).children(recursive=True)
        process.send_signal(how)
        await until(lambda: process.poll() is not None, f"the server ends by {how.name}")
        await until(lambda: not any(map(_lives, below)), f"what the server has started ends, after {how.name}")
        return process.returncode

    def close(self) -> None:
        """Kill it, wherever it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_S)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running()
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

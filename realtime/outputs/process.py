"""The process that sends, as the one that has started it sees it: written to, listened to, killed where it hangs.

Must not know what is sent, or when.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .records import OutputSpec, SinkReport

PROGRAM = (sys.executable, "-m", "realtime.outputs.child")
OPEN_TIMEOUT_S = 30.0
STUCK_S = 10.0
"""A process that takes nothing for so long is killed."""
CLOSE_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.5
NO_ANSWER = "no answer in time; check the address and the network"
TAKES_NOTHING = "the other side takes nothing any more; check the network"
BROKE_OFF = "what sends it broke off"


class Sending(Protocol):
    """Takes what is sent. Methods raise BrokenPipeError where nothing more is taken; `said` tells why."""

    def opened(self) -> bool:
        """Wait until it is open; False where it can't be."""
        ...

    def write(self, *parts: bytes | memoryview) -> None:
        """Send; may block as long as the other side does."""
        ...

    def close(self) -> None:
        """End in order."""
        ...

    @property
    def said(self) -> SinkReport:
        """Why nothing more is taken."""
        ...


class SendingProcess:
    """One process. Owned by one thread.

    Args:
        spec: what it makes.
        stopping: ends waiting for it to open.
    """

    def __init__(self, spec: OutputSpec, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._said: SinkReport | None = None
        self._heard = threading.Event()
        self._ended = threading.Event()
        self._busy_since: float | None = None
        self._stuck = False
        self._process = subprocess.Popen(
            PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        for work in (self._listen, self._watch):
            threading.Thread(target=work, name="output", daemon=True).start()
        with contextlib.suppress(BrokenPipeError):
            self.write(spec.line())

    @property
    def said(self) -> SinkReport:
        """See `Sending`."""
        if self._stuck:
            return SinkReport(TAKES_NOTHING)
        said = self._said
        return said if said is not None and said.problem is not None else SinkReport(BROKE_OFF, is_encoders=True)

    def opened(self) -> bool:
        """See `Sending`."""
        end_s = time.monotonic() + OPEN_TIMEOUT_S
        while not self._heard.wait(LOOK_EVERY_S / 5):
            if self._stopping.is_set():
                self._process.kill()
                return False
            if time.monotonic() > end_s:
                self._said = SinkReport(NO_ANSWER)
                self._process.kill()
                return False
        return self._said is not None and self._said.problem is None

    def write(self, *parts: bytes | memoryview) -> None:
        """See `Sending`."""
        stdin = self._process.stdin
        assert stdin is not None
        self._busy_since = time.monotonic()
        try:
            for part in parts:
                rest = memoryview(part)
                while rest.nbytes:
                    rest = rest[stdin.write(rest) :]
        except OSError:  # on Windows an EINVAL
            raise BrokenPipeError from None
        finally:
            self._busy_since = None

    def close(self) -> None:
        """See `Sending`: what doesn't end in time is killed."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ended.wait(CLOSE_TIMEOUT_S)  # its last words

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with stdout:
            for line in iter(stdout.readline, b""):
                with contextlib.suppress(ValueError, TypeError):
                    self._said = SinkReport.parse(line)
                self._heard.set()
        self._ended.set()
        self._heard.set()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            since = self._busy_since
            if since is not None and time.monotonic() - since > STUCK_S:
                self._stuck = True
                self._process.kill()


StartSending = Callable[[OutputSpec, threading.Event], Sending]

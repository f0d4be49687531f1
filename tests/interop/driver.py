"""What the tests share: foreign clients as processes that tell what they do, a server, a test picture, figures."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import ProxyHandler, Request, build_opener

import av
import numpy as np
import pytest
from PIL import Image

from tests.fakes.servers import RunningServer

HERE = Path(__file__).parent
CLIENTS = HERE / "clients"
REQUIRED = os.environ.get("REALTIME_TEST_INTEROP") == "required"
LONG = bool(os.environ.get("REALTIME_TEST_LONG"))
"""What scripts/interop runs: as many tries as the figures are quoted for."""
TRIES = 20 if LONG else 4
CONNECT_MS = 1000 if LONG else 5000
SHOWN_FPS = 18 if LONG else 3
"""Speed is measured by scripts/interop, on a machine that has time. Elsewhere nothing may wait for a time-out, and
video must run."""
ARRIVED = 2 / 3
"""The least share of what is sent that comes in, however much that is."""
GONE_S = 20
"""Whoever says nothing more is gone by then. It is 10, on a machine that has time; by aiortc's own constants 30."""
PATIENCE_S = 90.0
FPS = 30


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing."""
    if REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


# -- clients -------------------------------------------------------------------------------------------------------


class Client:
    """A foreign client: a process that writes an event a line, as JSON, and leaves when its standard input closes."""

    def __init__(self, command: Sequence[str | Path], **environment: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complaints: list[str] = []
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._complaints.extend(self._process.stderr)

    @property
    def said(self) -> str:
        """What it wrote on standard error."""
        return "".join(self._complaints)

    def event(self, kind: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next event of this kind."""
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end_s - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind!r} within {timeout_s} s; {self.events=}\n{self.said}") from None
            assert line is not None, f"it ended before {kind!r}; {self.events=}\n{self.said}"
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            self.events.append(event)
            if event["event"] == kind:
                return event

    def leave(self) -> None:
        """Let it leave in order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0, self.said

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code, once it has ended by itself and all that it wrote is read."""
        code = self._process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    def kill(self) -> None:
        """End it without a word to its peer."""
        self._process.kill()

    def close(self) -> None:
        """End it, if it has not ended, and let go of what it held."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def started(command: Sequence[str | Path], **environment: str) -> Iterator[Client]:
    """A client while the block runs."""
    client = Client(command, **environment)
    try:
        yield client
    finally:
        client.close()


def node(script: str, package: str, **options: Any) -> contextlib.AbstractContextManager[Client]:
    """A client in Node that needs an npm package."""
    found = shutil.which("node")
    if found is None:
        missing("no Node found")
    if not (HERE / "node_modules" / package).is_dir():
        missing(f"{package} is not installed: run npm ci in tests/interop")
    return started([found, CLIENTS / script, json.dumps(options)])


def connects(client: Client, tries: int) -> list[float]:
    """How long each of so many connects took, in ms; all came about, or this fails."""
    return [client.event("connected")["ms"] for _ in range(tries)]


def assert_quick(times_ms: Sequence[float]) -> None:
    """No connect waits for anything; one in twenty may have met a busy machine."""
    assert statistics.median(times_ms) < CONNECT_MS, times_ms
    late = sum(ms >= CONNECT_MS for ms in times_ms)
    assert late <= max(1, len(times_ms) // 20), times_ms


# -- the server ----------------------------------------------------------------------------------------------------

_opener = build_opener(ProxyHandler({}))


def fetch(url: str, method: str = "GET") -> bytes:
    """What a route of the server answers."""
    with _opener.open(Request(url, method=method), timeout=PATIENCE_S) as answer:
        return answer.read()


def session_view(server: RunningServer, session: str) -> dict[str, Any]:
    """What the server says of a session."""
    return json.loads(fetch(f"{server.url}/api/sessions/{session}"))


def snapshot(server: RunningServer, session: str) -> np.ndarray:
    """The session's newest picture, [H, W, 3]."""
    png = fetch(f"{server.url}/api/sessions/{session}/snapshot")
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def received(server: RunningServer, session: str) -> int:
    """Frames that came in so far."""
    found = server.service.session(session)
    return found.stats.received if found is not None else 0


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait, and tell how many seconds it took."""
    begun_s = time.monotonic()
    while not condition():
        assert time.monotonic() - begun_s < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun_s


def frames_a_second(server: RunningServer, session: str, seconds: float) -> float:
    """Frames that come in a second, over so many seconds from now on."""
    first, begun_s = received(server, session), time.monotonic()
    time.sleep(seconds)
    return (received(server, session) - first) / (time.monotonic() - begun_s)


def all_received(server: RunningServer, session: str, publisher: Client) -> float:
    """Let a publisher leave; which share of the frames that it sent came in."""
    found = server.service.session(session)
    assert found is not None
    publisher.leave()
    return found.stats.received / publisher.event("sent")["frames"]


def all_peers_gone(server: RunningServer) -> None:
    """Nobody is left, and nothing is encoded for nobody."""
    peers = server.app.state.peers
    wait_until(lambda: peers.count == 0 and peers.encodings == 0, "all peers are gone")


# -- the picture ---------------------------------------------------------------------------------------------------

BARS = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
"""Top part of the SMPTE bars, at 75 %, as FFmpeg's smptebars and GStreamer's smpte75 are."""


def bars(width: int, height: int, index: int) -> np.ndarray:
    """Bars, and below them a square that moves."""
    picture = np.repeat(np.asarray(BARS, np.uint8)[np.arange(width) * len(BARS) // width][None], height, 0)
    side = height // 8
    left = (index * 8) % (width - side)
    picture[-2 * side : -side, left : left + side] = 255
    return picture


def assert_bars(picture: np.ndarray) -> None:
    """The bars are where they should be, in their colours: neither mirrored, nor with channels exchanged."""
    height, width = picture.shape[:2]
    middles = [(2 * bar + 1) * width // (2 * len(BARS)) for bar in range(len(BARS))]
    seen = np.asarray([picture[height // 8 : height // 4, x - 2 : x + 3].mean((0, 1)) for x in middles])
    assert np.abs(seen - np.asarray(BARS)).max() < 30, seen.round().tolist()


def write_h264(path: Path, width: int = 512, height: int = 512, frames: int = 2 * FPS) -> Path:
    """Bars as H.264 such as OBS sends: a key frame a second, no B-frames; each access unit behind its length."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.bit_rate, context.gop_size, context.max_b_frames = 2_500_000, FPS, 0
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:scenecut=0"}
    with path.open("wb") as file:
        for index in range(frames + 1):
            frame = None
            if index < frames:
                frame = av.VideoFrame.from_ndarray(bars(width, height, index), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
            for packet in context.encode(frame):
                file.write(struct.pack(">I", packet.size) + bytes(packet))
    return path


# -- figures -------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What was measured, for the table of scripts/interop."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self, client: str, shape: str, *, connect_ms: Sequence[float] = (), fps: float | None = None, more: str = ""
    ) -> None:
        """A row of the table."""
        tries = f"{len(connect_ms)} of {len(connect_ms)}" if connect_ms else ""
        median = f"{statistics.median(connect_ms):.0f} ({max(connect_ms):.0f})" if connect_ms else ""
        self.rows.append((client, shape, tries, median, f"{fps:.1f}" if fps is not None else "", more))

    def table(self) -> str:
        """Markdown."""
        head = ("client", "shape", "connected", "connect ms, median (worst)", "fps in", "more")
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *self.rows))


FIGURES = Figures()
"""Of this run; conftest.py prints them at its end."""

PYTHON = sys.executable

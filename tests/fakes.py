"""What the tests step by hand: a clock, an engine that works when told to, pictures, servers on real sockets."""

from __future__ import annotations

import asyncio
import functools
import io
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import numpy as np
import numpy.typing as npt
import psutil
from fastapi import FastAPI
from PIL import Image

from realtime.bench.errors import BenchError
from realtime.config import Config
from realtime.engine import Engine, EngineInfo, Progress, RowCost
from realtime.engine.echo import EchoEngine
from realtime.engine.state import RungState
from realtime.errors import FrameError
from realtime.frame import Failure, Format, Frame, Job, Result, Stamps
from realtime.params import Params
from realtime.protocol import HEADER, VERSION
from realtime.server.app import create_app, make_server
from realtime.server.engine_host import Load
from realtime.server.http import Server, listen
from realtime.server.service import Service

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]

PATIENCE_S = 60.0
"""No test waits this long unless it fails; the machine may be busy."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us of, such as a socket of another process that closes."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def long_enough(
    bench: Callable[[float], T],
    is_whole: Callable[[T], bool] = lambda found: True,
    lengths_s: Sequence[float] = (0.5, 2, 8),
) -> T:
    """What a bench finds in the shortest run in which this machine gets something done: each of these lengths is tried.

    Args:
        bench: takes a length in seconds.
        is_whole: whether something was done of everything.
    """
    for seconds in lengths_s:
        try:
            found = bench(seconds)
        except BenchError as error:
            missing: object = error
        else:
            if is_whole(found):
                return found
            missing = found
    raise AssertionError(f"not in {seconds} s either: {missing}")


class FakeClock:
    """Monotonic nanoseconds that pass when the test says so."""

    def __init__(self, now_ns: int = 1_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def advance_ms(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1e6)


@dataclass
class ScriptedPending:
    """A tick that ends when the test calls `ScriptedEngine.finish_next`."""

    engine: ScriptedEngine
    leaving: list[Job]
    ended: threading.Event = field(default_factory=threading.Event)
    finished_ns: int = 0
    error: Exception | None = None
    failures: frozenset[int] = frozenset()

    @property
    def jobs(self) -> Sequence[Job]:
        return self.leaving

    def ready(self) -> bool:
        return self.ended.is_set()

    def collect(self) -> list[Result | Failure]:
        assert self.ended.wait(PATIENCE_S), "nobody finished this tick"
        self.engine.note("collect")
        if self.error is not None:
            raise self.error
        return [self._outcome(job) for job in self.leaving]

    def _outcome(self, job: Job) -> Result | Failure:
        if job.frame.seq in self.failures:
            return Failure(job, FrameError("the script says so"))
        return a_result(job)


class ScriptedEngine:
    """Implements `Engine`. Records what it is asked; `finish_next` ends the oldest tick under way.

    Args:
        steps: ticks that a job takes.
        synchronous: a tick has ended when `tick` returns, as on a CPU.
        clock: tells when ticks end.
        failures: seqs of frames that get a Failure.
    """

    def __init__(
        self,
        max_rows: int = 8,
        steps: int = 1,
        synchronous: bool = False,
        clock: Callable[[], int] | None = None,
        failures: frozenset[int] = frozenset(),
        info: EngineInfo | None = None,
    ) -> None:
        self.info = info or EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"))
        self.ticks: list[list[Job]] = []
        self.notes: list[str] = []
        self.tick_error: Exception | None = None
        self.tick_hook: Callable[[], object] = lambda: None
        self.closed = threading.Event()
        self._max_rows = max_rows
        self._steps = steps
        self._synchronous = synchronous
        self._clock = clock or FakeClock()
        self._failures = failures
        self._rows: list[tuple[Job, int]] = []
        self._under_way: list[ScriptedPending] = []
        self._changed = threading.Condition()

    @property
    def free_rows(self) -> int:
        return self._max_rows - len(self._rows)

    @property
    def busy_rows(self) -> int:
        return len(self._rows)

    def cost(self, params: Params) -> RowCost:
        """Pixels; a frame of strength 0 passes through, as in a real engine."""
        return RowCost(params.width * params.height, self._steps) if params.strength else RowCost(0, 1)

    def tick(self, admitted: Sequence[Job]) -> ScriptedPending:
        with self._changed:
            if self.tick_error is not None:
                raise self.tick_error
            rows = [(job, left - 1) for job, left in [*self._rows, *((job, self._steps) for job in admitted)]]
            self._rows = [row for row in rows if row[1]]
            pending = ScriptedPending(self, [job for job, left in rows if not left], failures=self._failures)
            self._under_way.append(pending)
            self.ticks.append(list(admitted))
            self.note("tick")
            if self._synchronous:
                self._finish()
        self.tick_hook()
        return pending

    def close(self) -> None:
        self.closed.set()

    def note(self, what: str) -> None:
        with self._changed:
            self.notes.append(what)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[ScriptedEngine], bool]) -> None:
        """Wait until something that was asked of the engine makes the condition true."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), PATIENCE_S), f"only saw {self.notes}"

    def wait_for_ticks(self, number: int) -> None:
        self.wait_for(lambda engine: len(engine.ticks) >= number)

    def finish_next(self, error: Exception | None = None) -> None:
        """End the oldest tick under way, waiting until there is one."""
        self.wait_for(lambda engine: bool(engine._under_way))
        with self._changed:
            self._finish(error)

    def _finish(self, error: Exception | None = None) -> None:
        pending = self._under_way.pop(0)
        pending.error = error
        pending.finished_ns = self._clock()
        pending.ended.set()

    def finish_all(self) -> None:
        """End what is under way and every tick to come."""
        with self._changed:
            while self._under_way:
                self._finish()
            self._synchronous = True


def a_frame(seq: int = 1, data: bytes | None = None, received_ns: int = 0) -> Frame:
    """A small picture that is unlike those of the seqs beside it."""
    return Frame(seq, Format.JPEG, a_plain_jpeg(seq * 97 % 256) if data is None else data, seq * 1000, received_ns)


@functools.cache
def a_plain_jpeg(level: int) -> bytes:
    return encoded(np.full((8, 8, 3), level, np.uint8))


def a_job(
    seq: int = 1, params: Params | None = None, session: str = "s", picture: Pixels | None = None, **frame: Any
) -> Job:
    params = params or Params()
    if picture is None:
        picture = np.full((params.height, params.width, 3), 128, np.uint8)
    return Job(a_frame(seq, **frame), params, session, 0, seq, picture=picture)


def a_result(job: Job | None = None, data: bytes = b"picture") -> Result:
    job = job or a_job()
    picture = np.zeros((job.params.height, job.params.width, 3), np.uint8)
    return Result(job, picture, Stamps(job.frame.received_ns), data, Format.JPEG)


def pixels(width: int = 64, height: int = 64, seed: int = 0) -> Pixels:
    """A smooth RGB picture, so that lossy encodings stay close."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(30, 226, (4, 4, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def encoded(picture: Pixels | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture file, written by Pillow: not by the code under test."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def a_jpeg(width: int = 64, height: int = 64, seed: int = 0) -> bytes:
    return encoded(pixels(width, height, seed), quality=90)


def a_message(
    seq: int, picture: bytes | None = None, *, captured_us: int = 0, version: int = VERSION, kind: int = 1
) -> bytes:
    """A client's binary message; without a picture of its own it has one that is unlike those beside it."""
    picture = a_jpeg(seed=seq % 64) if picture is None else picture
    return HEADER.pack(version, kind, 0, seq, captured_us, 0, 0) + picture


def a_config(**fields: Any) -> Config:
    """The echo engine on a free port of this machine, forgetting sessions at once."""
    return Config(**{"model": "echo", "port": 0, "resume_s": 0.0, **fields})


def echo_load(**options: Any) -> Load:
    """Loads an echo engine with these options."""

    def load(config: Config, progress: Progress) -> Engine:
        return EchoEngine(max_rows=config.max_rows, **options)

    return load


@dataclass
class ServerProcess:
    """`realtime serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    said: str

    @property
    def websocket_url(self) -> str:
        return re.sub(r"^http(.*/).*", r"ws\1ws", self.url)

    @property
    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def errors(self) -> str:
        """What it said on standard error; it must have ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()


def command(*arguments: str) -> list[str]:
    """The command line, run by this interpreter."""
    return [sys.executable, "-m", "realtime", *arguments]


@contextmanager
def serving(*flags: str, model: str = "echo") -> Iterator[ServerProcess]:
    """`realtime serve` while the block runs."""
    arguments = command("serve", "--model", model, "--port", "0", *flags)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        yield ServerProcess(process, found[0], said)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class RunningServer:
    """The whole server in a thread of its own, on a real socket."""

    def __init__(self, config: Config, load: Load, token: str | None = None) -> None:
        self.app: FastAPI = create_app(config, load, token)
        self.server: Server = make_server(self.app, config)
        self._socket: socket.socket = listen(config)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],), name="server")

    @property
    def service(self) -> Service:
        return self.app.state.service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the server did not stop"


def http_client(url: str = "", **options: Any) -> httpx2.AsyncClient:
    """A client of a server under test: it loads no certificates, which takes longer than a request."""
    return httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False, verify=False, **options)


@contextmanager
def running(
    config: Config | None = None, load: Load | None = None, token: str | None = None
) -> Iterator[RunningServer]:
    """A server while the block runs."""
    server = RunningServer(config or a_config(), load or echo_load(), token)
    server.start()
    try:
        yield server
    finally:
        server.stop()

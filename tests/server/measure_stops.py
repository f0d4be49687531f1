"""How a server ends that is told to at any moment: its exit code, how long it took, and what it left behind.

`python -m tests.server.measure_stops`

Starts `realtime serve` again and again, on a machine that is kept busy by other processes, and sends SIGTERM, SIGINT or
SIGHUP at a moment drawn by chance: while it imports, loads, converts (every second start has an empty cache), or serves
a client that reads, one that doesn't and an MJPEG viewer that doesn't. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.fakes.frames import a_message
from tests.fakes.pictures import a_jpeg

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HANGS_S = 30.0
"""A server that has not ended by then is killed, and counts as one that did not end."""
SENDS_EVERY_S = 0.05


@dataclass(frozen=True)
class Stop:
    """The end of one server.

    Attributes:
        after_s: from its start to the signal.
        said: the last line of its log when the signal was sent: what it was doing.
        code: its exit code; None where it was killed after `HANGS_S`.
        took_s: from the signal to its end.
        left: child processes and files of builders that outlived it.
        complaints: lines of its log that are no ordinary ones.
    """

    how: str
    after_s: float
    said: str
    code: int | None
    took_s: float
    left: int
    complaints: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return self.code == 0 and self.took_s < 3 and not self.left and not self.complaints


def spin() -> None:
    while True:
        sum(range(100_000))


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other processes that calculate while the block runs."""
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    yield
    for other in others:
        other.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def play(port: int, ended: threading.Event, *, reads: bool) -> None:
    """Send a frame twenty times a second to a session, as soon as there is a server."""
    picture = a_jpeg(512, 512)
    while not ended.wait(SENDS_EVERY_S):
        with (
            contextlib.suppress(OSError, TimeoutError, ConnectionClosed),
            connect(f"ws://127.0.0.1:{port}/ws?session=reads-{reads}", max_size=None, max_queue=1) as websocket,
        ):
            seq = 0
            while not ended.wait(SENDS_EVERY_S):
                seq += 1
                websocket.send(a_message(seq, picture))
                if reads:
                    websocket.recv(timeout=HANGS_S)


def watch(port: int, ended: threading.Event) -> None:
    """Ask for a session's pictures and take none of them."""
    request = f"GET /api/sessions/reads-True/stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    while not ended.wait(1.0):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as viewer:
            viewer.sendall(request)
            ended.wait()


@contextmanager
def clients(port: int) -> Iterator[None]:
    ended = threading.Event()
    threads = [
        threading.Thread(target=play, args=(port, ended), kwargs={"reads": True}, daemon=True),
        threading.Thread(target=play, args=(port, ended), kwargs={"reads": False}, daemon=True),
        threading.Thread(target=watch, args=(port, ended), daemon=True),
    ]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join(HANGS_S)


def stop(model: str, cache: Path, how: signal.Signals, after_s: float) -> Stop:
    """Start a server, send it a signal after so many seconds, and wait for its end."""
    port, scratch = free_port(), tempfile.mkdtemp()
    log = Path(scratch) / "log"
    command = [sys.executable, "-m", "realtime", "serve", "--model", model, "--port", str(port)]
    environment = {**os.environ, "REALTIME_CACHE": str(cache), "TMPDIR": scratch}
    with log.open("w") as file, clients(port):
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        time.sleep(after_s)
        said = (log.read_text().splitlines() or ["nothing"])[-1]
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(how)
        sent = time.monotonic()
        try:
            code: int | None = process.wait(HANGS_S)
        except subprocess.TimeoutExpired:
            code = None
            process.kill()
            process.wait()
        took_s = time.monotonic() - sent
    _, alive = psutil.wait_procs(children, timeout=0.5)
    left = len(alive) + len(list(Path(scratch).glob("realtime-builder-*")))
    known = ("INFO ", "realtime ")
    complaints = tuple(line for line in log.read_text().splitlines() if not line.startswith(known))
    return Stop(how.name, round(after_s, 2), said, code, round(took_s, 2), left, complaints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--busy", type=int, default=os.cpu_count(), help="processes that calculate beside it")
    parser.add_argument("--earliest", type=float, default=0.2, help="seconds; before, it may be no Python yet")
    parser.add_argument("--latest", type=float, default=25.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    stops: list[Stop] = []
    with busy(options.busy), tempfile.TemporaryDirectory() as warm:
        for number in range(options.starts):
            with tempfile.TemporaryDirectory() as empty:
                cache = Path(warm if number % 2 else empty)
                after_s = draw.uniform(options.earliest, options.latest)
                stops.append(stop(options.model, cache, draw.choice(SIGNALS), after_s))
            print("ok  " if stops[-1].is_clean else "BAD ", stops[-1], flush=True)
    took = sorted(each.took_s for each in stops)
    result = {
        "starts": len(stops),
        "clean": sum(each.is_clean for each in stops),
        "took_s": {"median": took[len(took) // 2], "max": took[-1]},
        "unclean": [asdict(each) for each in stops if not each.is_clean],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

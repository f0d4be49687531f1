"""What several engines deliver beside one, and what is seen of it when one dies: by clients that send a frame when the
last is answered.

Must not know how sessions are put at engines.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from realtime.bench import report
from realtime.bench.errors import BenchError
from realtime.bench.measures import Measures
from realtime.bench.pictures import photo_jpegs
from realtime.bench.servers import READY_EVERY_S, READY_TIMEOUT_S, Process, serving
from realtime.client import ClientError, connect

from .. import console
from ..comparison import Comparison
from ..repeats import Numbers

CLIENTS_EACH = 4
"""Of an engine: more than one keep it busy while their pictures are on their way."""
SIDE_PX = 128
MOVE_TIMEOUT_S = 60
LIMIT = 0.975
"""Of what as many single engines would deliver together."""


def devices_bench(
    model: str, devices: str, seconds: float, repetitions: int, *, warmup_s: float = 2.0, output: Path | None = None
) -> Measures:
    """Run a server with one engine, and one with all of them, in turns; then kill an engine.

    Args:
        model: as in `realtime serve`.
        devices: as in `realtime serve`; the first is the one of the single engine.
        seconds: of each run, after the warm-up.
        repetitions: of each.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: a server did not start, or a connection failed.
    """
    names = devices.split(",")
    comparison, clients, all_of_them = Comparison(repetitions), CLIENTS_EACH * len(names), f"{len(names)} engines"
    runs = comparison.compare(
        "delivered",
        {
            "1 engine": partial(_delivered, model, names[:1], clients, warmup_s, seconds),
            all_of_them: partial(_delivered, model, names, clients, warmup_s, seconds),
        },
    )
    killed = partial(_killed, model, names, clients, warmup_s, seconds)
    comparison.compare("one is killed", {all_of_them: killed})
    ratio = comparison.relate(f"{all_of_them} / 1 engine", runs[all_of_them], runs["1 engine"], "fps")
    comparison.want(f"{all_of_them} / 1 engine: fps", ratio, LIMIT * len(names), at_least=True)
    about = report.header("devices") | {
        "model": model,
        "settings": {"devices": devices, "seconds": seconds, "repetitions": repetitions, "side_px": SIDE_PX},
    }
    return console.conclude(about, comparison, output)


@contextmanager
def _serving(model: str, names: Sequence[str]) -> Generator[Process]:
    # One row a tick: what is measured is how much of the engines' time is used, not how many frames share a tick. No
    # processes but engines, one of which is killed: JPEGs are decoded in the server's own anyway.
    options = ("--max-rows", "1", "--max-sessions", "64", "--decoder-process", "off")
    with serving(model, "--devices", ",".join(names), *options) as process:
        end_s = time.monotonic() + READY_TIMEOUT_S
        while process.ready_engines() < len(names):
            if time.monotonic() > end_s:
                raise BenchError(f"not all engines are ready after {READY_TIMEOUT_S:g} s: the server's output says why")
            time.sleep(READY_EVERY_S)
        yield process


def _delivered(model: str, names: Sequence[str], clients: int, warmup_s: float, seconds: float) -> Numbers:
    with _serving(model, names) as process:
        return delivered(process, clients, warmup_s, seconds)


def delivered(process: Process, clients: int, warmup_s: float, seconds: float) -> Numbers:
    """How many pictures come in some time, of all clients and of the slowest."""
    begin_s = time.monotonic() + warmup_s
    arrived = asyncio.run(drive(process, clients, lambda: time.monotonic() >= begin_s + seconds))
    counts = [sum(at_s >= begin_s for at_s in times) for times in arrived.values()]
    return {"fps": round(sum(counts) / seconds, 2), "slowest_fps": round(min(counts) / seconds, 2)}


def _killed(model: str, names: Sequence[str], clients: int, warmup_s: float, seconds: float) -> Numbers:
    """The longest time without a picture, while an engine is killed, of the sessions there and of all others."""
    with _serving(model, names) as process, ThreadPoolExecutor(1) as pool:
        begin_s = time.monotonic() + warmup_s
        killing = pool.submit(_kill_one, process, warmup_s + seconds / 2, seconds / 2)
        arrived = asyncio.run(drive(process, clients, killing.done))
        moved = killing.result()
    gaps_ms = {name: longest_gap_ms([at_s for at_s in times if at_s >= begin_s]) for name, times in arrived.items()}
    others = gaps_ms.keys() - moved
    if not others:
        raise BenchError("no session was at an engine that lived on")
    return {
        "moved_gap_ms": max(gaps_ms[name] for name in moved),
        "others_gap_ms": max(gaps_ms[name] for name in others),
    }


def _kill_one(process: Process, after_s: float, watched_s: float) -> set[str]:
    """Kill an engine after some time, and wait for as long as its sessions are watched at another; which those are.

    Raises:
        BenchError: they were put nowhere.
    """
    time.sleep(after_s)
    before = process.workers_of_sessions()
    # The server forks its engines from a process that it keeps for that: they are its grandchildren.
    engines = [engine for child in psutil.Process(process.pid).children() for engine in child.children()]
    engines[0].kill()
    end_s = time.monotonic() + MOVE_TIMEOUT_S
    while time.monotonic() < end_s:
        now = process.workers_of_sessions()
        moved = {name for name, worker in now.items() if worker != before.get(name)}
        if moved and None not in now.values():
            time.sleep(watched_s)
            return moved
        time.sleep(READY_EVERY_S)
    raise BenchError(f"an engine was killed, and {MOVE_TIMEOUT_S:g} s later its sessions were at no other one")


def longest_gap_ms(times: Sequence[float]) -> float:
    """The longest time between two of some moments in seconds, in milliseconds."""
    return round(max((later - at_s for at_s, later in itertools.pairwise(times)), default=0.0) * 1000, 1)


async def drive(process: Process, clients: int, is_over: Callable[[], bool]) -> dict[str, list[float]]:
    """Run clients until it is over; when their pictures came, by their sessions' names."""
    url, pictures = process.websocket_url, photo_jpegs(4, SIDE_PX, SIDE_PX)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(_client(url, pictures, is_over)) for _ in range(clients)]
    except* (OSError, ClientError) as error:
        raise BenchError(f"a connection failed: {error.exceptions[0]}") from error
    return dict(task.result() for task in running)


async def _client(url: str, pictures: Sequence[bytes], is_over: Callable[[], bool]) -> tuple[str, list[float]]:
    times: list[float] = []
    async with connect(url) as stream:
        await stream.update(width=SIDE_PX, height=SIDE_PX, skip_unchanged=False)
        for picture in itertools.cycle(pictures):
            if is_over():
                break
            await stream.restyle(picture)
            times.append(time.monotonic())
        return stream.session, times

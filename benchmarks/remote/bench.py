"""What two workers elsewhere deliver beside one, and what is seen when one is killed or frozen: by clients that send a
frame when the last is answered.

Must not know how workers are found, or how sessions are put at them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from realtime.bench import report
from realtime.bench.errors import BenchError
from realtime.bench.measures import Measures
from realtime.bench.servers import READY_EVERY_S, Process

from .. import console
from ..comparison import Comparison
from ..repeats import Numbers
from ..server.devices import CLIENTS_EACH, SIDE_PX, drive, longest_gap_ms
from .cluster import ClusterUnderTest, Node, has_ray, running_cluster
from .namespaces import machines, processes_in

NAMES = ("a", "b")
CLIENTS = CLIENTS_EACH * len(NAMES)
BACK_S = 120.0
"""How long a worker may take to be ready (again)."""
LINEAR = 0.9
KILLED_MS, FROZEN_MS = 2000, 3000


def ray_bench(
    model: str,
    seconds: float,
    repetitions: int,
    *,
    namespaces: bool = False,
    warmup_s: float = 2.0,
    output: Path | None = None,
) -> Measures:
    """Run a server with a worker and with two, in turns; then kill a worker, and freeze one.

    Args:
        model: as in `realtime serve`.
        seconds: of each run, after the warm-up.
        repetitions: of each.
        namespaces: each worker on a node of Ray's in a network namespace of its own, all of which is killed or frozen;
            else both are processes of one node.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: Ray is not installed, something did not start, or a connection failed.
    """
    if not has_ray():
        raise BenchError('Ray is not installed: install "realtime-img2img[ray]"')
    comparison = Comparison(repetitions)
    with _site(model, namespaces=namespaces) as site:
        one, two = "1 worker", "2 workers"
        delivered = partial(site.delivered, warmup_s, seconds)
        arms = {one: partial(site.with_one, delivered), two: delivered}
        runs = comparison.compare("delivered", arms)
        kill, freeze = (partial(site.lost, warmup_s, seconds, how) for how in (site.kill, site.freeze))
        killed = comparison.compare("one is killed", {two: kill})[two]
        frozen = comparison.compare("one is frozen", {two: freeze})[two]
    ratio = comparison.relate(f"{two} / {one}", runs[two], runs[one], "fps")
    comparison.want(f"{two} / {one}: fps", ratio, LINEAR * len(NAMES), at_least=True)
    for words, found, limit in (("killed", killed, KILLED_MS), ("frozen", frozen, FROZEN_MS)):
        comparison.want(f"one is {words}: its sessions' gap, ms", max(one["moved_gap_ms"] for one in found), limit)
    about = report.header("ray") | {
        "model": model,
        "settings": {
            "namespaces": namespaces,
            "seconds": seconds,
            "repetitions": repetitions,
            "side_px": SIDE_PX,
            "clients": CLIENTS,
        },
    }
    return console.conclude(about, comparison, output)


@dataclass
class _Site:
    """A server with its workers.

    Attributes:
        nodes: of the workers, where they have nodes of their own.
    """

    cluster: ClusterUnderTest
    nodes: dict[str, Node]
    server: Process

    # -- what is done ---------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a worker, and its node."""
        node = self.nodes.get(name)
        if node is not None:
            self.cluster.node(node)
        self.cluster.worker(name, node=node)

    def until_ready(self, count: int = len(NAMES)) -> None:
        """Wait until so many workers are ready."""
        end_s = time.monotonic() + BACK_S
        while self.server.ready_engines() != count:
            if time.monotonic() > end_s:
                raise BenchError(f"{self.server.ready_engines()} of {count} workers are ready after {BACK_S:g} s")
            time.sleep(READY_EVERY_S)

    def _ask(self, name: str, what: str) -> None:
        request = urllib.request.Request(f"{self.server.url}api/workers/{name}-0/{what}", method="POST")
        with urllib.request.urlopen(request, timeout=BACK_S) as answer:
            json.load(answer)

    def _processes(self) -> list[psutil.Process]:
        """All of the last worker's machine; where it has none of its own, the process of its engine."""
        name = NAMES[-1]
        return processes_in(self.nodes[name]) if self.nodes else self.cluster.actors()[-1:]

    def kill(self) -> Callable[[], None]:
        """Kill a worker; what brings it back."""
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        return partial(self.start, NAMES[-1]) if self.nodes else lambda: None

    def freeze(self) -> Callable[[], None]:
        """Freeze a worker; what thaws it."""
        frozen = self._processes()
        for process in frozen:
            process.suspend()

        def thaw() -> None:
            for process in frozen:
                process.resume()

        return thaw

    # -- what is measured -----------------------------------------------------------------------------------------

    def delivered(self, warmup_s: float, seconds: float) -> Numbers:
        """How many pictures come in some time."""
        begin_s = time.monotonic() + warmup_s
        arrived = asyncio.run(drive(self.server, CLIENTS, lambda: time.monotonic() >= begin_s + seconds))
        counts = [sum(at_s >= begin_s for at_s in times) for times in arrived.values()]
        return {"fps": round(sum(counts) / seconds, 2), "slowest_fps": round(min(counts) / seconds, 2)}

    def with_one(self, measure: Callable[[], Numbers]) -> Numbers:
        """A measurement while the last worker is drained."""
        self._ask(NAMES[-1], "drain")
        try:
            return measure()
        finally:
            self._ask(NAMES[-1], "start")
            self.until_ready()

    def lost(self, warmup_s: float, seconds: float, lose: Callable[[], Callable[[], None]]) -> Numbers:
        """The longest time without a picture, while a worker is lost, of the sessions there and of all others."""
        with ThreadPoolExecutor(1) as pool:
            begin_s = time.monotonic() + warmup_s
            losing = pool.submit(self._lose, begin_s + seconds / 2, seconds / 2, lose)
            arrived = asyncio.run(drive(self.server, CLIENTS, losing.done))
            moved, bring_back = losing.result()
        bring_back()
        self.until_ready()
        gaps_ms = {name: longest_gap_ms([at_s for at_s in times if at_s >= begin_s]) for name, times in arrived.items()}
        others = gaps_ms.keys() - moved
        if not moved or not others:
            raise BenchError("all sessions were at one worker")
        return {
            "moved_gap_ms": max(gaps_ms[name] for name in moved),
            "others_gap_ms": max(gaps_ms[name] for name in others),
        }

    def _lose(
        self, at_s: float, watched_s: float, lose: Callable[[], Callable[[], None]]
    ) -> tuple[set[str], Callable[[], None]]:
        time.sleep(max(0.0, at_s - time.monotonic()))
        before = self.server.workers_of_sessions()
        bring_back = lose()
        end_s = time.monotonic() + BACK_S
        while time.monotonic() < end_s:
            now = self.server.workers_of_sessions()
            moved = {name for name, worker in now.items() if worker != before.get(name)}
            if moved and len(set(now.values())) == 1 and None not in now.values():
                time.sleep(watched_s)
                return moved, bring_back
            time.sleep(READY_EVERY_S)
        bring_back()
        raise BenchError(f"a worker was lost, and {BACK_S:g} s later its sessions were at no other one")


@contextmanager
def _site(model: str, *, namespaces: bool) -> Generator[_Site]:
    """A server whose two workers are ready."""
    with contextlib.ExitStack() as stack:
        head, nodes = stack.enter_context(machines(len(NAMES))) if namespaces else (None, [])
        cluster = stack.enter_context(running_cluster(head))
        # As in `devices`: one row a tick, so that it is engines' time that is measured.
        options = ("--model", model, "--max-rows", "1", "--max-sessions", "64", "--decoder-process", "off")
        url = cluster.server(*options, "--resume-s", "0")
        site = _Site(cluster, dict(zip(NAMES, nodes, strict=False)), Process(0, url))
        for name in NAMES:
            site.start(name)
        site.until_ready()
        yield site

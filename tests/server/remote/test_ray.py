"""A server with workers that Ray runs: real processes, which are killed, frozen and drained under load."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from benchmarks.remote.cluster import ClusterUnderTest, has_ray, running_cluster
from realtime.cli import app
from realtime.client import connect
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_ray(), reason="Ray is not installed: realtime-img2img[ray]"),
]

CLIENTS = 4


@dataclass
class Site:
    """A cluster with a server and the workers `a-0` and `b-0`."""

    cluster: ClusterUnderTest
    url: str
    machines: dict[str, psutil.Process]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def workers(self) -> dict[str, dict[str, Any]]:
        return {worker["name"]: worker for worker in self.get("api/workers")["workers"]}

    def places(self) -> dict[str, str | None]:
        """By session, the name of its worker."""
        names = {worker["worker"]: name for name, worker in self.workers().items()}
        return {one["session"]: names.get(one["worker"]) for one in self.get("api/sessions")["sessions"]}

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(2 * PATIENCE_S):
            while not await asyncio.to_thread(condition):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def until_states(self, **states: str) -> None:
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        await self.until(lambda: {name: worker["state"] for name, worker in self.workers().items()} == wanted)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_cluster() as cluster:
        machines = {"a-0": cluster.worker("a"), "b-0": cluster.worker("b")}
        yield Site(cluster, cluster.server("--model", "echo", "--resume-s", "0"), machines)


class Clients:
    """Some who send their next frame when the last is answered."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()

    async def run(self, url: str) -> None:
        async with connect(f"ws{url.removeprefix('http')}ws") as stream:
            await stream.update(width=64, height=64, skip_unchanged=False)
            for shade in itertools.cycle(range(0, 250, 25)):
                await stream.restyle(a_plain_jpeg(shade))
                self.answers[stream.session] += 1

    async def answered(self, more: int = 5) -> None:
        """Wait until each has so many more pictures."""
        before = Counter(self.answers)
        async with asyncio.timeout(2 * PATIENCE_S):
            while len(self.answers) < CLIENTS or any(  # noqa: ASYNC110
                self.answers[one] < before[one] + more for one in self.answers
            ):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def under_load(site: Site) -> AsyncGenerator[Clients]:
    """Clients while the block runs, spread over both workers; one that loses its connection fails the test."""
    await site.until_states(a_0="ready", b_0="ready")
    clients = Clients()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(clients.run(site.url)) for _ in range(CLIENTS)]
        await clients.answered()
        places = await asyncio.to_thread(site.places)
        assert set(places.values()) == {"a-0", "b-0"}
        yield clients
        for task in running:
            assert not task.done()
            task.cancel()
    await site.until(lambda: site.places() == {})


async def test_workers_measure_what_they_can_do(site: Site) -> None:
    async with under_load(site) as clients:
        await clients.answered(20)
        workers = await asyncio.to_thread(site.workers)

    assert [workers[name]["device"] for name in ("a-0", "b-0")] == ["cpu", "cpu"]
    assert all(worker["capacity_fps"] > 0 and worker["sessions"] for worker in workers.values())


async def test_sessions_of_a_killed_worker_go_on_at_the_other_and_it_comes_back(site: Site) -> None:
    async with under_load(site) as clients:
        sessions = set(clients.answers)
        victim = site.cluster.actors()[0]
        victim.kill()
        await site.until(lambda: len(set(site.places().values())) == 1 and None not in site.places().values())
        await clients.answered()
        await site.until_states(a_0="ready", b_0="ready")

    assert set(clients.answers) == sessions, "no session was lost or made anew"
    assert victim.pid not in [process.pid for process in site.cluster.actors()]


async def test_sessions_of_a_frozen_worker_go_on_at_the_other_and_it_thaws(site: Site) -> None:
    async with under_load(site) as clients:
        sessions = set(clients.answers)
        frozen = site.cluster.actors()[0]
        frozen.suspend()
        try:
            await site.until(lambda: len(set(site.places().values())) == 1 and None not in site.places().values())
            await clients.answered()
            states = sorted(worker["state"] for worker in (await asyncio.to_thread(site.workers)).values())
        finally:
            frozen.resume()
        await site.until_states(a_0="ready", b_0="ready")

    assert states == ["away", "ready"]
    assert set(clients.answers) == sessions


async def test_drained_worker_gives_its_sessions_away_by_its_name_and_is_started_again(site: Site) -> None:
    async with under_load(site) as clients:
        sessions = set(clients.answers)
        drained = await asyncio.to_thread(
            lambda: CliRunner().invoke(app, ["workers", "drain", "a-0", "--url", site.url])
        )
        places = await asyncio.to_thread(site.places)
        await clients.answered()
        started = await asyncio.to_thread(
            lambda: CliRunner().invoke(app, ["workers", "start", "a-0", "--url", site.url])
        )
        await site.until_states(a_0="ready", b_0="ready")

    assert (drained.exit_code, drained.stdout) == (0, "worker a-0 on cpu: drained\n")
    assert started.exit_code == 0
    assert set(places.values()) == {"b-0"}
    assert set(clients.answers) == sessions


async def test_machine_that_ends_gives_its_sessions_away_and_is_forgotten_and_joins_again(site: Site) -> None:
    async with under_load(site) as clients:
        sessions = set(clients.answers)
        site.machines["a-0"].terminate()
        await site.until_states(b_0="ready")
        await clients.answered()
        places = await asyncio.to_thread(site.places)
        site.machines["a-0"] = await asyncio.to_thread(site.cluster.worker, "a")
        await site.until_states(a_0="ready", b_0="ready")

    assert set(places.values()) == {"b-0"}
    assert set(clients.answers) == sessions

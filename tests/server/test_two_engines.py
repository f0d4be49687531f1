"""A server of two engines in processes of their own: one dies, both die, one is drained, under live clients."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import threading
from collections.abc import AsyncGenerator

import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine_process.engine import EngineProcess
from realtime.server.engine_host import Load
from realtime.server.engine_state import State
from tests.fakes.faulty import in_a_process
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected, http_client
from tests.server.test_away import Sender, senders

FRAMES = 60
pytestmark = pytest.mark.slow


class TwoThenMore:
    """Loads two engines in processes of their own, and others when the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._numbers = itertools.count()
        self._load = in_a_process()

    def __call__(self, config: Config, progress: Progress) -> Engine:
        if next(self._numbers) > 1:
            assert self.gate.wait(PATIENCE_S)
        return self._load(config, progress)


@contextlib.asynccontextmanager
async def serving(load: Load | None = None) -> AsyncGenerator[RunningServer]:
    """A server whose two engines are ready."""
    with running(a_config(model="echo:5", devices="cpu,cpu"), load or in_a_process()) as server:
        await until(lambda: pids(server).count(None) == 0)
        yield server


def pids(server: RunningServer) -> list[int | None]:
    """The engines' processes, by worker; None while one is not ready."""
    lives = [worker.host.life for worker in server.service.host.workers]  # looked at once: of another thread
    engines = [None if life is None else life.engine for life in lives]
    return [engine.pid if isinstance(engine, EngineProcess) else None for engine in engines]


def at(server: RunningServer, client: Sender) -> int | None:
    """The worker that a client's session is at."""
    name = client.peer.texts[0]["session"]
    session = server.service.session(name)
    assert session is not None
    worker = server.service.host.worker_of(session)
    return None if worker is None else worker.number


def strike(server: RunningServer, worker: int, how: int) -> int:
    """Send an engine's process a signal; its id."""
    pid = pids(server)[worker]
    assert pid is not None
    os.kill(pid, how)
    return pid


def all_are_accounted_for(client: Sender, *also: str) -> bool:
    return sorted(client.fates) == list(range(1, FRAMES + 1)) and set(client.fates.values()) <= {"answered", *also}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_clients_of_an_engine_that_dies_go_on_at_the_other_whose_own_notice_nothing(how: signal.Signals) -> None:
    async with serving() as server, senders(server) as clients:
        before = [at(server, client) for client in clients]
        sending = asyncio.gather(*(client.send(FRAMES) for client in clients))
        await until(lambda: all(client.answered > FRAMES // 6 for client in clients))
        pid = strike(server, 0, how)
        async with asyncio.timeout(PATIENCE_S):
            await sending
        after = [at(server, client) for client in clients]
        await until(lambda: pids(server)[0] not in (None, pid))
        async with connected(server.websocket_url, session="late") as late:
            await late.restyle(1)
            put = at(server, Sender(late))

    assert (before, after, put) == ([0, 1, 0, 1], [1] * 4, 0)
    for client, worker in zip(clients, before, strict=True):
        assert all_are_accounted_for(client, "superseded", *(["engine_restarted"] if worker == 0 else []))
        assert client.fates[FRAMES] == "answered"
        assert not [text for text in client.peer.texts if text["type"] == "status"]


async def test_clients_are_told_when_both_engines_die_and_go_on_when_one_is_back() -> None:
    load = TwoThenMore()
    async with serving(load) as server, senders(server) as clients, http_client(server.url) as http:
        sending = asyncio.gather(*(client.send(FRAMES) for client in clients))
        await until(lambda: all(client.answered > FRAMES // 6 for client in clients))
        for worker in (0, 1):
            strike(server, worker, signal.SIGSTOP)
        await until(lambda: server.service.host.state is State.AWAY)
        probe = await http.get("/readyz")
        load.gate.set()
        async with asyncio.timeout(PATIENCE_S):
            await sending

    assert (probe.status_code, probe.text[:6]) == (503, "away: ")
    for client in clients:
        assert all_are_accounted_for(client, "superseded", "engine_restarted")
        assert client.fates[FRAMES] == "answered"
        said = [text["engine"] for text in client.peer.texts if text["type"] == "status"]
        assert said[0] == "away"
        assert said[-1] == "ready"


async def test_engine_is_drained_under_load_without_a_frame_lost_and_started_again() -> None:
    async with serving() as server, senders(server) as clients, http_client(server.url) as http:
        sending = asyncio.gather(*(client.send(FRAMES) for client in clients))
        await until(lambda: all(client.answered > FRAMES // 6 for client in clients))
        drained = await http.post("/api/workers/0/drain")
        pid, where = pids(server)[0], [at(server, client) for client in clients]
        last = await http.post("/api/workers/1/drain")
        async with asyncio.timeout(PATIENCE_S):
            await sending
        started = await http.post("/api/workers/0/start")
        await until(lambda: pids(server)[0] is not None)
        not_now = await http.post("/api/workers/0/start")
        nobody = await http.post("/api/workers/2/drain")

    assert (drained.status_code, drained.json()["state"], drained.json()["sessions"]) == (200, "drained", 0)
    assert (pid, where) == (None, [1] * 4)
    assert (last.status_code, not_now.status_code, nobody.status_code) == (409, 409, 404)
    assert (started.status_code, started.json()["state"]) == (200, "loading")
    for client in clients:
        assert all_are_accounted_for(client, "superseded")


async def test_server_says_what_its_engines_are() -> None:
    async with serving() as server, senders(server, 3) as clients, http_client(server.url) as http:
        await asyncio.gather(*(client.send(5) for client in clients))
        whole = (await http.get("/readyz")).text
        listed = (await http.get("/api/workers")).json()["workers"]
        metrics = (await http.get("/metrics")).text
        await http.post("/api/workers/1/drain")
        half = (await http.get("/readyz")).text
        config = (await http.get("/api/config")).json()

    assert (whole, half) == ("ready: 2 of 2 engines\n", "ready: 1 of 2 engines\n")
    assert [(one["worker"], one["device"], one["state"], one["sessions"]) for one in listed] == [
        (0, "cpu", "ready", 2),
        (1, "cpu", "ready", 1),
    ]
    assert all(0 < one["capacity_fps"] <= 120 and one["rung"] and one["reason"] is None for one in listed)
    for line in (
        'realtime_worker_ready{device="cpu",worker="1"} 1.0',
        'realtime_worker_sessions{device="cpu",worker="0"} 2.0',
        "realtime_ready 1.0",
    ):
        assert line in metrics
    assert re.search(r'realtime_worker_capacity_fps\{device="cpu",worker="1"\} [1-9]', metrics)
    assert config["ready"] is True
    assert config["workers"] == [{"device": "cpu", "state": "ready"}, {"device": "cpu", "state": "drained"}]

"""Another model whose engine is in a process, which is killed or never ends."""

from __future__ import annotations

import os
import signal
import threading

import psutil
import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from scripts.endurance.census import engines_of
from tests.fakes.faulty import in_a_process, load_faulty, load_killed_when_tried, load_without_end
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import http_client
from tests.server.swapping import BLACK, WHITE, all_are_answered, ask, call_off, cameras, change, over, pids

pytestmark = pytest.mark.slow


async def test_process_that_is_killed_while_it_is_tried_leaves_the_one_before() -> None:
    with running(a_config(model=BLACK, engine_process=True), in_a_process(load_killed_when_tried)) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.seqs) > 5)
            before = pids(server)
            swap = await change(http, WHITE)
            count = len(client.seqs)
            await until(lambda: len(client.seqs) > count + 5)
            await client.stop()
            after = pids(server)

    assert swap["state"] == "failed"
    assert "was killed" in swap["reason"]
    assert before == after
    assert all_are_answered(client)


async def test_process_that_is_killed_while_the_next_is_loaded_is_followed_by_it() -> None:
    gate = threading.Event()
    load = in_a_process(load_faulty)

    def held(config: Config, progress: Progress) -> Engine:
        if config.model == WHITE:
            progress("waiting", 10.0)
            assert gate.wait(PATIENCE_S)
        return load(config, progress)

    with running(a_config(model=BLACK, engine_process=True), held) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.seqs) > 5)
            await ask(http, WHITE)
            await until(lambda: server.app.state.swaps.change.stage.percent == 10.0)
            (pid,) = pids(server)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: pids(server) not in ([], [pid]))
            gate.set()
            swap = await over(http)
            await client.stop()

    assert swap["state"] == "done"
    assert all_are_answered(client, "engine_restarted")


async def test_process_that_loads_is_gone_when_it_is_called_off_though_it_says_nothing() -> None:
    with running(a_config(model=BLACK, engine_process=True), in_a_process(load_without_end)) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.seqs) > 5)
            before = pids(server)
            await ask(http, WHITE)
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            children = [child.pid for child in engines_below()]
            swap = await call_off(http)
            left = [child.pid for child in engines_below()]
            count = len(client.seqs)
            await until(lambda: len(client.seqs) > count + 5)
            await client.stop()

    assert swap["state"] == "cancelled"
    assert len(children) == 2 and left == before
    assert all_are_answered(client)


def engines_below() -> list[psutil.Process]:
    return engines_of(os.getpid())

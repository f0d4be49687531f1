"""A change of the model that is called off."""

from __future__ import annotations

import threading
import time

import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.server.engine_state import State
from tests.fakes.waiting import until
from tests.server.peer import http_client
from tests.server.swapping import WHITE, WIDE, Models, all_are_answered, ask, call_off, cameras, change, over, serving

pytestmark = pytest.mark.slow


class Endless(Models):
    """Loads white without end: it says again and again how far it is."""

    def __call__(self, config: Config, progress: Progress) -> Engine:
        while config.model == WHITE:
            progress("loading", 40.0)
            time.sleep(0.005)
        return super().__call__(config, progress)


def engine_threads() -> int:
    return [one.name for one in threading.enumerate()].count("engine")


@pytest.mark.parametrize("frees_first", [False, True])
async def test_change_that_is_called_off_leaves_the_model_and_nothing_of_the_next(frees_first: bool) -> None:
    models, before = Endless(), engine_threads()
    with serving(models, devices="cpu,cpu") as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            await ask(http, WHITE, free_first=frees_first)
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            swap = await call_off(http)
            count = len(client.levels)
            await until(lambda: len(client.levels) > count + 3)
            after = await change(http, WIDE, dissolve_s=0)
            await until(lambda: client.levels[-1] > 100)
            await client.stop()
            metrics = (await http.get("/metrics")).text
        threads = engine_threads() - before

    assert swap == {"name": WHITE, "state": "cancelled", "stage": "", "percent": None}
    assert after["state"] == "done"
    assert threads == 2
    assert not [text for text in client.peer.texts if text.get("model") == WHITE]
    assert all_are_answered(client, *(["engine_restarted"] if frees_first else []))
    assert 'realtime_swaps_total{state="cancelled"} 1.0' in metrics
    aways = [text["reason"] for text in client.peer.texts if text.get("engine") == "away"]
    assert bool(aways) is frees_first


@pytest.mark.parametrize("frees_first", [False, True])
async def test_engine_that_is_loaded_when_the_change_was_called_off_is_closed(frees_first: bool) -> None:
    models = Models()
    models.hold(WHITE)
    with serving(models) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            await ask(http, WHITE, free_first=frees_first)
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            assert (await http.delete("/api/model")).status_code == 202
            before = len(models.made)
            models.let(WHITE)
            swap = await over(http)
            await until(lambda: len(models.made) > before)
            await until(lambda: WHITE in models.closed)

    assert swap["state"] == "cancelled"


async def test_nothing_is_called_off_where_no_change_is_on_its_way_or_it_is_over() -> None:
    with serving(Models()) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            none = await http.delete("/api/model")
            await change(http, WHITE)
            over_by_now = await http.delete("/api/model")

    assert (none.status_code, none.json()["detail"]) == (409, "no change is on its way")
    assert over_by_now.status_code == 409

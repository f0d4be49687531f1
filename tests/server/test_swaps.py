"""Another model while the server runs: two engines of different colour, live clients, and all that can go wrong."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from realtime.client import connect
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.errors import ConfigError
from realtime.server.engine_state import State
from realtime.server.service import Service
from realtime.server.swaps import NoSwap, Swaps
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import a_config
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client
from tests.server.swapping import (
    BLACK,
    WHITE,
    WIDE,
    Models,
    all_are_answered,
    ask,
    cameras,
    change,
    is_rising,
    over,
    serving,
)

pytestmark = pytest.mark.slow


async def test_pictures_go_over_evenly_and_no_frame_is_lost() -> None:
    models = Models()
    with serving(models) as server:
        async with cameras(server, 2) as clients, http_client(server.url) as http:
            await until(lambda: all(len(client.levels) > 10 for client in clients))
            swap = await change(http, WHITE, dissolve_s=0.5)
            await until(lambda: all(client.levels[-1] > 250 for client in clients))
            await asyncio.gather(*(client.stop() for client in clients))

    assert swap == {"name": WHITE, "state": "done", "stage": "", "percent": None}
    assert models.closed[0] == BLACK
    for client in clients:
        assert is_rising(client.levels)
        assert client.levels[0] < 5
        assert len({level // 16 for level in client.levels}) > 3  # the way between, not a jump
        lost = {seq: why for seq, why in client.dropped().items() if why != "superseded"}
        assert not lost
        assert sorted({*client.seqs, *client.dropped()}) == list(range(1, client.sent + 1))
        news = [text for text in client.peer.texts if text["type"] == "model"]
        assert [(text["model"], text["dissolve_s"], text["changed"]) for text in news] == [(WHITE, 0.5, [])]
        assert not [text for text in client.peer.texts if text["type"] == "status"]


async def test_model_that_can_not_be_loaded_leaves_the_one_before_and_says_why() -> None:
    models = Models()
    models.missing.add(WHITE)
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            swap = await change(http, WHITE)
            count = len(client.levels)
            await until(lambda: len(client.levels) > count + 3)
            await client.stop()
            config = (await http.get("/api/config")).json()

    assert (swap["state"], swap["reason"]) == ("failed", f"{WHITE} is not there")
    assert max(client.levels) < 5
    assert config["model"] == BLACK
    assert not [text for text in client.peer.texts if text["type"] in ("model", "status")]


@pytest.mark.parametrize("how", ["breaking", "failing"])
async def test_model_that_makes_no_picture_of_what_is_shown_never_serves(how: str) -> None:
    models = Models()
    getattr(models, how).add(WHITE)
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            swap = await change(http, WHITE)
            await client.stop()

    assert swap["state"] == "failed"
    assert ("broke" if how == "breaking" else "not a number") in swap["reason"]
    assert {session for model, session in models.seen if model == WHITE} == {"rehearsal"}
    assert max(client.levels) < 5
    assert models.closed[0] == WHITE


async def test_ten_changes_leave_nothing_in_memory() -> None:
    models = Models()
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            for name in [WHITE, BLACK] * 5:
                assert (await change(http, name, dissolve_s=0.05))["state"] == "done"
            await until(lambda: client.levels[-1] < 5)
            await client.stop()
        gc.collect()
        left, threads = len(models.left), [one.name for one in threading.enumerate()]

    assert len(models.made) == 11
    assert (left, models.most) == (1, 2)
    assert threads.count("engine") == 1
    assert not {why for why in client.dropped().values() if why != "superseded"}


async def test_second_change_is_refused_while_one_is_on_its_way_which_tells_how_far_it_is() -> None:
    models = Models()
    models.hold(WHITE)
    with serving(models) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            first = await ask(http, WHITE)
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            second = await ask(http, WIDE)
            told = (await http.get("/api/models")).json()
            models.let(WHITE)
            swap = await over(http)
            same = await ask(http, WHITE)
            metrics = (await http.get("/metrics")).text

    assert first.json()["swap"]["state"] == "loading"
    assert (second.status_code, second.json()["detail"]) == (
        409,
        f"{WHITE} is on its way: wait until it serves, or has failed",
    )
    assert told["model"] == BLACK
    assert told["swap"] == {"name": WHITE, "state": "loading", "stage": "loading", "percent": 40.0}
    assert swap["state"] == "done"
    assert (same.status_code, same.json()["detail"]) == (409, f"{WHITE} is what serves already")
    assert f'realtime_model_info{{model="{WHITE}"}} 1.0' in metrics
    assert 'realtime_swaps_total{state="done"} 1.0' in metrics


async def test_engine_that_breaks_during_a_change_is_followed_by_the_next_model() -> None:
    models = Models()
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            models.hold(WHITE)
            await ask(http, WHITE, dissolve_s=0)
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            models.hold(BLACK)
            models.breaking.add(BLACK)
            await client.peer_says_away()
            models.let(WHITE)
            await until(lambda: client.levels[-1] > 250)
            models.let(BLACK)
            swap = await over(http)
            await client.stop()
            workers = (await http.get("/api/workers")).json()["workers"]

    assert swap["state"] == "done"
    assert [worker["state"] for worker in workers] == ["ready"]
    assert set(client.dropped().values()) <= {"superseded", "engine_restarted"}
    assert [text["engine"] for text in client.peer.texts if text["type"] == "status"][-1] == "ready"


async def test_model_is_closed_first_where_that_is_asked_for_and_who_watches_is_told() -> None:
    models = Models()
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            models.hold(WHITE)
            await ask(http, WHITE, free_first=True)
            await client.peer_says_away()
            probe = await http.get("/readyz")
            models.let(WHITE)
            swap = await over(http)
            await until(lambda: client.levels[-1] > 250)
            await client.stop()

    assert swap["state"] == "done"
    assert models.most == 1
    assert probe.status_code == 503
    away = next(text for text in client.peer.texts if text["type"] == "status")
    assert away["reason"] == f"{WHITE} is loaded in place of {BLACK}"
    assert set(client.dropped().values()) <= {"superseded", "engine_restarted"}


async def test_model_that_was_closed_first_is_loaded_again_where_the_next_one_fails() -> None:
    models = Models()
    models.missing.add(WHITE)
    with serving(models) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            swap = await change(http, WHITE, free_first=True)
            count = len(client.levels)
            await until(lambda: len(client.levels) > count + 3)
            await client.stop()

    assert (swap["state"], swap["reason"]) == ("failed", f"{WHITE} is not there")
    assert max(client.levels) < 5
    assert not [text for text in client.peer.texts if text["type"] == "model"]


async def test_params_fall_to_what_the_next_model_takes_and_its_defaults_are_told() -> None:
    models = Models()
    models.facts[WHITE] = {"max_output_pixels": 64 * 64, "best_steps": 2, "defaults": {"width": 64, "height": 64}}
    with serving(models) as server:
        async with connected(server.websocket_url, session="one") as peer, http_client(server.url) as http:
            await peer.patch(width=256, height=128, num_inference_steps=4, strength=0.7, prompt="ink")
            await peer.restyle(1)
            async with connected(f"{server.websocket_url}?watch=one", size=None) as viewer:
                await change(http, WHITE)
                news = await peer.text("model")
                told = (await peer.text("params"))["params"]
                seen = await viewer.text("model")
            picture = await peer.restyle(2)
            schema = (await http.get("/api/params/schema")).json()["properties"]
            refused = await http.patch("/api/sessions/one", json={"params": {"width": 128}})

    assert [each["field"] for each in news["changed"]] == ["width", "num_inference_steps"]
    assert news["changed"][0]["message"] == f"64 x 64: {WHITE} makes 4096 pixels at most"
    assert (told["width"], told["height"], told["num_inference_steps"]) == (64, 64, 2)
    assert (told["strength"], told["prompt"]) == (0.7, "ink")
    assert told["version"] == picture.params_version
    assert (seen["model"], seen["changed"]) == (WHITE, [])
    assert schema["width"]["default"] == 64
    assert refused.status_code == 422


async def test_programs_are_told_what_the_model_is() -> None:
    models = Models()
    models.facts[BLACK] = {"best_steps": 1}
    models.facts[WHITE] = {"hears_pictures": True}
    with serving(models) as server:
        async with connect(server.websocket_url) as stream, http_client(server.url) as http:
            await stream.restyle(a_plain_jpeg(3))
            before, session = dict(stream.ready), stream.session
            await change(http, WHITE, dissolve_s=0)
            picture = await stream.restyle(a_plain_jpeg(90))

    assert (before["model"], before["best_steps"], "pictures" in before) == (BLACK, 1, False)
    assert (stream.ready["model"], stream.ready["pictures"], "best_steps" in stream.ready) == (WHITE, True, False)
    assert (stream.session, stream.connections) == (session, 1)
    assert picture.pixels().min() > 250


async def test_every_device_goes_over_once_all_are_loaded() -> None:
    models = Models()
    with serving(models, devices="cpu,cpu") as server:
        async with cameras(server, 2) as clients, http_client(server.url) as http:
            await until(lambda: all(len(client.levels) > 3 for client in clients))
            swap = await change(http, WHITE, dissolve_s=0.1)
            await until(lambda: all(client.levels[-1] > 250 for client in clients))
            await asyncio.gather(*(client.stop() for client in clients))
            workers = (await http.get("/api/workers")).json()["workers"]

    assert swap["state"] == "done"
    assert models.closed[:2] == [BLACK, BLACK]
    assert [(worker["name"], worker["state"]) for worker in workers] == [("0", "ready"), ("1", "ready")]
    assert all(is_rising(client.levels) for client in clients)


async def test_model_that_nets_do_not_fit_is_loaded_without_them_and_the_one_before_gets_its_own_again() -> None:
    tried: list[tuple[str, bool]] = []

    class Particular(Models):
        def __call__(self, config: Config, progress: Progress) -> Engine:
            tried.append((config.model, bool(config.control)))
            if config.model == WHITE and config.control:
                raise ConfigError("control: models of this family see their input without nets")
            return super().__call__(config, progress)

    with serving(Particular(), control=("canny",), clip_skip=2) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 3)
            swap = await change(http, WHITE, dissolve_s=0)
            back = await change(http, BLACK, dissolve_s=0)
            await client.stop()

    assert swap["state"] == "done"
    assert swap["reason"] == (
        "without --control, --clip-skip, as not all of it fits: control: models of this family see their input "
        "without nets"
    )
    assert "reason" not in back
    assert tried == [(BLACK, True), (WHITE, True), (WHITE, False), (BLACK, True)]
    assert all_are_answered(client)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "nobody/knows-it"}, 404),
        ({"name": "/etc/passwd"}, 404),
        ({"name": "../tiny"}, 404),
        ({}, 422),
        ({"name": WHITE, "dissolve_s": "long"}, 422),
        ({"name": WHITE, "dissolve_s": 11}, 422),
        ({"name": WHITE, "free_first": 1}, 422),
        ({"name": WHITE, "path": "/"}, 422),
    ],
)
async def test_what_is_no_model_is_refused(body: dict[str, Any], status: int) -> None:
    with serving(Models()) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            answer = await http.post("/api/model", json=body)

    assert answer.status_code == status, answer.text


async def test_engines_on_other_machines_keep_their_model() -> None:
    service = Service(a_config(ray="127.0.0.1:6379"))

    with pytest.raises(NoSwap, match="start the server with another --model"):
        await Swaps(service).begin("tiny")

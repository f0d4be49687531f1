"""Pictures that are brought by HTTP, and that prompts name."""

from __future__ import annotations

import asyncio
import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from realtime import references
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.frame import Format, Job
from realtime.media import codec
from realtime.prompts import Layers
from realtime.protocol import HEADER, REFERENCE
from realtime.references import REFERENCE_SIDE_PX
from realtime.server.bringing import PICTURE_MAX_BYTES
from realtime.server.service import ASIDE_MAX
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, dialled, http_client

seen: list[Job] = []
"""What the engine was given."""


def load(config: Config, progress: Progress) -> Engine:
    engine = EchoEngine(fault=seen.append)
    engine.info = replace(engine.info, hears_pictures=True)
    return engine


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=8), load) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


def encoded(width: int, height: int, kind: str = "PNG", **options: object) -> bytes:
    """Noise, of which any two sizes are different pictures."""
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


async def test_picture_is_kept_under_an_id_and_given_back(http: httpx2.AsyncClient) -> None:
    answer, again = [await http.put("/api/pictures", content=encoded(96, 64)) for _ in range(2)]

    kept = answer.json()
    assert (answer.status_code, kept["width"], kept["height"]) == (200, 96, 64)
    assert again.json() == kept
    shown = await http.get(f"/api/pictures/{kept['id']}")
    assert Image.open(io.BytesIO(shown.content)).size == (96, 64)


async def test_models_own_pictures_are_there_from_the_start_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "REFERENCES_KEPT", 3)

    def load_own(config: Config, progress: Progress) -> Engine:
        engine = load(config, progress)
        pictures = (("amber", encoded(40, 30)), ("broken", b"no picture"), ("teal", encoded(50, 30)))
        engine.info = replace(engine.info, styles={"moods": []}, pictures=pictures, best_steps=1)
        return engine

    with running(a_config(), load_own) as server:
        async with http_client(server.url) as http:
            async with dialled(server.websocket_url) as client:
                ready = await client.text("ready")
            for width in range(60, 65):
                assert (await http.put("/api/pictures", content=encoded(width, 30))).status_code == 200

            config = (await http.get("/api/config")).json()
            assert ready["styles"] == config["styles"]
            assert ready["best_steps"] == config["best_steps"] == 1
            amber, teal = config["styles"]["pictures"]
            assert (amber["name"], teal["name"]) == ("amber", "teal")
            shown = await http.get(f"/api/pictures/{amber['picture']}")
            assert Image.open(io.BytesIO(shown.content)).size == (40, 30)


async def test_large_picture_is_kept_smaller_and_upright(http: httpx2.AsyncClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side

    kept = (await http.put("/api/pictures", content=encoded(1024, 256, "JPEG", exif=exif))).json()

    assert (kept["width"], kept["height"]) == (REFERENCE_SIDE_PX // 4, REFERENCE_SIDE_PX)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 422, "no picture"),
        (b"hello", 422, "no picture"),
        (encoded(64, 64)[:40], 422, "cut off"),
        (b"\0" * (PICTURE_MAX_BYTES + 1), 413, "shorten"),
    ],
    ids=["nothing", "a text", "cut off", "too large"],
)
async def test_what_is_no_picture_is_refused(http: httpx2.AsyncClient, body: bytes, status: int, said: str) -> None:
    answer = await http.put("/api/pictures", content=body)

    assert answer.status_code == status and said in answer.json()["detail"]
    assert (await http.get("/api/pictures/mona")).status_code == 404


async def test_jobs_bring_the_pictures_that_their_prompts_name(server: RunningServer, http: httpx2.AsyncClient) -> None:
    kept = (await http.put("/api/pictures", content=encoded(80, 80))).json()["id"]
    async with connected(server.websocket_url, session="styled") as peer:
        ready = next(text for text in peer.texts if text["type"] == "ready")
        params = await peer.patch(prompt=[{"picture": kept}])
        await peer.restyle(1)

    assert ready["pictures"] is True
    assert params["prompt"] == [{"picture": kept, "weight": 1.0}]
    assert list(seen[-1].references) == [kept] and seen[-1].references[kept].shape == (80, 80, 3)


async def test_picture_comes_by_websocket_as_well(server: RunningServer, http: httpx2.AsyncClient) -> None:
    data = encoded(72, 56)
    kept = (await http.put("/api/pictures", content=data)).json()
    async with connected(server.websocket_url, session="bringing") as peer:
        await peer.restyle(5)
        for seq, picture in ((3, data), (4, data[:40])):
            await peer.websocket.send(HEADER.pack(1, Format.PNG, REFERENCE, seq, 0, 0, 0) + picture)
        answer, error = await peer.text("picture"), await peer.text("error")
        await peer.restyle(6)

    assert answer == {"type": "picture", "seq": 3, **kept}
    assert (error["code"], error["seq"]) == ("invalid_picture", 4)
    assert len(peer.pictures) == 2, "they are no frames"


async def test_session_pays_for_the_pictures_that_it_brings(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid: list[tuple[str, int]] = []
    monkeypatch.setattr(server.service.host, "spend", lambda session, ns: paid.append((session.name, ns)))
    async with connected(server.websocket_url, session="paying") as peer:
        for seq, picture in ((1, encoded(300, 300)), (2, encoded(301, 300)[:4000])):
            await peer.websocket.send(HEADER.pack(1, Format.PNG, REFERENCE, seq, 0, 0, 0) + picture)
        await peer.text("picture")
        error = await peer.text("error")

    assert error["code"] == "invalid_picture"
    assert [name for name, _ in paid] == ["paying", "paying"], "what can't be read was work, too"
    assert all(ns > 0 for _, ns in paid)


async def test_session_that_names_many_pictures_leaves_room_for_others(
    server: RunningServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "REFERENCES_KEPT", 4)
    names = iter(range(300, 400))

    async def bring() -> str:
        answer = await http.put("/api/pictures", content=encoded(next(names), 8))
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    async with (
        connected(server.websocket_url, session="greedy") as greedy,
        connected(server.websocket_url, session="late") as late,
    ):
        prompt: list[dict[str, str]] = []
        for _ in range(8):
            prompt.append({"picture": await bring()})
            await greedy.patch(prompt=prompt)
        await late.patch(prompt=[{"picture": await bring()}])
        for peer in (greedy, late):
            await peer.restyle(1)

    assert [len(peer.pictures) for peer in (greedy, late)] == [1, 1]


async def test_address_is_no_session_of_that_name(server: RunningServer, http: httpx2.AsyncClient) -> None:
    assert (await http.put("/api/pictures", content=encoded(98, 64))).status_code == 200

    assert not [name for name in server.service.turns._work._budgets if name == "127.0.0.1"]  # pyright: ignore


async def test_few_pictures_are_made_at_once_however_many_are_asked_for(
    server: RunningServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (await http.put("/api/pictures", content=encoded(66, 64))).json()["id"]
    at_once, most, encode = Counter[str](), list[int](), codec.encode

    def slow(*arguments: Any) -> Any:
        at_once["now"] += 1
        most.append(at_once["now"])
        time.sleep(0.02)
        at_once["now"] -= 1
        return encode(*arguments)

    monkeypatch.setattr(codec, "encode", slow)
    answers = await asyncio.gather(*(http.get(f"/api/pictures/{kept}") for _ in range(12)))

    assert {answer.status_code for answer in answers} == {200}
    assert max(most) == ASIDE_MAX and len(most) == 12


async def test_id_that_nobody_brought_is_refused_by_field(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="unknown") as peer:
        await peer.say(type="params", params={"prompt": [{"picture": "0" * 32}]})
        error = await peer.text("error")

    assert (error["code"], error["field"]) == ("invalid_params", "prompt")


async def test_model_that_hears_words_takes_no_pictures() -> None:
    with running() as one:
        async with http_client(one.url) as http:
            answer = await http.put("/api/pictures", content=encoded(64, 64))
            config = (await http.get("/api/config")).json()

    assert answer.status_code == 409 and "echo hears words" in answer.json()["detail"]
    assert config["pictures"] is False


async def test_references_reach_the_engine_of_a_model_with_an_adapter() -> None:
    def load_adapted(config: Config, progress: Progress) -> Engine:
        engine = EchoEngine(fault=seen.append)
        engine.info = replace(engine.info, reference_layers=(Layers.ALL, Layers.STYLE), hears_negative=True)
        return engine

    with running(a_config(), load_adapted) as one:
        async with http_client(one.url) as http, connected(one.websocket_url, session="alike") as peer:
            kept = (await http.put("/api/pictures", content=encoded(90, 80))).json()["id"]
            config = (await http.get("/api/config")).json()
            params = await peer.patch(references=[{"picture": kept, "layers": "style"}], negative_scale=2.5)
            await peer.restyle(1)
            await peer.say(type="params", params={"prompt": [{"picture": kept}]})
            error = await peer.text("error")

    ready = next(text for text in peer.texts if text["type"] == "ready")
    assert ready["references"] == config["references"] == ["all", "style"] and "pictures" not in ready
    assert ready["negative_scale"] is config["negative_scale"] is True and config["pictures"] is False
    assert params["references"] == [{"picture": kept, "weight": 0.6, "layers": "style"}]
    assert list(seen[-1].references) == [kept] and seen[-1].references[kept].shape == (80, 90, 3)
    assert (error["code"], error["field"]) == ("invalid_params", "prompt")


async def test_pictures_in_use_outlive_a_flood_of_others(server: RunningServer, http: httpx2.AsyncClient) -> None:
    kept = (await http.put("/api/pictures", content=encoded(70, 70))).json()["id"]
    async with connected(server.websocket_url, session="kept") as peer:
        await peer.patch(prompt=[{"picture": kept}])
        first = (await http.put("/api/pictures", content=encoded(8, 8))).json()["id"]
        for width in range(100, 170):
            assert (await http.put("/api/pictures", content=encoded(width, 8))).status_code == 200

        assert (await http.get(f"/api/pictures/{kept}")).status_code == 200
        assert (await http.get(f"/api/pictures/{first}")).status_code == 404
    await until(lambda: server.service.session("kept") is None)

"""The LoRAs of a server: by name, at all engines or none, over engines that break, and not in a client's way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import Result
from typer.testing import CliRunner

from realtime.cli import EXIT_USAGE, app
from realtime.engine import LoraChange
from realtime.engine.models import presets
from realtime.errors import ModelError, ParamsError
from realtime.server import loras
from realtime.server.loras import CHANGE_EVERY_S, as_changes
from tests.fakes.frames import a_message
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.fakes.wearing import Wardrobe, WearingEngine
from tests.server.peer import connected, http_client


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "cached_loras", lambda: ["lcm-lora-sd15"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "looks" / "more").mkdir(parents=True)
    for name in ("ink", "odd", "sdxl", "heavy", "more/ink", "more/wash"):
        (tmp_path / "looks" / f"{name}.safetensors").touch()
    (tmp_path / "looks" / "pickled.pt").touch()
    (tmp_path / "secret.safetensors").touch()
    return tmp_path / "looks"


@pytest.fixture
def wardrobe() -> Wardrobe:
    return Wardrobe()


@pytest.fixture
def server(folder: Path, wardrobe: Wardrobe) -> Iterator[RunningServer]:
    """Two engines that wear one LoRA from the start."""
    config = a_config(devices="cpu,cpu", loras=(f"{folder}/ink.safetensors:0.5",), lora_folder=folder)
    with running(config, wardrobe) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    await until(lambda: all(worker.open_life for worker in server.service.host.workers))
    async with http_client(server.url) as one:
        yield one


async def patch(http: httpx2.AsyncClient, **weights: float | None) -> httpx2.Response:
    return await http.patch("/api/loras", json={"loras": weights})


async def test_what_is_worn_and_what_is_there_is_told_by_name_alone(http: httpx2.AsyncClient) -> None:
    body = (await http.get("/api/loras")).json()

    assert body == {
        "takes_loras": True,
        "loras": [{"name": "ink", "weight": 0.5}],
        "available": ["heavy", "ink", "lcm-lora-sd15", "more/ink", "more/wash", "odd", "sdxl"],
        "changing": False,
        "notes": [],
    }


async def test_weights_change_are_added_and_taken_off_at_all_engines(
    http: httpx2.AsyncClient, wardrobe: Wardrobe, folder: Path
) -> None:
    one = (await patch(http, ink=0.25)).json()["loras"]
    two = (await patch(http, **{"more/ink": 1})).json()["loras"]
    three = await patch(http, ink=None, odd=-1.5)

    assert one == [{"name": "ink", "weight": 0.25}]
    assert two == [{"name": "ink", "weight": 0.25}, {"name": "more/ink", "weight": 1.0}]
    assert three.json()["loras"] == [{"name": "more/ink", "weight": 1.0}, {"name": "odd", "weight": -1.5}]
    assert three.json()["notes"] == ["odd:-1.5 is odd"], "by name, not by where it lies"
    assert len(wardrobe.engines) == 2
    for engine in wardrobe.engines:
        assert engine.worn == [
            (f"{folder}/ink.safetensors:0.5",),
            (f"{folder}/ink.safetensors:0.25",),
            (f"{folder}/ink.safetensors:0.25", f"{folder}/more/ink.safetensors:1.0"),
            (f"{folder}/more/ink.safetensors:1.0", f"{folder}/odd.safetensors:-1.5"),
        ]


@pytest.mark.parametrize(
    ("weights", "code", "detail"),
    [
        ({"../secret": 1}, "invalid_params", "there is no LoRA '../secret' here"),
        ({"/etc/passwd": 1}, "invalid_params", "there is no LoRA '/etc/passwd' here"),
        ({"pickled": 1}, "invalid_params", "there is no LoRA 'pickled' here"),
        ({"ink": 11}, "invalid_params", "ink: a weight is a number from -10 to 10"),
        ({"ink": "1"}, "invalid_params", "ink: a weight is a number, or null"),
        ({"ink": True}, "invalid_params", "ink: a weight is a number, or null"),
        ({"sdxl": 1, "ink": 1}, "invalid_lora", "LoRA sdxl:1.0: it is made for another model"),
        ({"heavy": 1}, "invalid_lora", "layer x overflows"),
    ],
)
async def test_what_can_not_be_worn_is_refused_and_changes_nothing(
    http: httpx2.AsyncClient, wardrobe: Wardrobe, folder: Path, weights: dict[str, Any], code: str, detail: str
) -> None:
    answer = await patch(http, **weights)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert detail in answer.json()["detail"]
    assert [engine.worn[-1] for engine in wardrobe.engines] == [(f"{folder}/ink.safetensors:0.5",)] * 2
    assert (await http.get("/api/loras")).json()["loras"] == [{"name": "ink", "weight": 0.5}]


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"loras": 1}', '{"loras": {"ink": NaN}}'])
async def test_bodies_that_say_nothing_are_refused(http: httpx2.AsyncClient, body: str) -> None:
    assert (await http.patch("/api/loras", content=body)).status_code in (400, 422)


def test_changes_are_numbers_or_nothing() -> None:
    assert as_changes({"loras": {"a": 1, "b": None}}) == {"a": 1.0, "b": None}
    with pytest.raises(ParamsError, match="the body must be"):
        as_changes({"loras": []})


async def test_a_slider_that_is_dragged_changes_weights_ten_times_a_second_at_most(
    http: httpx2.AsyncClient, wardrobe: Wardrobe, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    sleep = asyncio.sleep

    async def seen(seconds: float) -> None:
        waited.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(loras.asyncio, "sleep", seen)  # type: ignore[attr-defined]
    values = [number / 100 for number in range(60)]
    answers = await asyncio.gather(*(patch(http, ink=value) for value in values))

    assert all(answer.status_code == 200 for answer in answers)
    first, _ = wardrobe.engines
    ((_, in_force),) = [one.values() for one in (await http.get("/api/loras")).json()["loras"]]
    assert len(first.worn) < 30, "each was a change of its own"
    assert first.worn[-1][0].endswith(f":{in_force!r}")
    assert any(0 < seconds <= CHANGE_EVERY_S for seconds in waited)  # others of the server sleep too


async def test_of_changes_at_once_only_that_fails_which_can_not_be(http: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(patch(http, **one) for one in ({"odd": 1}, {"ink": 0.1}, {"sdxl": 1}, {"ink": 0.9}))
    )

    assert [answer.status_code for answer in answers] == [200, 200, 422, 200]
    weights = {one["name"]: one["weight"] for one in (await http.get("/api/loras")).json()["loras"]}
    assert weights in ({"ink": 0.9, "odd": 1.0}, {"ink": 0.1, "odd": 1.0}), "they came by several connections"


async def test_a_replaced_engine_wears_what_the_others_wear(folder: Path, wardrobe: Wardrobe) -> None:
    with running(a_config(lora_folder=folder, engine_restarts=9), wardrobe) as server:
        await until(lambda: server.service.host.life is not None)
        async with http_client(server.url) as http, connected(server.websocket_url) as peer:
            await patch(http, ink=0.75)

            def fail(job: object) -> None:
                raise ZeroDivisionError

            wardrobe.engines[0]._fault = fail
            await peer.websocket.send(a_message(1))
            await until(lambda: len(wardrobe.engines) == 2 and server.service.host.life is not None)

    assert wardrobe.engines[1].worn == [(f"{folder}/ink.safetensors:0.75",)], "from the start"


async def test_an_engine_that_comes_later_is_dressed_as_the_others(folder: Path, wardrobe: Wardrobe) -> None:
    with running(a_config(devices="cpu,cpu", lora_folder=folder), wardrobe) as server:
        await until(lambda: all(worker.open_life for worker in server.service.host.workers))
        async with http_client(server.url) as http:
            await http.post("/api/workers/1/drain")
            await patch(http, ink=0.75)
            await http.post("/api/workers/1/start")
            await until(lambda: len(wardrobe.engines) == 3)
            await until(lambda: wardrobe.engines[-1].worn[-1] == (f"{folder}/ink.safetensors:0.75",))


async def test_no_frame_is_lost_and_none_fails_while_weights_move(
    http: httpx2.AsyncClient, server: RunningServer, wardrobe: Wardrobe
) -> None:
    async def stream(name: str) -> list[str]:
        async with connected(server.websocket_url, session=name) as peer:
            await peer.patch(skip_unchanged=False)
            for seq in range(1, 61):
                await peer.restyle(seq)
                await asyncio.sleep(1 / 60)
            return [text["type"] for text in peer.texts]

    async def move() -> None:
        for number in itertools.count():
            await patch(http, ink=number % 10 / 10)

    moving = asyncio.create_task(move())
    told = await asyncio.gather(stream("a"), stream("b"))
    moving.cancel()

    assert not {"dropped", "error"} & set(itertools.chain(*told))
    assert min(len(engine.worn) for engine in wardrobe.engines) > 5


async def test_each_model_wears_its_own_and_gets_them_back(
    folder: Path, wardrobe: Wardrobe, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loras, "TRY_AGAIN_S", 0.01)

    async def change_to(model: str) -> list[str]:
        assert (await http.post("/api/model", json={"name": model})).status_code == 202
        await until(lambda: server.service.host.model == model and not server.app.state.swaps._plan)
        return [one["name"] for one in (await http.get("/api/loras")).json()["loras"]]

    config = a_config(model="echo:5", loras=(f"{folder}/ink.safetensors:0.5",), lora_folder=folder)
    with running(config, wardrobe) as server:
        await until(lambda: server.service.host.life is not None)
        async with http_client(server.url) as http:
            await patch(http, ink=0.25)
            others = await change_to("echo:6")
            await patch(http, odd=1)
            back = await change_to("echo:5")
            await until(lambda: wardrobe.engines[-1].worn[-1] == (f"{folder}/ink.safetensors:0.25",))
            again = await change_to("echo:6")
            await until(lambda: wardrobe.engines[-1].worn[-1] == (f"{folder}/odd.safetensors:1.0",))

    assert (others, back, again) == ([], ["ink"], ["odd"])
    assert wardrobe.engines[1].worn[:2] == [(), (f"{folder}/odd.safetensors:1.0",)]
    assert "does not wear" not in caplog.text


async def test_an_engine_that_refuses_what_others_wear_is_said_once(
    folder: Path, wardrobe: Wardrobe, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loras, "TRY_AGAIN_S", 0.01)
    with running(a_config(lora_folder=folder), wardrobe) as server:
        await until(lambda: server.service.host.life is not None)
        async with http_client(server.url) as http:
            await patch(http, ink=1)
            monkeypatch.setattr(server.service.host.workers[0].host, "loras", ("what it does not wear",))
            engine = wardrobe.engines[0]
            monkeypatch.setattr(engine, "ready_loras", lambda loras: refuse(engine, loras))
            server.service.host._changes.tell()
            await until(lambda: len(engine.asked) > 10)

    assert caplog.text.count("does not wear the LoRAs of the server: it is odd") == 1


def refuse(engine: WearingEngine, asked: Sequence[str]) -> LoraChange:
    engine.asked.append(tuple(asked))
    raise ModelError("it is odd")


async def test_a_model_without_weights_refuses_by_name() -> None:
    with running(a_config()) as server:
        await until(lambda: server.service.host.life is not None)
        async with http_client(server.url) as http:
            told, refused = (await http.get("/api/loras")).json(), await patch(http, **{"lcm-lora-sd15": 1})

    assert told["takes_loras"] is False
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_lora")
    assert "echo has no weights" in refused.json()["detail"]


async def test_the_weights_are_the_operators_to_change(wardrobe: Wardrobe) -> None:
    with running(a_config(), wardrobe, token="operators") as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.life is not None)
            bearer = {"authorization": "Bearer operators"}
            ticket = (await http.post("/api/tickets", json={"role": "guest"}, headers=bearer)).json()["ticket"]
            theirs = [
                await http.request(
                    method, "/api/loras", json={"loras": {}}, headers={"authorization": f"Bearer {ticket}"}
                )
                for method in ("GET", "PATCH")
            ]
            own = await http.get("/api/loras", headers=bearer)

    assert [answer.status_code for answer in theirs] == [403, 403]
    assert own.status_code == 200


# -- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def invoke(server: RunningServer) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(app, ["loras", *arguments, "--url", server.url])


@pytest.mark.usefixtures("http")
def test_the_command_line_lists_sets_and_takes_off(invoke: Callable[..., Result]) -> None:
    listed, put, taken, refused = (
        invoke("list"),
        invoke("set", "more/wash", "0.8"),
        invoke("remove", "ink"),
        invoke("set", "sdxl", "1"),
    )

    assert listed.stdout.splitlines()[:2] == ["ink: 0.5", "heavy: not in use"]
    assert put.stdout.splitlines()[:2] == ["ink: 0.5", "more/wash: 0.8"]
    assert taken.stdout.splitlines()[0] == "more/wash: 0.8"
    assert refused.exit_code == EXIT_USAGE and "it is made for another model" in refused.stderr

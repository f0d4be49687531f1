"""LoRAs of an engine in a process of its own: its pictures are those of one here, also when it was replaced."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine_process.engine import EngineProcess
from realtime.errors import EngineError, ModelError
from tests import checkpoints
from tests.engine.lora_files import save_formats
from tests.engine.tiny_models import make_job, make_params, picture_of, run
from tests.engine_process.loads import load_dressed
from tests.fakes.frames import a_message
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PARAMS = make_params(prompt="a house", strength=0.7, num_inference_steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dressed")
    checkpoints.build_sd(folder / "sd", scheduler=checkpoints.LCM)
    save_formats(folder / "loras")
    return folder


def config_of(folder: Path, **fields: Any) -> Config:
    where = {} if "devices" in fields else {"device": "cpu"}
    return a_config(model=str(folder / "sd"), vae="full", sampler="lcm", **where, **fields)


@pytest.fixture
def there(folder: Path) -> Iterator[EngineProcess]:
    engine = EngineProcess(config_of(folder), load=load_dressed)
    yield engine
    engine.close()


def picture(engine: Any) -> Any:
    (outcome,) = run(engine, [replace(make_job(PARAMS, 3), number=0)])
    return picture_of(outcome)


def test_pictures_are_those_of_an_engine_here(folder: Path, there: EngineProcess) -> None:
    for names in (["kohya"], ["dora", "full"], []):
        loras = tuple(f"{folder}/loras/{name}.safetensors:0.8" for name in names)
        change = there.ready_loras(loras)
        change.put().result(20)

        here = load_dressed(config_of(folder, loras=loras), lambda stage, percent: None)
        assert np.array_equal(picture(there), picture(here)), names


def test_refusals_come_across_and_the_engine_goes_on(folder: Path, there: EngineProcess) -> None:
    bare = picture(there)

    with pytest.raises(ModelError, match=r"there is no LoRA 'gone\.safetensors'"):
        there.ready_loras(["gone.safetensors"])
    first = there.ready_loras([f"{folder}/loras/kohya.safetensors"])
    there.ready_loras([f"{folder}/loras/dora.safetensors"])
    with pytest.raises(ModelError, match="others by now"):
        first.put().result(20)

    assert there.info.takes_loras
    assert np.array_equal(picture(there), bare)


def test_who_waits_for_a_process_that_dies_is_told(folder: Path, there: EngineProcess) -> None:
    change = there.ready_loras([f"{folder}/loras/kohya.safetensors"])
    os.kill(there.pid, signal.SIGSTOP)
    put = change.put()
    os.kill(there.pid, signal.SIGKILL)

    with pytest.raises((EngineError, CancelledError)):
        put.result(20)
    with pytest.raises(EngineError):
        there.ready_loras([])


class Loaded:
    """Loads such processes, and keeps which."""

    def __init__(self) -> None:
        self.engines: list[EngineProcess] = []

    def __call__(self, config: Config, progress: Progress) -> Engine:
        self.engines.append(EngineProcess(config, progress, load_dressed))
        return self.engines[-1]


async def test_two_clients_stream_while_weights_move_and_an_engine_is_killed(folder: Path) -> None:
    load = Loaded()
    config = config_of(folder, devices="cpu,cpu", lora_folder=folder / "loras")
    with running(config, load) as server:
        await until(lambda: all(worker.open_life for worker in server.service.host.workers))
        async with http_client(server.url) as http:

            async def stream(name: str) -> list[str]:
                async with connected(server.websocket_url, session=name) as peer:
                    await peer.patch(skip_unchanged=False, num_inference_steps=2)
                    for seq in range(1, 61):
                        await peer.restyle(seq)
                        await asyncio.sleep(1 / 30)
                    return [text["type"] for text in peer.texts]

            async def move() -> None:
                for number in itertools.count():
                    weights = {"kohya": number % 10 / 10, "dora": None if number % 3 else 0.5}
                    answer = await http.patch("/api/loras", json={"loras": weights})
                    assert answer.status_code == 200, answer.text

            moving = asyncio.create_task(move())
            told = await asyncio.gather(stream("a"), stream("b"))
            assert not moving.done() or moving.result()
            moving.cancel()
            assert not {"dropped", "error"} & set(itertools.chain(*told))

            await http.patch("/api/loras", json={"loras": {"kohya": 0.75, "dora": None}})
            worn = (f"{folder}/loras/kohya.safetensors:0.75",)
            assert [worker.host.loras for worker in server.service.host.workers] == [worn] * 2
            os.kill(load.engines[0].pid, signal.SIGKILL)
            await until(lambda: len(load.engines) == 3)
            await until(lambda: all(worker.open_life for worker in server.service.host.workers))
            assert [worker.host.loras for worker in server.service.host.workers] == [worn] * 2
            async with connected(server.websocket_url, session="late") as peer:
                await peer.websocket.send(a_message(1))
                await peer.picture()

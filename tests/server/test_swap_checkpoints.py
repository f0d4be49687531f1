"""Another model of the disk while the server runs: whether it fits, where it comes from, and what is left of it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from pathlib import Path

import psutil
import pytest
from huggingface_hub import constants

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine.load import load_engine
from realtime.engine.models import presets
from realtime.engine_process.engine import load_engine_process
from realtime.errors import EngineError, ModelError
from realtime.server import swaps
from realtime.server.engine_state import State
from tests.checkpoints import build_tiny
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import http_client
from tests.server.swapping import Models, all_are_answered, ask, call_off, cameras, change, over, pids

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tiny checkpoints with random weights."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for seed, name in enumerate(("ink", "neon")):
        build_tiny(tmp_path / "models" / name, seed)
    return tmp_path / "models"


@pytest.mark.parametrize("has_process", [False, True])
async def test_tiny_checkpoints_follow_each_other_under_live_frames(folder: Path, has_process: bool) -> None:
    config = a_config(
        model=str(folder / "ink"), model_folders=(folder,), engine_process=has_process, accelerate="off", device="cpu"
    )
    load = load_engine_process if has_process else load_engine
    with running(config, load) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 5)
            before = pids(server)
            listed = (await http.get("/api/models")).json()
            swap = await change(http, "neon")
            count = len(client.levels)
            await until(lambda: len(client.levels) > count + 10)
            named = (await http.get("/api/config")).json()["model"]
            back = await change(http, "ink", dissolve_s=0)
            await client.stop()
            after = pids(server)

    assert listed["model"] == "ink"
    assert {"ink", "neon"} < {one["name"] for one in listed["models"]}
    assert (swap["state"], back["state"], named) == ("done", "done", "neon")
    assert all_are_answered(client)
    assert [text["model"] for text in client.peer.texts if text["type"] == "model"] == ["neon", "ink"]
    assert not has_process or (before != after and not psutil.pid_exists(before[0]))


async def test_where_a_model_lies_is_told_to_nobody(folder: Path) -> None:
    gate = threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        if Path(config.model).name == "neon":
            progress(f"loading {config.model}", None)
            assert gate.wait(PATIENCE_S)
            raise ModelError(f"{config.model}/unet is damaged: get it again")
        return EchoEngine()

    with running(a_config(model=str(folder / "ink"), model_folders=(folder,)), load) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            await ask(http, "neon")
            async with asyncio.timeout(PATIENCE_S):
                while "loading" not in (loading := (await http.get("/api/models")).json()["swap"])["stage"]:
                    pass
            gate.set()
            failed = await over(http)

    assert loading["stage"] == "loading neon"
    assert failed["reason"] == "neon/unet is damaged: get it again"


async def test_memory_of_a_model_that_was_in_this_process_is_back(folder: Path) -> None:
    config = a_config(
        model=str(folder / "ink"), model_folders=(folder,), engine_process=False, accelerate="off", device="cpu"
    )
    with running(config, load_engine) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await until(lambda: len(client.levels) > 2)
            life = server.service.host.life
            assert life is not None
            gone = weakref.ref(life.engine)
            del life
            swap = await change(http, "neon", dissolve_s=0)
            left = gone()
            await client.stop()

    assert swap["state"] == "done"
    assert left is None


def just_ten_megabytes(device: str, name: str) -> int:
    return 10_000_000


async def test_model_that_does_not_fit_is_refused_before_anything_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swaps, "free_memory", just_ten_megabytes)
    models = Models()
    with running(a_config(model=str(folder / "ink"), model_folders=(folder,)), models.plain) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            refused = await ask(http, "neon")
            count = len(models.made)
            allowed = await ask(http, "neon", free_first=True)
            swap = await over(http)

    assert refused.status_code == 507
    assert "neon takes about" in refused.json()["detail"]
    assert "0.0 GB are free (cpu): with free_first that one goes first" in refused.json()["detail"]
    assert (count, allowed.status_code, swap["state"]) == (1, 202, "done")


async def test_what_is_not_here_is_not_fetched_offline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with running(a_config(model=str(folder / "ink")), Models().plain) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            refused = await ask(http, "sd-turbo")

    assert refused.status_code == 409
    assert "HF_HUB_OFFLINE" in refused.json()["detail"]


async def test_preset_that_is_not_here_is_downloaded_while_the_one_before_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def pull(name: str, progress: Progress, prefer_fp16: bool) -> None:
        progress(f"downloading {name}", 40.0)
        assert gate.wait(PATIENCE_S)

    monkeypatch.setattr(presets, "pull", pull)
    with running(a_config(model=str(folder / "ink")), Models().plain) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            begun = await ask(http, "sd-turbo")
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            told = (await http.get("/api/models")).json()["swap"]
            ready = await http.get("/readyz")
            gate.set()
            swap = await over(http)

    assert begun.json()["swap"]["state"] == "downloading"
    assert told == {"name": "sd-turbo", "state": "downloading", "stage": "downloading sd-turbo", "percent": 40.0}
    assert ready.status_code == 200
    assert swap["state"] == "done"


async def test_download_that_is_called_off_is_left_at_once_and_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, ended = threading.Event(), threading.Event()

    def pull(name: str, progress: Progress, prefer_fp16: bool) -> None:
        try:
            progress(f"downloading {name}", 40.0)
            assert gate.wait(PATIENCE_S)
            progress(f"downloading {name}", 41.0)
        except EngineError:
            ended.set()
            raise

    monkeypatch.setattr(presets, "pull", pull)
    with running(a_config(model=str(folder / "ink")), Models().plain) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            await ask(http, "sd-turbo")
            await until(lambda: server.app.state.swaps.change.stage.percent == 40.0)
            swap = await call_off(http)
            gate.set()
            await until(ended.is_set)
            told = (await http.get("/api/models")).json()

    assert swap["state"] == told["swap"]["state"] == "cancelled"
    assert told["model"] == "ink"

"""Another model while the server runs: two engines of different colour, live clients, and all that can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import itertools
import os
import signal
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from huggingface_hub import constants
from PIL import Image

from realtime.client import connect
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine.load import load_engine
from realtime.engine.models import presets
from realtime.engine_process.engine import EngineProcess, load_engine_process
from realtime.errors import ConfigError, EngineError, FrameError, ModelError
from realtime.frame import Failure, Job, Result
from realtime.server import swaps
from realtime.server.engine_state import State
from realtime.server.service import Service
from realtime.server.swaps import NoSwap, Swaps
from scripts.endurance.census import engines_of
from tests.checkpoints import build_tiny
from tests.fakes.faulty import in_a_process, load_faulty, load_killed_when_tried, load_without_end
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import Peer, Picture, connected, http_client

BLACK, WHITE, WIDE = "echo:5", "echo:6", "echo:7"
"""Names of models, and what their pictures are."""
LEVELS = {BLACK: 0, WHITE: 255, WIDE: 128}
FPS = 30
ENDS = ("done", "failed", "cancelled")
pytestmark = pytest.mark.slow


class Painted(EchoEngine):
    """Gives every picture one grey level."""

    def __init__(self, models: Models, config: Config) -> None:
        super().__init__(float(config.model.partition(":")[2]), config.max_rows)
        self.info = replace(self.info, model=config.model, **models.facts.get(config.model, {}))
        self._models, self._model = models, config.model

    def _admit(self, job: Job) -> Result | Failure:
        self._models.seen.append((self._model, job.session))
        if self._model in self._models.breaking:
            raise EngineError(f"{self._model} broke")
        if self._model in self._models.failing:
            return Failure(job, FrameError("not a number", "nan"))
        made = super()._admit(job)
        return (
            replace(made, picture=np.full_like(job.picture, LEVELS[self._model])) if isinstance(made, Result) else made
        )

    def close(self) -> None:
        self._models.closed.append(self._model)


class Models:
    """Loads painted engines.

    Attributes:
        held: models that are not loaded until `let`.
        missing: models that can't be loaded.
        breaking, failing: models whose engine breaks at a frame, or makes no picture.
        facts: of `EngineInfo`, by model.
        most: the largest number of engines at once that were not closed.
    """

    def __init__(self) -> None:
        self.held: dict[str, threading.Event] = {}
        self.missing: set[str] = set()
        self.breaking: set[str] = set()
        self.failing: set[str] = set()
        self.facts: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self.made: list[weakref.ref[Engine]] = []
        self.most = 0

    def hold(self, model: str) -> None:
        self.held[model] = threading.Event()

    def let(self, model: str) -> None:
        self.held.pop(model).set()

    def __call__(self, config: Config, progress: Progress) -> Engine:
        progress("loading", 40.0)
        if (gate := self.held.get(config.model)) is not None:
            assert gate.wait(PATIENCE_S)
        if config.model in self.missing:
            raise ModelError(f"{config.model} is not there")
        engine = Painted(self, config)
        self.made.append(weakref.ref(engine))
        self.most = max(self.most, len(self.made) - len(self.closed))
        return engine

    def plain(self, config: Config, progress: Progress) -> Engine:
        """Loads an echo in place of any model."""
        engine = EchoEngine()
        self.made.append(weakref.ref(engine))
        return engine

    @property
    def left(self) -> list[Engine]:
        """The engines that are still in memory."""
        return [engine for one in self.made if (engine := one()) is not None]


class Camera:
    """A client that sends frames as a camera does, and notes each picture's level and when it came."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.levels: list[int] = []
        self.times_s: list[float] = []
        self.seqs: list[int] = []
        self.sent = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._read())]

    async def stop(self) -> None:
        self._tasks[0].cancel()
        await until(lambda: len({*self.seqs, *self.dropped()}) == self.sent)
        self._tasks[1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self) -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            due_s = max(due_s + 1 / FPS, clock())
            await asyncio.sleep(due_s - clock())
            self.sent += 1
            await self.peer.websocket.send(a_message(self.sent))

    async def _read(self) -> None:
        while True:
            message = await self.peer.receive()
            if isinstance(message, Picture):
                self.seqs.append(message.seq)
                self.levels.append(level_of(message))
                self.times_s.append(asyncio.get_running_loop().time())

    async def peer_says_away(self) -> None:
        """Wait until the server has said that the engine is away."""
        await until(lambda: any(text.get("engine") == "away" for text in self.peer.texts))

    def dropped(self) -> dict[int, str]:
        texts = [text for text in self.peer.texts if text["type"] == "dropped"]
        return {seq: text["reason"] for text in texts for seq in text["seqs"]}

    @property
    def longest_gap_s(self) -> float:
        return max(np.diff(self.times_s))


def level_of(picture: Picture) -> int:
    with Image.open(io.BytesIO(picture.data)) as image:
        return round(float(np.asarray(image.convert("L")).mean()))


@contextlib.contextmanager
def serving(models: Models, model: str = BLACK, **fields: Any) -> Any:
    with running(a_config(model=model, **{"engine_restarts": 3, **fields}), models) as server:
        yield server


@contextlib.asynccontextmanager
async def cameras(server: RunningServer, number: int = 1) -> AsyncGenerator[list[Camera]]:
    async with contextlib.AsyncExitStack() as stack:
        names = [f"c{index}" for index in range(number)]
        peers = [await stack.enter_async_context(connected(server.websocket_url, session=name)) for name in names]
        every = [Camera(peer) for peer in peers]
        for peer in peers:
            await peer.patch(skip_unchanged=False)
        for one in every:
            one.start()
        yield every


async def ask(http: Any, name: str, **fields: Any) -> Any:
    return await http.post("/api/model", json={"name": name, **fields})


async def over(http: Any) -> dict[str, Any]:
    """Wait for the end of a change; how it ended."""
    async with asyncio.timeout(PATIENCE_S):
        while (swap := (await http.get("/api/models")).json()["swap"])["state"] not in ENDS:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return swap


async def change(http: Any, name: str, **fields: Any) -> dict[str, Any]:
    answer = await ask(http, name, **fields)
    assert answer.status_code == 202, answer.text
    return await over(http)


def is_rising(levels: Sequence[int], slack: int = 2) -> bool:
    return all(later >= earlier - slack for earlier, later in itertools.pairwise(levels))


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tiny checkpoints with random weights."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for seed, name in enumerate(("ink", "neon")):
        build_tiny(tmp_path / "models" / name, seed)
    return tmp_path / "models"


def all_are_answered(client: Camera, *also: str) -> bool:
    fates = {**client.dropped(), **dict.fromkeys(client.seqs, "answered")}
    return sorted(fates) == list(range(1, client.sent + 1)) and set(fates.values()) <= {"answered", "superseded", *also}


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


async def test_engines_on_other_machines_keep_their_model() -> None:
    service = Service(a_config(ray="127.0.0.1:6379"))

    with pytest.raises(NoSwap, match="start the server with another --model"):
        await Swaps(service).begin("tiny")


def pids(server: RunningServer) -> list[int]:
    lives = [worker.host.life for worker in server.service.host.workers]
    return [life.engine.pid for life in lives if life is not None and isinstance(life.engine, EngineProcess)]


async def test_process_that_is_killed_while_it_is_tried_leaves_the_one_before(folder: Path) -> None:
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


async def test_process_that_is_killed_while_the_next_is_loaded_is_followed_by_it(tmp_path: Path) -> None:
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


# -- called off ------------------------------------------------------------------------------------------------------


class Endless(Models):
    """Loads white without end: it says again and again how far it is."""

    def __call__(self, config: Config, progress: Progress) -> Engine:
        while config.model == WHITE:
            progress("loading", 40.0)
            time.sleep(0.005)
        return super().__call__(config, progress)


async def call_off(http: Any) -> dict[str, Any]:
    answer = await http.delete("/api/model")
    assert answer.status_code == 202, answer.text
    assert answer.json()["swap"]["state"] == "cancelling"
    return await over(http)


@pytest.mark.parametrize("frees_first", [False, True])
async def test_change_that_is_called_off_leaves_the_model_and_nothing_of_the_next(frees_first: bool) -> None:
    models = Endless()
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
        threads = [one.name for one in threading.enumerate()]

    assert swap == {"name": WHITE, "state": "cancelled", "stage": "", "percent": None}
    assert after["state"] == "done"
    assert threads.count("engine") == 2
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


async def test_nothing_is_called_off_where_no_change_is_on_its_way_or_it_is_over() -> None:
    with serving(Models()) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.host.state is State.READY)
            none = await http.delete("/api/model")
            await change(http, WHITE)
            over_by_now = await http.delete("/api/model")

    assert (none.status_code, none.json()["detail"]) == (409, "no change is on its way")
    assert over_by_now.status_code == 409

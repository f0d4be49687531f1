"""Engines of one grey level each, clients that send frames as cameras do, and what asks for another model."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import threading
import weakref
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine_process.engine import EngineProcess
from realtime.errors import EngineError, FrameError, ModelError
from realtime.frame import Failure, Job, Result
from tests.fakes.frames import a_message
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import Peer, Picture, connected

BLACK, WHITE, WIDE = "echo:5", "echo:6", "echo:7"
"""Names of models, and what their pictures are."""
LEVELS = {BLACK: 0, WHITE: 255, WIDE: 128}
FPS = 30
ENDS = ("done", "failed", "cancelled")


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


async def call_off(http: Any) -> dict[str, Any]:
    answer = await http.delete("/api/model")
    assert answer.status_code == 202, answer.text
    assert answer.json()["swap"]["state"] == "cancelling"
    return await over(http)


def is_rising(levels: Sequence[int], slack: int = 2) -> bool:
    return all(later >= earlier - slack for earlier, later in itertools.pairwise(levels))


def all_are_answered(client: Camera, *also: str) -> bool:
    fates = {**client.dropped(), **dict.fromkeys(client.seqs, "answered")}
    return sorted(fates) == list(range(1, client.sent + 1)) and set(fates.values()) <= {"answered", "superseded", *also}


def pids(server: RunningServer) -> list[int]:
    lives = [worker.host.life for worker in server.service.host.workers]
    return [life.engine.pid for life in lives if life is not None and isinstance(life.engine, EngineProcess)]

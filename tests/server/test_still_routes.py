"""Large stills by HTTP, and what they leave to what is live."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from types import FrameType

import httpx2
import numpy as np
import pytest
from PIL import Image

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.errors import FrameError
from realtime.frame import Job
from realtime.server import stills
from realtime.server.snapshot import text_of
from realtime.server.stills import STEPS, TILE_STRENGTH, Stills
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client

SIZE = 64
seen: list[Job] = []
"""What the engine was given."""
faults: list[Exception] = []
"""What it does with what it is given next."""


def look(job: Job) -> None:
    seen.append(job)
    if faults:
        raise faults.pop()


def load(config: Config, progress: Progress) -> Engine:
    return EchoEngine(fault=look)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=8), load) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    seen.clear()
    async with http_client(server.url) as one:
        yield one


def a_drawing(side: int = 2 * SIZE) -> bytes:
    pixels = np.full((side, side, 3), 255, np.uint8)
    pixels[side // 4 : side // 2, side // 4 :] = (200, 40, 40)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


async def test_still_is_the_picture_at_a_multiple_of_the_sessions_size(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with connected(server.websocket_url, session="large", size=SIZE) as peer:
        await peer.patch(strength=0.8, feedback=0.5, calm=0.5, matte="person", prompt="gold")
        answer = await http.post("/api/sessions/large/still?scale=3", content=a_drawing())

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape == (3 * SIZE, 3 * SIZE, 3)
    assert np.abs(picture[70, 150].astype(int) - (200, 40, 40)).max() <= 3
    assert picture[10, 10].min() >= 252
    whole, *rest = (job.params for job in seen)
    assert (whole.strength, whole.width, whole.prompt, whole.num_inference_steps) == (0.8, SIZE, "gold", STEPS)
    assert len(rest) == 16 and {one.strength for one in rest} == {TILE_STRENGTH}
    assert {(one.feedback, one.calm, one.matte.value, one.skip_unchanged) for one in (whole, *rest)} == {
        (0, 0, "off", False)
    }
    assert text_of(answer.content)["params"]["prompt"] == "gold"


async def test_still_of_a_model_with_a_best_number_of_steps_has_that(http: httpx2.AsyncClient) -> None:
    def load_with_best(config: Config, progress: Progress) -> Engine:
        engine = load(config, progress)
        engine.info = replace(engine.info, best_steps=1)
        return engine

    seen.clear()
    with running(a_config(), load_with_best) as one:
        async with http_client(one.url) as client, connected(one.websocket_url, session="best", size=SIZE):
            answer = await client.post("/api/sessions/best/still?scale=2", content=a_drawing())
    assert answer.status_code == 200
    assert {job.params.num_inference_steps for job in seen} == {1}


async def test_nothing_of_it_is_left_and_the_session_is_as_it_was(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with connected(server.websocket_url, session="large", size=SIZE) as peer:
        before = (await http.get("/api/sessions/large")).json()["params"]
        await http.post("/api/sessions/large/still?scale=2&steps=7", content=a_drawing())
        sessions = (await http.get("/api/sessions")).json()["sessions"]
        await peer.restyle(1)

    assert {job.params.num_inference_steps for job in seen[:-1]} == {7}
    assert [(one["session"], one["params"]) for one in sessions] == [("large", before)]
    assert (await http.get("/api/sessions/large/still")).status_code in (200, 404)
    assert all(not session.name.startswith("still-") for session in server.service.host._places)


@pytest.mark.parametrize(
    ("query", "body", "status", "said"),
    [
        ("", b"", 422, "no picture"),
        ("", b"hello", 422, "no picture"),
        ("", a_drawing()[:-60], 422, "cut off"),
        ("?scale=1", a_drawing(), 422, "scale is 2 to 8"),
        ("?scale=9", a_drawing(), 422, "scale is 2 to 8"),
        ("?steps=9", a_drawing(), 422, "less than or equal to 8"),
    ],
    ids=["nothing", "a text", "cut off", "no scale", "too large", "too many steps"],
)
async def test_what_is_wrong_is_refused_in_words(
    server: RunningServer, http: httpx2.AsyncClient, query: str, body: bytes, status: int, said: str
) -> None:
    async with connected(server.websocket_url, session="wrong", size=SIZE):
        answer = await http.post(f"/api/sessions/wrong/still{query}", content=body)

    assert answer.status_code == status and said in str(answer.json()["detail"])
    assert (await http.post("/api/sessions/nobody/still", content=a_drawing())).status_code == 404


async def test_still_above_the_most_pixels_is_refused(server: RunningServer, http: httpx2.AsyncClient) -> None:
    async with connected(server.websocket_url, session="huge", size=1024):
        answer = await http.post("/api/sessions/huge/still?scale=5", content=a_drawing())

    assert answer.status_code == 422 and "5120 x 5120" in answer.json()["detail"]


async def test_frame_that_the_engine_fails_ends_it_in_its_words(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with connected(server.websocket_url, session="failing", size=SIZE):
        faults.append(FrameError("the engine does not like it"))
        answer = await http.post("/api/sessions/failing/still", content=a_drawing())

    assert (answer.status_code, answer.json()["detail"]) == (422, "the engine does not like it")


async def test_picture_that_is_refused_is_gone_with_the_answer(http: httpx2.AsyncClient, server: RunningServer) -> None:
    """Not when the garbage collector comes by, which may be hundreds of pictures later."""
    faults.append(FrameError("the engine does not like it"))
    data = a_drawing()

    def holding() -> list[str]:
        frames = [one for one in gc.get_objects() if type(one) is FrameType]
        return [
            one.f_code.co_qualname
            for one in frames
            if any(type(value) is bytes and value == data for value in one.f_locals.values())
        ]

    async with connected(server.websocket_url, session="e", size=SIZE):
        gc.collect()
        gc.disable()
        try:
            await http.post("/api/sessions/e/still", content=data)
            await until(lambda: not holding())
        finally:
            gc.enable()


async def test_one_at_a_time_and_hanging_up_ends_it(server: RunningServer, http: httpx2.AsyncClient) -> None:
    """A tick of this engine takes long, so that the first still is not done before the others are asked for."""
    with running(a_config(model="echo:2000", max_sessions=8), lambda config, progress: EchoEngine(2000)) as slow:
        async with http_client(slow.url) as client, connected(slow.websocket_url, session="a", size=SIZE):
            path = "/api/sessions/a/still"
            first = asyncio.create_task(client.post(path, content=a_drawing()))
            await until(lambda: bool(slow.app.state.stills._progress))
            progress = (await client.get(path)).json()
            second = await client.post(path, content=a_drawing())
            first.cancel()
            await until(lambda: not slow.app.state.stills._progress)
            over = (await client.get(path)).json()
            assert all(not session.name.startswith("still-") for session in slow.service.host._places)

    assert progress["done"] < progress["of"] and over is None
    assert (second.status_code, second.json()["detail"]) == (409, "a still of this session is being made: wait for it")


async def test_still_rests_while_anything_is_live_and_else_does_not(
    server: RunningServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[bool] = []
    live = Stills._is_live
    monkeypatch.setattr(Stills, "_is_live", lambda self: (rests.append(live(self)), False)[1])

    async with connected(server.websocket_url, session="live", size=SIZE) as peer:
        monkeypatch.setattr(stills, "LIVE_NS", 0)
        await http.post("/api/sessions/live/still?scale=2", content=a_drawing())
        quiet, rests[:] = list(rests), []
        monkeypatch.setattr(stills, "LIVE_NS", 2**62)
        await peer.restyle(1)
        await http.post("/api/sessions/live/still?scale=2", content=a_drawing())

    assert set(quiet) == {False} and set(rests) == {True}

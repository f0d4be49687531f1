"""A frame checker in a server: no picture that it holds leaves by any way, its owner is told, others are left alone."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from realtime.client import connect
from realtime.client.stream import Stream
from realtime.engine_process.engine import EngineProcess
from realtime.errors import RefusedError
from realtime.frame import Format
from realtime.protocol import AS_IS, HEADER, VERSION
from realtime.server.snapshot import text_of
from tests.fakes.checked import CheckedEcho, load_checked, load_checked_in_a_process
from tests.fakes.pictures import encoded
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import Peer, connected, dialled, http_client

SIDE = 64
PNG = {"output_format": "png", "skip_unchanged": False}


def grey(level: int) -> bytes:
    return encoded(np.full((SIDE, SIDE, 3), level, np.uint8), "PNG")


SAFE, DOUBTFUL, UNSAFE = grey(51), grey(128), grey(250)


def level_of(data: bytes) -> int:
    return round(float(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).mean()))


def checked(**fields: Any) -> Any:
    return a_config(frame_checker="a/checker", max_sessions=8, resume_s=30, **fields)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(checked(), load_checked) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


def engine_of(server: RunningServer) -> CheckedEcho:
    life = server.service.host.life
    assert life is not None
    engine = life.engine
    assert isinstance(engine, CheckedEcho)
    return engine


@asynccontextmanager
async def playing(server: RunningServer, name: str, **params: Any) -> AsyncIterator[Stream]:
    async with connect(server.websocket_url, session=name) as stream:
        await stream.update(width=SIDE, height=SIDE, **{**PNG, **params})
        yield stream


async def refused(stream: Stream, picture: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        await stream.restyle(picture)
    return caught.value.code


async def held(stream: Stream, code: str = "unsafe") -> None:
    assert await refused(stream, UNSAFE) == code
    await until(lambda: stream.held == code)


# -- who is told ---------------------------------------------------------------------------------------------------


async def test_owner_gets_no_picture_that_is_held_and_is_told_once_that_and_once_that_it_is_over(
    server: RunningServer,
) -> None:
    told: list[dict[str, Any]] = []
    async with playing(server, "owner") as stream:
        stream.on_message = lambda message: told.append(message) if message["type"] == "safety" else None
        assert level_of((await stream.restyle(SAFE)).data) == 51

        codes = [await refused(stream, picture) for picture in (UNSAFE, UNSAFE, DOUBTFUL)]
        assert stream.held == "unsafe"
        shown = level_of((await stream.restyle(SAFE)).data)
        doubtful = level_of((await stream.restyle(DOUBTFUL)).data)

        assert codes == ["unsafe"] * 3 and (shown, doubtful) == (51, 128)
        assert [message["held"] for message in told] == [True, False]
        assert told[0]["code"] == "unsafe" and "held" in told[0]["message"]
        assert stream.held == ""


async def test_config_names_the_checker(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/config")).json()["frame_checker"] == "a/checker"


async def test_frames_that_are_held_are_counted_as_that(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="counted") as peer:
        await peer.patch(skip_unchanged=False)
        await peer.websocket.send(_frame(1, UNSAFE))
        assert (await peer.text("error"))["code"] == "unsafe"
        assert await peer.text("dropped") == {"type": "dropped", "seqs": [1], "reason": "held"}
        assert (await peer.text("stats"))["dropped"]["held"] == 1


async def test_who_comes_back_to_a_session_that_is_held_is_told(server: RunningServer) -> None:
    async with playing(server, "back") as stream:
        await stream.restyle(SAFE)
        await held(stream)

    async with dialled(server.websocket_url, session="back") as peer:
        await peer.text("safety", held=True, code="unsafe")


async def test_viewers_are_told(server: RunningServer) -> None:
    async with playing(server, "told") as stream, dialled(f"{server.websocket_url}?watch=told") as viewer:
        await stream.restyle(SAFE)
        await held(stream)
        await viewer.text("safety", held=True, code="unsafe")

        await stream.restyle(SAFE)

        await viewer.text("safety", held=False)


# -- every way out -------------------------------------------------------------------------------------------------


async def newest_of(viewer: Peer, level: int) -> None:
    """Wait for a picture of this level, and see none that is held."""
    while True:
        seen = level_of((await viewer.picture()).data)
        assert seen < 200, "an unsafe picture"
        if seen == level:
            return


async def test_no_way_out_shows_a_picture_that_is_held(server: RunningServer, http: httpx2.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(playing(server, "ways"))
        await stream.restyle(SAFE)
        viewer = await stack.enter_async_context(dialled(f"{server.websocket_url}?watch=ways"))
        mjpeg = await stack.enter_async_context(http.stream("GET", "/api/sessions/ways/stream.mjpg"))
        parts = mjpeg.aiter_bytes()
        await newest_of(viewer, 51)

        for _ in range(5):
            await held(stream)

        late = await stack.enter_async_context(dialled(f"{server.websocket_url}?watch=ways"))
        await newest_of(late, 51)
        png = (await http.get("/api/sessions/ways/snapshot")).content
        assert level_of(png) == 51 and text_of(png)["params"]["width"] == SIDE
        session = server.service.session("ways")
        assert session is not None and session.newest is not None
        assert session.newest.picture.max() == 51
        watched = session.watch(lambda: None)  # as outputs, WHEP and tiles do
        shown = watched.take()
        session.unwatch(watched)
        assert shown is not None and shown.picture.max() == 51
        assert stream.skipped == 0 and not stream._pictures

        await stream.restyle(grey(60))
        await newest_of(viewer, 60)
        assert all(level_of(seen.data) < 200 for seen in (*viewer.pictures, *late.pictures))
        data = b""
        async with asyncio.timeout(PATIENCE_S):
            while data.count(b"\r\n\r\n") < 2:
                data += await anext(parts)
        for part in data.split(b"\r\n\r\n")[1:2]:
            assert level_of(part) < 200


async def test_bypass_shows_no_input_that_was_not_checked_and_none_that_is_unsafe(server: RunningServer) -> None:
    """The picture that is made of it is dark and safe."""
    async with (
        playing(server, "bypass", prompt="dark") as stream,
        dialled(f"{server.websocket_url}?watch=bypass") as viewer,
    ):
        assert level_of((await stream.restyle(UNSAFE)).data) == 31
        await newest_of(viewer, 31)

        await stream.command("bypass")
        await newest_of(viewer, 0)
        assert await refused(stream, UNSAFE) == "unsafe"
        assert level_of((await stream.restyle(SAFE)).data) == 6
        await newest_of(viewer, 51)

        await stream.command("on_air")
        assert level_of((await stream.restyle(UNSAFE)).data) == 31
        await newest_of(viewer, 31)


async def test_input_that_stands_still_is_checked_when_it_is_put_on_air(server: RunningServer) -> None:
    async with (
        playing(server, "still", skip_unchanged=True, prompt="dark") as stream,
        dialled(f"{server.websocket_url}?watch=still") as viewer,
    ):
        for _ in range(2):
            await stream.restyle(SAFE)
        await stream.command("bypass")
        await stream.restyle(SAFE)

        await newest_of(viewer, 51)


async def test_matte_shows_no_input_that_is_unsafe(server: RunningServer) -> None:
    async with playing(server, "matte", prompt="dark", matte="drawn", beyond="input") as stream:
        assert await refused(stream, UNSAFE) == "unsafe"
        await stream.update(matte="off")
        await stream.restyle(SAFE)
        assert level_of((await stream.restyle(UNSAFE)).data) == 31


async def test_frame_that_is_shown_as_it_is_is_held_too(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="as-is") as peer:
        await peer.websocket.send(_frame(1, UNSAFE, flags=AS_IS))

        assert (await peer.text("error"))["code"] == "unsafe"


async def test_large_still_that_is_held_is_refused(server: RunningServer, http: httpx2.AsyncClient) -> None:
    async with playing(server, "large"):
        answer = await http.post("/api/sessions/large/still?scale=2", content=UNSAFE)
        assert answer.status_code == 422 and "unsafe" in answer.json()["detail"]

        answer = await http.post("/api/sessions/large/still?scale=2", content=SAFE)
        assert answer.status_code == 200 and level_of(answer.content) == 51


async def test_fallback_says_whether_the_last_picture_or_a_slate_stands_for_what_is_held(server: RunningServer) -> None:
    async with (
        playing(server, "slate", fallback="slate") as stream,
        dialled(f"{server.websocket_url}?watch=slate") as viewer,
    ):
        await stream.restyle(SAFE)
        await newest_of(viewer, 51)
        await held(stream)
        slate = await viewer.picture()
        assert 40 <= level_of(slate.data) < 51

        await stream.update(fallback="input")
        await held(stream)
        await newest_of(viewer, 51)
        await stream.restyle(grey(60))
        await newest_of(viewer, 60)


async def test_session_that_was_never_safe_shows_nothing(server: RunningServer, http: httpx2.AsyncClient) -> None:
    async with playing(server, "never", fallback="slate") as stream:
        await held(stream)

        assert (await http.get("/api/sessions/never/snapshot")).status_code == 404
        session = server.service.session("never")
        assert session is not None and session.watch(lambda: None).take() is None


# -- others --------------------------------------------------------------------------------------------------------


async def test_of_four_sessions_one_is_held_and_the_others_are_not_touched(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(playing(server, f"four-{i}")) for i in range(4)]
        for _ in range(5):
            pictures = [grey(20 + 10 * i) for i in range(3)]
            *good, bad = await asyncio.gather(
                *(stream.restyle(picture) for stream, picture in zip(streams, pictures, strict=False)),
                refused(streams[3], UNSAFE),
            )
            assert bad == "unsafe"
            assert [level_of(one.data) for one in good] == [20, 30, 40]
        assert [stream.held for stream in streams] == ["", "", "", "unsafe"]


# -- it fails closed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [None, math.nan])
async def test_checker_that_cannot_say_holds_all_pictures_and_says_so(score: float | None) -> None:
    with running(checked(), load_checked) as server:
        async with playing(server, "closed") as stream:
            await stream.restyle(SAFE)
            engine = engine_of(server)
            before, engine.score = engine.score, lambda job: score

            assert await refused(stream, SAFE) == "unchecked"
            await until(lambda: stream.held == "unchecked")
            assert await refused(stream, UNSAFE) == "unchecked"

            engine.score = before
            assert level_of((await stream.restyle(SAFE)).data) == 51
            assert stream.held == ""


async def test_thresholds_are_those_of_the_configuration() -> None:
    with running(checked(hold_above=0.3, release_below=0.1), load_checked) as server:
        async with playing(server, "strict") as stream:
            assert await refused(stream, DOUBTFUL) == "unsafe"
            assert await refused(stream, SAFE) == "unsafe"
            assert level_of((await stream.restyle(grey(10))).data) == 10
            assert level_of((await stream.restyle(SAFE)).data) == 51


async def test_while_the_engine_is_away_no_input_is_shown() -> None:
    with running(checked(engine_restarts=5, model="echo:5"), load_checked) as server:
        async with (
            playing(server, "away", fallback="input") as stream,
            dialled(f"{server.websocket_url}?watch=away") as viewer,
        ):
            await stream.restyle(SAFE)
            await newest_of(viewer, 51)
            engine = engine_of(server)

            def broken(job: Any) -> None:
                raise RuntimeError("broken")

            engine._fault = broken
            await stream.send(UNSAFE)
            await until(lambda: stream.held == "unsafe")  # by the next engine
            assert level_of((await stream.restyle(grey(60))).data) == 60
            await newest_of(viewer, 60)
            assert all(level_of(seen.data) < 200 for seen in viewer.pictures)


@pytest.mark.slow
async def test_scores_cross_from_an_engines_process() -> None:
    def load(config: Any, progress: Any) -> EngineProcess:
        return EngineProcess(config, progress, load_checked_in_a_process)

    with running(checked(engine_process=True), load) as server:
        async with playing(server, "process") as stream:
            assert level_of((await stream.restyle(SAFE)).data) == 51
            assert await refused(stream, UNSAFE) == "unsafe"
            await stream.update(prompt="broken")
            assert await refused(stream, SAFE) == "unchecked"
            await stream.update(prompt="dark")
            assert level_of((await stream.restyle(SAFE)).data) == 6
            await stream.update(matte="drawn", beyond="input")
            assert await refused(stream, UNSAFE) == "unsafe"


@pytest.mark.slow
async def test_another_model_is_checked_too_and_goes_on_where_the_one_before_held() -> None:
    with running(checked(), load_checked) as server:
        async with playing(server, "swapped") as stream, http_client(server.url) as http:
            await stream.restyle(SAFE)
            await held(stream)
            first = engine_of(server)
            answer = await http.post("/api/model", json={"name": "tiny", "dissolve_s": 0})
            assert answer.status_code == 202, answer.text
            await until(lambda: server.service.host.life is not None and engine_of(server) is not first)

            assert await refused(stream, DOUBTFUL) == "unsafe"
            assert level_of((await stream.restyle(SAFE)).data) == 51
            assert level_of((await stream.restyle(DOUBTFUL)).data) == 128
            assert await refused(stream, UNSAFE) == "unsafe"


async def test_without_a_checker_nothing_is_held() -> None:
    with running(a_config(), load_checked) as server:
        async with playing(server, "off") as stream:
            assert level_of((await stream.restyle(UNSAFE)).data) == 250


def _frame(seq: int, data: bytes, flags: int = 0) -> bytes:
    return HEADER.pack(VERSION, Format.PNG, flags, seq, 0, 0, 0) + data

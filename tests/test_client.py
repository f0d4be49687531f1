"""The client for programs, against the real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from realtime.client import RefusedError, connect, now_us
from realtime.frame import Format
from tests.fakes.pictures import a_jpeg, encoded, pixels
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(resume_s=30)) as one:
        yield one


async def test_example_of_the_readme_works(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(prompt="watercolor", strength=0.6, width=64, height=64)
        picture = await stream.restyle(a_jpeg())

    assert (picture.seq, picture.params_version, picture.format) == (1, 1, Format.JPEG)
    assert Format.sniff(picture.data) is Format.JPEG
    assert 0 < picture.engine_us <= picture.round_trip_us
    assert stream.params["prompt"] == "watercolor"


async def test_ready_tells_params_and_session(server: RunningServer) -> None:
    async with connect(f"{server.websocket_url}?session=mine") as stream:
        assert stream.ready["session"] == "mine"
        assert stream.params["version"] == 0


async def test_pictures_come_while_frames_go_out(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        captured_us = now_us()
        sent = await stream.send(a_jpeg(), captured_us=captured_us)
        async with asyncio.timeout(PATIENCE_S):
            picture = await anext(stream.pictures())

    assert picture.seq == sent
    assert picture.round_trip_us <= now_us() - captured_us


async def test_repeat_has_the_picture_before_and_says_so(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        first, again = await stream.restyle(a_jpeg()), await stream.restyle(a_jpeg())
        await stream.update(seed=1)
        anew = await stream.restyle(a_jpeg())

    assert [picture.is_repeat for picture in (first, again, anew)] == [False, True, False]
    assert (again.seq, again.format, again.data) == (2, first.format, first.data)
    assert (again.params_version, anew.params_version) == (1, 2)


async def test_pictures_end_with_the_connection(server: RunningServer) -> None:
    async with connect(f"{server.websocket_url}?session=short") as stream:
        session = next(one for one in server.service.sessions if one.name == "short")
        server.service.host._loop.call_soon_threadsafe(server.service.dismiss, session)
        async with asyncio.timeout(PATIENCE_S):
            assert [picture async for picture in stream.pictures()] == []


async def test_messages_are_told(server: RunningServer) -> None:
    told: list[dict[str, Any]] = []
    async with connect(server.websocket_url) as stream:
        stream.on_message = told.append
        await stream.update(strength=7)
        await stream.command("explode")
        await stream.restyle(a_jpeg())

    assert [message["code"] for message in told if message["type"] == "error"] == ["invalid_params", "unknown_command"]


async def test_refused_frame_is_an_error(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(RefusedError) as caught:
            await stream.restyle(a_jpeg()[:-300])

    assert caught.value.code == "invalid_frame"


async def test_frame_that_is_dropped_is_an_error_and_not_a_wait_without_end(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.command("freeze")
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(RefusedError) as caught:
                await stream.restyle(a_jpeg())

    assert caught.value.code == "paused"


@pytest.mark.parametrize("data", [b"", b"junk", encoded(pixels(), "GIF")])
async def test_what_is_no_picture_is_not_sent(server: RunningServer, data: bytes) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(ValueError, match="JPEG, PNG or WebP"):
            await stream.send(data)


async def test_connection_that_ends_is_a_connection_error(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream._websocket.send("no json")
        with pytest.raises(ConnectionError):
            await stream.restyle(a_jpeg())


async def test_token_is_brought() -> None:
    with running(token="secret") as server:
        async with connect(server.websocket_url, token="secret") as stream:
            await stream.restyle(a_jpeg())


def test_client_needs_no_server_and_no_torch() -> None:
    code = (
        "import sys, realtime.client\n"
        "heavy = {'torch', 'fastapi', 'uvicorn', 'cv2', 'realtime.server', 'realtime.engine'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

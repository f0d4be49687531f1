"""Errors of a server that is not there, refuses or says nonsense: which they are, and that they say what to do."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from realtime.client import (
    AccessError,
    ClientError,
    ConnectionLostError,
    NotReadyError,
    ServerFailedError,
    ServerFullError,
    SessionEndedError,
    UnreachableError,
    WireError,
    connect,
    dialling,
)
from realtime.client.dialling import Address
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S

READY = {"type": "ready", "protocol": 1, "session": "s", "params": {"version": 0}, "limits": {}, "window": 2}
Talk = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "DELAY_MAX_S", 0.001)


@asynccontextmanager
async def saying(talk: Talk, status: int | None = None) -> AsyncIterator[str]:
    """A server that answers handshakes with `status`, else talks as told."""

    def answer(connection: ServerConnection, request: Any) -> Any:
        return None if status is None else connection.respond(http.HTTPStatus(status), "because\n")

    async with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"


async def idle(websocket: ServerConnection) -> None:
    await websocket.wait_closed()


async def failure(url: str, **options: Any) -> ClientError:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ClientError) as caught:
            async with connect(url, **{"patience_s": 0, **options}) as stream:
                await stream.restyle(a_jpeg())
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind", "advice", "is_passing"),
    [
        (1000, SessionEndedError, "another connection", False),
        (1001, ConnectionLostError, "went away: because", True),
        (1002, WireError, "because", False),
        (1008, AccessError, "token=", False),
        (1009, WireError, "because", False),
        (1011, ServerFailedError, "log", True),
        (1013, ServerFullError, "full: because", True),
    ],
)
async def test_close_code_before_ready_is_an_error_of_its_own(
    code: int, kind: type[ClientError], advice: str, is_passing: bool
) -> None:
    async def close(websocket: ServerConnection) -> None:
        await websocket.close(code, "because")

    async with saying(close) as url:
        error = await failure(url)

    assert type(error) is kind
    assert advice in str(error)
    assert error.is_passing is is_passing


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (401, AccessError, "token="),
        (403, AccessError, "--allowed-host"),
        (421, AccessError, "--allowed-host"),
        (404, WireError, "/ws"),
        (503, UnreachableError, "away"),
    ],
)
async def test_status_instead_of_a_handshake_is_an_error_of_its_own(
    status: int, kind: type[ClientError], advice: str
) -> None:
    async with saying(idle, status) as url:
        error = await failure(url)

    assert type(error) is kind
    assert f"{status} (because)" in str(error) and advice in str(error)


@pytest.mark.parametrize("message", ["no json", "[]", "{}", json.dumps({**READY, "protocol": 2})])
async def test_what_is_no_message_of_this_protocol_is_a_wire_error(message: str) -> None:
    async def talk(websocket: ServerConnection) -> None:
        await websocket.send(message)
        await websocket.wait_closed()

    async with saying(talk) as url:
        assert type(await failure(url)) is WireError


@pytest.mark.parametrize("picture", [b"", b"\x02" + bytes(30), b"\x01\x09" + bytes(30)])
async def test_picture_of_another_version_is_a_wire_error(picture: bytes) -> None:
    async def talk(websocket: ServerConnection) -> None:
        await websocket.send(json.dumps(READY))
        await websocket.send(picture)
        await websocket.wait_closed()

    async with saying(talk) as url:
        assert type(await failure(url)) is WireError


async def test_nobody_at_the_address_is_said_at_once(unused_tcp_port: int) -> None:
    error = await failure(f"ws://127.0.0.1:{unused_tcp_port}/ws", patience_s=600)

    assert type(error) is UnreachableError
    assert "realtime serve" in str(error)


async def test_server_that_ends_before_it_answers_is_tried_again() -> None:
    attempts = 0

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(end, "127.0.0.1", 0) as server:
        address = Address.parse(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws")

        async def attempt() -> dialling.Dialled:
            if attempts == 3:
                raise SessionEndedError
            return await dialling.dial(address, lambda message: None, None)

        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(SessionEndedError):
                await dialling.persistently(attempt, PATIENCE_S)


async def test_server_that_is_not_ready_in_time_says_what_it_does() -> None:
    async def load(websocket: ServerConnection) -> None:
        await websocket.send(json.dumps({"type": "loading", "stage": "loading tiny", "percent": None}))
        await websocket.wait_closed()

    told: list[dict[str, Any]] = []
    async with saying(load) as url:
        error = await failure(url, ready_timeout_s=0.3, on_message=told.append)

    assert type(error) is NotReadyError
    assert "loading tiny" in str(error) and "ready_timeout_s" in str(error)
    assert [message["type"] for message in told] == ["loading"]


async def test_wrong_token_is_said() -> None:
    with running(token="secret") as server:
        wrong = await failure(server.websocket_url, token="wrong")
        missing = await failure(server.websocket_url)

    assert type(wrong) is type(missing) is AccessError
    assert "the token is wrong" in str(wrong) and "a token is needed" in str(missing)


async def test_wrong_path_is_said() -> None:
    with running() as server:
        error = await failure(server.websocket_url + "/nope")

    assert type(error) is WireError
    assert "the path of a realtime server is /ws" in str(error)


async def test_full_server_is_tried_again_until_there_is_room() -> None:
    with running(a_config(max_sessions=1)) as server:
        async with connect(server.websocket_url) as first, asyncio.timeout(PATIENCE_S):
            assert type(await failure(server.websocket_url)) is ServerFullError
            second = asyncio.create_task(restyled(server.websocket_url))
            await first.restyle(a_jpeg())
        async with asyncio.timeout(PATIENCE_S):
            assert await second == 1


async def restyled(url: str) -> int:
    async with connect(url) as stream:
        return (await stream.restyle(a_jpeg())).seq


async def test_place_in_the_line_is_told() -> None:
    told: list[dict[str, Any]] = []
    with running(a_config(max_sessions=1, max_waiting=1)) as server:
        async with connect(server.websocket_url):
            with pytest.raises(NotReadyError):
                async with connect(server.websocket_url, ready_timeout_s=0.3, on_message=told.append):
                    pass

    assert told[0] == {"type": "queued", "position": 1, "size": 1}


@pytest.mark.parametrize(
    ("url", "target", "token"),
    [
        ("ws://h:1/ws", "ws://h:1/ws", None),
        ("http://127.0.0.1:8777/?token=T", "ws://127.0.0.1:8777/ws", "T"),
        ("https://h/live/ws?session=a&x=1", "wss://h/live/ws?x=1&session=a", None),
        ("wss://[::1]:9/ws?session=a", "wss://[::1]:9/ws?session=a", None),
    ],
)
def test_address_is_read(url: str, target: str, token: str | None) -> None:
    address = Address.parse(url)

    assert (address.target, address.token) == (target, token)
    assert "session=new" in address.with_session("new").target


@pytest.mark.parametrize("url", ["", "h:1", "ftp://h", "ws://", "ws://h:x", "ws://h:99999/ws", "http://[::1/ws"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(WireError, match="write ws://HOST:PORT/ws"):
        Address.parse(url)

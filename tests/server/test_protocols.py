"""Limits that hold before a request is understood: of heads, bodies, connections, frames, and of patience."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from websockets.exceptions import ConnectionClosed

from realtime.server import protocols
from realtime.server.budget import Budget, Budgets
from realtime.server.protocols import (
    BODY_PIECES_MAX,
    FRAMES_PER_SECOND,
    HALF_OPEN_MAX,
    HEAD_MAX_BYTES,
    HEADERS_MAX,
    REQUESTS_PER_SECOND,
)
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


class Raw:
    """A connection that sends bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send, as far as the server takes it."""
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def status(self) -> int:
        """The status of the next answer; 0 where the connection ends without one."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await self.reader.readexactly(length)
                return int(head.split()[1])
        return 0

    async def ends(self) -> None:
        """Wait until the server has closed."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass


@asynccontextmanager
async def raw(server: RunningServer) -> AsyncIterator[Raw]:
    connection = Raw(*await asyncio.open_connection("127.0.0.1", server.port))
    try:
        yield connection
    finally:
        connection.writer.transport.abort()


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running() as one:
        yield one


async def healthy(server: RunningServer) -> bool:
    async with raw(server) as connection:
        await connection.send(REQUEST + b"\r\n")
        return await connection.status() == 200


# -- heads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"GET /" + b"a" * 2 * HEAD_MAX_BYTES, id="path"),
        pytest.param(REQUEST + b"X: " + b"a" * 2 * HEAD_MAX_BYTES, id="value"),
        pytest.param(REQUEST + b"a" * 2 * HEAD_MAX_BYTES, id="name"),
        pytest.param(REQUEST + b"a: b\r\n" * (HEADERS_MAX + 1), id="headers"),
    ],
)
async def test_endless_head_is_refused(server: RunningServer, endless: bytes) -> None:
    async with raw(server) as connection:
        await connection.send(endless)

        assert await connection.status() in (431, 0)
        await connection.ends()
    assert await healthy(server)


async def test_head_of_the_largest_size_is_read(server: RunningServer) -> None:
    head = REQUEST + b"a: b\r\n" * (HEADERS_MAX - 2) + b"X: "
    async with raw(server) as connection:
        await connection.send(head + b"a" * (HEAD_MAX_BYTES - len(head) - 4) + b"\r\n\r\n")

        assert await connection.status() == 200


async def test_head_that_does_not_end_in_time_is_refused(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "HEAD_TIMEOUT_S", 0.05)
    async with raw(server) as silent, raw(server) as slow, raw(server) as second:
        await slow.send(REQUEST + b"X: ")
        await second.send(REQUEST + b"\r\n" + REQUEST)

        assert await silent.status() == 408
        assert await slow.status() == 408
        assert [await second.status(), await second.status()] == [200, 408]


async def test_silent_connections_give_way_to_new_ones(server: RunningServer) -> None:
    async with contextlib.AsyncExitStack() as stack:
        oldest = await stack.enter_async_context(raw(server))
        for _ in range(HALF_OPEN_MAX):
            await stack.enter_async_context(raw(server))

        await oldest.ends()
        assert await healthy(server)


async def test_more_connections_than_may_be_are_refused() -> None:
    config = a_config(max_sessions=1, max_viewers=0)
    with running(config) as server:
        settings = cast(protocols.Settings, server.server.config)
        settings.most_connections = 3
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                connection = await stack.enter_async_context(raw(server))
                await connection.send(REQUEST + b"\r\n")
                assert await connection.status() == 200
            async with raw(server) as one_more:
                assert await one_more.status() == 503


# -- requests ------------------------------------------------------------------------------------------------------


async def test_requests_in_line_are_bounded(server: RunningServer) -> None:
    async with raw(server) as connection:
        await connection.send((REQUEST + b"\r\n") * 5000)
        await connection.ends()
    assert await healthy(server)


async def test_connection_that_asks_too_often_is_told_so_and_closed(server: RunningServer) -> None:
    async with raw(server) as connection:
        statuses: list[int] = []
        while not statuses or statuses[-1] == 200:
            await connection.send(REQUEST + b"\r\n")
            statuses.append(await connection.status())

        assert statuses[-1] == 429
        assert len(statuses) > REQUESTS_PER_SECOND
        await connection.ends()


async def test_body_in_very_many_pieces_is_refused(server: RunningServer) -> None:
    head = b"PATCH /api/sessions/none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw(server) as connection:
        await connection.send(head + b"1\r\na\r\n" * (BODY_PIECES_MAX + 1))

        await connection.ends()
    assert await healthy(server)


async def test_http_1_0_is_not_upgraded(server: RunningServer) -> None:
    upgrade = (
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n"
    )
    async with raw(server) as connection:
        await connection.send(b"GET /ws HTTP/1.0\r\nHost: localhost\r\n" + upgrade + b"\r\n")

        assert await connection.status() == 404


async def test_senseless_requests_leave_nothing_in_the_log(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for request in (b"\x16\x03\x01\r\n\r\n", REQUEST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"):
            async with raw(server) as connection:
                await connection.send(request)
                await connection.status()

    assert not caplog.records


# -- a client that takes nothing -----------------------------------------------------------------------------------


@pytest.fixture
def impatient() -> Iterator[RunningServer]:
    with running(a_config(send_timeout_s=0.2, max_viewers=1, resume_s=60)) as one:
        yield one


def reads_nothing(server: RunningServer, request: bytes) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect(("127.0.0.1", server.port))
    one.sendall(request)
    return one


async def test_viewer_that_takes_nothing_gives_its_place_to_another(impatient: RunningServer) -> None:
    async with connected(impatient.websocket_url + "?session=s") as peer:
        await peer.restyle(1)
        viewers = impatient.service.viewers
        with reads_nothing(impatient, b"GET /api/sessions/s/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            await until(lambda: viewers.count == 1)
            seq = 1
            while viewers.count:
                seq += 1
                await peer.restyle(seq)


# -- WebSocket frames ----------------------------------------------------------------------------------------------


def a_frame(opcode: int, payload: bytes = b"", *, is_last: bool = True) -> bytes:
    return struct.pack("!BB", is_last << 7 | opcode, 0x80 | len(payload)) + bytes(4) + payload


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(a_frame(9) * FRAMES_PER_SECOND, id="pings"),
        pytest.param(a_frame(10) * FRAMES_PER_SECOND, id="pongs"),
        pytest.param(a_frame(2, is_last=False) + a_frame(0, is_last=False) * FRAMES_PER_SECOND, id="fragments"),
        pytest.param(a_frame(2, bytes(25)) * FRAMES_PER_SECOND, id="pictures"),
        pytest.param(a_frame(1, b'{"type":"x"}') * FRAMES_PER_SECOND, id="texts"),
    ],
)
async def test_connection_that_sends_too_many_frames_hears_why_it_is_closed(
    server: RunningServer, frames: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server.websocket_url) as peer:
        peer.websocket.transport.write(frames)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await peer.receive()

        assert peer.websocket.close_code == 1002, "1008 would ask for a token"
        reason = peer.websocket.close_reason or ""
        assert "send fewer" in reason or frames[1] == 0x80 | 25  # the first of them is no picture at all
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_pings_of_a_client_that_takes_nothing_are_not_answered_for_ever(server: RunningServer) -> None:
    connections = server.server.server_state.connections
    request = (
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
    )
    with reads_nothing(server, request) as one:
        await until(lambda: any(isinstance(each, protocols.WebSocketProtocol) for each in connections))
        protocol = next(each for each in connections if isinstance(each, protocols.WebSocketProtocol))
        protocol._frames = Budget(1e9)
        for _ in range(200):
            await asyncio.to_thread(one.sendall, a_frame(9, bytes(125)) * 400)

        assert protocol.transport.get_write_buffer_size() < 256 * 1024


# -- the budget ----------------------------------------------------------------------------------------------------


def test_budget_refills_with_time_and_no_further_than_its_span() -> None:
    now_s = 0.0
    budget = Budget(10, 2, clock=lambda: now_s)

    assert budget.spend(20) == 0
    assert budget.spend(5) == pytest.approx(0.5)
    now_s = 100.0
    assert budget.spend(20) == 0
    assert budget.spend(1) == pytest.approx(0.1)


def test_budgets_share_nothing_and_those_used_last_are_kept() -> None:
    budgets = Budgets(1, 1, most=2, clock=lambda: 0.0)

    assert [budgets.spend(name, 1) for name in "aab"] == [0, 1, 0]
    assert budgets.spend("a", 0) == 1
    assert [budgets.spend(name, 1) for name in "cb"] == [0, 0], "b was used before a"

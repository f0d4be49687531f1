"""A server process among rude clients: its memory stays flat, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.frame import Format
from realtime.prompts import BLEND_MAX_CHARS
from tests.fakes.frames import a_message
from tests.fakes.pictures import encoded
from tests.fakes.servers import ServerProcess, a_config, echo_load, running, serving
from tests.fakes.waiting import until
from tests.media.test_codec import JPEG_DATA, PNG_DATA, jpeg_of_many_scans, with_jpeg_size, with_png_length
from tests.server.peer import Peer, connected, dialled

MB = 2**20
MAX_MESSAGE_BYTES = 4 * MB
CUT_S = 30
"""Whoever takes nothing is cut by then. After 40 s uvicorn's own pings would do it."""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving("--max-sessions", "50", "--resume-s", "0", "--send-timeout-s", "0.5") as one:
        yield one


def open_sockets(server: ServerProcess) -> int:
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in connections)


def cpu_s(server: ServerProcess) -> float:
    """Processor time of the server and of those that decode for it."""
    process = psutil.Process(server.process.pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


async def assert_serves(server: ServerProcess) -> None:
    async with connected(server.websocket_url) as peer:
        assert (await peer.restyle(1)).seq == 1


# -- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_message_too_big_closes_with_1009_and_costs_no_memory(server: ServerProcess) -> None:
    await assert_serves(server)
    before = server.memory
    for _ in range(3):
        async with connected(server.websocket_url) as peer:
            with contextlib.suppress(ConnectionClosed):  # it does not wait for the end of the message
                await peer.websocket.send(a_message(1, bytes(MAX_MESSAGE_BYTES)))
            assert await peer.closed() == 1009

    assert server.memory - before < 5 * MB


async def test_frame_that_promises_exabytes_closes_with_1009_and_costs_no_memory(server: ServerProcess) -> None:
    before = server.memory
    async with connected(server.websocket_url) as peer:
        peer.websocket.transport.write(struct.pack(">BBQ4x", 0x82, 0xFF, 2**62))
        assert await peer.closed() == 1009

    assert server.memory - before < 5 * MB


async def test_largest_message_is_taken(server: ServerProcess) -> None:
    async with connected(server.websocket_url) as peer:
        picture = JPEG_DATA + bytes(MAX_MESSAGE_BYTES - 24 - len(JPEG_DATA))

        assert (await peer.restyle(1, picture)).seq == 1


async def test_text_that_is_no_unicode_closes_with_1007(server: ServerProcess) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send(b"\xff\xfe{}", text=True)

        assert await peer.closed() == 1007


@pytest.mark.slow
async def test_five_hundred_senseless_messages_are_survived_and_another_session_is_unaffected(
    server: ServerProcess,
) -> None:
    senseless = [
        {"type": "command", "command": "x" * 1000},
        {"type": "params", "params": {"y" * 1000: [1, {"a": None}]}},
        {"type": "params"},
        {"type": 5},
        {"type": "tempo"},
    ]
    async with connected(server.websocket_url) as rude, connected(server.websocket_url) as other:

        async def talk() -> None:
            for number in range(500):
                await rude.say(**senseless[number % len(senseless)])

        async def listen() -> None:
            while sum(text["type"] == "error" for text in rude.texts) < 400:
                await rude.receive()

        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(talk()), tasks.create_task(listen())]
            seq, answered_meanwhile = 0, 0
            while not all(job.done() for job in jobs):
                seq += 1
                await other.restyle(seq)
                answered_meanwhile += not jobs[1].done()
                await asyncio.sleep(0.05)

        assert (await rude.restyle(1)).seq == 1
    assert answered_meanwhile > 5, "the flood is read slowly, and others' frames in between"


# -- floods --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_flood_of_frames_drops_all_but_the_newest_and_answers_do_not_wait_for_pictures() -> None:
    frames = 450
    with running(load=echo_load(tick_ms=50)) as server:
        async with connected(server.websocket_url) as peer:

            async def flood() -> None:
                for seq in range(1, frames + 1):
                    await peer.websocket.send(a_message(seq))
                await peer.say(type="params", params={"prompt": "now"})

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(flood())
                while (await peer.text("params"))["params"]["prompt"] != "now":
                    pass
                pictures_before_the_answer = len(peer.pictures)
            while len(settled := settled_seqs(peer)) < frames:
                await peer.receive()

    seqs = [picture.seq for picture in peer.pictures]
    reasons = {text["reason"] for text in peer.texts if text["type"] == "dropped"}
    assert pictures_before_the_answer < frames / 4
    assert seqs == sorted(set(seqs))
    assert seqs[-1] == frames
    assert settled == set(range(1, frames + 1))
    assert reasons == {"superseded"}


def settled_seqs(peer: Peer) -> set[int]:
    """Seqs of which the peer knows what became of them."""
    dropped = {seq for text in peer.texts if text["type"] == "dropped" for seq in text["seqs"]}
    answered = {picture.seq for picture in peer.pictures}
    assert not dropped & answered
    return dropped | answered


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param((Format.JPEG, jpeg_of_many_scans(2048, 800)), id="JPEG of 800 scans"),
        pytest.param((Format.JPEG, with_jpeg_size(JPEG_DATA, 2048, 2048)), id="JPEG that promises more than it holds"),
        pytest.param((Format.PNG, with_png_length(PNG_DATA, b"IDAT", 2**32 - 1)), id="PNG chunk of 4 GB"),
    ],
)
async def test_pictures_made_to_be_expensive_do_not_hold_up_another_session(
    server: ServerProcess, picture: tuple[Format, bytes]
) -> None:
    kind, data = picture
    before, before_s = server.memory, cpu_s(server)
    async with connected(server.websocket_url) as rude, connected(server.websocket_url) as other:
        for seq in range(1, 11):
            await rude.websocket.send(a_message(seq, data, kind=kind))
            await other.restyle(seq)
        await rude.text("error")

    assert cpu_s(server) - before_s < 10, "a second for each, however busy the machine is with others"
    assert server.memory - before < 64 * MB


# -- clients that do not read --------------------------------------------------------------------------------------


@asynccontextmanager
async def deaf_client(server: ServerProcess, query: str = "") -> AsyncGenerator[ClientConnection]:
    """Connected, reads nothing after `ready`, and has a receive buffer that is soon full."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port_of(server)))
    deaf.setblocking(False)
    async with connect_websocket(
        server.websocket_url + query, sock=deaf, compression=None, max_queue=1, close_timeout=0.1, proxy=None
    ) as websocket:
        # What is sent before it is passed over: a patch too.
        await Peer(websocket).text("ready")
        # By itself it would stop at the second message that waits: a picture may be read whole before that.
        websocket.transport.pause_reading()
        yield websocket


async def keep_sending(server: ServerProcess, websocket: ClientConnection, message: str | bytes) -> int:
    """Send until the server cuts the connection; returns the most memory that it had meanwhile."""
    most = 0
    async with asyncio.timeout(CUT_S):
        while open_sockets(server):
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(0.1):
                    for _ in range(50):
                        await websocket.send(message)
            most = max(most, server.memory)
            await asyncio.sleep(0.01)
    return most


def port_of(server: ServerProcess) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


def noise_png() -> bytes:
    return encoded(np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8), "PNG")


@pytest.mark.slow
async def test_client_that_stops_reading_is_cut_and_its_connection_goes(server: ServerProcess) -> None:
    noise = noise_png()
    async with connected(server.websocket_url) as warm:
        await warm.patch(width=512, height=512, output_format="png")
        for _ in range(3):
            await warm.websocket.send(noise)
            await warm.picture()
    await until(lambda: open_sockets(server) == 0)
    before = server.memory

    async with deaf_client(server) as websocket:
        await websocket.send(json.dumps({"type": "params", "params": {"output_format": "png"}}))
        most = await keep_sending(server, websocket, noise)

    assert most - before < 16 * MB
    await until(lambda: open_sockets(server) == 0)
    await assert_serves(server)


@pytest.mark.slow
async def test_client_that_asks_and_takes_no_answers_costs_no_memory(server: ServerProcess) -> None:
    """Each patch of 16 KB is answered with 48 KB: a flood of them must not pile up."""
    await assert_serves(server)
    await until(lambda: open_sockets(server) == 0)
    before = server.memory
    prompts = [{"text": "\N{GRINNING FACE}" * (BLEND_MAX_CHARS // 8), "weight": 1}] * 8
    patch = json.dumps({"type": "params", "params": {"prompt": prompts}}, ensure_ascii=False)
    async with deaf_client(server) as websocket:
        most = await keep_sending(server, websocket, patch)

    assert most - before < 32 * MB
    await until(lambda: open_sockets(server) == 0)
    await assert_serves(server)


async def test_first_connection_that_does_not_read_does_not_keep_its_session_from_a_second(
    server: ServerProcess,
) -> None:
    async with deaf_client(server, "?session=mine"), connected(server.websocket_url, session="mine") as peer:
        assert (await peer.restyle(1)).seq == 1


# -- comings and goings --------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_two_hundred_sessions_leave_no_socket_and_no_thread(server: ServerProcess) -> None:
    process = psutil.Process(server.process.pid)

    async def visit(number: int) -> None:
        async with connected(server.websocket_url) as peer:
            if number % 2:
                await peer.restyle(1)
            if number % 5 == 0:
                peer.websocket.transport.abort()

    for number in range(10):
        await visit(number)
    await until(lambda: open_sockets(server) == 0)
    before = process.num_fds(), process.num_threads(), server.memory
    for start in range(0, 200, 20):
        await asyncio.gather(*(visit(number) for number in range(start, start + 20)))

    # What was closed by us is let go of there a moment later.
    await until(lambda: process.num_fds() <= before[0] + 2)
    await until(lambda: process.num_threads() <= before[1] + 2)
    assert server.memory - before[2] < max(10 * MB, before[2] * 0.05)


async def test_sessions_that_end_leave_no_task() -> None:
    with running(a_config(max_sessions=50)) as inside:

        async def visit() -> None:
            async with connected(inside.websocket_url) as peer:
                await peer.restyle(1)

        await visit()
        await until(lambda: not inside.server.server_state.tasks)
        loop = inside.service.host._loop
        before = len(asyncio.all_tasks(loop))
        await asyncio.gather(*(visit() for _ in range(30)))
        await until(lambda: not inside.server.server_state.tasks)

        await until(lambda: len(asyncio.all_tasks(loop)) <= before)
        assert inside.service.sessions == []
        assert inside.service.host.life is not None
        assert inside.service.host.life.scheduler.jobs == 0


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"\x16\x03\x01\x02\x00" + bytes(100),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x00" * 1000,
    ],
    ids=["nothing", "TLS", "another HTTP", "a broken handshake", "a long path", "zeros"],
)
async def test_peer_that_does_not_speak_http_does_no_harm(server: ServerProcess, greeting: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(greeting)
    writer.write_eof()

    await assert_serves(server)
    writer.close()


@pytest.mark.parametrize(
    ("request_", "is_answered"),
    [
        pytest.param(
            b"PATCH /api/sessions/here HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", False, id="in a body"
        ),
        pytest.param(
            b"GET /api/sessions/here/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30, True, id="refused in line"
        ),
    ],
)
async def test_client_that_leaves_before_its_answer_leaves_nothing_in_the_log(
    request_: bytes, is_answered: bool
) -> None:
    with serving("--log-level", "warning") as server:
        async with connected(server.websocket_url, session="here") as peer:
            await peer.restyle(1)
            for _ in range(5):  # more tracebacks than fit into the pipe would block the server
                reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
                writer.write(request_)
                await writer.drain()
                if is_answered:
                    await reader.read(1)
                writer.close()
            await assert_serves(server)
        server.stop()

        assert server.errors() == ""


async def test_foreign_pages_socket_is_refused_in_the_handshake(server: ServerProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with dialled(server.websocket_url, origin="http://evil.example"):
            pass

    assert caught.value.response.status_code == 403

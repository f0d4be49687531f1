"""From bind to drain: addresses, tokens, exit codes. `serve` runs in a thread here; test_cli has the signals."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import queue
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.errors import ConfigError, ModelError
from realtime.frame import Job
from realtime.server.app import Announced, serve
from realtime.server.engine_host import Load
from realtime.server.engine_state import State as HostState
from realtime.server.http import http_settings, listen
from realtime.server.protocols import WebSocketProtocol
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import RunningServer, a_config, echo_load, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected, dialled, http_client

TOKEN = "hush-hush-token"


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    """`serve` sets the interpreter for the process that it has for itself."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)
    gc.unfreeze()


class Served:
    """`serve` in a thread: the address that it says, and the code that it ends with."""

    def __init__(self, config: Config, load: Load) -> None:
        self._said: queue.Queue[Announced] = queue.Queue()
        self._codes: queue.Queue[int] = queue.Queue()
        self.thread = threading.Thread(target=lambda: self._codes.put(serve(config, load, self._said.put)))
        self.thread.start()
        self.address = self._said.get(timeout=PATIENCE_S).address

    def code(self) -> int:
        code = self._codes.get(timeout=PATIENCE_S)
        self.thread.join(PATIENCE_S)
        return code


def breaks_on_the_first_frame(config: Config, progress: Progress) -> Engine:
    def fault(job: Job) -> None:
        raise ZeroDivisionError

    return EchoEngine(fault=fault)


async def test_engine_that_breaks_ends_the_process_with_exit_code_1(caplog: pytest.LogCaptureFixture) -> None:
    served = Served(a_config(), breaks_on_the_first_frame)
    async with connected(served.address.replace("http", "ws") + "ws") as peer:
        await peer.websocket.send(a_message(1))
        assert await peer.closed() == 1011

    assert await asyncio.to_thread(served.code) == 1
    assert "the engine is broken" in caplog.text


async def test_garbage_collector_passes_over_what_was_loaded() -> None:
    gc.unfreeze()
    served = Served(a_config(), breaks_on_the_first_frame)
    async with connected(served.address.replace("http", "ws") + "ws") as peer:
        frozen = gc.get_freeze_count()
        await peer.websocket.send(a_message(1))
        await peer.closed()
    served.code()

    assert frozen > 10_000


async def test_with_restarts_sessions_and_who_watches_them_live_on_with_another_engine() -> None:
    loaded, gate = itertools.count(), threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        if next(loaded) == 0:
            return breaks_on_the_first_frame(config, progress)
        assert gate.wait(PATIENCE_S)
        return EchoEngine()

    with running(a_config(engine_restarts=1), load) as server:
        async with (
            connected(server.websocket_url, session="s") as peer,
            dialled(f"{server.websocket_url}?watch=s") as viewer,
            http_client(server.url) as http,
            http.stream("GET", "/api/sessions/s/stream.mjpg") as stream,
        ):
            await viewer.text("ready")
            await peer.patch(prompt="ink")
            await peer.websocket.send(a_message(1))
            await until(lambda: server.service.host.state is HostState.AWAY)
            away = await http.get("/readyz")
            config = (await http.get("/api/config")).json()
            session = (await http.get("/api/sessions/s")).json()
            assert session["watching"] == {"websocket": 1, "mjpeg": 1, "whep": 0}
            await peer.websocket.send(a_message(2))  # nobody listens: it waits, and the one before not any more
            dropped = await peer.text("dropped")
            async with dialled(server.websocket_url) as newcomer:
                loading = await newcomer.text("loading")
                gate.set()
                answer, seen = await peer.picture(), await viewer.picture()
                part = await anext(aiter(stream.aiter_bytes()))
                await newcomer.text("ready")

    assert (dropped["reason"], dropped["seqs"]) == ("engine_restarted", [1])
    assert (away.status_code, away.text) == (503, "away: another engine, as ZeroDivisionError\n")
    assert (loading["stage"], config["ready"], config["rung"]) == ("another engine, as ZeroDivisionError", False, None)
    assert (session["connected"], session["params"]["prompt"]) == (True, "ink")
    assert session["stats"]["rung"] == "no engine: another engine, as ZeroDivisionError"
    assert (answer.seq, seen.seq) == (2, 2)
    assert part


async def test_engine_that_breaks_once_more_than_it_may_ends_the_process_with_exit_code_1() -> None:
    served = Served(a_config(engine_restarts=1), breaks_on_the_first_frame)
    async with connected(served.address.replace("http", "ws") + "ws") as peer:
        await peer.websocket.send(a_message(1))  # which the second engine gets too
        assert await peer.closed() == 1011

    assert await asyncio.to_thread(served.code) == 1


def test_model_that_cannot_be_loaded_ends_the_process_with_exit_code_1_and_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load(config: Config, progress: Progress) -> Engine:
        raise ModelError("there is no model of this name")

    assert Served(a_config(), load).code() == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "there is no model of this name"
    ]


async def test_address_that_is_announced_answers() -> None:
    served = Served(a_config(), breaks_on_the_first_frame)

    assert served.address.startswith("http://127.0.0.1:")
    async with http_client() as http:
        assert (await http.get(served.address + "healthz")).status_code == 200
    async with connected(served.address.replace("http", "ws") + "ws") as peer:
        await peer.websocket.send(a_message(1))
        await peer.closed()
    await asyncio.to_thread(served.code)


async def test_binding_beyond_loopback_without_a_token_makes_one_and_says_it() -> None:
    served = Served(a_config(host="0.0.0.0"), breaks_on_the_first_frame)

    address, _, token = served.address.partition("/?token=")
    assert len(token) >= 32
    async with http_client() as http:
        refused = await http.get(f"{address}/api/config")
        page = await http.get(served.address)
        allowed = await http.get(f"{address}/api/config", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, allowed.status_code) == (401, 200)
    assert page.status_code == 303
    assert page.headers["location"] == "/"
    async with connected(
        address.replace("http", "ws") + "/ws", additional_headers={"Authorization": f"Bearer {token}"}
    ) as peer:
        await peer.websocket.send(a_message(1))
        await peer.closed()
    await asyncio.to_thread(served.code)


@pytest.mark.slow
async def test_token_opens_everything_and_never_shows_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), running(token=TOKEN) as server:
        async with dialled(server.websocket_url, subprotocols=["realtime.v1", "token.wrong"]) as peer:
            assert peer.websocket.subprotocol == "realtime.v1"
            assert await peer.closed() == 1008
        async with connected(server.websocket_url, subprotocols=["realtime.v1", f"token.{TOKEN}"]) as peer:
            assert peer.websocket.subprotocol == "realtime.v1"
            await peer.restyle(1)
        async with http_client(server.url, follow_redirects=True) as http:
            page = await http.get("/", params={"token": TOKEN})
            assert TOKEN not in str(page.url)
            assert (await http.get("/api/config")).status_code == 200  # the cookie
            assert (
                await http.get("/metrics", headers={"Authorization": "Bearer guess-of-somebody"})
            ).status_code == 200

    ours = [
        record for record in caplog.records if record.name.split(".")[0] not in ("websockets", "httpx2", "httpcore2")
    ]
    logged = "\n".join(record.getMessage() for record in ours)
    assert TOKEN not in logged
    assert "guess-of-somebody" not in logged


def test_address_in_use_is_one_line_that_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=rf"can't listen on 127\.0\.0\.1, port {port}: .*--port"):
            listen(a_config(port=port))


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_address_of_another_machine_is_one_line(host: str) -> None:
    with pytest.raises(ConfigError, match="can't listen on") as caught:
        listen(a_config(host=host))

    assert "\n" not in str(caught.value)


def test_small_send_buffer_keeps_stale_video_out_of_the_kernel() -> None:
    with listen(a_config()) as listening:
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 256 * 1024


async def test_server_stops_by_itself_with_clients_and_viewers_on_it(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with running(load=echo_load(tick_ms=20)) as server:
            async with (
                connected(server.websocket_url, session="s") as peer,
                http_client() as http,
            ):
                await peer.restyle(1)
                async with http.stream("GET", f"{server.url}/api/sessions/s/stream.mjpg") as stream:
                    await anext(stream.aiter_bytes())
                    await asyncio.to_thread(server.stop)
                    assert await peer.closed() == 1001

    assert "timeout graceful shutdown exceeded" not in caplog.text


async def test_viewer_that_takes_nothing_does_not_keep_the_server_from_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with running(load=echo_load()) as server, socket.socket() as deaf:
            async with connected(server.websocket_url, session="s", size=512) as peer:
                await peer.restyle(1)
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(("127.0.0.1", server.port))
                deaf.sendall(b"GET /api/sessions/s/stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                seq = 1
                while not any(each.transport.get_write_buffer_size() for each in tuple(connections_of(server))):
                    seq += 1
                    await peer.restyle(seq, a_jpeg(512, 512, seed=seq))

                await asyncio.to_thread(server.stop)

                assert await peer.closed() == 1001
    assert "timeout graceful shutdown exceeded" not in caplog.text


def connections_of(server: RunningServer) -> set[Any]:
    return server.server.server_state.connections


class FakeTransport(asyncio.Transport):
    """Leads to a client, and notes when reading is stopped and taken up again."""

    def __init__(self, client: ClientProtocol) -> None:
        super().__init__()
        self.client = client
        self.reads: list[str] = []

    def pause_reading(self) -> None:
        self.reads.append("stop")

    def resume_reading(self) -> None:
        self.reads.append("go on")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.client.receive_data(bytes(data))

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


async def test_reading_stops_only_where_messages_wait_to_be_taken() -> None:
    taken: list[int] = []
    may_take = asyncio.Semaphore(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await may_take.acquire()
            taken.append((await receive())["bytes"][0])

    settings = http_settings(app, a_config())
    settings.load()
    protocol = WebSocketProtocol(settings, ServerState(), {})
    client = ClientProtocol(parse_uri("ws://127.0.0.1/ws"))
    transport = FakeTransport(client)
    client.send_request(client.connect())
    protocol.connection_made(transport)
    protocol.data_received(b"".join(client.data_to_send()))

    def send(number: int) -> None:
        client.send_binary(bytes([number]))
        protocol.data_received(b"".join(client.data_to_send()))

    await until(lambda: client.state is State.OPEN)
    most = settings.ws_max_queue
    for number in range(most - 1):
        send(number)
    assert transport.reads == []
    send(most - 1)
    assert transport.reads == ["stop"]

    for _ in range(most):
        may_take.release()
    await until(lambda: len(taken) == most)

    assert taken == list(range(most))
    assert transport.reads == ["stop", "go on"]
    send(most)
    assert transport.reads == ["stop", "go on"]
    for task in protocol.tasks:
        task.cancel()


def listeners() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("listener")}


async def test_server_that_has_ended_leaves_no_thread_that_listens_to_prompts() -> None:
    before = listeners()
    with running() as server:
        async with connected(server.websocket_url) as peer:
            await peer.patch(prompt="ink")
            begun = listeners() - before

    assert begun
    await until(lambda: not listeners() & begun)

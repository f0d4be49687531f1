"""The HTTP routes of the protocol over a real socket."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx2
import pytest
from PIL import Image

from realtime import __version__
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine.state import RungState
from realtime.errors import ModelError
from realtime.params import Params
from realtime.server.access import SECURITY_HEADERS
from realtime.server.app import create_app
from realtime.server.engine_state import State
from realtime.server.snapshot import text_of
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import Peer, connected, http_client


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=20)) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


@pytest.fixture
async def peer(server: RunningServer) -> AsyncIterator[Peer]:
    async with connected(server.websocket_url, session="here") as one:
        yield one
    # Or the next test would come back to this one's session.
    await until(lambda: server.service.session("here") is None)


# -- what a client needs -------------------------------------------------------------------------------------------


async def test_config_tells_what_a_client_needs_to_start(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/config")

    body = answer.json()
    assert answer.status_code == 200
    assert (body["version"], body["protocol"], body["model"], body["window"]) == (__version__, 1, "echo", 2)
    assert body["ready"] is True
    assert RungState.parse(body["rung_state"]) == EchoEngine().info.rung
    assert body["rung"] == str(EchoEngine().info.rung)
    assert body["ice_servers"] == []
    assert body["asks_for_token"] is False
    assert body["limits"].items() >= {"max_message_bytes": 4194304, "max_pixels": 4194304, "max_sessions": 20}.items()


async def test_schema_tells_bounds_and_this_servers_defaults(http: httpx2.AsyncClient) -> None:
    properties = (await http.get("/api/params/schema")).json()["properties"]

    assert set(properties) == set(Params.model_fields)
    assert properties["strength"].items() >= {"title": "Strength", "minimum": 0, "maximum": 1, "default": 0.5}.items()


async def test_schema_tells_the_models_own_defaults() -> None:
    def load(config: Config, progress: Progress) -> Engine:
        engine = EchoEngine()
        engine.info = replace(engine.info, defaults={"width": 256, "num_inference_steps": 4})
        return engine

    with running(load=load) as server:
        async with connected(server.websocket_url), http_client(server.url) as http:
            properties = (await http.get("/api/params/schema")).json()["properties"]

    assert (properties["width"]["default"], properties["num_inference_steps"]["default"]) == (256, 4)


# -- sessions ------------------------------------------------------------------------------------------------------


async def test_sessions_tell_who_is_on(http: httpx2.AsyncClient, peer: Peer) -> None:
    await peer.restyle(1)

    (session,) = (await http.get("/api/sessions")).json()["sessions"]

    fields = {"session", "worker", "connected", "frozen", "air", "pad", "tempo", "watching", "outputs", "params"}
    assert set(session) == fields | {"gliding_s", "stats", "heard"}
    assert (session["session"], session["worker"], session["connected"], session["frozen"]) == ("here", 0, True, False)
    assert session["params"]["width"] == 64
    assert session["stats"]["rung"] == str(EchoEngine().info.rung), "the sentence"
    assert (await http.get("/api/sessions/here")).json().keys() == session.keys()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/sessions/nobody"),
        ("PATCH", "/api/sessions/nobody"),
        ("DELETE", "/api/sessions/nobody"),
        ("GET", "/api/sessions/nobody/snapshot"),
        ("GET", "/api/sessions/nobody/stream.mjpg"),
        ("GET", "/api/sessions/%00"),
        ("GET", "/api/sessions/%ff%fe"),
        ("GET", "/api/sessions/" + "x" * 3000),
        ("GET", "/api/nothing"),
    ],
)
async def test_what_is_not_there_is_404(http: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path, json={"params": {}})

    assert answer.status_code == 404
    assert len(answer.content) < 500


async def test_patch_changes_params_and_the_client_is_told(http: httpx2.AsyncClient, peer: Peer) -> None:
    answer = await http.patch("/api/sessions/here", json={"params": {"prompt": "ink"}})
    told = await peer.text("params")
    picture = await peer.restyle(1)

    assert answer.status_code == 200
    assert answer.json()["params"] == told["params"]
    assert told["params"]["prompt"] == "ink"
    assert picture.params_version == told["params"]["version"]


async def test_patch_has_a_transition_of_its_own_and_all_see_how_long_it_still_takes(
    http: httpx2.AsyncClient, peer: Peer
) -> None:
    answer = await http.patch("/api/sessions/here", json={"params": {"prompt": "ink"}, "transition_s": 30})
    told = await peer.text("params")
    refused = await http.patch("/api/sessions/here", json={"params": {"prompt": "oil"}, "transition_s": 61})
    session = (await http.get("/api/sessions/here")).json()

    assert 0 < session["gliding_s"] <= answer.json()["gliding_s"] <= told["gliding_s"] <= 30
    assert (refused.status_code, refused.json()["field"]) == (422, "transition_s")
    assert session["params"]["prompt"] == "ink"
    assert session["params"]["transition_s"] == 0


async def test_refused_patch_names_the_field(http: httpx2.AsyncClient, peer: Peer) -> None:
    answer = await http.patch("/api/sessions/here", json={"params": {"strength": 5}})

    assert answer.status_code == 422
    assert answer.json().items() >= {"code": "invalid_params", "field": "strength"}.items()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b"[" * 50_000, 400),
        (b'{"params": {"seed": ' + b"9" * 5000 + b"}}", 400),
        (b'{"params": {"strength": NaN}}', 400),
        (b"{}", 422),
        (b'{"params": []}', 422),
        (b'{"params": {"strength": 1e999}}', 422),
        (b'{"params": {"nonsense": 1}}', 422),
        (b'{"params": {"\\ud800": 1}}', 422),
        (b'{"params": {"prompt": "\\ud800"}}', 422),
        (b'{"params": {"prompt": "' + b"x" * 70_000 + b'"}}', 413),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else None,
)
async def test_bad_body_has_a_defined_answer(http: httpx2.AsyncClient, peer: Peer, body: bytes, status: int) -> None:
    answer = await http.patch("/api/sessions/here", content=body)

    assert answer.status_code == status
    assert answer.json()["detail"]
    assert (await http.get("/api/sessions/here")).json()["params"]["version"] == 1


async def test_body_without_end_is_cut_off(http: httpx2.AsyncClient, peer: Peer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    answer = await http.patch("/api/sessions/here", content=endless())

    assert answer.status_code == 413


async def test_deleted_session_is_gone_and_its_connection_closed_with_1000(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="doomed") as peer, http_client(server.url) as http:
        answer = await http.delete("/api/sessions/doomed")
        code = await peer.closed()
        after = await http.get("/api/sessions/doomed")

    assert (answer.status_code, answer.content, code, after.status_code) == (204, b"", 1000, 404)


# -- pictures ------------------------------------------------------------------------------------------------------


async def test_snapshot_is_the_newest_picture_with_its_recipe(http: httpx2.AsyncClient, peer: Peer) -> None:
    params = await peer.patch(prompt="ink ☂", seed=9, width=96, height=64)
    await peer.restyle(3)

    answer = await http.get("/api/sessions/here/snapshot")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).size == (96, 64)
    assert text_of(answer.content) == {"model": "echo", "params": params, "seq": 3}


async def test_snapshot_before_the_first_picture_is_404(http: httpx2.AsyncClient, peer: Peer) -> None:
    assert (await http.get("/api/sessions/here/snapshot")).status_code == 404


class Mjpeg:
    """Reads the parts of an open stream."""

    def __init__(self, response: httpx2.Response) -> None:
        self.chunks = response.aiter_bytes()
        self._data = b""

    async def part(self) -> tuple[dict[str, str], bytes]:
        """The next part, as soon as its closing boundary is here: a viewer shows no picture before that."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := re.match(rb"--frame\r\n(.*?)\r\n\r\n", self._data, re.DOTALL)) is None or not re.match(
                rb".{%d}\r\n--frame\r\n" % length_of(found[1]), self._data[found.end() :], re.DOTALL
            ):
                self._data += await anext(self.chunks)
        headers = headers_of(found[1])
        length = int(headers["content-length"])
        body = self._data[found.end() : found.end() + length]
        self._data = self._data[found.end() + length + 2 :]
        return headers, body


def headers_of(head: bytes) -> dict[str, str]:
    return {k.lower(): v for k, v in (line.split(": ") for line in head.decode().split("\r\n"))}


def length_of(head: bytes) -> int:
    return int(headers_of(head)["content-length"])


async def test_stream_begins_with_the_newest_picture_and_goes_on_with_every_new_one(
    http: httpx2.AsyncClient, peer: Peer
) -> None:
    first = await peer.restyle(1)
    async with http.stream("GET", "/api/sessions/here/stream.mjpg") as response:
        assert response.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        stream = Mjpeg(response)
        headers, data = await stream.part()
        assert (headers["content-type"], data) == ("image/jpeg", first.data)

        await peer.patch(output_format="png")
        second = await peer.restyle(2)
        headers, data = await stream.part()
        assert (headers["content-type"], data) == ("image/png", second.data)


async def test_stream_ends_with_its_session(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="short") as peer, http_client(server.url) as http:
        await peer.restyle(1)
        async with http.stream("GET", "/api/sessions/short/stream.mjpg") as response:
            stream = Mjpeg(response)
            await stream.part()
            await http.delete("/api/sessions/short")
            async with asyncio.timeout(PATIENCE_S):
                async for _ in stream.chunks:
                    pass


async def test_viewer_that_leaves_is_forgotten_though_no_picture_comes(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="watched") as peer, http_client(server.url) as http:
        await peer.restyle(1)
        session = next(one for one in server.service.sessions if one.name == "watched")
        async with http.stream("GET", "/api/sessions/watched/stream.mjpg") as response:
            await Mjpeg(response).part()
            assert len(session._viewers) == 1
        await until(lambda: not session._viewers)


# -- for machines --------------------------------------------------------------------------------------------------


async def test_server_is_alive_while_loading_and_ready_when_frames_are_welcome() -> None:
    gate = threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        progress("fetch weights", 5)
        assert gate.wait(PATIENCE_S)
        return EchoEngine()

    with running(load=load) as server:
        async with http_client(server.url) as http:
            assert (await http.get("/healthz")).status_code == 200
            loading = await http.get("/readyz")
            schema = await http.get("/api/params/schema")
            config = await http.get("/api/config")
            assert (await http.get("/api/sessions")).json() == {"sessions": []}
            assert b"realtime_ready 0.0" in (await http.get("/metrics")).content
            gate.set()
            async with connected(server.websocket_url):
                ready = await http.get("/readyz")

    assert (loading.status_code, ready.status_code) == (503, 200)
    assert loading.text.startswith("loading: ")
    assert (schema.status_code, config.json()["ready"]) == (200, False)


async def test_server_whose_engine_failed_is_not_ready_and_answers_all_the_same() -> None:
    def load(config: Config, progress: Progress) -> Engine:
        raise ModelError("no such model")

    app = create_app(a_config(), load)  # without the server around it, which would go at once
    host = app.state.service.host
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as c,
    ):
        async with asyncio.timeout(PATIENCE_S):
            while host.state is not State.FAILED:
                await host.changed.wait()
        answers = {path: await c.get(path) for path in ("/healthz", "/readyz", "/api/params/schema", "/api/config")}
        answers["/metrics"] = await c.get("/metrics")

    assert [answer.status_code for answer in answers.values()] == [200, 503, 200, 200, 200]
    assert answers["/readyz"].text.startswith("failed: ")
    config = answers["/api/config"].json()
    assert (config["ready"], config["rung"], config["rung_state"]) == (False, None, None)


async def test_metrics_count_frames_of_all_sessions_together_and_never_fall(server: RunningServer) -> None:
    def number(text: str, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found[1])

    async with http_client(server.url) as http:
        before = (await http.get("/metrics")).text
        async with connected(server.websocket_url, session="secret-name") as peer:
            for seq in range(1, 4):
                await peer.restyle(seq)
            during = (await http.get("/metrics")).text
            await http.delete("/api/sessions/secret-name")
            await peer.closed()
        answer = await http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = answer.text
    for name in ("realtime_frames_received_total", "realtime_frames_delivered_total"):
        assert number(before, name) + 3 == number(during, name) == number(after, name)
    assert number(during, "realtime_sessions") >= 1
    assert number(during, "realtime_ready") == 1
    assert 0 < number(during, "realtime_capacity_fps") <= 120
    assert 'realtime_frames_dropped_total{reason="superseded"}' in during
    assert "realtime_tick_seconds_bucket" in during
    assert "realtime_event_loop_lag_seconds_bucket" in during
    assert "secret-name" not in during


async def test_openapi_tells_every_route_and_the_page_of_it_needs_nothing_from_elsewhere(
    http: httpx2.AsyncClient,
) -> None:
    page = await http.get("/docs")
    paths = (await http.get("/openapi.json")).json()["paths"]

    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?!/openapi\.json)([^\s>"']+)""", page.text) == []
    assert "//" not in page.text.replace("</", "")
    assert {"/api/config", "/api/params/schema", "/api/sessions", "/healthz", "/readyz", "/metrics"} <= set(paths)
    assert set(paths["/api/sessions/{session}"]) == {"get", "patch", "delete"}
    for path in paths:
        assert path in page.text


@pytest.mark.parametrize("path", ["/api/config", "/docs", "/healthz", "/api/nothing", "/", "/assets/nothing.js"])
async def test_security_headers_are_on_every_answer(http: httpx2.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers

    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(http: httpx2.AsyncClient, method: str) -> None:
    assert (await http.request(method, "/api/config")).status_code == 405


# -- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/..%2fapp.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2f..%2fapp.py",
        "/assets/..%252f..%252fapp.py",
        "/assets/..%5c..%5capp.py",
        "/assets/..\\..\\app.py",
        "/assets//etc/passwd",
        "/assets/%2fetc/passwd",
        "/assets/....//....//app.py",
        "/assets/%00",
        "/assets/index.js%00.png",
        "/assets/%ff",
        "/assets/" + "a" * 5000,
        "/assets/" + "../" * 20 + "etc/passwd",
        "/assets/",
        "/static/index.html",
        "/app.py",
        "/..%2fapp.py",
    ],
)
async def test_nothing_outside_the_clients_files_is_served(server: RunningServer, path: str) -> None:
    answer = await raw_get(server, path)

    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 404, 405)
    assert b"import " not in answer
    assert b"root:" not in answer


async def raw_get(server: RunningServer, path: str) -> bytes:
    """Without a client that tidies the path up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/", "/overlay?session=here"])
async def test_page_is_served_or_says_that_it_is_not_built(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code in (200, 503)
    assert ("<html" in answer.text.lower()) if answer.status_code == 200 else ("scripts/build" in answer.text)


async def test_body_of_json_is_json(http: httpx2.AsyncClient, peer: Peer) -> None:
    for path in ("/api/config", "/api/sessions", "/api/params/schema", "/openapi.json"):
        json.loads((await http.get(path)).content, parse_constant=pytest.fail)

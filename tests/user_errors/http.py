"""The HTTP API: access, requests that are none or too large, bodies, and what is not there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from starlette.requests import Request

from realtime.config import Config
from realtime.control import INPUT, Hint, HintKey
from realtime.engine.echo import EchoEngine
from realtime.media import codec
from realtime.media.pipeline import DecodingHere
from realtime.params import OutputFormat, Params
from realtime.prompts import PicturesHeard
from realtime.references import References
from realtime.server import body, output_routes, pages, picture_routes, protocols, routes, still_routes
from realtime.server.access import GRANT, Access
from realtime.server.app import _full
from realtime.server.bringing import PICTURE_MAX_BYTES, bring
from realtime.server.credentials import Credentials
from realtime.server.hint_views import HintViews, _Views
from realtime.server.lobby import Viewers
from realtime.server.protocols import HttpProtocol, Settings
from realtime.server.roles import OPERATOR
from realtime.server.stills import Progress, Stills
from realtime.server.tickets import Tickets, new_key
from realtime.server.turns import Turns
from realtime.session import Session
from tests.fakes.frames import a_job, a_result

from .case import Case
from .texts import a_session


def request(*chunks: bytes, is_endless: bool = False, **headers: str) -> Any:
    """A request whose body comes in these chunks."""

    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if is_endless:
            await asyncio.Event().wait()

    return mock.Mock(
        spec=Request,
        stream=stream,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        scope={GRANT: OPERATOR},
        client=mock.Mock(host="192.0.2.1"),
    )


def access(token: str | None = None, method: str = "GET", **headers: str) -> Callable[[], object]:
    """What a request is told that may not come in."""

    async def run() -> str:
        send = mock.AsyncMock()
        given = [(name.encode(), value.encode()) for name, value in ({"host": "localhost"} | headers).items()]
        scope = {"type": "http", "method": method, "path": "/api/config", "headers": given, "query_string": b""}
        await Access(mock.AsyncMock(), Config(), Credentials(token, Tickets(new_key())))(scope, mock.AsyncMock(), send)
        return send.call_args.args[0]["body"].decode()

    return run


def bytes_of(*data: bytes, is_late: bool = False, most_connections: int = 9) -> Callable[[], object]:
    """What a connection is told that sends these bytes."""

    async def run() -> str:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        settings = Settings(app, most_connections=most_connections, send_timeout_s=1, log_config=None, lifespan="off")
        settings.load()
        state = mock.Mock(connections=set(), tasks=set(), total_requests=0, default_headers=[])
        connection = HttpProtocol(config=settings, server_state=state, app_state={})
        transport = mock.Mock(is_closing=lambda: transport.close.called, get_protocol=lambda: connection)
        transport.get_extra_info.return_value = None
        connection.connection_made(transport)
        for each in data:
            connection.data_received(each)
        if is_late:
            connection._head_timed_out()
        written = b"".join(call.args[0] for call in transport.write.call_args_list)
        for task in state.tasks:
            task.cancel()
        connection.connection_lost(None)
        return written.partition(b"\r\n\r\n")[2].decode()

    return run


def patched(content: bytes) -> Callable[[], object]:
    async def run() -> object:
        answer = await routes.patch_session(a_session(), mock.Mock(), OPERATOR, request(content))
        return answer.body.decode()

    return run


def bringing(content: bytes, **service: Any) -> Callable[[], object]:
    """What is said to somebody who brings a picture for prompts."""

    async def run() -> object:
        state = mock.Mock(turns=Turns(), config=Config(), decoders=DecodingHere(), **service)
        return await picture_routes.put_picture(state, request(content))

    return run


async def with_many_in_line() -> None:
    turns = Turns()
    async with contextlib.AsyncExitStack() as line, asyncio.timeout(0.01):  # whose first turn never ends
        await asyncio.gather(*(line.enter_async_context(turns.turn("ann")) for _ in range(5)))


async def with_much_read() -> None:
    turns = Turns(lambda: 0.0)
    turns._work.spend("ann", 10.0)
    async with turns.turn("ann"):
        pass


def a_png() -> bytes:
    return codec.encode(np.zeros((8, 8, 3), np.uint8), OutputFormat.PNG, 100)[1]


async def with_many_hints() -> object:
    session, views = a_session(), HintViews(clock=lambda: 0.0)
    session.newest = a_result(a_job())
    views._views[session] = spent = _Views(lambda: 0.0)
    spent.work.spend(1.5)
    return await views.of(session, HintKey(Hint.CANNY, INPUT), None)


def without_pages() -> str:
    app = mock.Mock()
    with mock.patch.object(pages, "STATIC", Path("nowhere")):
        pages.add_to(app)
        return app.add_api_route.call_args.args[1]().body.decode()


async def waiting_body() -> object:
    now = asyncio.timeout(0)
    with mock.patch.object(asyncio, "timeout", lambda seconds: now):
        return await body.read_body(request(is_endless=True), 10)


async def full() -> str:
    try:
        Viewers(0).check()
    except Exception as error:
        return bytes((await _full(mock.Mock(), error)).body).decode()
    raise AssertionError


GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"

ACCESS = [
    Case(
        "this server does not go by the name 'evil.example'; allow it with --allowed-host",
        "'evil.example'",
        access(host="evil.example"),
    ),
    Case(
        "the origin 'https://evil.example' may not connect; allow it with --allowed-origin https://evil.example",
        "https://evil.example",
        access(method="POST", origin="https://evil.example"),
    ),
    Case("a token is needed: open the address that the server printed", "token", access(token="secret")),
]

REQUESTS = [
    Case(
        "this is no request of HTTP/1.1, or one whose head is wrong: is it https:// where http:// was meant?",
        "HTTP",
        bytes_of(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ),
    Case("too many connections are open: close some, or try again later", "connections", bytes_of(most_connections=0)),
    Case("a request's head must be here within 10 s", "head", bytes_of(GET, is_late=True)),
    Case("a request's head may have 65536 bytes: shorten it", "65536 bytes", bytes_of(GET + b"x: " + b"y" * 70_000)),
    Case("a request may have 100 headers: send fewer", "headers", bytes_of(GET + b"x: y\r\n" * 101 + b"\r\n")),
    Case("8 requests of a connection may wait: read the answers first", "8 requests", bytes_of((GET + b"\r\n") * 12)),
    Case(
        "a body may come in 1000 pieces: send larger ones",
        "pieces",
        bytes_of(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1001),
    ),
    Case(
        "a connection may send 100 requests a second: send fewer",
        "100 requests",
        lambda: bytes(protocols.TOO_MANY.body).decode(),
    ),
]

BODIES = [
    Case("the body may have 65536 bytes: shorten it", "65536 bytes", patched(b"x" * 70_000)),
    Case("the body must be here within 10 s", "10 s", waiting_body),
    Case('this is no JSON object: write {"name": value}', "JSON", patched(b"hello")),
    Case(
        "a JSON text may have 256 values: send fewer",
        "256",
        patched(json.dumps({"params": {"prompt": [0] * 300}}).encode()),
    ),
    Case('the body must be {"params": {…}}', '"params"', patched(b'{"strength": 2}')),
    Case("strength: must be at most 1, not 2", "strength", patched(b'{"params": {"strength": 2}}')),
]

MISSING = [
    Case(
        "there is no session 'door': /api/sessions lists all",
        "'door'",
        lambda: routes.session_of("door", mock.Mock(session=lambda name: None)),
    ),
    Case(
        "session 'door' has no output '2': /api/outputs lists all",
        "'2'",
        lambda: output_routes.output_of("door", "2", mock.Mock(outputs=[])),
    ),
    Case(
        "this session has no picture yet: try again once it has",
        "picture",
        lambda: routes.get_snapshot(a_session(), mock.Mock(), OPERATOR),
    ),
    Case("0 of 0 viewers watch already; try again later", "viewers", full),
    Case(
        "The web client is not built: run scripts/build in a checkout, or install a released wheel.",
        "web client",
        without_pages,
    ),
]

PICTURES = [
    Case("the model is not loaded yet: try again", "not loaded", bringing(b"", running=None)),
    Case(
        "tiny hears words, and no pictures: take another --model, or --reference with it",
        "tiny",
        bringing(b"", running=mock.Mock(info=mock.Mock(model="tiny", pictures_heard=PicturesHeard()))),
    ),
    Case(
        "a picture for prompts may have 2097152 bytes: make it smaller",
        "2097152",
        lambda: bring(mock.Mock(), b"\0" * (PICTURE_MAX_BYTES + 1), "show", "192.0.2.1"),
    ),
    Case("this is no picture that this server reads: send a JPEG, PNG or WebP", "JPEG", bringing(b"hello")),
    Case("you have looked at many hints: look at others in 10 s", "hints", with_many_hints),
    Case("4 pictures of yours are not read yet: wait for them", "wait", with_many_in_line),
    Case("you have brought many pictures: bring the next in 80 s", "80 s", with_much_read),
    Case(
        "there is no picture 'mona': bring it to /api/pictures again",
        "'mona'",
        lambda: picture_routes.get_picture("mona", mock.Mock(references=References())),
    ),
]


def still(scale: int = 4, *, made: int = 0, is_own: bool = False, **service: Any) -> Callable[[], object]:
    """What is said to somebody who wants a large still."""

    async def run() -> object:
        session = mock.Mock(params=Params(width=1024, height=1024))
        stills = Stills(mock.Mock(**service))
        others = [session] if is_own else [mock.Mock() for _ in range(made)]
        stills._progress = dict.fromkeys(others, Progress(0, 1))
        return await stills.make(session, b"", scale)

    return run


async def still_of_nothing() -> object:
    state = mock.Mock(config=Config())
    return await still_routes.post_still(mock.Mock(), state, mock.Mock(), request(b"hello"), 4)


async def still_without_an_engine() -> object:
    service = mock.Mock(running=mock.Mock(max_output_pixels=2**22, info=EchoEngine().info))
    with mock.patch("realtime.server.stills.PATIENCE_S", 0.001):
        return await Stills(service).make(Session("s", Params(), 2**22), a_png(), 2)


async def still_of_a_server_that_ends() -> object:
    ended = asyncio.Event()
    ended.set()
    watched = mock.Mock(is_disconnected=mock.AsyncMock(return_value=False))
    with mock.patch.object(still_routes, "LOOK_EVERY_S", 0.001):
        return await still_routes._while_wanted(watched, ended, asyncio.sleep(60, b""))


STILLS = [
    Case("the server is going away: try again later", "server", still_of_a_server_that_ends),
    Case("scale is 2 to 8, and not 1", "1", still(1)),
    Case(
        "5120 x 5120 is more than the 16777216 pixels of a still: take a smaller scale, or size",
        "5120 x 5120",
        still(5),
    ),
    Case("a still of this session is being made: wait for it", "session", still(is_own=True)),
    Case("4 stills are being made or wait for it: try again later", "4 stills", still(made=4)),
    Case("the model is not loaded yet: try again", "model", still(running=None)),
    Case("this is no picture that this server reads: send a JPEG, PNG or WebP", "JPEG", still_of_nothing),
    Case("the engine made no part of it in 0.001 s: try again later", "engine", still_without_an_engine),
]

CASES = [*ACCESS, *REQUESTS, *BODIES, *MISSING, *PICTURES, *STILLS]

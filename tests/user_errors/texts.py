"""What a client sends on a WebSocket or the control channel: params, commands, headers; and why it is closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from realtime import protocol
from realtime.config import Config
from realtime.control import Hint, HintKey
from realtime.media.hints import Hints
from realtime.params import Params
from realtime.prompts import Layers, PicturesHeard
from realtime.protocol import TEXT_MAX_BYTES, parse_picture, parse_text
from realtime.references import References
from realtime.server import connection, viewers
from realtime.server.access import Access
from realtime.server.connection import Connection, end_with_server
from realtime.server.credentials import Credentials
from realtime.server.engine_state import State
from realtime.server.inbound import VideoConnection
from realtime.server.lobby import Lobby, Viewers, check_name
from realtime.server.protocols import WebSocketProtocol
from realtime.server.roles import OPERATOR
from realtime.server.tickets import Tickets, new_key
from realtime.server.webrtc import control
from realtime.server.websocket import _WebSocketConnection
from realtime.session import Session
from tests.fakes.frames import a_message

from .case import Case


def nothing(*_: object) -> None:
    pass


ALL = PicturesHeard(layers=(Layers.ALL,))


def a_session(max_output_pixels: int = 2**22, **options: Any) -> Session:
    return Session("s", Params(), max_output_pixels, nothing, **options)


def patch(**fields: Any) -> Callable[[], object]:
    return lambda: Params().patched(fields, Params())


def seated(kind: type[Connection], *arguments: Any) -> Any:
    """A connection that has a session."""
    here = kind(*arguments, mock.Mock(config=Config()))
    here.session = a_session()
    here.channel = here.session.attach(nothing)
    return here


def text(**fields: Any) -> Callable[[], object]:
    """The answer to a text message."""

    async def run() -> str:
        here = seated(VideoConnection)
        await here.take_text(json.dumps(fields))
        return here.channel.take_texts()[0]

    return run


def pictures(*messages: bytes) -> Callable[[], object]:
    """The answer to binary messages."""

    async def run() -> str:
        here = seated(_WebSocketConnection, mock.Mock())
        for message in messages:
            here._on_picture(protocol.parse_picture(message, here._previous_seq), 0)
        return here.channel.take_texts()[0]

    return run


def closed(raise_it: Callable[[], object]) -> Callable[[], object]:
    """The reason that a client is told where this ends its connection."""

    async def run() -> str:
        say = mock.AsyncMock()
        with mock.patch.object(connection.log, "exception"):
            async with connection.ending(say):
                if (result := raise_it()) is not None:
                    await result  # type: ignore[misc]
        return str(say.call_args.args[0])

    return run


def of_the_server(state: State) -> Callable[[], object]:
    host = mock.Mock(state=state, ended=mock.Mock(wait=mock.AsyncMock()))
    return closed(lambda: end_with_server(mock.Mock(host=host)))


async def taken_over() -> object:
    session = a_session()
    channel = session.attach(nothing)
    session.attach(nothing)
    return await connection._until_lost(channel)


async def full(seats: int, name: str = "second") -> object:
    """A second session, where the engine is slow."""
    lobby = Lobby(
        max_sessions=seats,
        max_waiting=0,
        resume_s=0,
        defaults=Params(),
        max_output_pixels=2**22,
        rate_with=lambda newcomers: 0.4,
        min_fps=2,
    )
    await lobby.enter("first", nothing)
    return lobby.check_room(name, may_wait=False)


def viewer(session: Session | None) -> Callable[[], object]:
    """The end of a viewer of a session that is missing, or has ended."""

    async def run() -> object:
        if session is not None:
            session.end()
        service = mock.Mock(session=lambda name: session, viewers=Viewers(1))
        return await viewers._show(mock.AsyncMock(), service, "door", OPERATOR)

    return run


async def without_a_token() -> str:
    send = mock.AsyncMock()
    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"localhost")], "query_string": b""}
    await Access(mock.AsyncMock(), Config(), Credentials("token", Tickets(new_key())))(scope, mock.AsyncMock(), send)
    return send.call_args.args[0]["reason"]


async def on_the_wire(**of_protocol: Any) -> str:
    """The reason with which uvicorn's protocol fails a connection."""
    here: Any = WebSocketProtocol.__new__(WebSocketProtocol)
    here._fail, here.conn = mock.Mock(), mock.Mock(events=[1])
    vars(here).update(of_protocol)
    if "frames" in of_protocol:
        here.send_receive_event_to_app()
    else:
        here.handle_events()
    return here._fail.call_args.args[1]


async def on_control(*messages: str | bytes) -> object:
    channel = control.ControlChannel()
    for message in messages:
        channel._on_message(message)
    return await channel.receive()


PARAMS = [
    Case("strength: must be at most 1, not 2", "strength", patch(strength=2)),
    Case("strength: must be a number, not '0.5'", "strength", patch(strength="0.5")),
    Case("strength: must be a finite number, not inf", "strength", patch(strength=float("inf"))),
    Case("seed: must be at least 0, not -1", "seed", patch(seed=-1)),
    Case("seed: must be at most 4294967295, not a number of more than 64 bits", "seed", patch(seed=10**400)),
    Case("width: must be a multiple of 8, not 100", "width", patch(width=100)),
    Case(
        "num_inference_steps: must be a whole number, not true", "num_inference_steps", patch(num_inference_steps=True)
    ),
    Case("skip_unchanged: must be true or false, not 1", "skip_unchanged", patch(skip_unchanged=1)),
    Case("output_format: must be 'jpeg', 'webp' or 'png', not 'gif'", "output_format", patch(output_format="gif")),
    Case("negative_prompt: must be a text, not a list", "negative_prompt", patch(negative_prompt=["a"])),
    Case("prompt: must be a text, not 5", "prompt", patch(prompt=5)),
    Case(
        "prompt: must have at most 2000 characters, not 2001: shorten it, or blend several",
        "prompt",
        patch(prompt="x" * 2001),
    ),
    Case(
        "prompt: must be a text of whole characters, not half of one ('\\ud83c')",
        "prompt",
        patch(prompt="a \ud83c b"),
    ),
    Case(
        "prompt: 'text' of entry 2 must be a text of whole characters, not half of one ('\\udf00')",
        "entry 2",
        patch(prompt=[{"text": "a"}, {"text": "\udf00"}]),
    ),
    Case("prompt: must have at least 1 entry, not 0", "prompt", patch(prompt=[])),
    Case("prompt: must have at most 8 entries, not 9", "prompt", patch(prompt=[{"text": "a"}] * 9)),
    Case(
        "prompt: the texts of a blend have 4000 characters at most, these 4500: shorten them",
        "prompt",
        patch(prompt=[{"text": "x" * 1500}] * 3),
    ),
    Case("prompt: entry 1 must be an object, not 'a'", "entry 1", patch(prompt=["a"])),
    Case(
        "prompt: 'weight' of entry 2 must be at most 10, not 11",
        "entry 2",
        patch(prompt=[{"text": "a"}, {"text": "b", "weight": 11}]),
    ),
    Case("prompt: a part of a blend needs a text, or a picture", "prompt", patch(prompt=[{"weight": 1}])),
    Case(
        "prompt: a part of a blend is a text or a picture: make two parts of it",
        "prompt",
        patch(prompt=[{"text": "a", "picture": "0" * 32}]),
    ),
    Case(
        "prompt: a picture goes by the id that PUT /api/pictures answered, not by 'mona.jpg'",
        "'mona.jpg'",
        patch(prompt=[{"picture": "mona.jpg"}]),
    ),
    Case(
        "prompt: this model hears words, and no pictures: leave the picture out",
        "prompt",
        lambda: a_session().update({"prompt": [{"picture": "0" * 32}]}),
    ),
    Case(
        "prompt: there is no picture 00000000000000000000000000000000: send it to /api/pictures again",
        "0000",
        lambda: a_session(references=References()).update({"prompt": [{"picture": "0" * 32}]}),
    ),
    Case(
        "control: this server has no nets loaded: start it with --control NAME, as canny",
        "--control",
        lambda: a_session().update({"control": [{"net": "canny"}]}),
    ),
    Case(
        "control: there is no net 'cany': canny, depth are loaded",
        "'cany'",
        lambda: a_session(nets=("canny", "depth")).update({"control": [{"net": "cany"}]}),
    ),
    Case(
        "control: there is no picture 00000000000000000000000000000000: send it to /api/pictures again",
        "0000",
        lambda: a_session(references=References(), nets=("canny",)).update(
            {"control": [{"net": "canny", "source": "0" * 32}]}
        ),
    ),
    Case(
        "these params can't be used: there is no picture mona: send it to /api/pictures again",
        "mona",
        lambda: Hints().of([HintKey(Hint.CANNY, "mona")], np.zeros((8, 8, 3), np.uint8), {}),
    ),
    Case(
        "prompt: this model hears words, and no pictures: leave the picture out, or name it in `references`",
        "references",
        lambda: a_session(references=References(), pictures_heard=ALL).update({"prompt": [{"picture": "0" * 32}]}),
    ),
    Case(
        "references: this model has no IP-Adapter to hear them: leave them out",
        "references",
        lambda: a_session(references=References()).update({"references": [{"picture": "0" * 32}]}),
    ),
    Case(
        "references: this model can't tell style from the rest: take all",
        "style",
        lambda: a_session(references=References(), pictures_heard=ALL).update(
            {"references": [{"picture": "0" * 32, "layers": "style"}]}
        ),
    ),
    Case(
        "references: there is no picture 00000000000000000000000000000000: send it to /api/pictures again",
        "0000",
        lambda: a_session(references=References(), pictures_heard=ALL).update({"references": [{"picture": "0" * 32}]}),
    ),
    Case("prompt: 'wight' of entry 1 is unknown", "'wight'", patch(prompt=[{"text": "a", "wight": 1}])),
    Case("there is no field 'strenght': /api/params/schema lists all", "'strenght'", patch(strenght=0.5)),
    Case(
        "width: 1024 x 512 is more than the 262144 pixels that this server makes: take a smaller size",
        "width",
        lambda: a_session(512 * 512).update({"width": 1024}),
    ),
]

TEXTS = [
    Case("strength: must be at most 1, not 2", "strength", text(type="params", params={"strength": 2})),
    Case("a `params` message must have an object `params`", "`params`", text(type="params")),
    Case("a `command` message must have a string `command`", "`command`", text(type="command")),
    Case("a `video` message must have a boolean `as_is`", "`video`", text(type="video")),
    Case("a message must have a string `type`", "`type`", text()),
    Case(
        "there is no command 'freze'; there are freeze, unfreeze, reset, on_air, bypass, black, pad, tempo, seed",
        "'freze'",
        text(type="command", command="freze"),
    ),
    Case("seq must rise with every frame; 3 came after 5", "seq", pictures(a_message(5), a_message(3))),
    Case(
        "the picture has 16777216 x 16777216 pixels; this server takes 4194304 in all: send a smaller one",
        "pixels",
        pictures(a_message(5, b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\xff" * 6, kind=3)),
    ),
]

CLOSES = [
    Case('this is no JSON object: write {"name": value}', "JSON", closed(lambda: parse_text("hello"))),
    Case('this is no JSON object: write {"name": value}', "JSON", closed(lambda: parse_text("[]"))),
    Case(
        "a text message may have 65536 bytes: shorten it",
        "65536",
        closed(lambda: parse_text("x" * (TEXT_MAX_BYTES + 1))),
    ),
    Case(
        "a JSON text may have 256 values: send fewer",
        "256",
        closed(lambda: parse_text(json.dumps({"type": "params", "params": {"prompt": [0] * 300}}))),
    ),
    Case(
        "a binary message of 5 bytes is no picture: send a JPEG, PNG or WebP, or 24 bytes of header before it",
        "5 bytes",
        closed(lambda: parse_picture(b"hello", None)),
    ),
    Case(
        "this server speaks version 1 of the protocol, not 9: update the client",
        "not 9",
        closed(lambda: parse_picture(a_message(1, b"x", version=9), None)),
    ),
    Case(
        "there is no picture format 7; use 1 (JPEG), 2 (PNG) or 3 (WebP)",
        "format 7",
        closed(lambda: parse_picture(a_message(1, b"x", kind=7), None)),
    ),
    Case(
        "'my session' is no session's name: give 1 to 64 letters, digits, - and _",
        "'my session'",
        closed(lambda: check_name("my session")),
    ),
    Case("1 of 1 sessions are taken; try again later", "sessions", closed(lambda: full(1))),
    Case(
        "this machine is busy: with one session more each would get 0.4 pictures a second, and 2 are "
        "the least; try again later",
        "pictures a second",
        closed(lambda: full(2)),
    ),
    Case("0 of 0 viewers watch already; try again later", "viewers", closed(lambda: Viewers(0).check())),
    Case("there is no session 'door' yet: try again later", "'door'", closed(viewer(None))),
    Case("the session has ended", "session", closed(viewer(a_session()))),
    Case("the session was ended or taken over by a newer connection", "session", closed(taken_over)),
    Case("the engine failed: the server's log says why", "engine", of_the_server(State.FAILED)),
    Case("the server is going away: connect again later", "server", of_the_server(State.STOPPED)),
    Case("the server failed: its log says why", "server", closed(lambda: asyncio.sleep(0, 1 / 0))),
    Case("a token is needed: open the address that the server printed", "token", without_a_token),
    Case(
        "a connection may send 1000 WebSocket frames a second: send fewer",
        "WebSocket frames",
        lambda: on_the_wire(handshake_complete=True, _frames=mock.Mock(spend=lambda _: 1.0)),
    ),
    Case(
        "a text message must be UTF-8", "text message", lambda: on_the_wire(curr_msg_data_type="text", frames=[b"\xff"])
    ),
    Case(
        "the control channel carries text messages only: send video as video",
        "control channel",
        closed(lambda: on_control(b"binary")),
    ),
    Case(
        "texts come faster than they can be read: send fewer",
        "texts",
        closed(lambda: on_control(*["{}"] * (control.WAITING_MAX + 1))),
    ),
]

CASES = [*PARAMS, *TEXTS, *CLOSES]

"""Pads, commands and OSC: what is said to those who play a session."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

from realtime.config import Config
from realtime.pads import PADS_MAX, Pad
from realtime.server import command_routes
from realtime.server.osc.addresses import act
from realtime.server.osc.endpoint import OscEndpoint, bound_socket
from realtime.server.osc.wire import OscError, OscValue, pack_message, parse_packet
from realtime.session import Session

from .case import Case
from .command_line import option
from .http import request
from .texts import a_session

PAD = {"name": "night", "look": {"prompt": "ink"}}


def pads(body: Any) -> Callable[[], object]:
    async def run() -> object:
        answer = await command_routes.put_pads(a_session(), request(json.dumps(body).encode()))
        return answer.body.decode()

    return run


def commanded(**body: Any) -> Callable[[], object]:
    async def run() -> object:
        session = a_session()
        session.pads.replace((Pad.of(PAD),), session.params)
        answer = await command_routes.post_command(
            session, mock.Mock(), mock.Mock(), request(json.dumps(body).encode())
        )
        return answer.body.decode()

    return run


def told(packet: bytes, *sessions: Session) -> Callable[[], str]:
    """What a sender of OSC is told."""

    def run() -> str:
        service: Any = SimpleNamespace(sessions=sessions, session={}.get)
        endpoint, transport = OscEndpoint(service, None), mock.Mock(spec=asyncio.DatagramTransport)
        endpoint.connection_made(transport)
        endpoint.datagram_received(packet, ("127.0.0.1", 9))
        return str(parse_packet(transport.sendto.call_args.args[0])[0].values[0])

    return run


def read(packet: bytes) -> Callable[[], str]:
    """Why a packet is not read."""

    def run() -> str:
        try:
            return str(parse_packet(packet))
        except OscError as error:
            return str(error)

    return run


def played(path: str, *values: OscValue) -> Callable[[], object]:
    return lambda: act(a_session(), path, values)


def taken_port() -> object:
    with (
        mock.patch.object(socket.socket, "bind", side_effect=OSError(98, "Address already in use")),
    ):
        return bound_socket(Config(osc=9000))


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(len(each).to_bytes(4, "big") + each for each in elements)


BEAT = pack_message("/realtime/beat")

OPTIONS = [
    Case(
        "osc_to: 'desk:9000' is no address and port: write them as 192.0.2.7:9001",
        "'desk:9000'",
        option(osc=9000, osc_to="desk:9000"),
    ),
    Case("osc_host: 'desk' is no IP address: write one as 0.0.0.0 or 192.0.2.1", "'desk'", option(osc_host="desk")),
    Case("--osc-to needs --osc PORT, on which OSC is heard", "--osc PORT", option(osc_to="192.0.2.7:9001")),
    Case(
        "osc: UDP port 9000 of 127.0.0.1 can't be listened on: Address already in use: take another with --osc",
        "9000",
        taken_port,
    ),
]

PADS = [
    Case('the body must be {"pads": […]}', '"pads"', pads({})),
    Case(f"a session may have {PADS_MAX} pads, not 101: send fewer", "101", pads({"pads": [PAD] * 101})),
    Case(
        'a pad must have a name and a look: {"name": "night", "look": {"prompt": …}}',
        "look",
        pads({"pads": [{"name": "night"}]}),
    ),
    Case(
        "a pad's picture must be a JPEG in base64 of 16384 characters",
        "picture",
        pads({"pads": [PAD | {"picture": "hello"}]}),
    ),
    Case(
        "there is no pad 'noon': give a number from 1 to 1, or a name", "'noon'", commanded(command="pad", pad="noon")
    ),
    Case("bpm must be a number from 30 to 300", "bpm", commanded(command="tempo", bpm="fast")),
    Case("at must be a number from 0, the first deck, to 1, the second", "at", commanded(command="crossfade", at="b")),
    Case(
        "transition_s must be a number from 0 to 60",
        "transition_s",
        commanded(command="crossfade", at=1, transition_s=61),
    ),
    Case('the body must be {"command": …}', '"command"', commanded(pad=1)),
    Case("the body must be the text of the code", "text", lambda: command_routes.post_code(request(b""))),
]

OSC = [
    Case("there is no OSC address 'fly': docs/osc.md lists all", "'fly'", played("fly")),
    Case(
        "send a value, and seconds behind it where the change is to take some",
        "seconds",
        played("strength"),
    ),
    Case("send numbers or texts", "numbers", played("strength", b"x")),
    Case("a blend is texts, each with its weight behind it", "weight", played("blend", "ink")),
    Case("addresses begin with /realtime/", "/realtime/", told(pack_message("/other"))),
    Case("no session is connected: open the studio", "session", told(BEAT)),
    Case("this packet is not read: an address begins with /", "address", told(b"hello\0\0\0")),
]

PACKETS = [
    Case("a packet may have 8192 bytes", "8192", read(bytes(9000))),
    Case("a packet may have 64 messages", "64", read(bundle(*[BEAT] * 65))),
    Case("bundles may lie 4 deep", "4", read(bundle(bundle(bundle(bundle(bundle(BEAT))))))),
    Case("a bundle without a time", "time", read(b"#bundle\0")),
    Case("an element without a size", "size", read(bundle() + b"\0")),
    Case("an element of a wrong size", "size", read(bundle() + b"\0\0\0\x09")),
    Case("an address begins with /", "/", read(b"hello\0\0\0")),
    Case("types begin with a comma", "comma", read(b"/a\0\0f\0\0\0")),
    Case("a message may have 32 values", "32", read(pack_message("/a", (1,) * 33))),
    Case("something is behind the values", "values", read(b"/a\0\0,\0\0\0more")),
    Case("values of the type 'x' are not read", "'x'", read(b"/a\0\0,x\0\0")),
    Case("a number is cut off", "number", read(b"/a\0\0,f\0\0")),
    Case("a blob is cut off", "blob", read(b"/a\0\0,b\0\0")),
    Case("a text does not end", "text", read(b"/a")),
    Case("a text is no UTF-8", "UTF-8", read(b"/\xff\0\0")),
]

CASES = [*OPTIONS, *PADS, *OSC, *PACKETS]

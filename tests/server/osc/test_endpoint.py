"""OSC on a real socket: played, told, limited, and not harmed by anything that comes."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from realtime.config import Config
from realtime.errors import ConfigError
from realtime.params import Params
from realtime.server.osc.endpoint import (
    ERRORS_PER_SECOND,
    LISTENS_S,
    MESSAGES_PER_SECOND,
    OscEndpoint,
    bound_socket,
)
from realtime.server.osc.wire import OscMessage, pack_message, parse_packet
from realtime.session import Session
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.fuzz.inputs import mutate
from tests.server.peer import connected

FADER = ("192.0.2.7", 9001)


class Desk:
    """An endpoint without a socket, its session, its clock, and what it sent."""

    def __init__(self, to: tuple[str, int] | None = None) -> None:
        self.now_s = 100.0
        self.sent: list[tuple[OscMessage, tuple[str, int]]] = []
        self.session = Session("show", Params(), 2**22)
        self.session.attach(lambda: None)
        service: Any = SimpleNamespace(sessions=[self.session], session={"show": self.session}.get)
        self.endpoint = OscEndpoint(service, to, lambda: self.now_s)
        transport = mock.Mock(spec=asyncio.DatagramTransport)
        transport.sendto.side_effect = lambda data, addr: self.sent.append((parse_packet(data)[0], addr))
        self.endpoint.connection_made(transport)

    def send(self, path: str, *values: Any, sender: tuple[str, int] = FADER) -> None:
        self.endpoint.datagram_received(pack_message(f"/realtime/{path}", values), sender)

    def tell(self) -> dict[str, tuple[Any, ...]]:
        self.sent.clear()
        for _ in range(3):  # not all of it is told at once
            self.endpoint.tell()
        return {message.address.removeprefix("/realtime/"): message.values for message, _ in self.sent}


def test_message_is_carried_out_and_its_sender_told_all_the_rest() -> None:
    desk = Desk()

    desk.send("strength", 0.75)
    first = desk.tell()
    desk.session.update({"strength": 0.25})

    assert first["strength"] == (0.75,)
    assert (first["panic"], first["freeze"], first["pad"]) == ((0,), (0,), (0,))
    assert {addr for _, addr in desk.sent} == {FADER}
    assert desk.tell() == {"strength": (0.25,)}
    assert desk.tell() == {}


def test_fader_is_not_told_what_it_says_itself_but_what_became_of_it() -> None:
    desk = Desk()
    desk.send("sync")
    desk.tell()

    desk.send("strength", 0.5)
    desk.send("strength", 0.6)
    desk.send("panic", 1)

    assert desk.tell() == {}
    desk.send("reset")
    assert desk.tell() == {"strength": (Params().strength,), "panic": (0,)}


def test_all_is_told_again_to_whoever_asks_or_comes_new() -> None:
    desk = Desk()
    desk.send("sync")
    everything = desk.tell()

    desk.send("sync")
    again = desk.tell()
    desk.send("sync", sender=("192.0.2.9", 7))
    other = desk.tell()

    assert everything == again == other
    assert {addr for _, addr in desk.sent} == {("192.0.2.9", 7)}


def test_who_sends_nothing_for_a_minute_is_told_nothing() -> None:
    desk = Desk()
    desk.send("sync")
    desk.now_s += LISTENS_S + 1

    assert desk.tell() == {}


def test_one_that_is_named_is_told_all_along_and_the_sender_nothing() -> None:
    desk = Desk(to=("192.0.2.99", 9000))

    desk.tell()
    desk.send("fly")
    desk.session.update({"strength": 0.25})
    desk.endpoint.tell()

    assert desk.sent
    assert {addr for _, addr in desk.sent} == {("192.0.2.99", 9000)}


def test_session_may_be_named_and_is_else_the_one_that_is_connected_longest() -> None:
    desk = Desk()
    newer, away = Session("newer", Params(), 2**22), Session("away", Params(), 2**22)
    newer.attach(lambda: None)
    away.begun_ns = 0
    sessions = [newer, away, desk.session]
    desk.endpoint._service = SimpleNamespace(  # type: ignore[assignment]
        sessions=sessions, session={each.name: each for each in sessions}.get
    )

    desk.send("strength", 0.1)
    desk.send("session/newer/strength", 0.2)
    desk.send("session/away/strength", 0.3)

    assert [each.params.strength for each in (desk.session, newer, away)] == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("path", "says"),
    [("fly", "docs/osc.md"), ("strength", "send a value"), ("session/nobody/strength", "no session")],
)
def test_sender_is_told_why_a_message_is_refused(path: str, says: str) -> None:
    desk = Desk()

    desk.send(path)

    assert says in str(desk.sent[-1][0].values[0])
    assert desk.sent[-1][0].address == "/realtime/error"
    assert desk.endpoint.refused == 1


def test_sender_of_much_nonsense_is_told_so_seldom() -> None:
    desk = Desk()

    for _ in range(100):
        desk.endpoint.datagram_received(b"nonsense", FADER)

    assert len(desk.sent) == ERRORS_PER_SECOND


def test_sender_of_too_many_messages_is_limited_and_another_is_not() -> None:
    desk = Desk()

    for number in range(MESSAGES_PER_SECOND + 50):
        desk.send("seed", number)
    desk.send("strength", 0.9, sender=("192.0.2.9", 7))
    flooded = (desk.endpoint.read, desk.endpoint.dropped, desk.session.params.strength)
    desk.now_s += 1.0
    desk.send("seed", 7)

    assert flooded == (MESSAGES_PER_SECOND + 1, 50, pytest.approx(0.9))
    assert desk.session.params.seed == 7, "it is heard again at once"


def test_bundle_counts_as_its_messages() -> None:
    desk = Desk()
    element = pack_message("/realtime/strength", (0.5,))
    bundle = b"#bundle\0" + bytes(8) + (len(element).to_bytes(4, "big") + element) * 60

    for _ in range(10):
        desk.endpoint.datagram_received(bundle, FADER)

    assert desk.endpoint.read == MESSAGES_PER_SECOND


# -- a real socket ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with free_port() as port:
        pass
    with running(a_config(osc=port, max_sessions=4)) as one:
        yield one


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        yield made.getsockname()[1]


@asynccontextmanager
async def a_desk(server: RunningServer) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        made.connect(("127.0.0.1", server.service.config.osc))
        yield made


async def heard(desk: socket.socket, address: str) -> OscMessage:
    """The next message of an address."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = parse_packet(await asyncio.get_running_loop().sock_recv(desk, 9000))[0]
            if message.address == address:
                return message


async def test_session_is_played_and_tells_what_changes(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="here") as peer, a_desk(server) as desk:
        session = server.service.session("here")
        assert session is not None
        desk.send(pack_message("/realtime/panic", (1,)))
        while not any(text["type"] == "state" and text["air"] == "black" for text in peer.texts):
            await peer.receive()
        await heard(desk, "/realtime/strength")
        await peer.websocket.send('{"type": "params", "params": {"strength": 0.25}}')

        assert (await heard(desk, "/realtime/strength")).values == (0.25,)
        assert (await heard(desk, "/realtime/fps")).values[0] >= 0  # type: ignore[operator]


async def test_ten_thousand_hostile_packets_harm_nothing(server: RunningServer) -> None:
    source = random.Random(4)
    seeds = [
        pack_message("/realtime/strength", (0.5, 2.0)),
        pack_message("/realtime/prompt", ("ink " * 40,)),
        pack_message("/realtime/pad/3", (1,)),
        pack_message("/realtime/blend", ("ink", 1.0, "oil", 2.0)),
        pack_message("/realtime/session/here/seed", (2**31 - 1, None)),
        b"#bundle\0" + bytes(8) + b"\0\0\0\x20" + pack_message("/realtime/strength", (0.5,)),
        b"#bundle\0" * 300,
        bytes(8192),
        b"/" * 8000,
    ]
    async with connected(server.websocket_url, session="here") as peer, a_desk(server) as desk:
        session = server.service.session("here")
        assert session is not None
        loop = asyncio.get_running_loop()
        for number in range(10_000):
            packet = mutate(source.choice(seeds), source) if source.random() < 0.9 else source.randbytes(64)
            await loop.sock_sendall(desk, packet[:60_000])
            if number % 200 == 0:
                await peer.websocket.ping()
        # The server goes on as before: its client is heard, and so is OSC when the flood is over.
        await peer.websocket.send('{"type": "params", "params": {"strength": 0.125}}')
        await until(lambda: session.params.strength == 0.125)
        await until_heard(desk, session)
        Params.model_validate(dict(session.params))


async def until_heard(desk: socket.socket, session: Session) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while session.params.seed != 4242:
            desk.send(pack_message("/realtime/session/here/seed", (4242,)))
            await asyncio.sleep(0.05)


async def test_a_library_of_others_plays_and_is_told(server: RunningServer) -> None:
    """python-osc: encodes, and decodes what comes back."""
    udp_client = pytest.importorskip("pythonosc.udp_client")
    osc_message = pytest.importorskip("pythonosc.osc_message")
    async with connected(server.websocket_url, session="here"), a_desk(server) as desk:
        session = server.service.session("here")
        assert session is not None
        client = udp_client.SimpleUDPClient("127.0.0.1", server.service.config.osc)
        client.send_message("/realtime/prompt", ["van gogh", 3.0])
        client.send_message("/realtime/freeze", True)
        client._sock.close()
        await until(lambda: session.params.prompt == "van gogh" and session.frozen)
        desk.send(pack_message("/realtime/sync"))
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = osc_message.OscMessage(await asyncio.get_running_loop().sock_recv(desk, 9000))
                if told.address == "/realtime/prompt":
                    break

        assert told.params == ["van gogh"]


def test_port_that_is_taken_is_named_before_the_server_starts() -> None:
    with free_port() as port, pytest.raises(ConfigError, match=f"UDP port {port}"):
        bound_socket(Config(osc=port))


def test_nothing_listens_unless_it_is_asked_for() -> None:
    with running(a_config()) as server, free_port() as port:
        assert server.service.config.osc is None
        assert port

"""All peers on one UDP port: each gets its own packets, and nobody those of others."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import aioice.ice
import pytest
from aioice import stun

from realtime.errors import ConfigError
from realtime.server.webrtc.udp_ports import PROVED_MAX, OnePort
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import until
from tests.server.webrtc.conftest import LOOPBACK
from tests.server.webrtc.rtc_peer import Camera, dialled_rtc, watching

HERE, ELSEWHERE = ("192.0.2.1", 5000), ("192.0.2.2", 5000)


@pytest.fixture
async def one_port(unused_udp_port: int) -> AsyncIterator[OnePort]:
    port = OnePort(unused_udp_port)
    yield port
    port.close()


class Peer:
    """An ICE connection of ours with an endpoint on a shared port, and what is passed on to it."""

    def __init__(self, protocol: Any) -> None:
        self.protocol, self.connection = protocol, protocol.receiver
        self.heard: list[bytes] = []
        protocol.datagram_received = lambda data, address: self.heard.append(data)

    def check(self, password: str | None = None) -> bytes:
        """A check of ICE as the other side sends it."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self.connection.local_username}:them"
        message.add_message_integrity((password or self.connection.local_password).encode())
        return bytes(message)


async def admitted(port: OnePort) -> Peer:
    connection = aioice.ice.Connection(ice_controlling=False)
    _, protocol = await port.endpoint(lambda: aioice.ice.StunProtocol(connection), "127.0.0.1")
    return Peer(protocol)


def arrive(port: OnePort, data: bytes, address: tuple[str, int] = HERE) -> None:
    port._sockets["127.0.0.1"].datagram_received(data, address)


async def test_media_goes_to_whom_a_check_has_proved_the_address_for(one_port: OnePort) -> None:
    ann, bob = await admitted(one_port), await admitted(one_port)

    arrive(one_port, b"\x80 before any check")
    arrive(one_port, ann.check())
    arrive(one_port, bob.check(), ELSEWHERE)
    arrive(one_port, b"\x80 hers")
    arrive(one_port, b"\x16 his", ELSEWHERE)

    assert (ann.heard[1:], bob.heard[1:]) == ([b"\x80 hers"], [b"\x16 his"])


async def test_nobody_takes_an_address_over_or_claims_one_without_the_password(one_port: OnePort) -> None:
    ann, bob = await admitted(one_port), await admitted(one_port)

    arrive(one_port, ann.check("a" * 22))
    arrive(one_port, b"\x80 nobody's yet")
    arrive(one_port, ann.check())
    arrive(one_port, bob.check())  # by whoever writes her address into his packets
    arrive(one_port, b"\x80 hers")

    assert ann.heard[1:] == [b"\x80 hers"]
    assert len(bob.heard) == 1, "his check is answered"


async def test_a_peer_proves_so_many_addresses_and_no_more(one_port: OnePort) -> None:
    ann = await admitted(one_port)

    for number in range(2 * PROVED_MAX):
        arrive(one_port, ann.check(), ("192.0.2.3", 5000 + number))
    arrive(one_port, b"\x80 heard", ("192.0.2.3", 5000))
    arrive(one_port, b"\x80 not heard", ("192.0.2.3", 5000 + PROVED_MAX))

    assert ann.heard[2 * PROVED_MAX :] == [b"\x80 heard"]


async def test_an_answer_belongs_to_who_asked_and_proves_the_address_too(one_port: OnePort) -> None:
    ann, _ = await admitted(one_port), await admitted(one_port)
    asked = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    ann.protocol.transactions[asked.transaction_id] = object()
    answer = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, asked.transaction_id))

    arrive(one_port, answer)
    arrive(one_port, bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)), ELSEWHERE)
    arrive(one_port, b"\x80 hers")
    arrive(one_port, b"\x80 nobody's", ELSEWHERE)

    assert ann.heard == [answer, b"\x80 hers"]


async def test_who_has_gone_leaves_name_and_address_and_the_socket_to_others(one_port: OnePort) -> None:
    ann, bob = await admitted(one_port), await admitted(one_port)
    arrive(one_port, ann.check())

    await ann.protocol.close()
    arrive(one_port, ann.check())
    arrive(one_port, bob.check())
    arrive(one_port, b"\x80 now his")

    assert (len(ann.heard), bob.heard[1:]) == (1, [b"\x80 now his"])
    assert not bob.protocol.transport.is_closing()


async def test_no_packet_raises(one_port: OnePort) -> None:
    ann = await admitted(one_port)
    chance, good = random.Random(1), ann.check()

    for _ in range(3000):
        data = bytearray(good if chance.random() < 0.7 else chance.randbytes(chance.randrange(64)))
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        arrive(one_port, bytes(data[: chance.randrange(len(data) + 1)]), (f"192.0.2.{chance.randrange(4)}", 5000))

    arrive(one_port, good)
    assert ann.heard[-1] == good


async def test_port_of_another_program_is_said_when_the_server_starts(unused_udp_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", unused_udp_port))
        with pytest.raises(ConfigError, match=f"UDP port {unused_udp_port} at 127.0.0.1: another program has it"):
            OnePort(unused_udp_port).check(["192.0.2.77", "127.0.0.1"])


async def test_peers_and_a_viewer_share_a_port_and_each_sees_its_own(unused_udp_port: int) -> None:
    with running(a_config(ice_addresses=LOOPBACK, udp_ports=str(unused_udp_port))) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            async with (
                dialled_rtc(server.url, "bright", Camera(level=200)) as bright,
                dialled_rtc(server.url, "dark", Camera(level=60)) as dark,
                watching(server.url, "dark") as viewer,
            ):
                for _ in range(200):
                    stranger.sendto(random.randbytes(40), ("127.0.0.1", unused_udp_port))
                pictures = await asyncio.gather(
                    bright.picture(lambda picture: picture.mean() > 180),
                    dark.picture(lambda picture: picture.mean() < 90),
                    viewer.picture(lambda picture: picture.mean() < 90),
                )
                answers = [peer.response for peer in (bright, dark, viewer)]
        await until(lambda: server.app.state.peers.count == 0)

        async with dialled_rtc(server.url, "another") as another:
            await another.picture()

    assert len(pictures) == 3
    assert all(f" {unused_udp_port} typ host" in answer.text for answer in answers if answer is not None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", unused_udp_port))

"""Every place where something private of aiortc or aioice is touched, each with the measured reason.

Written against aiortc 1.16 and aioice 0.13. `tests/server/webrtc/test_seams.py` fails where one of them has moved;
pyproject.toml keeps to the versions that were looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import aioice.ice
import aioice.stun
from aiortc import RTCDtlsTransport, RTCRtpReceiver, RTCRtpSender
from aiortc.codecs.base import Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame

JITTER_PACKETS = 512
"""As aiortc's own since 1.16: 128 packets dropped large key frames."""


class MarkerJitterBuffer(JitterBuffer):
    """Gives a video frame out with its own last packet.

    aiortc holds every frame until the first packet of the *next* one has come, as it compares timestamps and ignores
    the RTP marker bit that video senders set on a frame's last packet (RFC 6184 section 5.1, RFC 7741 section 4.1):
    one frame interval of delay, one way 44 ms against 11 at 30 fps and 76 against 10 at 15 (measured, loopback). Where
    the marker is lost, or never set, the timestamp still decides.
    """

    def __init__(self) -> None:
        super().__init__(capacity=JITTER_PACKETS, is_video=True)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        self._pass_over_padding()
        origin = self._origin
        assert origin is not None
        first = self._packets[origin % self._capacity]
        if first is None:
            return None
        parts: list[bytes] = []
        for count in range(self._capacity):
            packet = self._packets[(origin + count) % self._capacity]
            if packet is None or packet.timestamp != first.timestamp:
                break
            parts.append(cast(Any, packet)._data)
            if packet.marker:
                self.remove(count + 1)
                return JitterFrame(b"".join(parts), first.timestamp)
        return super()._remove_frame(sequence_number)

    def _pass_over_padding(self) -> None:
        """Leave out packets without a payload, with which browsers find out what the network takes.

        They follow a frame and bear its timestamp. As a frame of their own they would be an empty packet to the
        decoder, which is how one tells it that nothing more will come: it takes nothing ever after.
        """
        for _ in range(self._capacity):
            assert self._origin is not None
            packet = self._packets[self._origin % self._capacity]
            if packet is None or cast(Any, packet)._data:
                return
            self.remove(1)


def release_on_marker(receiver: RTCRtpReceiver) -> None:
    """Give a video receiver a `MarkerJitterBuffer`; before its first packet."""
    use_jitter_buffer(receiver, MarkerJitterBuffer())


def use_jitter_buffer(receiver: RTCRtpReceiver, jitter_buffer: JitterBuffer) -> None:
    """Let a receiver put its packets together by this object; before its first packet."""
    cast(Any, receiver)._RTCRtpReceiver__jitter_buffer = jitter_buffer


def pack_with(sender: RTCRtpSender, encoder: Encoder) -> None:
    """Let a sender packetize by this object, and tell it the peer's estimate of the bandwidth.

    A sender makes an encoder of its own for what its track gives, and asks only `pack` of it where that is encoded
    already. It is also where an estimate (REMB) goes to: set `target_bitrate`.
    """
    cast(Any, sender)._RTCRtpSender__encoder = encoder


def on_key_frame_request(sender: RTCRtpSender, callback: Callable[[], None]) -> None:
    """Be told of the peer's requests for a key frame (PLI, FIR): aiortc keeps them to the encoder that we don't use."""
    cast(Any, sender)._send_keyframe = callback


def say_hello_twice(transport: RTCDtlsTransport) -> None:
    """As the DTLS client, send the first message twice; before the connection is begun.

    FFmpeg, which offers to be the DTLS server, takes the first one as a sign to make ready and throws it away; OpenSSL
    sends it again after a second: 1040 ms to connect against 60 (measured). Datagrams may come twice: a server that
    has heard the first takes the second for a copy.
    """
    ice: Any = transport.transport
    send = ice._send

    async def send_twice(data: bytes) -> None:
        ice._send = send
        await send(data)
        await send(data)

    ice._send = send_twice


CONSENT_EVERY_S = 1.5
CONSENT_FAILURES = 4


def notice_dead_peers() -> None:
    """Have a peer that answers no more taken for gone within 10 s; as shipped it takes 30. For the whole process.

    ICE asks every few seconds whether it may go on sending (RFC 7675); each question waits 0.5 s for its answer.
    """
    aioice.ice.CONSENT_INTERVAL = CONSENT_EVERY_S
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES


def take_traffic_for_consent(transport: RTCDtlsTransport) -> None:
    """Have a peer taken for gone only where it neither sends nor answers; before the connection is begun.

    FFmpeg answers no ICE checks from when it begins to send: it was cut after 8 s, and by aiortc as shipped after 30
    (measured). For peers to whom no video goes: consent is about what is sent to them, and that must have it.
    """
    connection: Any = cast(Any, transport.transport)._connection
    receive, heard_s = connection.data_received, time.monotonic()

    def data_received(data: bytes, component: int) -> None:
        nonlocal heard_s
        heard_s = time.monotonic()
        receive(data, component)

    async def query_consent() -> None:
        nonlocal heard_s
        while time.monotonic() - heard_s < CONSENT_FAILURES * CONSENT_EVERY_S:
            await asyncio.sleep(CONSENT_EVERY_S)
            if time.monotonic() - heard_s >= CONSENT_EVERY_S and await _consents(connection):
                heard_s = time.monotonic()
        connection._query_consent_task = None  # or closing would wait for it
        await connection.close()

    connection.data_received, connection.query_consent = data_received, query_consent


async def _consents(connection: Any) -> bool:
    """Ask once, as aioice's own loop does."""
    key = connection.remote_password.encode()
    try:
        for pair in connection._nominated.values():
            request = connection.build_request(pair, nominate=False)
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
    except aioice.stun.TransactionError:
        return False
    return True


_all_host_addresses = aioice.ice.get_host_addresses


def offer_addresses(addresses: Sequence[str]) -> None:
    """Have ICE listen on these addresses of this machine and no others; on none given, all but loopback, as ever.

    aioice asks one function of its own for them, which leaves out 127.0.0.1: without a network nothing could connect.
    For the whole process.
    """

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in addresses if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = chosen if addresses else _all_host_addresses

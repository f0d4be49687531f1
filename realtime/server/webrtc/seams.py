"""Every use of a private part of aiortc or aioice, each with the measured reason.

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
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from .udp_ports import UdpPorts

JITTER_PACKETS = 512
"""Capacity, the same as aiortc's since 1.16: 128 packets dropped large key frames."""


class MarkerJitterBuffer(JitterBuffer):
    """Releases a video frame with its own last packet.

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
        """Leave out packets without a payload, by which browsers probe the bandwidth.

        They follow a frame and have its timestamp. As a frame of their own they would be an empty packet, which flushes
        the decoder: it takes nothing ever after.
        """
        for _ in range(self._capacity):
            assert self._origin is not None
            packet = self._packets[self._origin % self._capacity]
            if packet is None or cast(Any, packet)._data:
                return
            self.remove(1)


def release_on_marker(receiver: RTCRtpReceiver) -> None:
    """Give a video receiver a `MarkerJitterBuffer`. Call it before the first packet."""
    use_jitter_buffer(receiver, MarkerJitterBuffer())


def use_jitter_buffer(receiver: RTCRtpReceiver, jitter_buffer: JitterBuffer) -> None:
    """Replace a receiver's jitter buffer. Call it before the first packet."""
    cast(Any, receiver)._RTCRtpReceiver__jitter_buffer = jitter_buffer


class _DecoderQueue:
    """Stands in for the queue between an aiortc receiver and its decoder thread."""

    def __init__(self, take: Callable[[str, bytes, int], None]) -> None:
        self._take = take

    def put(self, task: tuple[RTCRtpCodecParameters, JitterFrame] | None) -> None:
        """Pass a frame on. None, which ends the thread, has no thread to end."""
        if task is not None:
            codec, frame = task
            self._take(codec.name, frame.data, frame.timestamp)

    def get(self) -> None:
        """Nothing: the thread ends as soon as it is started."""


def take_encoded(receiver: RTCRtpReceiver, take: Callable[[str, bytes, int], None]) -> Callable[[], None]:
    """Take a receiver's frames before they are decoded. Call it before the connection starts.

    aiortc decodes in a thread that it joins on the event loop, out of a queue and into a queue without bound: 35 frames
    of 28 KB stopped the server for 33 s (measured), and a stream that is slower to decode than to send filled the
    memory. That thread now ends at once, and joining it takes no time.

    Args:
        take: called on the event loop with the codec's name, the frame, and its timestamp in units of the codec's
            clock.

    Returns:
        Asks the sender for a key frame (PLI), with the next packet that comes.
    """
    private = cast(Any, receiver)
    private._RTCRtpReceiver__decoder_queue = _DecoderQueue(take)
    return cast("Callable[[], None]", private._RTCRtpReceiver__decoder_error.set)


def pack_with(sender: RTCRtpSender, encoder: Encoder) -> None:
    """Replace a sender's encoder by this object.

    aiortc makes one for each sender. Where the track gives packets it only calls `pack`, and sets `target_bitrate` to
    the peer's bandwidth estimate (REMB).
    """
    cast(Any, sender)._RTCRtpSender__encoder = encoder


def on_key_frame_request(sender: RTCRtpSender, callback: Callable[[], None]) -> None:
    """Call back at the peer's requests for a key frame (PLI, FIR), which aiortc hands to the encoder only."""
    cast(Any, sender)._send_keyframe = callback


def say_hello_twice(transport: RTCDtlsTransport) -> None:
    """Send the first DTLS message, a ClientHello, twice. Call it before the connection starts.

    FFmpeg, as DTLS server, discards the first one, and OpenSSL sends it again only after a second: 1040 ms to connect
    instead of 60 (measured). To a server that has read the first the second is a duplicate, as datagrams may have.
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
    """Let ICE take a silent peer for gone within 10 s instead of 30. For the whole process.

    ICE asks for consent to send every few seconds (RFC 7675), and waits 0.5 s for each answer.
    """
    aioice.ice.CONSENT_INTERVAL = CONSENT_EVERY_S
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES


def take_traffic_for_consent(transport: RTCDtlsTransport) -> None:
    """Let ICE take a peer for gone only if it neither sends nor answers. Call it before the connection starts.

    FFmpeg answers no ICE checks while it sends: it was cut after 8 s, and by aiortc as shipped after 30 (measured).
    Only for peers to whom no media is sent, since sending needs consent.
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
    """Ask for consent once, as aioice's own loop does."""
    key = connection.remote_password.encode()
    try:
        for pair in connection._nominated.values():
            request = connection.build_request(pair, nominate=False)
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
    except aioice.stun.TransactionError:
        return False
    return True


class _LoopOfIce:
    """The running event loop, but that UDP sockets on any port are those of `UdpPorts`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ports: UdpPorts) -> None:
        self._loop = loop
        self._ports = ports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_datagram_endpoint(
        self, factory: Callable[[], Any], local_addr: tuple[str, int] | None = None, **more: Any
    ) -> Any:
        """See asyncio. Raises OSError where there is no port."""
        if local_addr is None or local_addr[1] != 0:
            return await self._loop.create_datagram_endpoint(factory, local_addr=local_addr, **more)
        return await self._ports.endpoint(factory, local_addr[0])


class _Asyncio:
    """asyncio as `aioice.ice` sees it, with `_LoopOfIce` for one of its loops."""

    def __init__(self, loop: _LoopOfIce, running: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running = running

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def get_running_loop(self) -> Any:
        running = asyncio.get_running_loop()
        return self._loop if running is self._running else running


def use_ports(ports: UdpPorts | None) -> None:
    """Let ICE take its sockets from here, on the running loop; None: any port, as shipped.

    aioice has no such option: it asks the loop for a socket on port 0, one for each peer and address.
    """
    running = asyncio.get_running_loop()
    module = cast(Any, aioice.ice)
    module.asyncio = _Asyncio(_LoopOfIce(running, ports), running) if ports is not None else asyncio


_all_host_addresses = aioice.ice.get_host_addresses


def offer_addresses(addresses: Sequence[str]) -> None:
    """Let ICE use these addresses of this machine only; where none are given, all but loopback, as shipped.

    Without a network nothing could connect otherwise, as aioice leaves 127.0.0.1 out. For the whole process.
    """

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in addresses if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = chosen if addresses else _all_host_addresses

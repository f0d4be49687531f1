"""Limits on what a peer may send, where aiortc and aioice have none: datagrams, RTP, RTCP, and the data channels' SCTP.

Like seams.py it touches what is private in them, and `tests/server/webrtc/test_guards.py` fails where that has moved.
Must not know sessions. Event loop only: everything here runs for each packet, and costs microseconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rate import RateCounter
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import RTP_HISTORY_SIZE, RtcpRtpfbPacket, RtpPacket, is_rtcp

from .candidates import TAKEN_MAX
from .decoder import Share

log = logging.getLogger(__name__)

DATAGRAM_MAX_BYTES = 1500
"""Senders keep to 1200 to 1450. aioice takes 256 KB, and aiortc trips over an empty one, whoever sent it."""
DATAGRAMS_PER_S = 6000
"""Of one peer, and as many at once: 55 Mbit/s of video. Further ones are dropped: each costs the event loop 0.1 ms."""
LOOP_SHARE = 0.4
"""Of the event loop's time, for one peer: 20 Mbit/s of video take 0.3. Packets that are made to be dear are fewer."""
QUEUED_MAX = 1024
"""Datagrams that wait for their peer's connection to be ready: nobody reads them before."""
SOURCES_MAX = 32
"""SSRCs of one peer; a browser has up to 6. Each has state in libsrtp and aiortc until the peer ends."""
REMOTES_MAX = TAKEN_MAX + 8
"""Addresses of one peer, with those that it sends ICE checks from; each is checked in turn."""
RESENT_PER_S = 500
"""RTP packets that a peer may have sent again: one NACK of 1400 bytes asked for 6,000."""
STREAMS_MAX = 16
"""SCTP streams, which are data channels, of one peer; we use one."""
CHUNKS_MAX = 256
"""SCTP chunks that wait for others: a text of 64 KiB has 60. Each of them makes every further one slower."""


class Allowance:
    """So many a second, and as many at once.

    Args:
        now_s: monotonic clock.
    """

    def __init__(self, per_s: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._left = float(per_s)
        self._now_s = now_s
        self._at_s = now_s()

    def take(self) -> bool:
        """Whether one more may be; it is counted."""
        now_s = self._now_s()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def guard(connection: RTCPeerConnection) -> None:
    """Put all limits on a peer connection. Call it when its sockets are open, before its answer is sent."""
    for transceiver in connection.getTransceivers():
        _limit_receiver(transceiver.receiver)
        _limit_sender(transceiver.sender)
    transport: Any = connection.getTransceivers()[0].receiver.transport
    sources: set[bytes] = set()
    share = Share(LOOP_SHARE, time.monotonic(), saves_s=0.1)  # nobody waits for longer
    _limit_datagrams(transport.transport._connection, sources, share)
    _limit_sources(transport, sources, share)
    if connection.sctp is not None:
        _limit_sctp(connection.sctp, share)


# -- datagrams -----------------------------------------------------------------------------------------------------


def _limit_datagrams(ice: Any, sources: set[bytes], share: Share) -> None:
    """Drop datagrams that are too many, that no peer sends, or that come from elsewhere than the peer.

    aioice takes them from any address: whoever knew the port could fill the memory before a peer had connected.
    """
    allowance = Allowance(DATAGRAMS_PER_S)
    learn = ice.check_incoming

    def check_incoming(message: Any, address: tuple[str, int], protocol: Any) -> None:
        if len(ice._remote_candidates) < REMOTES_MAX or _is_known(ice, address):
            learn(message, address, protocol)

    ice.check_incoming = check_incoming
    for protocol in ice._protocols:
        _filter(protocol, ice, allowance, sources, share)


def _filter(protocol: Any, ice: Any, allowance: Allowance, sources: set[bytes], share: Share) -> None:
    receive = protocol.datagram_received

    def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
        if not 0 < len(data) <= DATAGRAM_MAX_BYTES or not allowance.take():
            return
        if data[0] > 3:  # no STUN, which is how addresses become known (RFC 7983)
            if ice._queue.qsize() >= QUEUED_MAX or not _is_known(ice, address) or share.is_spent(time.monotonic()):
                return
            if 127 < data[0] < 192 and len(sources) >= SOURCES_MAX and _source(data) not in sources:
                return
        receive(data, address)

    protocol.datagram_received = datagram_received


def _is_known(ice: Any, address: tuple[Any, ...]) -> bool:
    return any(
        known.port == address[1] and known._network_host == address[0] for known in tuple(ice._remote_candidates)
    )


def _source(data: bytes) -> bytes:
    return data[4:8] if is_rtcp(data) else data[8:12]


def _limit_sources(transport: Any, sources: set[bytes], share: Share) -> None:
    """Remember the SSRCs of what was authentic, and drop what a parser trips over instead of ending the connection."""

    def patient(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def handle_data(data: bytes, **more: Any) -> None:
            sources.add(_source(data))
            await _charged(handle(data, **more), share)

        return handle_data

    transport._handle_rtp_data = patient(transport._handle_rtp_data)
    transport._handle_rtcp_data = patient(transport._handle_rtcp_data)


async def _charged(handling: Awaitable[None], share: Share) -> None:
    """Handle a packet, charge what that takes, and drop the packet if it can't be read."""
    begun_s = time.thread_time()
    try:
        await handling
    except ConnectionError:
        raise
    except Exception:  # whatever a parser raises, which knows only the packet
        log.debug("a packet can't be read", exc_info=True)
    finally:
        share.spend(time.monotonic(), time.thread_time() - begun_s)


# -- media ---------------------------------------------------------------------------------------------------------


class BoundedNacks(NackGenerator):
    """Asks for the newest lost packets only.

    aiortc lists all that a jump of the sequence number has left out, up to 32,767, before it forgets all but 128, for
    each packet of a peer that always jumps.
    """

    def add(self, packet: RtpPacket) -> bool:
        """Note a packet; whether any before it were lost."""
        if self.max_seq is not None:
            ahead = (packet.sequence_number - self.max_seq) % 2**16
            if RTP_HISTORY_SIZE < ahead < 2**15:
                self.missing.clear()
                self.max_seq = (packet.sequence_number - RTP_HISTORY_SIZE - 1) % 2**16
        return super().add(packet)


class BoundedRateCounter(RateCounter):
    """Starts anew after a pause, which aiortc steps through by milliseconds: 1 s for one of an hour."""

    def _erase_old(self, now_ms: int) -> None:
        if self._origin_ms is not None and now_ms - self._origin_ms >= 2 * self._window_size:
            self.reset()
            self._origin_ms = now_ms
        super()._erase_old(now_ms)


def _limit_receiver(receiver: RTCRtpReceiver) -> None:
    private = cast(Any, receiver)
    if private._RTCRtpReceiver__nack_generator is not None:
        private._RTCRtpReceiver__nack_generator = BoundedNacks()
        private._RTCRtpReceiver__remote_bitrate_estimator.incoming_bitrate = BoundedRateCounter(1000, 8000)


def _limit_sender(sender: RTCRtpSender) -> None:
    private, allowance = cast(Any, sender), Allowance(RESENT_PER_S)
    handle, resend = private._handle_rtcp_packet, private._retransmit

    async def handle_rtcp_packet(packet: Any) -> None:
        if isinstance(packet, RtcpRtpfbPacket):
            packet.lost = packet.lost[:RTP_HISTORY_SIZE]  # more are not kept
        await handle(packet)

    async def retransmit(sequence_number: int) -> None:
        if allowance.take():
            await resend(sequence_number)

    private._handle_rtcp_packet, private._retransmit = handle_rtcp_packet, retransmit


# -- data channels -------------------------------------------------------------------------------------------------


def _limit_sctp(sctp: RTCSctpTransport, share: Share) -> None:
    private = cast(Any, sctp)
    handle = private._handle_data
    data, sack, forward = private._receive_data_chunk, private._receive_sack_chunk, private._receive_forward_tsn_chunk

    async def handle_data(packet: bytes) -> None:
        if sctp.state != "closed":
            await _charged(handle(packet), share)

    async def receive_data_chunk(chunk: Any) -> None:
        is_next = chunk.tsn == (private._last_received_tsn + 1) % 2**32
        if len(private._sack_misordered) >= CHUNKS_MAX and not is_next:
            return  # it will be sent again
        streams = private._inbound_streams
        if chunk.stream_id not in streams and len(streams) >= STREAMS_MAX:
            private._sack_needed = True
            private._mark_received(chunk.tsn)  # and thrown away
            return
        await data(chunk)
        waiting = sum(len(stream.reassembly) for stream in streams.values())
        if waiting > CHUNKS_MAX or private._advertised_rwnd < 0:
            log.info("a peer sends fragments without an end")
            await private._abort()
            private._set_state(private.State.CLOSED)

    async def receive_sack_chunk(chunk: Any) -> None:
        # aiortc counts through the gaps one by one: 300 gaps of 65,535 in one packet are 20 million.
        sent = (private._local_tsn - chunk.cumulative_tsn) % 2**32
        if sum(max(0, last - first) + 1 for first, last in chunk.gaps) <= min(sent, 2**16):
            await sack(chunk)

    async def receive_forward_tsn_chunk(chunk: Any) -> None:
        chunk.streams = [(stream, number) for stream, number in chunk.streams if stream in private._inbound_streams]
        await forward(chunk)

    private._handle_data = handle_data
    private._receive_data_chunk = receive_data_chunk
    private._receive_sack_chunk = receive_sack_chunk
    private._receive_forward_tsn_chunk = receive_forward_tsn_chunk

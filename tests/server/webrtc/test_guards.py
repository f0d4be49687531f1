"""Limits on what a peer sends, each against what it is there for; and that what they touch is still there."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcdtlstransport, rtcsctptransport
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtcsctptransport import DataChunk, ForwardTsnChunk, SackChunk
from aiortc.rtp import RTP_HISTORY_SIZE, RtcpRtpfbPacket, RtpPacket

from realtime.protocol import TEXT_MAX_BYTES
from realtime.server.webrtc import guards
from realtime.server.webrtc.decoder import Share
from realtime.server.webrtc.guards import (
    CHUNKS_MAX,
    DATAGRAM_MAX_BYTES,
    DATAGRAMS_PER_S,
    QUEUED_MAX,
    REMOTES_MAX,
    RESENT_PER_S,
    SOURCES_MAX,
    STREAMS_MAX,
    Allowance,
    BoundedNacks,
    BoundedRateCounter,
)
from realtime.server.webrtc.sdp import answer_for_peer
from tests.fakes.servers import RunningServer
from tests.fakes.waiting import until
from tests.server.webrtc.rtc_peer import Camera, dialled_rtc, rtc_peer

ADDRESS = ("192.0.2.1", 5000)


@pytest.fixture
async def guarded() -> AsyncGenerator[RTCPeerConnection]:
    """An answering connection with a socket, media and a data channel."""
    offering, answering = RTCPeerConnection(RTCConfiguration([])), RTCPeerConnection(RTCConfiguration([]))
    offering.addTransceiver("video")
    offering.createDataChannel("control")
    await offering.setLocalDescription(await offering.createOffer())
    # Its candidates are left out, so that nothing comes but what a test sends.
    offer = "\r\n".join(line for line in offering.localDescription.sdp.splitlines() if "candidate" not in line)
    await offering.close()
    await answering.setRemoteDescription(RTCSessionDescription(offer + "\r\n", "offer"))
    await answering.setLocalDescription(await answering.createAnswer())
    guards.guard(answering)
    yield answering
    await answering.close()


def transport_of(connection: RTCPeerConnection) -> Any:
    return connection.getTransceivers()[0].receiver.transport


def ice_of(connection: RTCPeerConnection) -> Any:
    return transport_of(connection).transport._connection


def learn(ice: Any, address: tuple[str, int]) -> None:
    """As by an authentic ICE check."""
    message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    message.attributes["PRIORITY"] = 1
    ice.check_incoming(message, address, ice._protocols[0])


# -- datagrams -----------------------------------------------------------------------------------------------------


def test_allowance_is_so_many_at_once_and_a_second() -> None:
    now_s = 0.0
    allowance = Allowance(10, lambda: now_s)

    at_once = [allowance.take() for _ in range(12)]
    now_s = 0.5
    later = [allowance.take() for _ in range(7)]
    now_s = 60.0
    much_later = [allowance.take() for _ in range(12)]

    assert (sum(at_once), sum(later), sum(much_later)) == (10, 5, 10)


@pytest.mark.parametrize("data", [b"", bytes([20]) * (DATAGRAM_MAX_BYTES + 1)])
async def test_datagram_that_no_peer_sends_is_dropped(guarded: RTCPeerConnection, data: bytes) -> None:
    ice = ice_of(guarded)
    learn(ice, ADDRESS)

    ice._protocols[0].datagram_received(data, ADDRESS)
    ice._protocols[0].datagram_received(b"\x16 DTLS", ADDRESS)

    assert ice._queue.qsize() == 1


async def test_datagrams_from_elsewhere_than_the_peer_are_dropped(guarded: RTCPeerConnection) -> None:
    ice = ice_of(guarded)
    learn(ice, ADDRESS)

    for address in (("192.0.2.2", 5000), ("192.0.2.1", 5001), ADDRESS):
        ice._protocols[0].datagram_received(b"\x16 DTLS", address)

    assert ice._queue.qsize() == 1


async def test_datagrams_that_nobody_reads_do_not_pile_up(guarded: RTCPeerConnection) -> None:
    ice = ice_of(guarded)
    learn(ice, ADDRESS)

    for _ in range(QUEUED_MAX + 100):
        ice._protocols[0].datagram_received(b"\x16 DTLS", ADDRESS)

    assert ice._queue.qsize() == QUEUED_MAX


async def test_datagrams_of_one_peer_are_limited(guarded: RTCPeerConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "QUEUED_MAX", 10**6)
    ice = ice_of(guarded)
    learn(ice, ADDRESS)

    for _ in range(3 * DATAGRAMS_PER_S):
        ice._protocols[0].datagram_received(b"\x16 DTLS", ADDRESS)

    assert DATAGRAMS_PER_S <= ice._queue.qsize() < 3 * DATAGRAMS_PER_S


async def test_peer_whose_packets_are_dear_is_heard_less(
    guarded: RTCPeerConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ice, transport = ice_of(guarded), transport_of(guarded)
    learn(ice, ADDRESS)
    ice._protocols[0].datagram_received(b"\x16 DTLS", ADDRESS)
    now_s = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(guards.time, "thread_time", lambda: next(now_s))

    await transport._handle_rtp_data(RtpPacket(payload_type=97).serialize(), arrival_time_ms=0)
    ice._protocols[0].datagram_received(b"\x16 DTLS", ADDRESS)

    assert ice._queue.qsize() == 1


async def test_addresses_of_one_peer_are_limited(guarded: RTCPeerConnection) -> None:
    ice = ice_of(guarded)

    for port in range(1024, 1024 + 2 * REMOTES_MAX):
        learn(ice, ("127.0.0.1", port))
    learn(ice, ("127.0.0.1", 1024))  # a known one is heard as ever

    assert len(ice.remote_candidates) == REMOTES_MAX


async def test_sources_of_one_peer_are_limited_and_those_that_are_known_are_heard(guarded: RTCPeerConnection) -> None:
    ice, transport = ice_of(guarded), transport_of(guarded)
    learn(ice, ADDRESS)
    packets = [RtpPacket(payload_type=97, ssrc=ssrc).serialize() for ssrc in range(SOURCES_MAX + 8)]

    for packet in packets[:SOURCES_MAX]:
        await transport._handle_rtp_data(packet, arrival_time_ms=0)
    for packet in packets:
        ice._protocols[0].datagram_received(packet, ADDRESS)

    assert ice._queue.qsize() == SOURCES_MAX


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(bytes.fromhex("90610001000000000000000abede000130010000"), id="RTP, a send time of two bytes"),
        pytest.param(bytes.fromhex("8fce000500000001000000005245 4d42ff000000".replace(" ", "")), id="REMB, cut off"),
        pytest.param(b"\x80\xc8", id="RTCP, cut off"),
    ],
)
async def test_packet_that_a_parser_trips_over_is_dropped(guarded: RTCPeerConnection, packet: bytes) -> None:
    transport = transport_of(guarded)
    transport._rtp_header_extensions_map._HeaderExtensionsMap__ids.abs_send_time = 3

    await (
        transport._handle_rtcp_data(packet)
        if rtcdtlstransport.is_rtcp(packet)
        else transport._handle_rtp_data(packet, arrival_time_ms=0)
    )


async def test_loss_of_the_connection_is_no_packet_to_drop(guarded: RTCPeerConnection) -> None:
    async def lost() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await guards._charged(lost(), Share(1.0, 0.0))


@pytest.mark.slow
async def test_empty_datagram_ends_nobodys_connection(server: RunningServer) -> None:
    async with dialled_rtc(server.url) as peer:
        (protocol,) = ice_of(peer.connection)._protocols
        pair = next(iter(ice_of(peer.connection)._nominated.values()))
        for data in (b"", bytes([200]) * 1600, b"\x16", b"\x80", b"\x80\xc8"):
            protocol.transport.sendto(data, pair.remote_addr)
        confirmed = await peer.patch(prompt="still here")

    assert confirmed["prompt"] == "still here"


# -- media ---------------------------------------------------------------------------------------------------------


def lost_after(nacks: NackGenerator, *numbers: int) -> set[int]:
    for number in numbers:
        nacks.add(RtpPacket(sequence_number=number % 2**16))
    return nacks.missing


@pytest.mark.parametrize("numbers", [(1, 2, 5), (65534, 65535, 2), (1, 2 + RTP_HISTORY_SIZE), (10, 8, 12), (1, 40000)])
def test_few_lost_packets_are_asked_for_as_by_aiortc(numbers: tuple[int, ...]) -> None:
    assert lost_after(BoundedNacks(), *numbers) == lost_after(NackGenerator(), *numbers)


@pytest.mark.parametrize("numbers", [(0, 30000), (0, 1000), (65000, 300), (0, 32000, 64000, 30000)])
def test_of_many_lost_packets_the_newest_are_asked_for(numbers: tuple[int, ...]) -> None:
    newest = {(numbers[-1] - back) % 2**16 for back in range(1, RTP_HISTORY_SIZE)}

    missing = lost_after(BoundedNacks(), *numbers)

    assert newest <= missing
    assert len(missing) <= RTP_HISTORY_SIZE


def test_rate_after_a_pause_is_that_of_what_came_since() -> None:
    counter = BoundedRateCounter(1000, 8000)
    for now_ms in range(0, 1000, 10):
        counter.add(100, now_ms)
    before = counter.rate(1000)

    counter.add(100, 10**12)  # a pause of years: stepping through it would not end
    for now_ms in range(10, 1000, 10):
        counter.add(100, 10**12 + now_ms)

    assert before == pytest.approx(80_000, rel=0.05)
    assert counter.rate(10**12 + 999) == pytest.approx(80_000, rel=0.05)


async def test_packets_are_sent_again_so_often_and_no_more(guarded: RTCPeerConnection) -> None:
    sender: Any = guarded.getTransceivers()[0].sender
    sent: list[bytes] = []

    async def send_rtp(data: bytes) -> None:
        sent.append(data)

    sender.transport._send_rtp = send_rtp
    sender._RTCRtpSender__rtp_history[5] = RtpPacket(sequence_number=5)
    nack = RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=sender._ssrc, lost=[5] * 6000)

    await sender._handle_rtcp_packet(nack)
    first = len(sent)
    for _ in range(20):
        await sender._handle_rtcp_packet(nack)

    assert first == RTP_HISTORY_SIZE
    assert RESENT_PER_S <= len(sent) < 2 * RESENT_PER_S


# -- data channels -------------------------------------------------------------------------------------------------


def sctp_of(connection: RTCPeerConnection) -> Any:
    """As after the handshake: the peer's first chunk is 1."""
    sctp: Any = connection.sctp
    sctp._last_received_tsn, sctp._ssthresh, sctp._remote_port = 0, 2**20, 5000
    return sctp


def a_chunk(tsn: int, stream: int = 0, flags: int = 0) -> DataChunk:
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = tsn, stream, 0, 51, b"x"
    return chunk


async def test_fragments_without_an_end_end_the_association(guarded: RTCPeerConnection) -> None:
    sctp = sctp_of(guarded)

    for tsn in range(1, 3 * CHUNKS_MAX):
        if sctp.state != "closed":
            await sctp._receive_data_chunk(a_chunk(tsn, flags=2 if tsn == 1 else 0))

    assert sctp.state == "closed"
    assert len(sctp._inbound_streams[0].reassembly) == CHUNKS_MAX + 1


async def test_chunks_that_wait_for_a_lost_one_are_limited_and_it_may_still_come(guarded: RTCPeerConnection) -> None:
    sctp = sctp_of(guarded)

    for tsn in range(2, 3 * CHUNKS_MAX):
        await sctp._receive_data_chunk(a_chunk(tsn, stream=tsn % 2, flags=3 | 4))
    waiting = len(sctp._sack_misordered)
    await sctp._receive_data_chunk(a_chunk(1, flags=3 | 4))

    assert waiting == CHUNKS_MAX
    assert sctp._last_received_tsn == CHUNKS_MAX + 1


async def test_streams_are_limited_and_what_comes_on_others_is_thrown_away(guarded: RTCPeerConnection) -> None:
    sctp = sctp_of(guarded)

    for tsn in range(1, 2000):
        await sctp._receive_data_chunk(a_chunk(tsn, stream=tsn, flags=3))
    forward = ForwardTsnChunk()
    forward.cumulative_tsn, forward.streams = 2500, [(stream, 0) for stream in range(3000, 3300)]
    await sctp._receive_forward_tsn_chunk(forward)

    assert len(sctp._inbound_streams) == STREAMS_MAX
    assert sctp._last_received_tsn == 2500
    assert sctp._sack_needed


async def test_acknowledgement_of_what_was_never_sent_is_ignored(guarded: RTCPeerConnection) -> None:
    sctp = sctp_of(guarded)
    sack = SackChunk()
    sack.cumulative_tsn = sctp._last_sacked_tsn
    sack.gaps = [(1, 65535)] * 300

    await asyncio.wait_for(sctp._receive_sack_chunk(sack), 60)
    sack.gaps = []
    await sctp._receive_sack_chunk(sack)

    assert sctp._last_sacked_tsn == sack.cumulative_tsn


@pytest.mark.slow
async def test_peer_with_many_data_channels_and_a_control_channel_is_served(server: RunningServer) -> None:
    async with dialled_rtc(server.url) as peer:
        for number in range(100):
            peer.connection.createDataChannel(f"x{number}")
        confirmed = await peer.patch(prompt="still here")
        resource = next(iter(server.app.state.peers._resources.values()))
        channels = resource.peer._connection.sctp._data_channels

        assert len(channels) <= STREAMS_MAX
    assert confirmed["prompt"] == "still here"


@pytest.mark.slow
async def test_peer_that_takes_no_texts_of_our_size_is_gone(server: RunningServer) -> None:
    async with rtc_peer(server.url) as peer:
        peer.connection.addTrack(Camera())
        peer.open_control()
        small = (await peer.offer()).replace("a=max-message-size:262144", "a=max-message-size:20")
        await peer.dial("/rtc?session=s", small)
        await until(lambda: server.service.session("s") is not None)
        await until(lambda: server.app.state.peers.count == 0)


def test_answer_says_how_long_a_text_may_be() -> None:
    answer = answer_for_peer("a=max-message-size:262144\r\n")

    assert answer == f"a=max-message-size:{TEXT_MAX_BYTES}\r\n"


# -- that what is touched is still there ---------------------------------------------------------------------------


def test_packets_pass_where_we_look_at_them() -> None:
    dtls = inspect.getsource(rtcdtlstransport.RTCDtlsTransport)
    sctp = inspect.getsource(rtcsctptransport.RTCSctpTransport)

    assert "self._handle_rtp_data(data, arrival_time_ms" in dtls
    assert "self._handle_rtcp_data(data)" in dtls
    assert "self._data_receiver._handle_data(data)" in dtls
    assert "recipient._handle_rtcp_packet(packet)" in dtls
    for name in ("_receive_data_chunk(chunk)", "_receive_sack_chunk(chunk)", "_receive_forward_tsn_chunk(chunk)"):
        assert f"self.{name}" in sctp
    assert "self.check_incoming(message, addr, protocol)" in inspect.getsource(aioice.ice.Connection)

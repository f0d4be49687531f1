"""What is private in aiortc and aioice and is touched all the same: where one of these fails, look at seams.py anew."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCConfiguration, RTCDtlsTransport, RTCPeerConnection, rtcrtpreceiver, rtcrtpsender
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from realtime.server.webrtc import seams
from realtime.server.webrtc.peer import Peer
from realtime.server.webrtc.sdp import Purpose
from realtime.server.webrtc.seams import MarkerJitterBuffer
from realtime.server.webrtc.udp_ports import PortRange
from tests.fakes.waiting import PATIENCE_S


def packet(number: int, timestamp: int, marker: bool = False) -> RtpPacket:
    made = RtpPacket(payload_type=96, sequence_number=number % 65536, timestamp=timestamp, marker=int(marker))
    made._data = f"[{number}]".encode()  # type: ignore[attr-defined]
    return made


def frames_out(buffer: JitterBuffer, packets: list[RtpPacket]) -> list[tuple[int, bytes]]:
    out = [buffer.add(each)[1] for each in packets]
    return [(frame.timestamp, frame.data) for frame in out if frame is not None]


def two_frames(start: int = 10) -> list[RtpPacket]:
    return [packet(start, 0), packet(start + 1, 0, True), packet(start + 2, 3000), packet(start + 3, 3000, True)]


def test_versions_are_those_that_were_looked_at() -> None:
    assert importlib.metadata.version("aiortc").startswith("1.16.")
    assert importlib.metadata.version("aioice").startswith("0.13.")


# -- release on the marker -----------------------------------------------------------------------------------------


def test_frame_comes_out_with_its_own_last_packet() -> None:
    assert frames_out(MarkerJitterBuffer(), two_frames()[:2]) == [(0, b"[10][11]")]


def test_aiortc_holds_a_frame_until_the_next_begins() -> None:
    """The reason for it all: when this fails, aiortc has learnt it and ours can go."""
    buffer = JitterBuffer(capacity=512, is_video=True)

    assert frames_out(buffer, two_frames()[:2]) == []
    assert frames_out(buffer, two_frames()[2:3]) == [(0, b"[10][11]")]


def test_without_markers_the_timestamp_decides() -> None:
    packets = [packet(1, 0), packet(2, 0), packet(3, 3000)]

    assert frames_out(MarkerJitterBuffer(), packets) == [(0, b"[1][2]")]


def test_sequence_numbers_may_wrap() -> None:
    assert frames_out(MarkerJitterBuffer(), two_frames(65534)) == [(0, b"[65534][65535]"), (3000, b"[65536][65537]")]


def test_frame_with_a_gap_waits_for_the_missing_packet() -> None:
    first, second, third, fourth = two_frames()
    buffer = MarkerJitterBuffer()

    assert frames_out(buffer, [first, third, fourth]) == []
    assert frames_out(buffer, [second]) == [(0, b"[10][11]")]


def test_lost_marker_falls_back_to_the_timestamp() -> None:
    packets = [packet(1, 0), packet(2, 0), packet(3, 3000), packet(4, 3000, True)]

    assert frames_out(MarkerJitterBuffer(), packets)[0] == (0, b"[1][2]")


def padding(number: int, timestamp: int) -> RtpPacket:
    made = packet(number, timestamp)
    made._data = b""  # type: ignore[attr-defined]
    return made


def test_padding_behind_a_frame_never_becomes_one_of_its_own() -> None:
    """An empty frame would end the decoder for good."""
    packets = [
        packet(1, 0, True),
        padding(2, 0),
        padding(3, 0),
        packet(4, 3000),
        packet(5, 3000, True),
        padding(6, 3000),
    ]

    assert frames_out(MarkerJitterBuffer(), packets) == [(0, b"[1]"), (3000, b"[4][5]")]


def test_padding_at_the_beginning_and_in_a_frame_is_passed_over() -> None:
    packets = [padding(1, 0), packet(2, 3000), padding(3, 3000), packet(4, 3000, True)]

    assert frames_out(MarkerJitterBuffer(), packets) == [(3000, b"[2][4]")]


def test_padding_that_comes_out_of_order_holds_nothing_up() -> None:
    packets = [packet(1, 0, True), padding(3, 0), packet(4, 3000, True), padding(2, 0)]

    assert frames_out(MarkerJitterBuffer(), packets) == [(0, b"[1]"), (3000, b"[4]")]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.randoms(use_true_random=False), st.booleans())
def test_every_frame_comes_out_once_whole_and_in_order(sizes: list[int], random: Any, shuffled: bool) -> None:
    packets: list[RtpPacket] = []
    expected: list[bytes] = []
    for index, size in enumerate(sizes):
        numbers = range(len(packets), len(packets) + size)
        packets += [packet(100 + n, 3000 * index, n == numbers[-1]) for n in numbers]
        expected.append("".join(f"[{100 + n}]" for n in numbers).encode())
    order = list(packets)
    if shuffled:  # neighbours change places, as on a real network; the first packet sets the origin
        for at in range(1, len(order) - 1):
            if random.random() < 0.4:
                order[at], order[at + 1] = order[at + 1], order[at]
    # A frame is given out a packet, so some more are needed where reordering held several back.
    end = [packet(100 + len(packets) + n, 3000 * (len(sizes) + n), True) for n in range(len(sizes) + 1)]

    out = [data for _, data in frames_out(MarkerJitterBuffer(), order + end)]

    assert out[: len(sizes)] == expected


# -- that what is touched is still there ---------------------------------------------------------------------------


async def connection_parts() -> tuple[RTCPeerConnection, Any, Any]:
    connection = RTCPeerConnection(RTCConfiguration([]))
    transceiver = connection.addTransceiver("video")
    return connection, transceiver.receiver, transceiver.sender


async def test_receiver_keeps_its_jitter_buffer_where_we_put_ours() -> None:
    connection, receiver, _ = await connection_parts()
    assert isinstance(receiver._RTCRtpReceiver__jitter_buffer, JitterBuffer)

    seams.release_on_marker(receiver)

    assert type(receiver._RTCRtpReceiver__jitter_buffer) is MarkerJitterBuffer
    assert "self.__jitter_buffer.add(packet)" in inspect.getsource(rtcrtpreceiver.RTCRtpReceiver)
    await connection.close()


async def test_receiver_gives_us_its_frames_and_its_own_thread_is_gone_at_once() -> None:
    connection, receiver, _ = await connection_parts()
    taken: list[tuple[str, bytes, int]] = []
    request_key_frame = seams.take_encoded(receiver, lambda *frame: taken.append(frame))
    receiver._track = RemoteStreamTrack("video")
    codec = RTCRtpCodecParameters("video/VP8", 90_000, payloadType=96)

    await receiver.receive(RTCRtpReceiveParameters(codecs=[codec]))
    receiver._RTCRtpReceiver__decoder_thread.join(PATIENCE_S)
    first, last = packet(1, 0), packet(2, 0, marker=True)
    first.payload, last.payload = b"\x10\0one", b"\0two"
    request_key_frame()
    for each in (first, last, packet(3, 3000)):
        each.payload_type = 96
        await receiver._handle_rtp_packet(each, arrival_time_ms=0)
    await receiver.stop()

    assert taken == [("VP8", b"\0onetwo", 0)]
    assert "threading.Thread" in inspect.getsource(rtcrtpreceiver.RTCRtpReceiver)
    assert not receiver._RTCRtpReceiver__decoder_error.is_set()  # the request was sent
    await connection.close()


async def test_sender_keeps_its_encoder_and_key_frame_request_where_we_put_ours() -> None:
    connection, _, sender = await connection_parts()
    assert sender._RTCRtpSender__encoder is None
    source = inspect.getsource(rtcrtpsender.RTCRtpSender)

    assert "self.__encoder.pack(data)" in source
    assert "self.__encoder.target_bitrate = bitrate" in source
    assert "self._send_keyframe()" in source
    await connection.close()


async def test_what_a_publisher_sends_and_is_sent_passes_where_we_look_at_it() -> None:
    connection, receiver, _ = await connection_parts()
    ice = receiver.transport.transport
    agent = ice._connection

    assert ice._send == agent.send
    assert "self.transport._send" in inspect.getsource(RTCDtlsTransport)
    assert isinstance(agent._nominated, dict)
    assert agent._query_consent_task is None
    assert "self.query_consent()" in inspect.getsource(agent.connect)
    assert "receiver.data_received(" in inspect.getsource(aioice.ice.StunProtocol)
    assert list(inspect.signature(agent.build_request).parameters) == ["pair", "nominate"]
    await connection.close()


def test_consent_is_asked_by_the_constants_that_we_set() -> None:
    source = inspect.getsource(aioice.ice.Connection.query_consent)

    assert "CONSENT_INTERVAL" in source
    assert "CONSENT_FAILURES" in source
    assert "retransmissions=0" in source
    # An answer is waited for half a second; the interval is drawn from 0.8 to 1.2 of the constant.
    assert (1.2 * seams.CONSENT_EVERY_S + 0.5) * seams.CONSENT_FAILURES < 10


@pytest.mark.parametrize(
    ("addresses", "ipv4", "ipv6", "expected"),
    [
        (("127.0.0.1", "::1"), True, False, ["127.0.0.1"]),
        (("127.0.0.1", "::1"), True, True, ["127.0.0.1", "::1"]),
    ],
)
def test_chosen_addresses_are_offered(addresses: tuple[str, ...], ipv4: bool, ipv6: bool, expected: list[str]) -> None:
    seams.offer_addresses(addresses)

    assert aioice.ice.get_host_addresses(use_ipv4=ipv4, use_ipv6=ipv6) == expected


def test_all_addresses_but_loopback_are_offered_by_default() -> None:
    seams.offer_addresses(())

    assert "127.0.0.1" not in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)


async def test_sockets_of_ice_get_ports_of_the_range_until_there_are_none(unused_udp_port: int) -> None:
    ports = range(unused_udp_port, unused_udp_port + 1)
    seams.offer_addresses(["127.0.0.1"])
    seams.use_ports(PortRange(ports))
    first, second = aioice.ice.Connection(ice_controlling=False), aioice.ice.Connection(ice_controlling=False)
    try:
        await first.gather_candidates()
        await second.gather_candidates()
        assert [candidate.port for candidate in first.local_candidates] == list(ports)
        assert second.local_candidates == []
        await first.close()
        third = aioice.ice.Connection(ice_controlling=False)
        await third.gather_candidates()
        assert [candidate.port for candidate in third.local_candidates] == list(ports), "it is free again"
        await third.close()
    finally:
        await second.close()
        seams.use_ports(None)
        seams.offer_addresses(())

    assert aioice.ice.asyncio is asyncio


async def test_rotation_by_header_extension_is_not_taken_up() -> None:
    """Browsers and phones then turn their pictures before they encode them. Source: 3GPP TS 26.114, section 7.4.5."""
    client, peer = RTCPeerConnection(), Peer(Purpose.PUBLISH, [])
    client.addTransceiver("video", direction="sendonly")
    await client.setLocalDescription(await client.createOffer())
    offer = client.localDescription.sdp.replace("a=extmap:", "a=extmap:13 urn:3gpp:video-orientation\r\na=extmap:", 1)

    try:
        answer = await peer.answer(offer)
    finally:
        await peer.close()
        await client.close()

    assert "urn:3gpp:video-orientation" in offer
    assert "a=extmap:" in answer
    assert "video-orientation" not in answer

"""Every place where something private of aiortc or aioice is touched, each with the measured reason.

Written against aiortc 1.16 and aioice 0.13. `tests/server/webrtc/test_seams.py` fails where one of them has moved;
pyproject.toml keeps to the versions that were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import aioice.ice
from aiortc import RTCRtpReceiver, RTCRtpSender
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


CONSENT_EVERY_S = 1.5
CONSENT_FAILURES = 4


def notice_dead_peers() -> None:
    """Have a peer that answers no more taken for gone within 10 s; as shipped it takes 30. For the whole process.

    ICE asks every few seconds whether it may go on sending (RFC 7675); each question waits 0.5 s for its answer.
    """
    aioice.ice.CONSENT_INTERVAL = CONSENT_EVERY_S
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES


_all_host_addresses = aioice.ice.get_host_addresses


def offer_addresses(addresses: Sequence[str]) -> None:
    """Have ICE listen on these addresses of this machine and no others; on none given, all but loopback, as ever.

    aioice asks one function of its own for them, which leaves out 127.0.0.1: without a network nothing could connect.
    For the whole process.
    """

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [a for a in addresses if (use_ipv6 if ":" in a else use_ipv4)]

    aioice.ice.get_host_addresses = chosen if addresses else _all_host_addresses

"""What is left of an offer. Its limits and its changes for aiortc are tested with the checks of offers."""

from __future__ import annotations

import re

from aiortc.sdp import SessionDescription

from realtime.server.webrtc.offer_text import PAYLOAD_TYPES_MAX, pare

HEAD = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0\na=extmap-allow-mixed\n"
MID = "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"


def video(*attributes: str, payload_types: str = "96") -> str:
    return HEAD + f"m=video 9 UDP/TLS/RTP/SAVPF {payload_types}\n" + "".join(f"a={one}\n" for one in attributes)


def attributes_of(text: str) -> list[str]:
    return [line[2:] for line in text[text.index("m=") :].splitlines()[1:]]


def test_codecs_that_are_not_taken_are_left_out_with_all_their_lines() -> None:
    taken = ["rtpmap:96 VP8/90000", "rtcp-fb:96 nack", "rtcp-fb:96 nack pli", "rtpmap:97 rtx/90000", "fmtp:97 apt=96"]
    others = ["rtpmap:98 VP9/90000", "rtcp-fb:98 nack", "fmtp:98 profile-id=0", "rtpmap:99 rtx/90000", "fmtp:99 apt=98"]

    pared = pare(video(*taken, *others, payload_types="98 96 97 99"))

    assert "SAVPF 96 97\r\n" in pared
    assert attributes_of(pared) == taken


def test_of_the_profiles_of_h264_those_in_packetization_mode_1_are_kept() -> None:
    one, other = "fmtp:102 packetization-mode=1;profile-level-id=42001f", "fmtp:103 packetization-mode=0"

    pared = pare(video("rtpmap:102 H264/90000", one, "rtpmap:103 H264/90000", other, payload_types="103 102"))

    assert attributes_of(pared) == ["rtpmap:102 H264/90000", one]


def test_feedback_and_extensions_that_are_not_known_are_left_out() -> None:
    mid = "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"

    pared = pare(
        video("rtpmap:96 VP8/90000", "rtcp-fb:96 transport-cc", "rtcp-fb:* nack pli", mid, "extmap:5 urn:3gpp")
    )

    assert attributes_of(pared) == ["rtpmap:96 VP8/90000", "rtcp-fb:* nack pli", mid]


def test_lines_that_are_said_again_are_heard_once() -> None:
    lines = [
        "rtpmap:96 VP8/90000",
        "fmtp:96 max-fr=30",
        "rtcp-fb:96 nack",
        "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    ]

    assert attributes_of(pare(video(*lines, *lines, "rtpmap:96 VP8/8000", "fmtp:96 max-fr=60"))) == lines


def test_few_codecs_of_many_are_kept_and_their_retransmission() -> None:
    many = [f"rtpmap:{n} VP8/90000" for n in range(96, 112)]
    resent = [line for n in range(112, 128) for line in (f"rtpmap:{n} rtx/90000", f"fmtp:{n} apt={n - 16}")]

    pared = pare(video(*many, *resent, payload_types=" ".join(map(str, range(96, 128)))))

    codecs = SessionDescription.parse(pared).media[0].rtp.codecs
    assert [codec.payloadType for codec in codecs] == [*range(96, 104), *range(112, 120)]
    assert len(codecs) == PAYLOAD_TYPES_MAX


def test_section_without_a_codec_of_ours_keeps_its_first_payload_type() -> None:
    assert "m=video 9 UDP/TLS/RTP/SAVPF 98\r\n" in pare(video("rtpmap:98 VP9/90000", payload_types="98 99"))


def test_bundled_section_on_port_0_gets_one() -> None:
    data = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\na=bundle-only\na=mid:1\n"

    assert re.search(r"^m=application 9 ", pare(video() + data), re.MULTILINE)

"""What an offer must say, and what is changed in descriptions: as text, without a connection."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.server.webrtc.candidates import TAKEN_MAX
from realtime.server.webrtc.offer_text import LINES_OF_A_KIND_MAX as MANY
from realtime.server.webrtc.offer_text import LimitError, offer_for_aiortc, pare
from realtime.server.webrtc.sdp import (
    CANDIDATES_MAX,
    OfferError,
    Purpose,
    answer_for_peer,
    check_offer,
    parse_fragment,
    video_codec,
)

SESSION = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE {mids}
a=msid-semantic:WMS *
"""
TRANSPORT = """c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 AA:BB
a=setup:actpass
a=rtcp-mux
"""
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\n{TRANSPORT}a=mid:0\na=sendonly\na=rtpmap:111 opus/48000/2\n"
VIDEO = f"""m=video 9 UDP/TLS/RTP/SAVPF 96 97
{TRANSPORT}a=mid:1
a=sendrecv
a=rtpmap:96 H264/90000
a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
a=rtpmap:97 VP8/90000
"""
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n{TRANSPORT}a=mid:2\na=sctp-port:5000\n"


def offer(*sections: str, mids: str | None = None) -> str:
    found = " ".join(mid for section in sections for mid in re.findall(r"a=mid:(\S+)", section))
    return SESSION.format(mids=found if mids is None else mids) + "".join(sections)


def candidate(address: str = "192.0.2.1", port: int = 5000, protocol: str = "udp") -> str:
    return f"a=candidate:1 1 {protocol} 2130706431 {address} {port} typ host\n"


SENDONLY = VIDEO.replace("sendrecv", "sendonly")
BUNDLED_DATA = DATA.replace("m=application 9", "m=application 0") + "a=bundle-only\n"
RECVONLY = VIDEO.replace("sendrecv", "recvonly")


@pytest.mark.parametrize(
    ("purpose", "text"),
    [
        pytest.param(Purpose.DUPLEX, offer(VIDEO, DATA), id="a browser's"),
        pytest.param(Purpose.DUPLEX, offer(VIDEO, BUNDLED_DATA), id="Firefox's: on the port of the first"),
        pytest.param(Purpose.DUPLEX, offer(AUDIO, VIDEO, DATA), id="with audio"),
        pytest.param(Purpose.PUBLISH, offer(AUDIO, SENDONLY), id="OBS's: audio first"),
        pytest.param(Purpose.PUBLISH, offer(VIDEO), id="both ways, as the RFC allows"),
        pytest.param(Purpose.PLAY, offer(RECVONLY), id="a player's"),
        pytest.param(Purpose.PUBLISH, offer(SENDONLY, mids=""), id="one section without a bundle"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_good_offer_is_taken(purpose: Purpose, text: str, line_end: str) -> None:
    assert check_offer(text.replace("\n", line_end), purpose).description.media


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 400, "v=0"),
        ("<html>", 400, "v=0"),
        ("v=0\n", 400, "no media"),
        (offer(), 400, "no media"),
        (offer(AUDIO), 422, "0 video"),
        (offer(VIDEO, VIDEO.replace("mid:1", "mid:3")), 422, "2 video"),
        (offer(AUDIO, AUDIO.replace("mid:0", "mid:3"), VIDEO), 422, "audio, audio"),
        (offer(VIDEO, DATA, DATA.replace("mid:2", "mid:4")), 422, "application"),
        (offer(VIDEO, VIDEO.replace("m=video", "m=message").replace("mid:1", "mid:5")), 422, "message"),
        (offer(VIDEO.replace("m=video 9", "m=video 0")), 422, "port 0"),
        (offer(VIDEO.replace("a=mid:1\n", "")), 400, "a=mid"),
        (offer(VIDEO.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), 422, "SAVPF"),
        (offer(VIDEO.replace("a=rtcp-mux\n", "")), 422, "rtcp-mux"),
        (offer(VIDEO.replace("a=ice-pwd:0123456789012345678901\n", "")), 400, "ice-pwd"),
        (offer(VIDEO.replace("a=fingerprint:sha-256 AA:BB\n", "")), 400, "fingerprint"),
        (offer(VIDEO.replace("a=setup:actpass\n", "")), 400, "setup"),
        (offer(VIDEO, DATA.replace("a=sctp-port:5000\n", "")), 422, "sctp-port"),
        (offer(VIDEO, DATA, mids="1"), 422, "BUNDLE"),
        (offer(VIDEO, DATA, mids="1 2 3"), 422, "nothing else"),
        (offer(VIDEO, DATA).replace("t=0 0", "t=0 0\na=group:BUNDLE 1"), 422, "BUNDLE"),
        (offer(VIDEO, DATA.replace("mid:2", "mid:1")), 400, "the same a=mid"),
        (offer(VIDEO + candidate() * (CANDIDATES_MAX + 1)), 422, "candidates"),
        (offer(RECVONLY), 422, "recvonly"),
        (offer(VIDEO.replace("sendrecv", "inactive")), 422, "inactive"),
        (offer(VIDEO + "a=simulcast:send a;b\n"), 422, "layers to 1"),
        (offer(VIDEO + "a=rid:a send\n"), 422, "layers to 1"),
        (offer(VIDEO.replace("VP8", "H265").replace("H264", "AV1")), 422, "H.264"),
        (offer(VIDEO.replace("VP8", "VP9").replace("packetization-mode=1;", "")), 422, "packetization mode 1"),
        (offer(AUDIO.replace("opus", "mpeg4-generic"), VIDEO), 422, "Opus"),
        (offer(VIDEO.replace("m=video 9", "m=video nine")), 400, "can't be read"),
        (offer(VIDEO.replace("a=setup:actpass", "a=setup:maybe")), 400, "can't be read"),
        (offer(VIDEO.replace("a=ice-ufrag:abcd", "a=ice-ufrag:" + "u" * 1000)), 400, "4 to 256"),
        (offer(VIDEO.replace("a=ice-pwd:01234567890", "a=ice-pwd:")), 400, "22 to 256"),
        (offer(VIDEO.replace("AA:BB", "zz")), 400, "hexadecimal"),
        (offer(VIDEO + "a=extmap:99999 urn:ietf:params:rtp-hdrext:sdes:mid\n"), 400, "1 to 255"),
        (offer(VIDEO, DATA.replace("5000", "70000")), 400, "from 1 to 65535"),
        (offer(VIDEO, DATA + "a=max-message-size:-1\n"), 400, "negative"),
        (offer(VIDEO + candidate() + "a=candidate:1 1 udp 1 192.0.2.1 5000 typ srflx raddr x rport y\n"), 400, "rport"),
        (offer(VIDEO + "a=candidate:1 1 udp 99999999999999 192.0.2.1 5000 typ host\n"), 400, "priority"),
        (offer(VIDEO + candidate(port=70000)), 400, "port"),
        (offer(VIDEO + "a=candidate:1 1 udp\n"), 400, "no candidate"),
        (offer(VIDEO + "a=ssrc:1 cname:x\n" * 2000), 400, "1000 lines"),
        (offer(VIDEO + f"a=ssrc:1 cname:{'x' * 1024}\n"), 400, "1024 characters"),
        *((offer(VIDEO + f"{begin} x\n" * (most + 1)), 400, f"{most} lines") for begin, most in MANY.items()),
    ],
)
def test_bad_offer_is_refused_with_a_sentence(text: str, status: int, said: str) -> None:
    with pytest.raises(OfferError, match=re.escape(said)) as refused:
        check_offer(text, Purpose.DUPLEX)

    assert refused.value.status == status


@pytest.mark.parametrize(("purpose", "section"), [(Purpose.PUBLISH, RECVONLY), (Purpose.PLAY, SENDONLY)])
def test_direction_must_be_what_the_address_is_for(purpose: Purpose, section: str) -> None:
    with pytest.raises(OfferError, match="here it must be"):
        check_offer(offer(section), purpose)


@settings(max_examples=300)
@example("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF \r\n")
@example("v=0\na=setup\nm=")
@given(
    st.text(max_size=200).map(lambda text: "v=0\n" + text)
    | st.tuples(st.integers(0, 40), st.text(max_size=30), st.booleans()).map(
        lambda change: "\n".join(
            [*(lines := offer(VIDEO, DATA).split("\n"))[: change[0]], change[1], *lines[change[0] + change[2] :]]
        )
    )
)
def test_no_text_does_anything_but_pass_or_be_refused(text: str) -> None:
    try:
        check_offer(text, Purpose.DUPLEX)
    except OfferError as refused:
        assert refused.status in (400, 422)
    offer_for_aiortc(text)
    with suppress(LimitError):
        pare(text)


# -- what is changed -----------------------------------------------------------------------------------------------


def test_we_are_always_the_dtls_server_where_the_peer_leaves_the_choice() -> None:
    assert "a=setup:active\r\n" in offer_for_aiortc(offer(VIDEO))
    assert "actpass" not in offer_for_aiortc(offer(VIDEO, DATA))


def test_peer_that_is_a_dtls_server_stays_one() -> None:
    assert "a=setup:passive\r\n" in offer_for_aiortc(offer(VIDEO.replace("actpass", "passive")))


@pytest.mark.parametrize(
    ("address", "port", "protocol"),
    [
        ("5b4ae9a1-2f3c-4bb5-9a55-0f2f6d1c5a11.local", 5000, "udp"),
        ("evil.example", 5000, "udp"),
        ("239.1.2.3", 5000, "udp"),
        ("0.0.0.0", 5000, "udp"),
        ("255.255.255.255", 5000, "udp"),
        ("169.254.169.254", 5000, "udp"),
        ("fe80::1", 5000, "udp"),
        ("127.0.0.1", 5000, "udp"),
        ("::1", 5000, "udp"),
        ("192.0.2.1", 0, "udp"),
        ("192.0.2.1", 53, "udp"),
        ("192.0.2.1", 9, "tcp"),
    ],
)
def test_candidate_that_is_no_address_of_a_peer_is_left_out(address: str, port: int, protocol: str) -> None:
    changed = offer_for_aiortc(offer(VIDEO + candidate(address, port, protocol) + candidate("192.0.2.9")))

    assert addresses_in(changed) == ["192.0.2.9"]


def addresses_in(text: str) -> list[str]:
    return re.findall(r"a=candidate:\S+ \S+ \S+ \S+ (\S+)", text)


def test_loopback_is_taken_where_the_server_listens_there() -> None:
    text = offer(VIDEO + candidate("127.0.0.1") + candidate("::1") + candidate("192.168.0.7"))

    assert addresses_in(offer_for_aiortc(text, on_loopback=True)) == ["127.0.0.1", "::1", "192.168.0.7"]


def test_few_candidates_of_a_section_are_taken_and_each_address_once() -> None:
    many = "".join(candidate(f"192.0.2.{n}") * 2 for n in range(1, TAKEN_MAX + 9))

    taken = addresses_in(offer_for_aiortc(offer(VIDEO + many, DATA + candidate())))

    assert taken == [*(f"192.0.2.{n}" for n in range(1, TAKEN_MAX + 1)), "192.0.2.1"]


def test_section_without_a_direction_means_both() -> None:
    changed = offer_for_aiortc(offer(VIDEO.replace("a=sendrecv\n", "a=sideways\n")))

    assert "a=sendrecv\r\n" in changed


def test_end_of_candidates_is_left_out() -> None:
    assert "end-of-candidates" not in offer_for_aiortc(offer(VIDEO + candidate() + "a=end-of-candidates\n"))


def test_answer_keeps_one_fingerprint() -> None:
    answer = "a=fingerprint:sha-256 A\r\na=fingerprint:sha-384 B\r\na=fingerprint:sha-512 C\r\na=setup:passive\r\n"

    assert answer_for_peer(answer) == "a=fingerprint:sha-256 A\r\na=setup:passive\r\n"


def test_codec_of_an_answer_is_its_first() -> None:
    assert video_codec(offer(AUDIO, VIDEO)) == "H264"


# -- fragments -----------------------------------------------------------------------------------------------------


def test_fragment_brings_candidates_with_their_sections() -> None:
    text = (
        "a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\n"
        + candidate("192.0.2.7")
        + candidate("x.local")
        + "a=end-of-candidates\r\n"
    )

    fragment = parse_fragment(text)

    assert fragment.username_fragment == "abcd"
    assert [(mid, one.address, one.port) for mid, one in fragment.candidates] == [
        ("1", "192.0.2.7", 5000),
        ("1", "x.local", 5000),
    ]


@pytest.mark.parametrize("text", ["", "hello", "a=mid:0\r\n", '{"candidate": ""}', "a=ice-ufrag:x\nnonsense"])
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(OfferError) as refused:
        parse_fragment(text)

    assert refused.value.status == 400


@given(st.text(max_size=300))
def test_no_fragment_does_anything_but_pass_or_be_refused(text: str) -> None:
    try:
        assert all(one.text.startswith("candidate:") for _, one in parse_fragment(text).candidates)
    except OfferError as refused:
        assert refused.status == 400

"""Offers and fragments that were bent: each is taken, or refused with 400 or 422 and a sentence."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from realtime.server.webrtc import seams
from realtime.server.webrtc.offer_text import offer_for_aiortc
from realtime.server.webrtc.peer import Peer
from realtime.server.webrtc.sdp import OfferError, Purpose, check_offer, parse_fragment
from tests.fuzz.inputs import COUNT, random_sources
from tests.server.webrtc.test_sdp import AUDIO, DATA, RECVONLY, SENDONLY, VIDEO, candidate, offer

BASES = {
    Purpose.DUPLEX: [offer(VIDEO, DATA), offer(AUDIO, VIDEO + candidate(), DATA)],
    Purpose.PUBLISH: [offer(SENDONLY), offer(AUDIO, SENDONLY + candidate())],
    Purpose.PLAY: [offer(RECVONLY)],
}
WORDS = (
    "", "-1", "0", "1", "99999", "9" * 30, "a", "\x00", "\u202e", "\u0665", "%s", "*", ":", "/", "y", "sendonly",
    "video", "audio", "application", "UDP/TLS/RTP/SAVPF", "UDP/DTLS/SCTP", "tcp", "x" * 300,
)  # fmt: skip
LINES = (
    "a=candidate:1 1 udp 1 10.0.0.1 2222 typ host",
    "a=candidate:1 1 udp x 10.0.0.1 99999 typ",
    "a=candidate:1 2 UDP 99 fe80::1%lo 1 typ srflx raddr x rport y",
    "a=rtpmap:96 x",
    "a=rtpmap:96 VP8/0",
    "a=fmtp:96 a;b=;=c;;",
    "a=fmtp:96 profile-level-id=zz;packetization-mode=1",
    "a=rtcp-fb:* x",
    "a=extmap:99999 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=ssrc:x cname:",
    "a=ssrc:99999999999 cname:a",
    "a=ssrc-group:FID 1",
    "a=group:BUNDLE 0 1 2 3",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=application 9 DTLS/SCTP x",
    "a=max-message-size:-1",
    "a=max-message-size:0",
    "a=sctp-port:70000",
    "a=sctpmap:5000 webrtc-datachannel 1",
    "a=fingerprint:sha-256 zz",
    "a=fingerprint:sha-256",
    "a=setup:holdconn",
    "a=setup:passive",
    "a=ice-options:",
    "a=ice-lite",
    "c=IN IP6 ::g",
    "a=msid",
    "a=msid:a b",
    "a=mid:0",
    "a=ice-ufrag:" + "u" * 1000,
    "a=ice-pwd:x",
    "a=rtcp:x",
    "a=rtcp-mux",
    "a=inactive",
    "a=bundle-only",
)


def bent(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(lines))
        how = chance.random()
        if how < 0.2:
            del lines[at]
        elif how < 0.35:
            lines.insert(at, chance.choice(lines))
        elif how < 0.65:
            words = lines[at].split(" ")
            words[chance.randrange(len(words))] = chance.choice(WORDS)
            lines[at] = " ".join(words)
        elif how < 0.75:
            name, colon, _ = lines[at].partition(":")
            lines[at] = name + colon + chance.choice(WORDS)
        elif how < 0.8:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif how < 0.9 and lines[at]:
            letters = list(lines[at])
            letters[chance.randrange(len(letters))] = chr(chance.randrange(1, 256))
            lines[at] = "".join(letters)
        else:
            lines.insert(at, chance.choice(LINES))
        lines = lines or [""]
    return "\n".join(lines)


def an_offer(chance: random.Random) -> tuple[Purpose, str]:
    purpose = chance.choice(list(BASES))
    return purpose, bent(chance.choice(BASES[purpose]), chance)


def test_every_offer_passes_or_is_refused_with_a_sentence() -> None:
    found: Counter[int] = Counter()
    for chance in random_sources("offers"):
        purpose, text = an_offer(chance)
        try:
            offer_for_aiortc(check_offer(text, purpose).text)
            found[201] += 1
        except OfferError as refused:
            assert len(str(refused)) > 10
            found[refused.status] += 1

    assert set(found) == {201, 400, 422}


def test_every_fragment_passes_or_is_refused_with_a_sentence() -> None:
    base = "a=ice-ufrag:abcd\na=mid:1\n" + candidate() + candidate("x.local") + "a=end-of-candidates"
    found: Counter[int] = Counter()
    for chance in random_sources("fragments"):
        try:
            for _, one in parse_fragment(bent(base, chance)).candidates:
                one.is_usable(on_loopback=False)
            found[204] += 1
        except OfferError as refused:
            assert len(str(refused)) > 10
            found[refused.status] += 1

    assert set(found) == {204, 400}


@contextmanager
def unheard() -> Iterator[list[dict[str, Any]]]:
    """What tasks raise and nobody hears."""
    loop, heard = asyncio.get_running_loop(), list[dict[str, Any]]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: heard.append(context))
    try:
        yield heard
    finally:
        loop.set_exception_handler(before)


@pytest.mark.slow
async def test_what_passes_is_answered_and_starts_without_a_word_in_the_log() -> None:
    """With the peer connections of aiortc, which cost milliseconds: a twentieth of the inputs."""
    seams.offer_addresses(("127.0.0.1",))
    found: Counter[int] = Counter()
    with unheard() as heard:
        for chance in random_sources("answers", COUNT // 20):
            purpose, text = an_offer(chance)
            peer = Peer(purpose, [])
            try:
                assert (await peer.answer(text)).startswith("v=0")
                found[201] += 1
            except OfferError as refused:
                found[refused.status] += 1
            finally:
                await peer.close()

    assert not heard, heard[0]
    assert set(found) <= {201, 400, 422}

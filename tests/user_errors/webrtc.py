"""Offers, candidates and requests of WebRTC peers, WHIP encoders and WHEP players."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from unittest import mock

from aiortc.exceptions import OperationError

from realtime.config import Config
from realtime.server.engine_state import State
from realtime.server.webrtc import routes
from realtime.server.webrtc.admission import PEERS_PER_SEAT, Admission, Conflict
from realtime.server.webrtc.peer import Peer
from realtime.server.webrtc.peers import Peers, _until, _until_ended
from realtime.server.webrtc.sdp import CANDIDATES_MAX, Fragment, Purpose, check_offer, parse_fragment

from .case import Case
from .http import request
from .texts import closed

SESSION = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE {mids}\n"
TRANSPORT = (
    "c=IN IP4 0.0.0.0\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB\n"
    "a=setup:actpass\na=rtcp-mux\n"
)
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\n{TRANSPORT}a=mid:0\na=sendonly\na=rtpmap:111 opus/48000/2\n"
VIDEO = f"m=video 9 UDP/TLS/RTP/SAVPF 97\n{TRANSPORT}a=mid:1\na=sendrecv\na=rtpmap:97 VP8/90000\n"
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n{TRANSPORT}a=mid:2\na=sctp-port:5000\n"
CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\n"


def offer(*sections: str, mids: str | None = None) -> Callable[[], object]:
    found = " ".join(mid for section in sections for mid in re.findall(r"a=mid:(\S+)", section))
    text = SESSION.format(mids=found if mids is None else mids) + "".join(sections)
    return lambda: check_offer(text, Purpose.DUPLEX)


def without(line: str, of: str = VIDEO, instead: str = "") -> Callable[[], object]:
    """An offer whose video or data section lacks a line, or a part of one."""
    assert line in of
    section = of.replace(line, instead)
    return offer(section) if of is VIDEO else offer(VIDEO, section)


def fragment(text: str) -> Callable[[], object]:
    return lambda: parse_fragment(text)


async def trickled(sent: Fragment, offered: int = 0) -> object:
    peer: Any = mock.Mock(_username_fragment="abcd", _offered=offered)
    return await Peer.trickle(peer, sent)


async def answered(error: Exception) -> object:
    """An offer that passes our checks, and that the library can't answer."""
    peer: Any = mock.Mock(purpose=Purpose.DUPLEX, _on_loopback=False, _answer=mock.AsyncMock(side_effect=error))
    return await Peer.answer(peer, SESSION.format(mids="1") + VIDEO)


def posted(error: Exception | None = None, session: str | None = "door", **headers: str) -> Callable[[], object]:
    """A POST of an offer that the server refuses so."""

    async def run() -> object:
        peers: Any = mock.Mock(open=mock.AsyncMock(side_effect=error))
        router = routes.make_router(peers, [])
        post: Any = next(route for route in router.routes if getattr(route, "methods", ()) == {"POST"})
        return await post.endpoint(request(b"\xff" if error is None else b"v=0", **headers), session)

    return run


def trickle(match: str | None = None, is_there: bool = True) -> Callable[[], object]:
    """A PATCH with a fragment."""

    async def run() -> object:
        peers: Any = mock.Mock(get=lambda purpose, name: mock.Mock(tag="tag") if is_there else None)
        router = routes.make_router(peers, [])
        patch: Any = next(route for route in router.routes if getattr(route, "methods", ()) == {"PATCH"})
        headers = {"content_type": routes.FRAGMENT_TYPE} | ({} if match is None else {"if_match": match})
        return await patch.endpoint("peer", request(b"a=end-of-candidates", **headers))

    return run


def crowded() -> object:
    service: Any = mock.Mock(config=Config(max_sessions=1, max_waiting=0), running=None)
    service.host.state = State.READY
    peer = mock.Mock(purpose=Purpose.DUPLEX, has_arrived=True)
    peer.ending.is_set.return_value = False
    return Admission(service, {str(n): peer for n in range(PEERS_PER_SEAT)}).check(Purpose.DUPLEX, None)


async def publisher_late() -> object:
    peers: Any = mock.Mock()
    peers._admission.check_seat.side_effect = Conflict
    return await Peers._enter(peers, mock.Mock(peer=mock.AsyncMock(), purpose=Purpose.PUBLISH), mock.Mock(), "door")


SDP = {"content_type": routes.SDP_TYPE}
MANY = "".join(f"a=ssrc:{n} cname:x\n" for n in range(129))

OFFERS = [
    Case(
        "the body is no session description: it must begin with v=0",
        "v=0",
        lambda: check_offer("<html>", Purpose.DUPLEX),
    ),
    Case("the offer has no media: it must have one video section", "media", offer()),
    Case("the offer has 0 video sections; this server takes exactly one", "0 video", offer(AUDIO)),
    Case(
        "the offer has sections audio, audio, video; one audio, video and data section may be in it",
        "audio, audio",
        offer(AUDIO, AUDIO.replace("mid:0", "mid:3"), VIDEO),
    ),
    Case(
        "all sections of the offer must be in one BUNDLE group, and nothing else",
        "BUNDLE",
        offer(VIDEO, DATA, mids="1"),
    ),
    Case(
        "two sections of the offer have the same a=mid: give each its own",
        "a=mid",
        offer(VIDEO, DATA.replace("a=mid:2", "a=mid:1")),
    ),
    Case(
        "a line of the session description has more than 1024 characters: shorten it",
        "1024 characters",
        offer(VIDEO + f"a=ssrc:1 cname:{'x' * 1024}\n"),
    ),
    Case(
        "the offer has more than 64 candidates: send fewer",
        "64 candidates",
        offer(VIDEO + CANDIDATE * (CANDIDATES_MAX + 1)),
    ),
    Case(
        "the video section is inactive; here it must be sendrecv", "inactive", without("sendrecv", instead="inactive")
    ),
    Case("simulcast is not taken: set the number of layers to 1", "simulcast", offer(VIDEO + "a=simulcast:send a;b\n")),
    Case(
        "the offer has no video codec that this server takes: H.264 (packetization mode 1) or VP8",
        "video codec",
        without("VP8", instead="AV1"),
    ),
    Case(
        "the offer has no audio codec that this server takes: Opus or G.711",
        "audio codec",
        offer(AUDIO.replace("opus", "mpeg4-generic"), VIDEO),
    ),
    Case("the session description has more than 1000 lines: send fewer", "1000 lines", offer(VIDEO + "a=x\n" * 1000)),
    Case(
        "the session description has more than 128 lines a=ssrc: and so on: send fewer", "a=ssrc:", offer(VIDEO + MANY)
    ),
    Case(
        "the session description can't be read: write it as RFC 8866 has it",
        "session description",
        without("m=video 9", instead="m=video nine"),
    ),
    Case(
        "the video section is switched off (port 0); leave it out instead",
        "port 0",
        without("m=video 9", instead="m=video 0"),
    ),
    Case("the video section has no a=mid: name it", "a=mid", without("a=mid:1\n")),
    Case("the video section must be UDP/TLS/RTP/SAVPF", "SAVPF", without("UDP/TLS/RTP/SAVPF", instead="RTP/AVP")),
    Case("the video section must have a=rtcp-mux", "a=rtcp-mux", without("a=rtcp-mux\n")),
    Case(
        "an a=extmap of the video section has no number from 1 to 255: give it one",
        "a=extmap",
        offer(VIDEO + "a=extmap:99999 urn:ietf:params:rtp-hdrext:sdes:mid\n"),
    ),
    Case(
        "the video section has no a=ice-ufrag and a=ice-pwd: add them",
        "a=ice-pwd",
        without("a=ice-pwd:0123456789012345678901\n"),
    ),
    Case(
        "the video section's a=ice-ufrag needs 4 to 256 characters, a=ice-pwd 22 to 256",
        "a=ice-ufrag",
        without("abcd", instead="abc"),
    ),
    Case(
        "the video section has no a=fingerprint and a=setup: add them",
        "a=fingerprint",
        without("a=fingerprint:sha-256 AA:BB\n"),
    ),
    Case(
        "an a=fingerprint of the video section is no list of hexadecimal pairs: write AB:CD:…",
        "a=fingerprint",
        without("AA:BB", instead="zz"),
    ),
    Case(
        "the data section must be UDP/DTLS/SCTP with an a=sctp-port", "a=sctp-port", without("a=sctp-port:5000\n", DATA)
    ),
    Case(
        "the data section's a=sctp-port must be from 1 to 65535", "a=sctp-port", without("5000", DATA, instead="70000")
    ),
    Case(
        "the data section's a=max-message-size must not be negative",
        "a=max-message-size",
        offer(VIDEO, DATA + "a=max-message-size:-1\n"),
    ),
    Case(
        "the offer has no codec, or no H.264 profile, that this server takes: offer VP8 too",
        "H.264",
        lambda: answered(OperationError("no codec")),
    ),
    Case(
        "the offer can't be answered: its sections don't fit each other", "sections", lambda: answered(KeyError("mid"))
    ),
]

CANDIDATES = [
    Case(
        "'candidate:1 1 udp' is no candidate: write it as RFC 8839 has it",
        "candidate:1 1 udp",
        offer(VIDEO + "a=candidate:1 1 udp\n"),
    ),
    Case(
        "the port of a candidate must be a number up to 65535, not '70000'",
        "port",
        offer(VIDEO + CANDIDATE.replace("5000", "70000")),
    ),
    Case("the body is no SDP fragment: write lines of a letter and =", "fragment", fragment("hello")),
    Case(
        "the fragment has more than 64 candidates: send fewer",
        "64 candidates",
        fragment(CANDIDATE * (CANDIDATES_MAX + 1)),
    ),
    Case("the fragment has neither candidates nor an a=ice-ufrag: add some", "a=ice-ufrag", fragment("a=mid:0")),
    Case(
        "ICE restarts are not supported: send a new offer by POST",
        "ICE restarts",
        lambda: trickled(Fragment("other", ())),
    ),
    Case(
        "the peer sent more than 64 candidates: send fewer",
        "64 candidates",
        lambda: trickled(Fragment(None, ()), CANDIDATES_MAX + 1),
    ),
]

REQUESTS = [
    Case(
        "the body must be application/sdp, not application/json",
        "application/sdp",
        posted(content_type="application/json"),
    ),
    Case("the body must be application/sdp, not nothing", "nothing", posted()),
    Case("the body must be UTF-8", "UTF-8", posted(**SDP)),
    Case("the model is being loaded: try again in a few seconds", "model", posted(routes.NotReady(), **SDP)),
    Case("somebody publishes to the session 'door' already: choose another", "'door'", posted(Conflict(), **SDP)),
    Case("there is no session 'door': /api/sessions lists all", "'door'", posted(LookupError(), **SDP)),
    Case("name the session to watch: ?session=S", "session", posted(LookupError(), session=None, **SDP)),
    Case("there is no such peer; it may have ended: send an offer by POST", "peer", trickle(is_there=False)),
    Case("If-Match must name the ETag of the answer", "If-Match", trickle()),
    Case("ICE restarts are not supported: send a new offer by POST", "ICE restarts", trickle(match="*")),
    Case("If-Match names another ETag than this peer's: send that of the answer", "If-Match", trickle(match='"other"')),
    Case("too many peers are connecting; try again later", "peers", crowded),
]

CLOSES = [
    Case("somebody publishes to the session already: choose another", "session", closed(publisher_late)),
    Case("the connection was ended", "connection", closed(lambda: _until(mock.AsyncMock()))),
    Case("the session has ended", "session", closed(lambda: _until_ended(mock.Mock(ended=mock.AsyncMock())))),
]

CASES = [*OFFERS, *CANDIDATES, *REQUESTS, *CLOSES]

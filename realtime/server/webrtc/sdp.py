"""Session descriptions as text: the checks of an offer, and the changes to it and to our answer.

Pure: no peer connection, no I/O. Offers are untrusted, and aiortc answers empty ones, a hundred m-lines and a megabyte,
or trips over them later where nobody hears of it: `check_offer` comes before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from aiortc.sdp import DIRECTIONS as ALL_DIRECTIONS
from aiortc.sdp import MediaDescription, SessionDescription

from ...protocol import TEXT_MAX_BYTES
from .candidates import Candidate, parse_candidate, parse_usable

SDP_MAX_BYTES = 64 * 1024
LINES_MAX = 1000
"""A browser's offer of all three sections has 150 to 300."""
LINES_OF_A_KIND_MAX = {"a=rtpmap:": 128, "a=ssrc:": 128, "a=ssrc-group:": 64, "a=rtcp-fb:*": 16, "a=fingerprint:": 16}
"""Of those that aiortc compares with each other: 64 KB of them took 0.5 s and 400 MB (measured)."""
CANDIDATES_MAX = 64
"""Candidates that one peer may send, trickled ones included; `candidates.TAKEN_MAX` of them are used."""
_ICE_USER, _ICE_PASSWORD = re.compile(r"[!-~]{4,256}"), re.compile(r"[!-~]{22,256}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*")
_MID = re.compile(r"[!-~]{1,64}")
RTP_PROFILES = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF")


class Purpose(Enum):
    """Directions of a peer's media."""

    DUPLEX = auto()
    """`/rtc`: video both ways."""
    PUBLISH = auto()
    """`/whip`: video in. Source: RFC 9725."""
    PLAY = auto()
    """`/whep`: video out. Source: draft-ietf-wish-whep-03."""


DIRECTIONS = {
    Purpose.DUPLEX: ("sendrecv",),
    Purpose.PUBLISH: ("sendonly", "sendrecv"),
    Purpose.PLAY: ("recvonly", "sendrecv"),
}


class OfferError(Exception):
    """An offer, or a fragment of one, that is refused.

    Args:
        status: HTTP status: 400 where it can't be read, 422 where this server can't serve it.
        message: a sentence for the person at the other end.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_offer(text: str, purpose: Purpose) -> SessionDescription:
    """Parse an offer, and refuse one that can't be answered in full: RFC 9725 has no partial answers.

    Raises:
        OfferError: the offer is refused.
    """
    offer = _parse(text)
    kinds = [media.kind for media in offer.media]
    if not kinds:
        raise OfferError(400, "the offer has no media: it must have one video section")
    if kinds.count("video") != 1:
        raise OfferError(422, f"the offer has {kinds.count('video')} video sections; this server takes exactly one")
    if kinds.count("audio") > 1 or kinds.count("application") > 1 or set(kinds) - {"audio", "video", "application"}:
        raise OfferError(
            422, f"the offer has sections {', '.join(kinds)}; one audio, video and data section may be in it"
        )
    for media in offer.media:
        _check_section(media)
    bundled = next((group.items for group in offer.group if group.semantic == "BUNDLE"), [])
    if len(offer.media) > 1 and {media.rtp.muxId for media in offer.media} - set(bundled):
        raise OfferError(422, "all sections of the offer must be in one BUNDLE group")
    if sum(len(media.ice_candidates) for media in offer.media) > CANDIDATES_MAX:
        raise OfferError(422, f"the offer has more than {CANDIDATES_MAX} candidates: send fewer")
    video = next(media for media in offer.media if media.kind == "video")
    if (video.direction or "sendrecv") not in DIRECTIONS[purpose]:
        wanted = " or ".join(DIRECTIONS[purpose])
        raise OfferError(422, f"the video section is {video.direction}; here it must be {wanted}")
    if re.search(r"^a=(simulcast|rid):", text, re.MULTILINE):
        raise OfferError(422, "simulcast is not taken: set the number of layers to 1")
    if not any(_is_taken(codec.name, codec.parameters) for codec in video.rtp.codecs):
        raise OfferError(
            422, "the offer has no video codec that this server takes: H.264 (packetization mode 1) or VP8"
        )
    audio = next((media for media in offer.media if media.kind == "audio"), None)
    if audio is not None and not any(codec.name in ("opus", "PCMU", "PCMA", "G722") for codec in audio.rtp.codecs):
        raise OfferError(422, "the offer has no audio codec that this server takes: Opus or G.711")
    return offer


def _parse(text: str) -> SessionDescription:
    if not text.startswith("v=0"):
        raise OfferError(400, "the body is no session description: it must begin with v=0")
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        raise OfferError(400, f"the session description has more than {LINES_MAX} lines: send fewer")
    for begin, most in LINES_OF_A_KIND_MAX.items():
        if sum(line.startswith(begin) for line in lines) > most:
            raise OfferError(400, f"the session description has more than {most} lines {begin} and so on: send fewer")
    for line in lines:
        if line.startswith("a=candidate:"):
            _candidate(line)
    try:
        return SessionDescription.parse("\r\n".join(_with_ports(text.splitlines())) + "\r\n")
    except Exception:  # its parser raises whatever comes to hand, and knows only the text
        raise OfferError(400, "the session description can't be read: write it as RFC 8866 has it") from None


def _with_ports(lines: list[str]) -> list[str]:
    """The lines, with port 9 in `bundle-only` sections, which have port 0 as they use the first one's (RFC 8843).

    Firefox offers them.
    """
    section = 0
    ported = list(lines)
    for index, line in enumerate(lines):
        if line.startswith("m="):
            section = index
        elif line.strip() == "a=bundle-only":
            ported[section] = re.sub(r"^(m=\w+) 0 ", r"\1 9 ", lines[section])
    return ported


def _candidate(line: str) -> Candidate:
    try:
        return parse_candidate(line.removeprefix("a="))
    except ValueError as error:
        raise OfferError(400, str(error)) from None


def _check_section(media: MediaDescription) -> None:
    if media.port == 0:
        raise OfferError(422, f"the {media.kind} section is switched off (port 0); leave it out instead")
    if not _MID.fullmatch(media.rtp.muxId or ""):
        raise OfferError(400, f"the {media.kind} section has no a=mid: name it")
    _check_security(media)
    if media.kind == "application":
        _check_data_section(media)
        return
    if media.profile not in RTP_PROFILES:
        raise OfferError(422, f"the {media.kind} section must be {RTP_PROFILES[0]}")
    if not media.rtcp_mux:
        raise OfferError(422, f"the {media.kind} section must have a=rtcp-mux")
    if not all(0 < extension.id < 256 for extension in media.rtp.headerExtensions):
        raise OfferError(400, f"an a=extmap of the {media.kind} section has no number from 1 to 255: give it one")


def _check_security(media: MediaDescription) -> None:
    ice, dtls = media.ice, media.dtls
    if ice is None or not ice.usernameFragment or not ice.password:
        raise OfferError(400, f"the {media.kind} section has no a=ice-ufrag and a=ice-pwd: add them")
    if not _ICE_USER.fullmatch(ice.usernameFragment) or not _ICE_PASSWORD.fullmatch(ice.password):
        raise OfferError(400, f"the {media.kind} section's a=ice-ufrag needs 4 to 256 characters, a=ice-pwd 22 to 256")
    if dtls is None or not any(f.algorithm.lower().startswith("sha-") for f in dtls.fingerprints):
        raise OfferError(400, f"the {media.kind} section has no a=fingerprint and a=setup: add them")
    if not all(_FINGERPRINT.fullmatch(fingerprint.value) for fingerprint in dtls.fingerprints):
        raise OfferError(
            400, f"an a=fingerprint of the {media.kind} section is no list of hexadecimal pairs: write AB:CD:…"
        )


def _check_data_section(media: MediaDescription) -> None:
    if media.profile not in ("UDP/DTLS/SCTP", "DTLS/SCTP") or media.sctp_port is None:
        raise OfferError(422, "the data section must be UDP/DTLS/SCTP with an a=sctp-port")
    if not 0 < media.sctp_port < 65536:
        raise OfferError(400, "the data section's a=sctp-port must be from 1 to 65535")
    if media.sctpCapabilities is not None and media.sctpCapabilities.maxMessageSize < 0:
        raise OfferError(400, "the data section's a=max-message-size must not be negative")


def _is_taken(name: str, parameters: dict[str, int | str | None]) -> bool:
    return name.upper() == "VP8" or (name.upper() == "H264" and str(parameters.get("packetization-mode")) == "1")


def offer_for_aiortc(text: str, *, on_loopback: bool = False) -> str:
    """The offer, changed for aiortc.

    - `setup:actpass` becomes `active`, so that aiortc is the DTLS server: as a client it offers ECDSA ciphers only, and
      fails with GStreamer, whose certificate is RSA ("no shared cipher"). As a server its own certificate decides.
    - Of each section's candidates those are kept that `candidates.parse_usable` takes.
    - `end-of-candidates` is removed: aioice fails for good once all known pairs have failed, although a pair that only
      the peer knows of may succeed later. `Peer.watch` decides how long to wait.
    - A section without a direction gets `sendrecv`, which it means (RFC 8866 section 6.7).

    Args:
        text: passed by `check_offer`.
        on_loopback: see `Candidate.is_usable`.
    """
    lines: list[str] = []
    for section in _sections(_with_ports(text.splitlines())):
        candidates = [line for line in section if line.startswith("a=candidate:")]
        others = [line for line in section if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        lines += ["a=setup:active" if line.strip() == "a=setup:actpass" else line for line in others]
        if section[0].startswith("m=") and not any(line[2:] in ALL_DIRECTIONS for line in others):
            lines.append("a=sendrecv")
        lines += [f"a={candidate.text}" for candidate in parse_usable(candidates, on_loopback=on_loopback)]
    return "\r\n".join(lines) + "\r\n"


def _sections(lines: list[str]) -> list[list[str]]:
    """The lines of the session, then those of each section."""
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    return sections


def answer_for_peer(text: str) -> str:
    """Our answer with the size that a text may have, and one fingerprint, the sha-256, of the three that aiortc writes.

    libdatachannel, which OBS uses, keeps the last but may check it by the first one's algorithm: 4 of 10 connections
    with candidates in their offer succeeded, and 20 of 20 with sha-256 alone (measured).
    """
    one = re.sub(r"a=fingerprint:sha-(384|512) .*\r?\n", "", text)
    return re.sub(r"a=max-message-size:\d+", f"a=max-message-size:{TEXT_MAX_BYTES}", one)


def video_codec(answer: str) -> str:
    """The first codec of the answer's video section, `H264` or `VP8`, which both sides send."""
    video = next(media for media in SessionDescription.parse(answer).media if media.kind == "video")
    return video.rtp.codecs[0].name


@dataclass(frozen=True, slots=True)
class Fragment:
    """An SDP fragment, the body of a `PATCH`. Source: RFC 8840 section 9.

    Attributes:
        username_fragment: of ICE; None where there is none. Another one than the offer's requests an ICE restart.
        candidates: all of them: mid of the section (empty where there is none), and the candidate.
    """

    username_fragment: str | None
    candidates: tuple[tuple[str, Candidate], ...]


def parse_fragment(text: str) -> Fragment:
    """Parse an `application/trickle-ice-sdpfrag` body.

    Raises:
        OfferError: the body is no SDP fragment.
    """
    username_fragment: str | None = None
    mid: str | None = None
    candidates: list[tuple[str, Candidate]] = []
    for line in text.splitlines():
        if not re.match(r"[a-z]=", line):
            if line.strip():
                raise OfferError(400, "the body is no SDP fragment: write lines of a letter and =")
        elif line.startswith("a=ice-ufrag:"):
            username_fragment = line.partition(":")[2].strip()
        elif line.startswith("m="):
            mid = None
        elif line.startswith("a=mid:"):
            mid = line.partition(":")[2].strip()
        elif line.startswith("a=candidate:"):
            candidates.append((mid or "", _candidate(line)))
            if len(candidates) > CANDIDATES_MAX:
                raise OfferError(422, f"the fragment has more than {CANDIDATES_MAX} candidates: send fewer")
    if not re.search(r"^a=(ice-ufrag|candidate|end-of-candidates)", text, re.MULTILINE):
        raise OfferError(400, "the fragment has neither candidates nor an a=ice-ufrag: add some")
    return Fragment(username_fragment, tuple(candidates))

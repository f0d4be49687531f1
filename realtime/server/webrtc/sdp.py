"""Session descriptions as text: the checks of an offer, and the changes to it and to our answer.

Pure: no peer connection, no I/O. Offers are untrusted, and aiortc answers empty ones, a hundred m-lines and a megabyte:
`check_offer` comes before it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum, auto

from aiortc.sdp import MediaDescription, SessionDescription

SDP_MAX_BYTES = 64 * 1024
CANDIDATES_MAX = 64
"""Candidates of one peer, trickled ones included: for each, we send packets to an address that the peer chose."""
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
        raise OfferError(422, f"the offer has sections {', '.join(kinds)}; one audio, video and data section may be")
    for media in offer.media:
        _check_section(media)
    bundled = next((group.items for group in offer.group if group.semantic == "BUNDLE"), [])
    if len(offer.media) > 1 and {media.rtp.muxId for media in offer.media} - set(bundled):
        raise OfferError(422, "all sections must be in one BUNDLE group")
    if sum(len(media.ice_candidates) for media in offer.media) > CANDIDATES_MAX:
        raise OfferError(422, f"the offer has more than {CANDIDATES_MAX} candidates")
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
    try:
        return SessionDescription.parse("\r\n".join(_with_ports(text.splitlines())) + "\r\n")
    except Exception:  # its parser raises whatever comes to hand, and knows only the text
        raise OfferError(400, "the session description can't be read") from None


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


def _check_section(media: MediaDescription) -> None:
    is_data = media.kind == "application"
    if media.port == 0:
        raise OfferError(422, f"the {media.kind} section is switched off (port 0); leave it out instead")
    if not media.rtp.muxId:
        raise OfferError(400, f"the {media.kind} section has no a=mid")
    if is_data and (media.profile not in ("UDP/DTLS/SCTP", "DTLS/SCTP") or media.sctp_port is None):
        raise OfferError(422, "the data section must be UDP/DTLS/SCTP with an a=sctp-port")
    if not is_data and media.profile not in RTP_PROFILES:
        raise OfferError(422, f"the {media.kind} section must be {RTP_PROFILES[0]}")
    if not is_data and not media.rtcp_mux:
        raise OfferError(422, f"the {media.kind} section must have a=rtcp-mux")
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise OfferError(400, f"the {media.kind} section has no a=ice-ufrag and a=ice-pwd")
    if media.dtls is None or not any(f.algorithm.lower().startswith("sha-") for f in media.dtls.fingerprints):
        raise OfferError(400, f"the {media.kind} section has no a=fingerprint and a=setup")


def _is_taken(name: str, parameters: dict[str, int | str | None]) -> bool:
    return name.upper() == "VP8" or (name.upper() == "H264" and str(parameters.get("packetization-mode")) == "1")


def offer_for_aiortc(text: str) -> str:
    """The offer, changed for aiortc.

    - `setup:actpass` becomes `active`, so that aiortc is the DTLS server: as a client it offers ECDSA ciphers only, and
      fails with GStreamer, whose certificate is RSA ("no shared cipher"). As a server its own certificate decides.
    - Candidates without an IP address are removed. Browsers hide theirs behind `.local` names until a camera is
      granted; resolving one takes about a second (1169 ms to connect instead of 170, measured), and the browser's own
      checks reach us anyway. A host name would make us ask the DNS for any name that the peer chooses.
    - `end-of-candidates` is removed: aioice fails for good once all known pairs have failed, although a pair that only
      the peer knows of may succeed later. `Peer.watch` decides how long to wait.
    """
    lines: list[str] = []
    for line in _with_ports(text.splitlines()):
        if line.startswith("a=end-of-candidates"):
            continue
        if line.startswith("a=candidate:") and not _is_usable_candidate(line):
            continue
        lines.append("a=setup:active" if line.strip() == "a=setup:actpass" else line)
    return "\r\n".join(lines) + "\r\n"


def answer_for_peer(text: str) -> str:
    """Our answer with one fingerprint, the sha-256, of the three that aiortc writes.

    libdatachannel, which OBS uses, keeps the last but may check it by the first one's algorithm: 4 of 10 connections
    with candidates in their offer succeeded, and 20 of 20 with sha-256 alone (measured).
    """
    return re.sub(r"a=fingerprint:sha-(384|512) .*\r?\n", "", text)


def _is_usable_candidate(line: str) -> bool:
    fields = line.split()
    if len(fields) < 8 or fields[2].lower() != "udp":
        return False
    try:
        address = ipaddress.ip_address(fields[4])
        return not address.is_multicast and not address.is_unspecified and 0 < int(fields[5]) < 65536
    except ValueError:
        return False


def video_codec(answer: str) -> str:
    """The first codec of the answer's video section, `H264` or `VP8`, which both sides send."""
    video = next(media for media in SessionDescription.parse(answer).media if media.kind == "video")
    return video.rtp.codecs[0].name


@dataclass(frozen=True, slots=True)
class Fragment:
    """An SDP fragment, the body of a `PATCH`. Source: RFC 8840 section 9.

    Attributes:
        username_fragment: of ICE; None where there is none. Another one than the offer's requests an ICE restart.
        candidates: the usable ones: mid of the section (empty where there is none), and `candidate:…` without `a=`.
    """

    username_fragment: str | None
    candidates: tuple[tuple[str, str], ...]


def parse_fragment(text: str) -> Fragment:
    """Parse an `application/trickle-ice-sdpfrag` body. Unusable candidates are left out, as RFC 8840 says.

    Raises:
        OfferError: the body is no SDP fragment.
    """
    username_fragment: str | None = None
    mid: str | None = None
    candidates: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not re.match(r"[a-z]=", line):
            if line.strip():
                raise OfferError(400, "the body is no SDP fragment")
        elif line.startswith("a=ice-ufrag:"):
            username_fragment = line.partition(":")[2].strip()
        elif line.startswith("m="):
            mid = None
        elif line.startswith("a=mid:"):
            mid = line.partition(":")[2].strip()
        elif line.startswith("a=candidate:") and _is_usable_candidate(line):
            candidates.append((mid or "", line.removeprefix("a=").strip()))
    if not re.search(r"^a=(ice-ufrag|candidate|end-of-candidates)", text, re.MULTILINE):
        raise OfferError(400, "the fragment has neither candidates nor an a=ice-ufrag")
    return Fragment(username_fragment, tuple(candidates))

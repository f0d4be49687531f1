"""What an offer must say, our answer's text, and fragments with further candidates.

Pure: no peer connection, no I/O. Offers are untrusted, and aiortc answers empty ones, a hundred m-lines and a megabyte,
or trips over them later where nobody hears of it: `check_offer` comes before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from aiortc.sdp import MediaDescription, SessionDescription

from ...protocol import TEXT_MAX_BYTES
from .candidates import Candidate, parse_candidate
from .offer_text import LimitError, pare

SDP_MAX_BYTES = 64 * 1024
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


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered in full.

    Attributes:
        text: see `offer_text.pare`.
        description: the text, parsed.
    """

    text: str
    description: SessionDescription


def check_offer(text: str, purpose: Purpose) -> Offer:
    """Parse an offer, and refuse one that can't be answered in full: RFC 9725 has no partial answers.

    Raises:
        OfferError: the offer is refused.
    """
    pared, offer = _parse(text)
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
    _check_bundle(offer)
    if sum(len(media.ice_candidates) for media in offer.media) > CANDIDATES_MAX:
        raise OfferError(422, f"the offer has more than {CANDIDATES_MAX} candidates: send fewer")
    video = next(media for media in offer.media if media.kind == "video")
    if (video.direction or "sendrecv") not in DIRECTIONS[purpose]:
        wanted = " or ".join(DIRECTIONS[purpose])
        raise OfferError(422, f"the video section is {video.direction}; here it must be {wanted}")
    if re.search(r"^a=(simulcast|rid):", pared, re.MULTILINE):
        raise OfferError(422, "simulcast is not taken: set the number of layers to 1")
    if not video.rtp.codecs:  # `pare` has left those only that are taken
        raise OfferError(
            422, "the offer has no video codec that this server takes: H.264 (packetization mode 1) or VP8"
        )
    audio = next((media for media in offer.media if media.kind == "audio"), None)
    if audio is not None and not audio.rtp.codecs:
        raise OfferError(422, "the offer has no audio codec that this server takes: Opus or G.711")
    return Offer(pared, offer)


def _parse(text: str) -> tuple[str, SessionDescription]:
    if not text.startswith("v=0"):
        raise OfferError(400, "the body is no session description: it must begin with v=0")
    try:
        pared = pare(text)
    except LimitError as error:
        raise OfferError(400, str(error)) from None
    for line in pared.splitlines():
        if line.startswith("a=candidate:"):
            _candidate(line)
    try:
        return pared, SessionDescription.parse(pared)
    except Exception:  # its parser raises whatever comes to hand, and knows only the text
        raise OfferError(400, "the session description can't be read: write it as RFC 8866 has it") from None


def _check_bundle(offer: SessionDescription) -> None:
    """All sections must be in the first BUNDLE group, and nothing else may be: aiortc joins what that group names."""
    groups = [group.items for group in offer.group if group.semantic == "BUNDLE"]
    mids = {media.rtp.muxId for media in offer.media}
    if len(mids) < len(offer.media):
        raise OfferError(400, "two sections of the offer have the same a=mid: give each its own")
    if len(groups) > 1 or (len(mids) > 1 and not groups) or (groups and groups[0] and set(groups[0]) != mids):
        raise OfferError(422, "all sections of the offer must be in one BUNDLE group, and nothing else")


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

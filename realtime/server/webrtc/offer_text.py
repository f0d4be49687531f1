"""An offer as text: its limits, the few lines of it that matter here, and what is changed for aiortc.

aiortc compares an offer's lines with each other, and every codec with every one of its own: an offer of 64 KB kept the
event loop for 65 ms (measured). So it never sees more than `pare` leaves. Must not know what an offer must say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.sdp import DIRECTIONS

from .candidates import parse_usable

LINES_MAX = 1000
"""A browser's offer of all three sections has 150 to 300."""
LINE_MAX_CHARS = 1024
"""A browser's longest has 250."""
LINES_OF_A_KIND_MAX = {"a=ssrc:": 128, "a=ssrc-group:": 64, "a=fingerprint:": 16}
PAYLOAD_TYPES_MAX = 16
"""Of a section. Chromium offers VP8 and H.264 in five profiles, each with its retransmission: 12."""

_CODECS = {kind: {codec.name.upper() for codec in codecs} for kind, codecs in CODECS.items()}
_FEEDBACK = {
    " ".join(filter(None, (feedback.type, feedback.parameter)))
    for codec in CODECS["video"]
    for feedback in codec.rtcpFeedback
}
_EXTENSIONS = {extension.uri for extensions in HEADER_EXTENSIONS.values() for extension in extensions}
_KEPT = {
    *("candidate", "fingerprint", "group", "ice-lite", "ice-pwd", "ice-ufrag", "max-message-size", "mid", "rtcp-mux"),
    *("rid", "sctp-port", "sctpmap", "setup", "simulcast", "ssrc", "ssrc-group", *DIRECTIONS),
}
"""Attributes that aiortc acts on, or `sdp.check_offer`; those of codecs and extensions are chosen by their value."""


class LimitError(ValueError):
    """An offer has too many lines, or too long ones; the message is for the person at the other end."""


def pare(text: str) -> str:
    """The lines of an offer that matter here, in their order: those that aiortc would act on, or that are checked.

    Codecs (of H.264 packetization modes too) and header extensions that aiortc doesn't have are left out, and of one
    payload type all lines but the first of a kind. Sections that are `bundle-only` and have port 0, as they use the
    first one's (RFC 8843; Firefox offers them), get port 9.

    Raises:
        LimitError: there are too many lines, or too long ones.
    """
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        raise LimitError(f"the session description has more than {LINES_MAX} lines: send fewer")
    kept: list[str] = []
    for section in sections(lines):
        kept += _pared(section)
    for begin, most in LINES_OF_A_KIND_MAX.items():
        if sum(line.startswith(begin) for line in kept) > most:
            raise LimitError(f"the session description has more than {most} lines {begin} and so on: send fewer")
    if any(len(line) > LINE_MAX_CHARS for line in kept):
        raise LimitError(f"a line of the session description has more than {LINE_MAX_CHARS} characters: shorten it")
    return "\r\n".join(kept) + "\r\n"


def sections(lines: Iterable[str]) -> list[list[str]]:
    """The lines of the session, then those of each section."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            found.append([])
        found[-1].append(line)
    return found


def _pared(section: list[str]) -> Iterator[str]:
    kind = _kind(section)
    codecs = _payload_types(section, kind) if kind in _CODECS else set[str]()
    is_bundle_only = any(line.strip() == "a=bundle-only" for line in section)
    seen: set[str] = set()
    for line in section:
        name, _, value = line.removeprefix("a=").partition(":")
        if not line.startswith("a="):
            if line.startswith("m="):
                line = _with_payload_types(line, kind, codecs)
                line = re.sub(r"^(m=\w+) 0 ", r"\1 9 ", line) if is_bundle_only else line
            yield line
        elif name == "extmap":
            if value.split(" ")[1:2] and value.split(" ")[1] in _EXTENSIONS and not _is_again(line, seen):
                yield line
        elif name in ("rtpmap", "fmtp"):
            payload_type = value.split(" ", 1)[0]
            if payload_type in codecs and not _is_again(f"{name}:{payload_type}", seen):
                yield line
        elif name == "rtcp-fb":
            payload_type, _, feedback = value.strip().partition(" ")
            if payload_type in {*codecs, "*"} and feedback in _FEEDBACK and not _is_again(line, seen):
                yield line
        elif name.strip() in _KEPT:
            yield line


def _is_again(what: str, seen: set[str]) -> bool:
    if what in seen:
        return True
    seen.add(what)
    return False


def _kind(section: list[str]) -> str:
    match = re.match(r"m=(\w+) ", section[0]) if section else None
    return match[1] if match else ""


def _payload_types(section: list[str], kind: str) -> set[str]:
    """Those of the section's first codecs that aiortc has, and of their retransmission."""
    names: dict[str, str] = {}
    parameters: dict[str, str] = {}
    for line in section:
        if line.startswith("a=rtpmap:"):
            payload_type, _, name = line.removeprefix("a=rtpmap:").partition(" ")
            names.setdefault(payload_type, name.partition("/")[0].upper())
        elif line.startswith("a=fmtp:"):
            payload_type, _, said = line.removeprefix("a=fmtp:").partition(" ")
            parameters.setdefault(payload_type, said)
    kept: list[str] = []
    for payload_type, name in names.items():
        if name not in _CODECS[kind] - {"RTX"}:
            continue
        if name == "H264" and not re.search(r"packetization-mode\s*=\s*1\b", parameters.get(payload_type, "")):
            continue
        kept.append(payload_type)
    main = set(kept[: PAYLOAD_TYPES_MAX // 2])
    resent = {
        payload_type
        for payload_type, name in names.items()
        if name == "RTX" and parameters.get(payload_type, "").strip().removeprefix("apt=") in main
    }
    return main | set(sorted(resent)[: PAYLOAD_TYPES_MAX // 2])


def _with_payload_types(line: str, kind: str, kept: set[str]) -> str:
    """An m-line of media with these payload types only, or with its first where none is kept."""
    words = line.split()
    if kind not in _CODECS or len(words) < 4:
        return line
    return " ".join([*words[:3], *([word for word in words[3:] if word in kept] or words[3:4])])


def offer_for_aiortc(text: str, *, on_loopback: bool = False) -> str:
    """The offer, changed for aiortc.

    - `setup:actpass` becomes `active`, so that aiortc is the DTLS server: as a client it offers ECDSA ciphers only, and
      fails with GStreamer, whose certificate is RSA ("no shared cipher"). As a server its own certificate decides.
    - Of each section's candidates those are kept that `candidates.parse_usable` takes.
    - `end-of-candidates` is removed: aioice fails for good once all known pairs have failed, although a pair that only
      the peer knows of may succeed later. `Peer.watch` decides how long to wait.
    - A section without a direction gets `sendrecv`, which it means (RFC 8866 section 6.7).

    Args:
        text: pared, and passed by `sdp.check_offer`.
        on_loopback: see `Candidate.is_usable`.
    """
    lines: list[str] = []
    for section in sections(text.splitlines()):
        candidates = [line for line in section if line.startswith("a=candidate:")]
        others = [line for line in section if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        lines += ["a=setup:active" if line.strip() == "a=setup:actpass" else line for line in others]
        if section and section[0].startswith("m=") and not any(line[2:] in DIRECTIONS for line in others):
            lines.append("a=sendrecv")
        lines += [f"a={candidate.text}" for candidate in parse_usable(candidates, on_loopback=on_loopback)]
    return "\r\n".join(lines) + "\r\n"

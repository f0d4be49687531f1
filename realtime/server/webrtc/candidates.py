"""ICE candidates of a peer as text: which are well-formed, and which are worth a packet.

Pure. Each candidate makes us send packets to an address that the peer chose, so that few are taken.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

TAKEN_MAX = 16
"""Candidates that are checked, of one peer. A browser sends one for each of its networks, and for each of those one by
STUN and one by TURN. Each costs 5 packets within the time that a peer has to connect."""
LEAST_PORT = 1024
"""Below are services, not peers."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A well-formed candidate. Source: RFC 8839 section 5.1.

    Attributes:
        text: `candidate:…`, without `a=`.
        transport: in lower case.
        address: an IP address or a name.
    """

    text: str
    transport: str
    address: str
    port: int

    def is_usable(self, *, on_loopback: bool) -> bool:
        """Whether packets are to be sent there: to a peer's UDP port at an IP address.

        Names are not: browsers hide addresses behind `.local` ones until a camera is granted; resolving one takes a
        second (1169 ms to connect instead of 170, measured), and the browser's own checks reach us anyway. A host name
        would make us ask the DNS for any name that the peer chooses.

        Args:
            on_loopback: whether this server listens there; else nobody there can be meant.
        """
        try:
            ip = ipaddress.ip_address(self.address)
        except ValueError:
            return False
        if ip.is_loopback:
            return on_loopback and self._is_peer_port
        is_host = not (ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip.is_reserved)
        return is_host and self._is_peer_port

    @property
    def _is_peer_port(self) -> bool:
        return self.transport == "udp" and self.port >= LEAST_PORT


def parse_candidate(text: str) -> Candidate:
    """Parse `candidate:…`.

    Raises:
        ValueError: it is none; the message is a sentence.
    """
    fields = text.split()
    if len(fields) < 8 or fields[6] != "typ":
        raise ValueError(f"{text[:64]!r} is no candidate: write it as RFC 8839 has it")
    for index, name, most in ((1, "component", 256), (3, "priority", 2**32 - 1), (5, "port", 65535)):
        _check_number(name, fields[index], most)
    extensions = dict(zip(fields[8::2], fields[9::2], strict=False))
    if "rport" in extensions:
        _check_number("rport", extensions["rport"], 65535)
    return Candidate(" ".join(fields), fields[2].lower(), fields[4], int(fields[5]))


def _check_number(name: str, text: str, most: int) -> None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise ValueError(f"the {name} of a candidate must be a number up to {most}, not {text[:16]!r}")


def parse_usable(lines: list[str], *, on_loopback: bool) -> list[Candidate]:
    """The first `TAKEN_MAX` usable candidates among these lines (`a=candidate:…`), each address once.

    Raises:
        ValueError: one of them is no candidate.
    """
    taken: dict[tuple[str, int], Candidate] = {}
    for line in lines:
        candidate = parse_candidate(line.removeprefix("a="))
        if candidate.is_usable(on_loopback=on_loopback) and len(taken) < TAKEN_MAX:
            taken.setdefault((candidate.address, candidate.port), candidate)
    return list(taken.values())

"""OSC 1.0: packets to messages, and back. Pure; what comes in is untrusted, and nothing but OscError leaves.

Source: Wright 2002, "The Open Sound Control 1.0 Specification".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

PACKET_MAX_BYTES = 8192
MESSAGES_MAX = 64
"""In the bundles of one packet."""
DEPTH_MAX = 4
"""Of bundles in bundles."""
VALUES_MAX = 32
"""Of a message."""

OscValue = int | float | str | bytes | bool | None
BUNDLE = b"#bundle\0"
_NUMBERS = {"i": struct.Struct(">i"), "f": struct.Struct(">f"), "h": struct.Struct(">q"), "d": struct.Struct(">d")}
_SIZE = struct.Struct(">i")
_TIME_BYTES = 8
_CONSTANTS: dict[str, OscValue] = {"T": True, "F": False, "N": None, "I": True}
INT_MAX = 2**31


class OscError(ValueError):
    """A packet is none of OSC, or more than is read."""


@dataclass(frozen=True, slots=True)
class OscMessage:
    """One message.

    Attributes:
        values: of the types i, h: int; f, d: float; s, S: str; b: bytes; T, I: True; F: False; N: None.
    """

    address: str
    values: tuple[OscValue, ...] = ()


def parse_packet(packet: bytes) -> list[OscMessage]:
    """The messages of a packet, those of bundles in their order. Time tags are left out: all is meant now.

    Raises:
        OscError: it is no packet, or larger than the limits above.
    """
    if len(packet) > PACKET_MAX_BYTES:
        raise OscError(f"a packet may have {PACKET_MAX_BYTES} bytes")
    messages: list[OscMessage] = []
    waiting = [(packet, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not part.startswith(BUNDLE):
            messages.append(_message(part))
        elif depth == DEPTH_MAX:
            raise OscError(f"bundles may lie {DEPTH_MAX} deep")
        else:
            waiting += [(element, depth + 1) for element in reversed(_elements(part))]
        if len(messages) + len(waiting) > MESSAGES_MAX:
            raise OscError(f"a packet may have {MESSAGES_MAX} messages")
    return messages


def _elements(bundle: bytes) -> list[bytes]:
    elements: list[bytes] = []
    at = len(BUNDLE) + _TIME_BYTES
    if len(bundle) < at:
        raise OscError("a bundle without a time")
    while at < len(bundle):
        if len(bundle) - at < _SIZE.size:
            raise OscError("an element without a size")
        (size,) = _SIZE.unpack_from(bundle, at)
        at += _SIZE.size
        if not 0 < size <= len(bundle) - at or size % 4:
            raise OscError("an element of a wrong size")
        elements.append(bundle[at : at + size])
        at += size
    return elements


def _message(part: bytes) -> OscMessage:
    address, at = _text(part, 0)
    if not address.startswith("/"):
        raise OscError("an address begins with /")
    if at == len(part):
        return OscMessage(address)  # of an old sender, without types
    types, at = _text(part, at)
    if not types.startswith(","):
        raise OscError("types begin with a comma")
    if len(types) - 1 > VALUES_MAX:
        raise OscError(f"a message may have {VALUES_MAX} values")
    values: list[OscValue] = []
    for kind in types[1:]:
        value, at = _value(kind, part, at)
        values.append(value)
    if at != len(part):
        raise OscError("something is behind the values")
    return OscMessage(address, tuple(values))


def _value(kind: str, part: bytes, at: int) -> tuple[OscValue, int]:
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in "sS":
        return _text(part, at)
    if (number := _NUMBERS.get(kind)) is not None:
        if len(part) - at < number.size:
            raise OscError("a number is cut off")
        return number.unpack_from(part, at)[0], at + number.size
    if kind == "b":
        if len(part) - at < _SIZE.size:
            raise OscError("a blob is cut off")
        (size,) = _SIZE.unpack_from(part, at)
        begin = at + _SIZE.size
        if not 0 <= size <= len(part) - begin:
            raise OscError("a blob is cut off")
        return part[begin : begin + size], min(begin + _padded(size), len(part))
    raise OscError(f"values of the type {kind[:1]!r} are not read")


def _text(part: bytes, at: int) -> tuple[str, int]:
    end = part.find(b"\0", at)
    if end < 0 or at + _padded(end - at + 1) > len(part):
        raise OscError("a text does not end")
    try:
        return part[at:end].decode(), at + _padded(end - at + 1)
    except UnicodeDecodeError:
        raise OscError("a text is no UTF-8") from None


def _padded(size: int) -> int:
    return -(-size // 4) * 4


def pack_message(address: str, values: Sequence[OscValue] = ()) -> bytes:
    """A message's packet: whole numbers as i, or f where they are too large; other numbers as f; truth as i, which
    more receivers read than T.
    """
    types, data = ",", b""
    for value in values:
        kind, packed = _packed(value)
        types += kind
        data += packed
    return _packed_text(address) + _packed_text(types) + data


def _packed(value: OscValue) -> tuple[str, bytes]:
    if value is None:
        return "N", b""
    if isinstance(value, str):
        return "s", _packed_text(value)
    if isinstance(value, bytes):
        return "b", _SIZE.pack(len(value)) + value.ljust(_padded(len(value)), b"\0")
    if isinstance(value, int) and -INT_MAX <= value < INT_MAX:
        return "i", _NUMBERS["i"].pack(value)
    number = float(value)
    return "f", _NUMBERS["f"].pack(number if math.isfinite(number) and abs(number) < 3e38 else 0.0)


def _packed_text(text: str) -> bytes:
    data = text.encode(errors="replace").replace(b"\0", b"")
    return data.ljust(_padded(len(data) + 1), b"\0")

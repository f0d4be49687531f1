"""OSC packets, byte by byte."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.server.osc.wire import (
    DEPTH_MAX,
    MESSAGES_MAX,
    PACKET_MAX_BYTES,
    OscError,
    OscMessage,
    OscValue,
    pack_message,
    parse_packet,
)

NOW = b"\0\0\0\0\0\0\0\1"


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + NOW + b"".join(struct.pack(">i", len(each)) + each for each in elements)


def test_the_specifications_own_examples_are_read() -> None:
    oscillator = (
        bytes.fromhex("2f6f7363696c6c61746f722f342f6672657175656e637900") + b",f\0\0" + struct.pack(">f", 440.0)
    )
    foo = b"/foo\0\0\0\0,iisff\0\0" + struct.pack(">ii", 1000, -1) + b"hello\0\0\0" + struct.pack(">ff", 1.234, 5.678)

    assert parse_packet(oscillator) == [OscMessage("/oscillator/4/frequency", (440.0,))]
    (message,) = parse_packet(foo)
    assert message.values[:3] == (1000, -1, "hello")
    assert message.values[3:] == pytest.approx((1.234, 5.678))


def test_all_types_are_read() -> None:
    packet = b"/a\0\0,TFNIbShd\0\0\0" + b"\0\0\0\2xy\0\0" + b"sym\0" + struct.pack(">qd", 2**40, 0.25)

    assert parse_packet(packet) == [OscMessage("/a", (True, False, None, True, b"xy", "sym", 2**40, 0.25))]


def test_message_of_an_old_sender_has_no_types() -> None:
    assert parse_packet(b"/beat\0\0\0") == [OscMessage("/beat")]


def test_messages_of_bundles_come_in_their_order() -> None:
    packet = bundle(pack_message("/a"), bundle(pack_message("/b"), pack_message("/c")), pack_message("/d"))

    assert [message.address for message in parse_packet(packet)] == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"hello",
        b"/a",
        b"/a\0\0f\0\0\0",
        b"/a\0\0,f\0\0\0\0\0",
        b"/a\0\0,x\0\0",
        b"/a\0\0,b\0\0\xff\xff\xff\xff",
        b"/a\0\0,b\0\0\0\0\0\x09abcd",
        b"/a\0\0,\0\0\0more",
        b"/\xff\0\0",
        b"/a\0\0,[i]\0\0\0\0\0\0\0\1",
        b"#bundle\0",
        b"#bundle\0" + NOW + b"\0\0",
        b"#bundle\0" + NOW + b"\0\0\0\0",
        b"#bundle\0" + NOW + b"\0\0\0\3abc",
        b"#bundle\0" + NOW + b"\x7f\xff\xff\xff/a\0\0",
        b"#bundle\0" + NOW + b"\xff\xff\xff\xfc/a\0\0",
    ],
)
def test_what_is_no_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(OscError):
        parse_packet(packet)


def test_packet_of_more_than_is_read_is_refused() -> None:
    deep = pack_message("/a")
    for _ in range(DEPTH_MAX):
        deep = bundle(deep)

    assert len(parse_packet(deep)) == 1
    for packet in (
        bundle(deep),
        bundle(*[pack_message("/a")] * (MESSAGES_MAX + 1)),
        pack_message("/a", (1,) * 33),
        pack_message("/a", ("x" * PACKET_MAX_BYTES,)),
    ):
        with pytest.raises(OscError, match="may"):
            parse_packet(packet)


values = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.floats(width=32, allow_nan=False, allow_infinity=False, max_value=2.0**100, min_value=-(2.0**100)),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.binary(max_size=40),
    st.none(),
)


@given(st.text("abc/é", max_size=20), st.lists(values, max_size=8))
def test_what_is_packed_is_read_back(name: str, given_values: list[OscValue]) -> None:
    assert parse_packet(pack_message(f"/{name}", given_values)) == [OscMessage(f"/{name}", tuple(given_values))]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(packet: bytes) -> None:
    with contextlib.suppress(OscError):
        parse_packet(packet)

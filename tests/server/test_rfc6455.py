"""WebSockets by RFC 6455, frame by frame and octet by octet, as Autobahn's test suite has them: what goes through, and
with which code a connection is closed that does what none may.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""Of the example in section 1.3."""
ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"
MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Wire:
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int | None:
        """Of a close frame; None where it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK, length: int = 0
) -> bytes:
    """A client's frame. `length` claims another one than the payload's."""
    size = length or len(payload)
    first, masked = bytes([fin << 7 | rsv << 4 | opcode]), 0x80 if mask is not None else 0
    if size < 126:
        head = first + bytes([masked | size])
    elif size < 2**16:
        head = first + struct.pack("!BH", masked | 126, size)
    else:
        head = first + struct.pack("!BQ", masked | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def asks(name: str = "none", size: int = 0) -> bytes:
    """The text of a command that there is not, of so many bytes: it is answered by an error."""
    text = json.dumps({"type": "command", "command": name}, ensure_ascii=False).encode()
    return text.replace(b'"type"', b" " * (size - len(text)) + b'"type"')


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Line:
    """An open WebSocket that is written octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes, piece: int = 0) -> None:
        """Send bytes; in pieces of so many, each in a packet of its own."""
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(data), piece or len(data)):
                self._writer.write(data[at : at + (piece or len(data))])
                await self._writer.drain()
                await asyncio.sleep(0)

    async def read(self) -> Wire | None:
        """The next frame; None where the connection is over."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                first, size = await self._reader.readexactly(2)
                if size == 126:
                    (size,) = struct.unpack("!H", await self._reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
                assert first & 0xF0 == 0x80, "the server sends whole messages, without extensions"
                return Wire(first & 15, await self._reader.readexactly(size))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None

    async def until_closed(self) -> list[Wire]:
        """What comes to the end."""
        found: list[Wire] = []
        while (wire := await self.read()) is not None:
            found.append(wire)
        return found

    async def until_pong(self, payload: bytes = b"end") -> list[Wire]:
        """Answers, errors and pongs, to what was sent so far: the connection is open."""
        await self.send(frame(PING, payload))
        found: list[Wire] = []
        while (wire := await self.read()) != Wire(PONG, payload):
            assert wire is not None and wire.opcode != CLOSE, wire
            if wire.opcode == PONG or (wire.opcode == TEXT and json.loads(wire.payload)["type"] == "error"):
                found.append(wire)
        return found

    async def answers(self, number: int) -> list[str]:
        """The next so many errors, which are the answers to `asks`."""
        found: list[str] = []
        while len(found) < number:
            wire = await self.read()
            assert wire is not None and wire.opcode != CLOSE, wire
            if wire.opcode == TEXT and (text := json.loads(wire.payload))["type"] == "error":
                found.append(text["code"])
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_message_bytes=MAX_BYTES, max_sessions=64)) as one:
        yield one


def handshake(port: int, **changes: str | None) -> bytes:
    """The request of a handshake with headers changed, or left out."""
    headers: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join(["GET /ws HTTP/1.1", *lines, "", ""]).encode()


@asynccontextmanager
async def opened(server: RunningServer) -> AsyncGenerator[Line]:
    """A WebSocket that is ready."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(handshake(server.port))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and ACCEPTED in head
        line = Line(reader, writer)
        while (wire := await line.read()) is not None and json.loads(wire.payload)["type"] != "ready":
            pass
        yield line
    finally:
        writer.transport.abort()


WHOLE = {
    "text": frame(TEXT, asks()),
    "without a mask's effect": frame(TEXT, asks(), mask=b"\0\0\0\0"),
    "length of 125": frame(TEXT, asks(size=125)),
    "length of 126": frame(TEXT, asks(size=126)),
    "length of 127": frame(TEXT, asks(size=127)),
    "length of 65535": frame(TEXT, asks(size=65535)),
    "length of 65536": frame(TEXT, asks(size=65536)),
    "two fragments": frame(TEXT, asks()[:9], fin=False) + frame(CONTINUATION, asks()[9:]),
    "a fragment an octet": frame(TEXT, asks()[:1], fin=False)
    + b"".join(frame(CONTINUATION, asks()[i : i + 1], fin=False) for i in range(1, len(asks())))
    + frame(CONTINUATION),
    "empty fragments": frame(TEXT, fin=False) + frame(CONTINUATION, asks(), fin=False) + frame(CONTINUATION),
    "a pong between fragments": frame(TEXT, asks()[:9], fin=False)
    + frame(PONG, b"x")
    + frame(CONTINUATION, asks()[9:]),
    "a fragment that ends inside a letter": frame(TEXT, asks("é")[:-3], fin=False)
    + frame(CONTINUATION, asks("é")[-3:]),
    "noncharacters, and the last code point": frame(TEXT, asks("\ufffe\uffff\U0010ffff\U0001f600")),
    "an unsolicited pong before it": frame(PONG, b"unasked") + frame(TEXT, asks()),
}


@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "octet by octet"])
@pytest.mark.parametrize("name", WHOLE)
async def test_message_arrives_whole(server: RunningServer, name: str, piece: int) -> None:
    async with opened(server) as line:
        await line.send(WHOLE[name], piece if len(WHOLE[name]) < 1000 else 997 * piece)

        assert await line.answers(1) == ["unknown_command"]


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"\x00\xff\xfe\xfd", b"x" * 125], ids=["none", "text", "bytes", "125"]
)
async def test_ping_is_answered_by_its_payload(server: RunningServer, payload: bytes) -> None:
    async with opened(server) as line:
        await line.send(frame(PING, payload))

        assert await line.until_pong() == [Wire(PONG, payload)]


async def test_ten_pings_are_answered_in_order(server: RunningServer) -> None:
    async with opened(server) as line:
        await line.send(b"".join(frame(PING, bytes([number])) for number in range(10)))

        assert await line.until_pong() == [Wire(PONG, bytes([number])) for number in range(10)]


async def test_pings_between_fragments_are_answered_before_the_message(server: RunningServer) -> None:
    async with opened(server) as line:
        await line.send(frame(TEXT, asks()[:9], fin=False) + frame(PING, b"1"))
        await line.send(frame(CONTINUATION, asks()[9:12], fin=False) + frame(PING, b"2"))
        pongs = await line.until_pong()
        await line.send(frame(CONTINUATION, asks()[12:]))

        assert pongs == [Wire(PONG, b"1"), Wire(PONG, b"2")]
        assert await line.answers(1) == ["unknown_command"]


FORBIDDEN = {
    **{f"reserved bits {rsv:03b}": frame(TEXT, asks(), rsv=rsv) for rsv in range(1, 8)},
    "reserved bits of a ping": frame(PING, b"x", rsv=4),
    "reserved bits of a close": frame(CLOSE, b"", rsv=1),
    "reserved bits of a continuation": frame(TEXT, asks()[:9], fin=False) + frame(CONTINUATION, asks()[9:], rsv=2),
    **{f"opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "opcode 3 between fragments": frame(TEXT, asks()[:9], fin=False) + frame(3) + frame(CONTINUATION, asks()[9:]),
    "no mask": frame(TEXT, asks(), mask=None),
    "a ping of 126": frame(PING, b"x" * 126),
    "a pong of 126": frame(PONG, b"x" * 126),
    "a close of 126": frame(CLOSE, struct.pack("!H", 1000) + b"x" * 124),
    "a ping in fragments": frame(PING, b"x", fin=False) + frame(CONTINUATION, b"y"),
    "a pong in fragments": frame(PONG, b"x", fin=False),
    "a close in fragments": frame(CLOSE, b"", fin=False),
    "a continuation of nothing": frame(CONTINUATION, asks()),
    "an unfinished continuation of nothing": frame(CONTINUATION, asks(), fin=False),
    "a continuation of what is whole": frame(TEXT, asks()) + frame(CONTINUATION, b"x"),
    "a message inside another": frame(TEXT, asks()[:9], fin=False) + frame(TEXT, asks()),
    "a close inside a message": frame(TEXT, asks()[:9], fin=False) + close(1000),  # which RFC 6455 leaves open
    "a close of one octet": frame(CLOSE, b"\x03"),
    "a length with its highest bit": struct.pack("!BBQ", 0x81, 0xFF, 2**63) + MASK,
    **{
        f"close code {code}": close(code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_what_none_may_do_closes_with_1002(server: RunningServer, name: str) -> None:
    async with opened(server) as line:
        await line.send(FORBIDDEN[name])
        wires = await line.until_closed()

    (end,) = [wire for wire in wires if wire.opcode == CLOSE]
    expected = (1002, 1009) if "length" in name else (1002,)
    assert end.code in expected, end


NO_UTF8 = {
    "a continuation octet": b"\x80",
    "the last of them": b"\xbf",
    "a sequence without its end": b"\xce",
    "one of three without its end": b"\xe2\x82",
    "one of four without its end": b"\xf0\x9f\x98",
    "overlong, of two": b"\xc0\xaf",
    "overlong, of three": b"\xe0\x80\xaf",
    "overlong, of four": b"\xf0\x80\x80\xaf",
    "an overlong zero": b"\xc0\x80",
    "a high surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa1\x80\xed\xb0\x80",
    "behind the last code point": b"\xf4\x90\x80\x80",
    "of five octets": b"\xf8\x88\x80\x80\x80",
    "of six octets": b"\xfc\x84\x80\x80\x80\x80",
    "0xfe": b"\xfe",
    "0xff": b"\xff",
}


@pytest.mark.parametrize("name", NO_UTF8)
async def test_text_that_is_no_utf8_closes_with_1007_also_in_fragments(server: RunningServer, name: str) -> None:
    text = b'{"type":"command","command":"' + NO_UTF8[name] + b'"}'
    split = 30
    for data in (frame(TEXT, text), frame(TEXT, text[:split], fin=False) + frame(CONTINUATION, text[split:])):
        async with opened(server) as line:
            await line.send(data)
            wires = await line.until_closed()

        (end,) = [wire for wire in wires if wire.opcode == CLOSE]
        assert end.code == 1007


@pytest.mark.parametrize("reason", [b"\xff\xfe", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"])
async def test_reason_that_is_no_utf8_is_refused(server: RunningServer, reason: bytes) -> None:
    async with opened(server) as line:
        await line.send(close(1000, reason))
        (end,) = [wire for wire in await line.until_closed() if wire.opcode == CLOSE]

    assert end.code in (1002, 1007)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
async def test_close_is_answered_with_its_code(server: RunningServer, code: int) -> None:
    async with opened(server) as line:
        await line.send(close(code, "für immer".encode()))
        (end,) = [wire for wire in await line.until_closed() if wire.opcode == CLOSE]

    assert end.code == code


async def test_close_without_a_code_and_one_with_the_longest_reason_are_answered(server: RunningServer) -> None:
    for data, code in ((frame(CLOSE), None), (close(1000, b"x" * 123), 1000)):
        async with opened(server) as line:
            await line.send(data)
            (end,) = [wire for wire in await line.until_closed() if wire.opcode == CLOSE]

        assert end.code in (code, 1000)


@pytest.mark.parametrize(
    "after",
    [frame(TEXT, asks()), frame(PING, b"x"), close(1000), frame(3), b"\xff" * 100],
    ids=["a message", "a ping", "a close", "what none may do", "noise"],
)
async def test_nothing_behind_a_close_is_heard(server: RunningServer, after: bytes) -> None:
    async with opened(server) as line:
        await line.send(close(1000) + after)
        wires = await line.until_closed()

    assert [wire.code for wire in wires if wire.opcode == CLOSE] == [1000]
    assert not [wire for wire in wires if wire.opcode == PONG]


TOO_BIG = {
    "a frame": frame(BINARY, b"x", length=MAX_BYTES + 1),
    "fragments": frame(BINARY, b"x" * MAX_BYTES, fin=False) + frame(CONTINUATION, b"x"),
    "a text": frame(TEXT, asks(size=64 * 1024 + 1)),
}


@pytest.mark.parametrize("name", TOO_BIG)
async def test_message_that_is_too_big_closes_with_1009(server: RunningServer, name: str) -> None:
    async with opened(server) as line:
        await line.send(TOO_BIG[name])
        (end,) = [wire for wire in await line.until_closed() if wire.opcode == CLOSE]

    assert end.code == 1009


HANDSHAKES: dict[str, tuple[dict[str, str | None], frozenset[int]]] = {
    "no version": ({"Sec_WebSocket_Version": None}, frozenset({400, 426})),
    "an older version": ({"Sec_WebSocket_Version": "8"}, frozenset({400, 426})),
    "no key": ({"Sec_WebSocket_Key": None}, frozenset({400})),
    "a key of other length": ({"Sec_WebSocket_Key": "abc"}, frozenset({400})),
    "no upgrade": ({"Upgrade": None}, frozenset({400, 404, 405, 426})),
    "an upgrade to something else": ({"Upgrade": "h2c"}, frozenset({400, 404, 405, 426})),
    "an extension": ({"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"}, frozenset({101})),
    "an extension that is none": ({"Sec_WebSocket_Extensions": "x-none; a=1, permessage-deflate"}, frozenset({101})),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_handshake_is_taken_or_refused_and_no_extension_is_agreed_to(server: RunningServer, name: str) -> None:
    changes, expected = HANDSHAKES[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(handshake(server.port, **changes))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
    finally:
        writer.transport.abort()

    assert int(head.split()[1]) in expected
    assert b"sec-websocket-extensions" not in head

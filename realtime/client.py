"""A client for programs: frames out, pictures in, over the WebSocket of docs/protocol.md.

    async with connect("ws://127.0.0.1:8777/ws") as stream:
        await stream.update(prompt="watercolor", strength=0.6)
        picture = await stream.restyle(jpeg)

Must not import the server, the engine or torch.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.typing import Subprotocol

from . import protocol
from .errors import RealtimeError
from .frame import Format

MAX_BYTES = 64 * 2**20


class RefusedError(RealtimeError):
    """The server answered a frame, patch or command with an error."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Picture:
    """The answer to a frame.

    Attributes:
        seq: number of the frame.
        data: the encoded picture.
        params_version: version of the params that made it.
        engine_us: time at the server, from the frame's arrival to the picture's departure.
        round_trip_us: from `captured_us` of the frame to the picture's arrival here, on this clock.
        is_repeat: whether the frame showed nothing new: format and data are those of the picture before.
    """

    seq: int
    format: Format
    data: bytes
    params_version: int
    engine_us: int
    round_trip_us: int
    is_repeat: bool = False


def now_us() -> int:
    """This client's clock, microseconds; the default of `captured_us`."""
    return time.monotonic_ns() // 1000


class Stream:
    """One connection. `send` and `update` don't wait for answers; `pictures` and `on_message` bring them.

    Args:
        websocket: open.
        ready: the server's `ready` message.
    """

    def __init__(self, websocket: ClientConnection, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.params: dict[str, Any] = ready["params"]
        self.on_message: Callable[[dict[str, Any]], None] = lambda message: None
        self._websocket = websocket
        self._seq = 0
        self._newest: tuple[Format, bytes] = (Format.NONE, b"")

    async def send(self, data: bytes, *, captured_us: int | None = None) -> int:
        """Send an encoded picture and return its seq.

        Raises:
            ValueError: no JPEG, PNG or WebP.
        """
        picture_format = Format.sniff(data)
        if picture_format is Format.NONE:
            raise ValueError("a frame is a JPEG, PNG or WebP picture")
        self._seq += 1
        captured = now_us() if captured_us is None else captured_us
        await self._websocket.send(
            protocol.HEADER.pack(protocol.VERSION, picture_format, 0, self._seq, captured, 0, 0) + data
        )
        return self._seq

    async def update(self, **patch: Any) -> None:
        """Send a params patch; the answer is a `params` or an `error` message."""
        await self._websocket.send(json.dumps({"type": "params", "params": patch}))

    async def command(self, name: str) -> None:
        """Send a command, for example `freeze`."""
        await self._websocket.send(json.dumps({"type": "command", "command": name}))

    async def pictures(self) -> AsyncIterator[Picture]:
        """Every answer as it comes, until the connection ends. Text messages go to `on_message` meanwhile."""
        async for message in self._websocket:
            if isinstance(message, bytes):
                yield self._picture(message)
            else:
                self._on_text(json.loads(message))

    def _picture(self, message: bytes) -> Picture:
        _, number, flags, seq, captured_us, params_version, engine_us = protocol.HEADER.unpack_from(message)
        is_repeat = bool(flags & protocol.REPEAT)
        if not is_repeat:
            self._newest = (Format(number), message[protocol.HEADER.size :])
        picture_format, data = self._newest
        return Picture(seq, picture_format, data, params_version, engine_us, now_us() - captured_us, is_repeat)

    def _on_text(self, message: dict[str, Any]) -> None:
        if message["type"] == "params":
            self.params = message["params"]
        self.on_message(message)

    async def restyle(self, data: bytes) -> Picture:
        """Send one picture and wait for its answer: for scripts; streams use `send` and `pictures`.

        Raises:
            RefusedError: the server refused the frame.
            ConnectionError: the connection ended first.
        """
        seq = await self.send(data)
        while True:
            try:
                message = await self._websocket.recv()
            except Exception as error:
                raise ConnectionError(f"the connection ended before frame {seq} was answered") from error
            if isinstance(message, bytes):
                if (picture := self._picture(message)).seq == seq:
                    return picture
                continue
            fields = json.loads(message)
            self._on_text(fields)
            if fields["type"] == "error" and fields.get("seq") == seq:
                raise RefusedError(fields["code"], fields["message"])
            if fields["type"] == "dropped" and seq in fields["seqs"]:
                raise RefusedError(fields["reason"], f"the server dropped the frame: {fields['reason']}")


@asynccontextmanager
async def connect(
    url: str, *, token: str | None = None, ready_timeout_s: float | None = None
) -> AsyncGenerator[Stream]:
    """Connect, and wait until the server is ready for frames.

    Args:
        url: `ws://host:port/ws`, with `?session=NAME` to come back to a session.
        token: access token, where the server needs one.
        ready_timeout_s: how long a model may take to load; None waits.

    Raises:
        OSError, websockets.exceptions.WebSocketException: there is no connection, or it is refused.
        TimeoutError: not ready in time.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else None
    async with connect_websocket(
        url,
        subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
        compression=None,
        max_size=MAX_BYTES,
        additional_headers=headers,
    ) as websocket:
        async with asyncio.timeout(ready_timeout_s):
            while (message := json.loads(await websocket.recv()))["type"] != "ready":
                pass
        yield Stream(websocket, message)

"""One WebSocket: its frames, texts and close codes, between a Connection and the client.

Knows the wire only through `protocol`, frames only as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import protocol
from ..errors import CloseCode, FrameError
from ..frame import Frame, Repeat, Result
from ..media import codec
from ..protocol import PictureMessage
from ..session import Session
from .bringing import bring
from .connection import Closed, Connection, Gone, end_with_grant, end_with_server, ending
from .roles import Grant
from .service import Service
from .tasks import Tasks
from .turns import NotTaken


async def serve_websocket(websocket: WebSocket, service: Service, session_name: str | None, grant: Grant) -> None:
    """Serve an accepted connection to its end: loading, the line, frames, the close code.

    Args:
        websocket: accepted already.
        session_name: the session that the client asked for; None where it asked for none.
        grant: the client's.
    """
    connection = _WebSocketConnection(websocket, service)
    async with closing(websocket, service.config.send_timeout_s), Tasks() as tasks:
        tasks.create_task(connection.receive())
        tasks.create_task(connection.live(session_name, grant, address_of(websocket)))
        tasks.create_task(end_with_grant(service, grant))
        tasks.create_task(end_with_server(service))


def closing(websocket: WebSocket, timeout_s: float) -> contextlib.AbstractAsyncContextManager[None]:
    """Close the WebSocket at the end of the block, with the code of the error that ended it. See `ending`."""

    async def say(end: Closed) -> None:
        # The client may have closed first, or takes nothing.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await close(websocket, end.code, str(end))

    return ending(say, WebSocketDisconnect)


def address_of(connection: HTTPConnection) -> str:
    """The client's address, as far as it is known: a proxy on this machine is believed what it says."""
    return connection.client.host if connection.client is not None else ""


async def close(websocket: WebSocket, code: CloseCode, reason: str) -> None:
    """Close with a code and a reason, cut to fit into 123 bytes (RFC 6455 section 5.5)."""
    await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))


async def send_picture(websocket: WebSocket, result: Result | Repeat) -> None:
    """Send a result as one binary message."""
    engine_us = (time.monotonic_ns() - result.order.frame.received_ns) // 1000
    await websocket.send_bytes(protocol.pack_result(result, engine_us))


class _WebSocketConnection(Connection):
    """A client that sends encoded pictures and gets them."""

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        super().__init__(service, takes_encoded=True)
        self._websocket = websocket
        self._previous_seq: int | None = None

    async def receive(self) -> None:
        """Take messages as they come. Waits for nothing but the client, or for its flood of texts to be answered."""
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                raise Gone
            if (data := event.get("bytes")) is not None:
                message = protocol.parse_picture(data, self._previous_seq)
                if message.is_reference:
                    await self._on_reference(message)
                else:
                    self._on_picture(message, time.monotonic_ns())
                await self.pace_bytes(len(data))
            elif (text := event.get("text")) is not None:
                await self.take_text(text)

    async def _on_reference(self, message: PictureMessage) -> None:
        """Take a picture for prompts. Nothing else is read of the client until it is decoded."""
        channel, session = self.channel, self.session
        if channel is None or session is None:
            return  # sent before `ready`: ignored
        try:
            brought = await bring(self.service, message.picture, session.name, address_of(self._websocket), session)
        except NotTaken as error:
            channel.post(protocol.error_message("invalid_picture", str(error), seq=message.seq))
        else:
            channel.post(protocol.picture_message(message.seq, *brought))

    def _on_picture(self, message: PictureMessage, now_ns: int) -> None:
        session, channel = self.session, self.channel
        if session is None or channel is None:
            return  # sent before `ready`: ignored
        if self._previous_seq is not None and message.seq <= self._previous_seq:
            session.stats.count_received(now_ns)
            problem = f"seq must rise with every frame; {message.seq} came after {self._previous_seq}"
            error = FrameError(problem, "bad_seq")
            session.refuse(channel, message.seq, error)
            return
        self._previous_seq = message.seq
        try:
            codec.inspect(message.picture, message.format, self.service.config.max_pixels)
        except FrameError as error:
            session.stats.count_received(now_ns)
            session.refuse(channel, message.seq, error)
            return
        frame = Frame(message.seq, message.format, message.picture, message.captured_us, now_ns, message.is_as_is)
        session.offer(channel, frame)

    async def send_text(self, text: str) -> None:
        """Send a text message."""
        await self._websocket.send_text(text)

    async def send_result(self, session: Session, result: Result | Repeat) -> None:
        """Send a result as a binary message."""
        await send_picture(self._websocket, result)

"""One WebSocket and one Session: a receive loop and a send loop, and nothing that waits between them.

Knows the wire only through `protocol`, frames only as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import protocol
from ..engine import codec
from ..errors import CloseCode, FrameError, ParamsError, ProtocolError
from ..frame import Frame
from ..session import Channel, Session
from .engine_host import State
from .lobby import check_name
from .service import Service

log = logging.getLogger(__name__)

E = TypeVar("E", bound=BaseException)

DROPS_EVERY_S = 0.25
TEXTS_PER_SECOND = 200
"""A client that sends more is read more slowly; nothing it sent is lost, and nobody else is kept waiting."""


class _Closed(Exception):
    """The connection ends with this code, for this reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


async def serve_websocket(websocket: WebSocket, service: Service, session_name: str | None) -> None:
    """The whole life of an accepted connection: loading, the line, frames, the close code.

    Args:
        websocket: accepted.
        session_name: the session that the client asked for, None where it did not.
    """
    end = _Closed(CloseCode.DONE, "")
    gone = False
    try:
        async with asyncio.TaskGroup() as tasks:
            connection = _Connection(websocket, service)
            tasks.create_task(connection.receive())
            tasks.create_task(connection.live(session_name))
            tasks.create_task(connection.end_with_server())
    except* WebSocketDisconnect:
        gone = True
    except* _Closed as group:
        end = _first(group)
    except* ProtocolError as group:
        refused = _first(group)
        end = _Closed(refused.close_code, str(refused))
    except* Exception as group:
        log.exception("a connection failed", exc_info=group)
        end = _Closed(CloseCode.ENGINE_FAILED, "the server failed")
    if not gone:
        # The other side was first, or takes nothing.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(service.config.send_timeout_s):
                await close(websocket, end.code, str(end))


async def close(websocket: WebSocket, code: CloseCode, reason: str) -> None:
    """Close with a code and a reason, which is cut to the 123 bytes it may have (RFC 6455 section 5.5)."""
    await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))


def ring_from_any_thread(event: asyncio.Event) -> Callable[[], None]:
    """A mailbox's bell that sets an event of the running loop."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)

    return ring


def _first(group: BaseExceptionGroup[E]) -> E:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


class _Connection:
    """What the loops of one connection share."""

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        self._websocket = websocket
        self._service = service
        self._session: Session | None = None
        self._channel: Channel | None = None
        self._previous_seq: int | None = None
        self._something_to_send = asyncio.Event()
        self._texts_sent = asyncio.Event()
        self._text_budget = float(TEXTS_PER_SECOND)
        self._text_budget_at = time.monotonic()

    async def end_with_server(self) -> None:
        """Close when the server goes or the engine breaks."""
        host = self._service.host
        while host.state not in (State.FAILED, State.STOPPED):
            await host.changed.wait()
        if host.state is State.FAILED:
            raise _Closed(CloseCode.ENGINE_FAILED, "the engine failed")
        raise _Closed(CloseCode.GOING_AWAY, "the server is going away")

    # -- in ---------------------------------------------------------------------------------------------------------

    async def receive(self) -> None:
        """Take messages as they come. Never waits for anything but the client (and its own flood of texts)."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", CloseCode.DONE))
            if (data := message.get("bytes")) is not None:
                self._on_picture(data, time.monotonic_ns())
            elif (text := message.get("text")) is not None:
                self._on_text(text)
                await self._pace_texts()

    def _on_picture(self, data: bytes, now_ns: int) -> None:
        message = protocol.parse_picture(data, self._previous_seq)
        session, channel = self._session, self._channel
        if session is None or channel is None:
            return  # sent before `ready`: nobody asked for it
        if self._previous_seq is not None and message.seq <= self._previous_seq:
            session.stats.count_received(now_ns)
            error = FrameError(f"seq rises with every frame; {message.seq} came after {self._previous_seq}", "bad_seq")
            session.refuse(channel, message.seq, error)
            return
        self._previous_seq = message.seq
        try:
            codec.inspect(message.picture, message.format, self._service.config.max_pixels)
        except FrameError as error:
            session.stats.count_received(now_ns)
            session.refuse(channel, message.seq, error)
            return
        session.offer(channel, Frame(message.seq, message.format, message.picture, message.captured_us, now_ns))

    def _on_text(self, text: str) -> None:
        message = protocol.parse_text(text)
        session, channel = self._session, self._channel
        if session is None or channel is None or session.channel is not channel:
            return  # before `ready`, or another connection has the session by now
        match message:
            case protocol.ParamsMessage(patch):
                try:
                    session.update(patch)
                except ParamsError as error:
                    channel.post(protocol.error_message("invalid_params", str(error), field=error.field))
            case protocol.CommandMessage(name):
                if not session.command(name):
                    channel.post(protocol.error_message("unknown_command", f"there is no command {name[:64]!r}"))
            case protocol.UnknownMessage(_, problem):
                if problem is not None:
                    channel.post(protocol.error_message("bad_message", problem))

    async def _pace_texts(self) -> None:
        now = time.monotonic()
        self._text_budget += (now - self._text_budget_at) * TEXTS_PER_SECOND
        self._text_budget = min(self._text_budget, float(TEXTS_PER_SECOND)) - 1
        self._text_budget_at = now
        if self._text_budget < 0:
            await asyncio.sleep(-self._text_budget / TEXTS_PER_SECOND)
        while self._channel is not None and self._channel.is_crowded:
            # It sends texts and takes no answers. `_send` goes on or gives it up.
            self._texts_sent.clear()
            await self._texts_sent.wait()

    # -- out --------------------------------------------------------------------------------------------------------

    async def live(self, session_name: str | None) -> None:
        """Wait for the engine and a place, say `ready`, then send until the end."""
        check_name(session_name)
        await self._wait_for_engine()
        position: list[str] = []
        lobby = self._service.lobby

        def on_position(place: int, size: int) -> None:
            position[:] = [protocol.queued_message(place, size)]
            self._something_to_send.set()

        try:
            async with asyncio.TaskGroup() as tasks:
                teller = tasks.create_task(self._tell_position(position))
                self._session = await lobby.enter(session_name, on_position)
                # At once: a seat that is taken and has no channel would never be left.
                self._channel = self._session.attach(ring_from_any_thread(self._something_to_send))
                self._channel.post(self._service.ready_message(self._session))
                teller.cancel()
            session, channel = self._session, self._channel
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(session, channel))
                tasks.create_task(self._report(session, channel))
        finally:
            if self._session is not None and self._channel is not None:
                lobby.leave(self._session, self._channel)

    async def _wait_for_engine(self) -> None:
        host = self._service.host
        changed = host.changed
        while host.state is State.LOADING:
            await self._websocket.send_text(protocol.loading_message(host.stage.name, host.stage.percent))
            await changed.wait()
            changed = host.changed
        if host.state is not State.READY:
            await asyncio.Event().wait()  # `end_with_server` closes

    async def _tell_position(self, position: list[str]) -> None:
        while True:
            await self._something_to_send.wait()
            self._something_to_send.clear()
            for text in position:
                await self._websocket.send_text(text)

    async def _send(self, session: Session, channel: Channel) -> None:
        timeout_s = self._service.config.send_timeout_s
        while True:
            self._something_to_send.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    for text in channel.take_texts():
                        await self._websocket.send_text(text)
                    self._texts_sent.set()
                    if (result := channel.outbox.take()) is not None:
                        engine_us = (time.monotonic_ns() - result.job.frame.received_ns) // 1000
                        await self._websocket.send_bytes(protocol.pack_result(result, engine_us))
                        session.stats.count_delivered(time.monotonic_ns())
            except TimeoutError:
                # Nothing can be said to a client that takes nothing; its transport is dropped, not closed politely.
                raise WebSocketDisconnect(CloseCode.REFUSED) from None
            await self._something_to_send.wait()

    async def _report(self, session: Session, channel: Channel) -> None:
        """Drops every 250 ms, stats once a second; ends the connection that lost its session."""
        beats = 0
        while True:
            await asyncio.sleep(DROPS_EVERY_S)
            if session.channel is not channel:
                raise _Closed(CloseCode.DONE, "the session was ended or taken over by a newer connection")
            channel.post_drops()
            beats += 1
            if beats % round(1 / DROPS_EVERY_S) == 0:
                channel.post(protocol.stats_message(self._service.stats(session)), optional=True)

"""HTTP and WebSocket as uvicorn speaks them, with limits that hold before a request is understood or a token looked at.

Must not know routes, sessions or messages.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..errors import CloseCode
from .budget import Budget

HEAD_MAX_BYTES = 64 * 1024
"""Request line and headers."""
HEADERS_MAX = 100
HEAD_TIMEOUT_S = 10.0
"""From the first byte of a request, or from connecting, to the end of its headers."""
HALF_OPEN_MAX = 128
"""Connections that have not sent a whole request yet. One more closes the oldest."""
PIPELINED_MAX = 8
"""Requests that wait for an answer to the one before."""
BODY_PIECES_MAX = 1000
"""Small pieces that a request's body comes in: a chunk of one byte costs as much as one of a kilobyte."""
SMALL_PIECE_BYTES = 256
REQUESTS_PER_SECOND = 100
"""Of one connection, and as many at once."""
FRAMES_PER_SECOND = 1000
"""WebSocket frames of one connection: fragments, pings and pongs too. A picture at 120 fps is one or a few."""
FRAMES_SPAN_S = 0.5
"""Frames of so long may come at once: reading 500 takes 4 ms."""
SLICE_BYTES = 2048
"""Bytes that are parsed before the frames in them are counted: the shortest have 6 bytes and take 8 microseconds."""
HEARD_S = 0.2
"""How long a client that is cut off is given to hear why, and then to have what it sent meanwhile thrown away."""
STALL_BYTES = 16 * 1024
"""What a client must take within the send time-out while an answer waits for it."""

NO_REQUEST = "this is no request of HTTP/1.1, or one whose head is wrong: is it https:// where http:// was meant?"
TOO_MANY = PlainTextResponse(
    f"a connection may send {REQUESTS_PER_SECOND} requests a second: send fewer\n",
    HTTPStatus.TOO_MANY_REQUESTS,
    {"retry-after": "1", "connection": "close"},
)


class Settings(uvicorn.Config):
    """uvicorn's settings, and ours.

    Args:
        most_connections: open connections; one more is answered 503 and closed.
        send_timeout_s: see `STALL_BYTES`.
        options: of `uvicorn.Config`.

    Attributes:
        frames_per_second: see `FRAMES_PER_SECOND`.
        half_open: connections that have not sent a whole request yet, the oldest first.
    """

    def __init__(self, *options: Any, most_connections: int, send_timeout_s: float, **more: Any) -> None:
        super().__init__(*options, http=HttpProtocol, ws=WebSocketProtocol, **more)
        self.most_connections = most_connections
        self.send_timeout_s = send_timeout_s
        self.frames_per_second: float = FRAMES_PER_SECOND
        self.half_open: dict[HttpProtocol, None] = {}


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits: of a request's head in bytes, headers and time, of requests in a second and
    in line, of connections, and of the time in which a client takes nothing of its answer.
    """

    config: Settings

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._requests = Budget(REQUESTS_PER_SECOND)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._status, self._problem = HTTPStatus.BAD_REQUEST, NO_REQUEST
        self._begin_head()
        half_open = self.config.half_open
        if len(half_open) > HALF_OPEN_MAX:
            next(iter(half_open)).drop()
        if len(self.connections) > self.config.most_connections:
            self._refuse(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open: close some, or try again later"
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        self._end_head()
        self._end_stall()
        self._end_answer()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection at once; what is not sent yet is lost."""
        self._end_head()
        self.transport.abort()

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        self._status, self._problem = status, problem
        self.send_400_response(problem)

    def _refusal(self, status: HTTPStatus, problem: str) -> ValueError:
        """What ends the parsing when it is raised: uvicorn then calls `send_400_response`, with words of its own."""
        self._status, self._problem = status, problem
        return ValueError(problem)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not read to its end, and close. Called by uvicorn where one can't be parsed."""
        self._end_head()
        self._end_answer()
        body = f"{self._problem}\n".encode()
        head = (
            f"HTTP/1.1 {self._status.value} {self._status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    # -- a request's head -------------------------------------------------------------------------------------------

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._is_in_head = True
        if self._head_timer is None:
            self.config.half_open[self] = None
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_timed_out)

    def _end_head(self) -> None:
        self._is_in_head = False
        self.config.half_open.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_timed_out(self) -> None:
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"a request's head must be here within {HEAD_TIMEOUT_S:g} s")

    def data_received(self, data: bytes) -> None:
        """Parse what came, no more of a head than `HEAD_MAX_BYTES`."""
        if not self._is_in_head and self._is_between_requests:
            self._begin_head()
        if self._is_in_head:
            head, data = data[: HEAD_MAX_BYTES - self._head_bytes], data[HEAD_MAX_BYTES - self._head_bytes :]
            self._head_bytes += len(head)
            super().data_received(head)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._is_in_head and self._head_bytes >= HEAD_MAX_BYTES:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"a request's head may have {HEAD_MAX_BYTES} bytes: shorten it",
                )
                return
        if data:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise self._refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{PIPELINED_MAX} requests of a connection may wait: read the answers first",
            )
        super().on_message_begin()
        if not self._is_in_head:  # it came together with the end of the one before
            self._begin_head()
        self._is_between_requests = False
        self._body_pieces = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, if there are not too many."""
        if len(self.headers) >= HEADERS_MAX:
            raise self._refusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request may have {HEADERS_MAX} headers: send fewer"
            )
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: pass the request on, or refuse it where too many came."""
        self._end_head()
        app = self.app
        if self._requests.spend(1) > 0:
            self.app = TOO_MANY
        super().on_headers_complete()
        self.app = app

    def _should_upgrade(self) -> bool:
        # RFC 9110 section 7.8: Upgrade has no meaning in HTTP/1.0.
        return super()._should_upgrade() and self.scope["http_version"] != "1.0"

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body_pieces += len(body) < SMALL_PIECE_BYTES
        if self._body_pieces > BODY_PIECES_MAX:
            raise self._refusal(
                HTTPStatus.BAD_REQUEST, f"a body may come in {BODY_PIECES_MAX} pieces: send larger ones"
            )
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; the next one may follow."""
        super().on_message_complete()
        self._is_between_requests = True

    _is_between_requests = False
    _body_pieces = 0

    # -- the answer that is being made ------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _end_answer(self) -> None:
        """Nothing more of it is written. uvicorn tells this to the newest request only, which may wait in line."""
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    _answering: RequestResponseCycle | None = None

    # -- a client that takes nothing --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The answer waits for the client: from now on it must take `STALL_BYTES` in each send time-out."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """The client has taken enough for more to be written."""
        self._end_stall()
        super().resume_writing()

    def _watch_stall(self) -> None:
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if waiting - self.transport.get_write_buffer_size() < STALL_BYTES:
                self.drop()
            else:
                self._watch_stall()

        self._stall_timer = self.loop.call_later(self.config.send_timeout_s, look)

    def _end_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with a budget of frames and these changes: a client that takes nothing can't keep
    its connection open or have pongs pile up, and reading does not pause at each message, which costs two system calls:
    a twelfth of a picture's way in and out.
    """

    config: Settings

    def data_received(self, data: bytes) -> None:
        """Parse what came, slice by slice: a connection that sends too many frames is closed before they are read."""
        if self._is_failed:
            return
        for at in range(0, len(data), SLICE_BYTES):
            super().data_received(data[at : at + SLICE_BYTES])
            if self.close_sent:
                return

    def handle_events(self) -> None:
        """Handle the frames of one slice."""
        if self.conn.events and self.handshake_complete and self._frames.spend(len(self.conn.events)) > 0:
            most = f"a connection may send {FRAMES_PER_SECOND} WebSocket frames a second"
            self._fail(CloseCode.PROTOCOL_ERROR, f"{most}: send fewer")
            return
        super().handle_events()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over from HTTP."""
        super().connection_made(transport)
        self._frames = Budget(self.config.frames_per_second, FRAMES_SPAN_S)
        self._is_failed = False

    def _fail(self, code: int, reason: str) -> None:
        """Close from our side at once; nothing that the client sent is read any more."""
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Say why the connection is closed, and close it once the client has had time to hear it.

        Closing a socket with unread data resets it, and the client may never see what was sent last.
        """
        assert self.conn.close_sent is not None
        self._is_failed = self.close_sent = True
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.pause_reading()
        self.close_timer = self.loop.call_later(HEARD_S, self._close_failed)

    def _close_failed(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()  # what was sent until then is discarded
            self.close_timer = self.loop.call_later(HEARD_S, self.transport.close)

    async def send(self, message: ASGISendEvent) -> None:
        """Send for the app, which may not know yet that the connection has failed.

        Raises:
            ClientDisconnected: it has.
        """
        try:
            await super().send(message)
        except RuntimeError:
            if self._is_failed:
                raise ClientDisconnected from None
            raise

    def handle_ping(self) -> None:
        """Answer a ping, but not while the client takes nothing (RFC 6455 section 5.5.3: the newest may do)."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Hand a message over, and pause reading only where `ws_max_queue` messages wait.

        A text that is no UTF-8 closes the connection.
        """
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self._fail(CloseCode.NO_UTF8, "a text message must be UTF-8")
            return
        has_room = not self.read_paused and self.queue.qsize() + 1 < self.config.ws_max_queue
        if has_room:
            self.read_paused = True  # uvicorn pauses the transport only if this is False
        super().send_receive_event_to_app()
        if has_room:
            self.read_paused = False

    async def run_asgi(self) -> None:
        """Serve one connection, and abort its transport where it does not close."""
        await super().run_asgi()
        # A closing transport waits for its buffer to empty: for ever, if the client reads nothing.
        self.loop.call_later(self.close_timeout + 1 if self.close_sent else 1, self.transport.abort)


def _is_utf8(pieces: list[bytes]) -> bool:
    try:
        b"".join(pieces).decode()
    except UnicodeDecodeError:
        return False
    return True

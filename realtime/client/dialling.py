"""From an address to a server that is ready for frames, or to the error that says why not and what to do.

Must not know streams.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from .. import protocol
from ..errors import (
    AccessError,
    ClientError,
    CloseCode,
    ConnectionLostError,
    NotReadyError,
    ServerFailedError,
    ServerFullError,
    SessionEndedError,
    UnreachableError,
    WireError,
)

MAX_BYTES = 64 * 2**20
"""Largest message that is taken."""
PING_EVERY_S, PONG_WITHIN_S = 5.0, 10.0
"""A connection that is cut without a word is noticed after both."""

DELAY_MIN_S, DELAY_MAX_S = 0.25, 5.0
"""Time between two tries: doubled from the one to the other, each shortened by up to a half at random, so that the
clients of a server that comes back do not all come at once.
"""

Dialled = tuple[ClientConnection, dict[str, Any]]
"""An open WebSocket, of which nothing was read behind `ready`, and that message."""

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_PASSING_STATUS = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses of a proxy whose server is away."""
_WRONG_TOKEN = "pass connect(…, token=…), which the server prints or has from --token, or connect(…, ticket=…)"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a session is.

    Attributes:
        url: of the WebSocket, without a query.
        query: other fields of it.
        session: the session's name; None where the server is to make one, or the ticket names it.
        token: or a ticket.
        tls: what a server at `wss://` must prove; None: that an authority knows it.
    """

    url: str
    query: tuple[tuple[str, str], ...] = ()
    session: str | None = None
    token: str | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        session: str | None = None,
        token: str | None = None,
        ticket: str | None = None,
        trust: str | os.PathLike[str] | None = None,
    ) -> Address:
        """Read `ws://HOST:PORT/ws`, or a page's address as the server prints it.

        Args:
            url: may have `session`, and `token` or `ticket`, in its query.
            session, token, ticket: instead of those. A ticket counts before a token.
            trust: file of the server's own certificate.

        Raises:
            WireError: it is no such address.
            OSError: there is no such certificate.
        """
        try:
            parts = urlsplit(url)
            scheme = _SCHEMES[parts.scheme]
            if not parts.hostname or parts.port == 0:
                raise ValueError
        except (KeyError, ValueError):
            raise WireError(f"{url!r} is no address of a server: write ws://HOST:PORT/ws") from None
        query = parse_qsl(parts.query, keep_blank_values=True)
        found = dict(query)
        rest = tuple((name, value) for name, value in query if name not in ("session", "token", "ticket"))
        plain = urlunsplit((scheme, parts.netloc, "/ws" if parts.path in ("", "/") else parts.path, "", ""))
        proof = ticket or token or found.get("ticket") or found.get("token")
        tls = ssl.create_default_context(cafile=trust) if trust is not None and scheme == "wss" else None
        return cls(plain, rest, session or found.get("session"), proof, tls)

    def with_session(self, name: str, ticket: str | None = None) -> Address:
        """The same address for a session of this name, by its owner's ticket where there is one."""
        return replace(self, session=name, token=ticket or self.token)

    @property
    def target(self) -> str:
        """The address to open."""
        query = [*self.query, *([("session", self.session)] if self.session else [])]
        return f"{self.url}?{urlencode(query)}" if query else self.url


async def dial(
    address: Address, on_message: Callable[[dict[str, Any]], None], ready_timeout_s: float | None
) -> Dialled:
    """Connect, and wait until the server is ready for frames.

    Args:
        on_message: called with what the server says meanwhile: `loading`, `queued`.
        ready_timeout_s: how long that may take; None waits.

    Raises:
        ClientError: there is no such server, or it refuses; see the tree in `errors`.
    """
    told: dict[str, Any] = {}
    try:
        async with asyncio.timeout(ready_timeout_s):
            websocket = await _open(address)
            try:
                while (told := await _message(websocket))["type"] != "ready":
                    on_message(told)
                if told.get("protocol") != protocol.VERSION:
                    theirs = told.get("protocol")
                    raise WireError(f"{address.url} speaks version {theirs} of the protocol, not {protocol.VERSION}")
            except BaseException:
                await websocket.close()
                raise
    except TimeoutError:
        doing = f": {told['stage']}" if told.get("type") == "loading" else ""
        raise NotReadyError(
            f"{address.url} is not ready within {ready_timeout_s:g} s{doing}: give it a longer ready_timeout_s"
        ) from None
    return websocket, told


async def persistently(attempt: Callable[[], Awaitable[Dialled]], patience_s: float, delay_s: float = 0.0) -> Dialled:
    """Attempt to connect until it succeeds or fails for good, for so long, with growing delays.

    Args:
        attempt: raises ClientErrors.
        delay_s: before the first attempt.

    Raises:
        ClientError: the last one.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    while True:
        await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
        try:
            return await attempt()
        except ClientError as error:
            delay_s = min(max(2 * delay_s, DELAY_MIN_S), DELAY_MAX_S)
            if not error.is_passing or loop.time() + delay_s > until:
                raise


async def _open(address: Address) -> ClientConnection:
    try:
        return await connect_websocket(
            address.target,
            subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
            compression=None,
            max_size=MAX_BYTES,
            ssl=(address.tls or True) if address.url.startswith("wss:") else None,
            additional_headers={"Authorization": f"Bearer {address.token}"} if address.token else None,
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
        )
    except InvalidStatus as error:
        raise _refused(address, error) from error
    except ssl.SSLCertVerificationError as error:
        raise AccessError(
            f"{address.url} has a certificate that is not trusted ({error.verify_message}): pass "
            "connect(…, trust=FILE), with the certificate that --tls self keeps"
        ) from error
    except ssl.SSLError as error:
        raise UnreachableError(f"{address.url}: {error}: is it ws:// instead of wss://?") from error
    except OSError as error:  # a time-out of the handshake too
        why = error.strerror or str(error) or "no answer"
        raise UnreachableError(f"no server answers at {address.url} ({why}): start one by `realtime serve`") from error
    except WebSocketException as error:
        if isinstance(error.__cause__, EOFError):  # a server that is just being ended accepts, and answers nothing
            raise UnreachableError(f"{address.url} ends the connection before it answers: is it stopping?") from error
        raise WireError(f"{address.url} is no realtime server: {error}") from error


def _refused(address: Address, error: InvalidStatus) -> ClientError:
    """The error of a handshake that was answered by an HTTP status."""
    status = error.response.status_code
    said = (error.response.body or b"").decode(errors="replace").strip()[:200]
    detail = f"{address.url} answers {status}" + (f" ({said})" if said and not said.startswith("<") else "")
    if status == 403 and not address.url.endswith("/ws"):
        return WireError(f"{detail}: the path of a realtime server is /ws")
    if status in (401, 403, 421):
        return AccessError(f"{detail}: {_WRONG_TOKEN}; other names of it are allowed by --allowed-host")
    if status in _PASSING_STATUS:
        return UnreachableError(f"{detail}: the server behind this address is away")
    return WireError(f"{detail}: it is no realtime server, or an old one; the path is /ws")


async def _message(websocket: ClientConnection) -> dict[str, Any]:
    """The next text message that is an object with a type."""
    while True:
        try:
            message = await websocket.recv()
        except ConnectionClosed as error:
            raise end_of(error) from error
        if isinstance(message, str):
            return parse(message)


def parse(text: str) -> dict[str, Any]:
    """A text message.

    Raises:
        WireError: it is none of the protocol.
    """
    try:
        fields = json.loads(text)
        if isinstance(fields["type"], str):
            return fields
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise WireError("what answers is no realtime server: it sends text that is no message")


def end_of(error: ConnectionClosed) -> ClientError:
    """The error of a connection that has ended, by the code that it was closed with."""
    closed = error.rcvd
    code, reason = (None, "") if closed is None else (closed.code, closed.reason)
    because = f": {reason}" if reason else ""
    match code:
        case CloseCode.DONE:
            return SessionEndedError(f"the session has ended{because}, or another connection has taken it over")
        case CloseCode.REFUSED:
            return AccessError(f"the server refuses this client{because}: {_WRONG_TOKEN}")
        case CloseCode.TRY_LATER:
            return ServerFullError(f"the server is full{because or ': try again later'}")
        case CloseCode.ENGINE_FAILED:
            advice = "" if "log says why" in reason else ": its log says why"
            return ServerFailedError(f"the server failed{because}{advice}")
        case CloseCode.PROTOCOL_ERROR | CloseCode.NO_UTF8 | CloseCode.TOO_BIG:
            return WireError(f"the server does not take what was sent{because}")
        case CloseCode.GOING_AWAY:
            return ConnectionLostError(f"the server went away{because}")
        case _:
            return ConnectionLostError("the connection was cut")

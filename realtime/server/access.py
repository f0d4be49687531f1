"""Access control: how often an address asks, Host, Origin and what the sender may do are checked before anything is
accepted or read.

Pure ASGI. Must not know routes beyond what `roles` says of them.

A page on another host or port can open a WebSocket to a server on this machine with no effort, and CORS does not
stop it: hence the Origin check. A name that resolves to 127.0.0.1 makes a foreign page same-origin (DNS rebinding):
hence the Host check.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Config
from ..errors import CloseCode
from ..protocol import SUBPROTOCOL
from .addresses import network_of
from .budget import Budgets
from .credentials import Credentials
from .roles import Action, Grant, asked, refusal
from .tickets import TicketError

GRANT = "realtime.grant"
"""Where the scope of a request has its grant."""

REASON_MAX_BYTES = 120
"""Of a WebSocket's close frame, which has room for 123 (RFC 6455 section 5.5)."""
REQUESTS_PER_SECOND, REQUESTS_SPAN_S = 200, 2.0
"""Of an address, by all of its connections, and for how many seconds they may come at once. Each takes a millisecond or
two of the event loop.
"""
ADDRESSES_MAX = 4096
"""Addresses whose requests are counted."""
REFUSED_S = 1.0
"""How long whoever brings a wrong token, or asks too often, waits for the answer: with the cap on connections, few can
be tried, and few are answered.
"""

_MISSING = {
    False: "a token is needed: open the address that the server printed",
    True: "the token is wrong: open the address that the server printed",
}
"""What is said to those without access, by whether they bring a token."""

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self' ws: wss:; worker-src 'self' blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "permissions-policy": "camera=(self), display-capture=(self), midi=(self), microphone=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def host_name(authority: str) -> str:
    """Host of a Host header or of an origin's authority, in lower case, without port and brackets; empty if invalid."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def grant_of(connection: HTTPConnection) -> Grant:
    """What the sender of a request is allowed, as `Access` has found it."""
    return connection.scope[GRANT]


class _Refusal(Exception):
    """A request has no access.

    Args:
        status: of HTTP.
        message: for whoever sent it.
        is_told: whether a WebSocket is accepted and closed with the message, so that a browser can read it; an
            unauthenticated peer gets nothing else. If not, its handshake is answered by 403.
        code: of the close.
    """

    def __init__(
        self, status: int, message: str, *, is_told: bool = False, code: CloseCode = CloseCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_told = is_told
        self.code = code

    @property
    def answer(self) -> Response:
        """Of HTTP."""
        headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}
        return JSONResponse({"detail": str(self)}, self.status, headers.get(self.status))


class Access:
    """ASGI middleware: refuses requests that have no access, and adds the security headers to all answers.

    Args:
        app: the app that is protected. It finds the sender's grant by `grant_of`.
        config: hosts and origins that are allowed besides the server's own.
        credentials: what proves a grant.
        owners: who owns each session that there is, by its name.
    """

    def __init__(
        self, app: ASGIApp, config: Config, credentials: Credentials, owners: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._owners = owners
        self._requests = Budgets(REQUESTS_PER_SECOND, REQUESTS_SPAN_S, ADDRESSES_MAX)
        self._origins = {origin.rstrip("/").lower() for origin in config.allowed_origins}
        machine = socket.gethostname().lower()
        self._hosts = {"localhost", config.host.lower(), machine, f"{machine}.local"}
        self._hosts |= {host_name(host) for host in config.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to the app."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send_answer = _with_headers(send, self._cors_headers(Headers(scope=scope).get("origin")))
        try:
            page = self._check(scope)
        except _Refusal as refused:
            if refused.status == 429 or (refused.status == 401 and self._credentials.are_brought(scope)):
                await asyncio.sleep(REFUSED_S)
            if scope["type"] == "http":
                await refused.answer(scope, receive, send_answer)
            else:
                await _refuse_websocket(refused, scope, receive, send)
            return
        await (page or self._app)(scope, receive, send_answer)

    def _check(self, scope: Scope) -> Response | None:
        """Find the sender's grant, and note it in the scope.

        Returns:
            An answer that is to be given instead of the app's, if any.

        Raises:
            _Refusal: it has no access.
        """
        client = scope.get("client")  # whom a proxy speaks for, where one is believed
        if client is not None and self._requests.spend(network_of(client[0]), 1) > 0:
            problem = f"an address may send {REQUESTS_PER_SECOND} requests a second: send fewer"
            raise _Refusal(429, problem, is_told=True, code=CloseCode.TRY_LATER)
        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        # An address can't be rebound; a name that we don't go by may have been.
        if not (_is_address(name) or name in self._hosts):
            raise _Refusal(421, f"this server does not go by the name {name!r}; allow it with --allowed-host")
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if origin is not None and changes and not self._is_own(origin, headers.get("host", "")):
            raise _Refusal(403, f"the origin {origin!r} may not connect; allow it with --allowed-origin {origin}")
        if (page := self._credentials.page_with_cookie(scope)) is not None:
            return page
        rule, session = asked(scope, scope["path"])
        if rule.action is Action.OPEN:
            return None
        try:
            grant = self._credentials.grant(scope)
        except TicketError as error:
            raise _Refusal(401, str(error), is_told=True) from None
        if grant is None:
            raise _Refusal(401, _MISSING[self._credentials.are_brought(scope)], is_told=True)
        if (why := refusal(grant, rule, session, self._owners())) is not None:
            raise _Refusal(403, why, is_told=True)
        scope[GRANT] = grant
        return None

    def _cors_headers(self, origin: str | None) -> dict[str, str]:
        """The headers by which a page of an allowed origin may read the answer; empty for other origins."""
        if origin is None or origin.rstrip("/").lower() not in self._origins:
            return {}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "Location, ETag, Link, Retry-After",
            "vary": "Origin",
        }

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin.lower())
        except ValueError:
            return False
        return (parts.scheme in ("http", "https") and parts.netloc == host.lower()) or origin.lower() in self._origins


async def _refuse_websocket(refused: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # the connect event
    if not refused.is_told:
        await send({"type": "websocket.close", "code": 1008})  # before accept: the server answers 403
        return
    offered = scope.get("subprotocols", ())
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
    reason = str(refused).encode()[:REASON_MAX_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": refused.code, "reason": reason})


def _with_headers(send: Send, more: dict[str, str]) -> Send:
    wanted = {**SECURITY_HEADERS, **more}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            extra = [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in present]
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_with_headers

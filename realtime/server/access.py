"""Access control: Host, Origin and token are checked before anything is accepted or read.

Pure ASGI. Must not know routes beyond which of them are open.

A page on another host or port can open a WebSocket to a server on this machine with no effort, and CORS does not
stop it: hence the Origin check. A name that resolves to 127.0.0.1 makes a foreign page same-origin (DNS rebinding):
hence the Host check.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Config
from ..protocol import SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX

COOKIE = "realtime_token"
PAGES = ("/", "/overlay")
"""Paths that set the cookie when they are opened with ?token=T."""
OPEN_PATHS = ("/healthz", "/readyz", *PAGES)
OPEN_PREFIXES = ("/assets/",)
"""Served without a token: pages hold nothing secret, and say in words that a token is missing."""

WRONG_TOKEN_S = 1.0
"""How long whoever brings a wrong token waits for the answer: with the cap on connections, few can be tried."""

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


class Access:
    """ASGI middleware: refuses requests that have no access, and adds the security headers to all answers.

    Args:
        app: the app that is protected.
        config: hosts and origins that are allowed besides the server's own.
        token: that a request to any route but the open ones must carry; None where none is needed.
    """

    def __init__(self, app: ASGIApp, config: Config, token: str | None) -> None:
        self._app = app
        self._token = token
        self._origins = {origin.rstrip("/").lower() for origin in config.allowed_origins}
        machine = socket.gethostname().lower()
        self._hosts = {"localhost", config.host.lower(), machine, f"{machine}.local"}
        self._hosts |= {host_name(host) for host in config.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to the app."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        is_wrong = refusal is not None and refusal.status_code == 401 and _brings_token(scope)
        if is_wrong:
            await asyncio.sleep(WRONG_TOKEN_S)
        send_answer = _with_headers(send, self._cors_headers(Headers(scope=scope).get("origin")))
        if refusal is None:
            await self._app(scope, receive, send_answer)
        elif scope["type"] == "http":
            await refusal(scope, receive, send_answer)
        elif refusal.status_code == 401:
            await receive()  # the connect event
            # Accepted and closed, so that a browser can read the code; an unauthenticated peer gets nothing else.
            offered = scope.get("subprotocols", ())
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
            await send({"type": "websocket.close", "code": 1008, "reason": _MISSING[is_wrong]})
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before accept: the server answers 403

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        # An address can't be rebound; a name that we don't go by may have been.
        if not (_is_address(name) or name in self._hosts):
            return _problem(421, f"this server does not go by the name {name!r}; allow it with --allowed-host")
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if origin is not None and changes and not self._is_own(origin, headers.get("host", "")):
            return _problem(403, f"the origin {origin!r} may not connect; allow it with --allowed-origin {origin}")
        if self._token is None:
            return None
        path = scope["path"]
        if scope["type"] == "http" and path in PAGES and (page := self._with_cookie(scope)) is not None:
            return page
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
            return None
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            return None  # a CORS preflight, which never carries a token
        if any(self._matches(given) for given in _given_tokens(scope, headers)):
            return None
        return _problem(401, _MISSING[_brings_token(scope)], {"WWW-Authenticate": "Bearer"})

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

    def _matches(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _with_cookie(self, scope: Scope) -> Response | None:
        """A redirect to the page without `?token=`, which sets the cookie; None where the token is missing or wrong."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self._matches(value) for name, value in query):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        response = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
        secure = HTTPConnection(scope).url.scheme == "https"
        response.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict", secure=secure)
        return response


def _brings_token(scope: Scope) -> bool:
    return any(_given_tokens(scope, Headers(scope=scope)))


def _given_tokens(scope: Scope, headers: Headers) -> Iterable[str]:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield credentials.strip()
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(TOKEN_SUBPROTOCOL_PREFIX):
            yield offered.removeprefix(TOKEN_SUBPROTOCOL_PREFIX)
    # All servers on this host name share their cookies, and the standard library's parser stops at some of them.
    if (cookie := HTTPConnection(scope).cookies.get(COOKIE)) is not None:
        yield cookie


def _problem(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": message}, status, headers)


def _with_headers(send: Send, more: dict[str, str]) -> Send:
    wanted = {**SECURITY_HEADERS, **more}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            extra = [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in present]
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_with_headers

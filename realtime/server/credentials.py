"""What a request brings to prove its grant: the server's token, or a ticket.

Must not know what a grant allows.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from ..protocol import TOKEN_SUBPROTOCOL_PREFIX
from .prefix import outside
from .roles import OPERATOR, Grant
from .tickets import Tickets

COOKIE = "realtime_token"
PAGES = ("/", "/overlay", "/remote")
"""Paths that set the cookie when they are opened with ?token=T."""


class Credentials:
    """Reads grants from requests.

    A ticket counts before a token and before the cookie, so that the holder of both can try what the ticket allows; it
    is never kept in a cookie, which all pages of a host name share.

    Args:
        token: the operator's; None where everybody is one who brings no ticket.
        tickets: of this server.
    """

    def __init__(self, token: str | None, tickets: Tickets) -> None:
        self._token = token
        self._tickets = tickets

    def grant(self, scope: Scope) -> Grant | None:
        """The grant of a request; None where it has none.

        Raises:
            TicketError: it brings a ticket that is not valid.
        """
        ticket = QueryParams(scope["query_string"]).get("ticket")
        if ticket is None:
            ticket = next(filter(self._tickets.is_ticket, _in_headers(scope)), None)
        if ticket is not None:
            return self._tickets.read(ticket)
        if self._token is None or any(map(self._matches, (*_in_headers(scope), *_in_cookie(scope)))):
            return OPERATOR
        return None

    def are_brought(self, scope: Scope) -> bool:
        """Whether a request brings anything, right or wrong."""
        return "ticket" in QueryParams(scope["query_string"]) or any((*_in_headers(scope), *_in_cookie(scope)))

    def page_with_cookie(self, scope: Scope) -> Response | None:
        """A redirect to a page without `?token=`, which sets the cookie; None without a token, or with a wrong one."""
        if self._token is None or scope["type"] != "http" or scope["path"] not in PAGES:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self._matches(value) for name, value in query):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        response = RedirectResponse(outside(HTTPConnection(scope), scope["path"]) + (f"?{rest}" if rest else ""), 303)
        secure = HTTPConnection(scope).url.scheme == "https"
        response.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", secure=secure)
        return response

    def _matches(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _in_headers(scope: Scope) -> Iterable[str]:
    scheme, _, credentials = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield credentials.strip()
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(TOKEN_SUBPROTOCOL_PREFIX):
            yield offered.removeprefix(TOKEN_SUBPROTOCOL_PREFIX)


def _in_cookie(scope: Scope) -> Iterable[str]:
    # All servers on this host name share their cookies, and the standard library's parser stops at some of them.
    if (cookie := HTTPConnection(scope).cookies.get(COOKIE)) is not None:
        yield cookie

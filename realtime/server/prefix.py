"""The path that a reverse proxy serves this server under: taken off requests, and put before the addresses we give.

Pure ASGI. Must not know routes.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..config import PATH_PREFIX

PREFIX = "realtime.prefix"
"""Where the scope of a request has it."""
HEADER = "x-forwarded-prefix"


def outside(connection: HTTPConnection, path: str) -> str:
    """A path of this server as its client sees it."""
    return f"{connection.scope.get(PREFIX, '')}{path}"


class Prefix:
    """ASGI middleware: what is behind it knows paths without the prefix.

    Args:
        app: what is behind it.
        root_path: the prefix; empty: what the proxy says in `X-Forwarded-Prefix`, which concerns its sender alone.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get(HEADER, "").rstrip("/")
        prefix = self._root_path or (said if PATH_PREFIX.fullmatch(said) else "")
        if prefix and scope["path"] == prefix and scope["type"] == "http":
            # Or what the page loads would be looked for beside the prefix, not below it.
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{prefix}/" + (f"?{query}" if query else ""))(scope, receive, send)
            return
        await self._app({**scope, PREFIX: prefix, "path": _without(scope["path"], prefix)}, receive, send)


def _without(path: str, prefix: str) -> str:
    """A path below the prefix; as it is where the proxy has taken the prefix off."""
    return path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path

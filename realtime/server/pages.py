"""The built web client: its pages, and the files that they load.

Must not know sessions or the engine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "index.html", "/overlay": "overlay.html", "/remote": "remote.html"}
FOREVER = "public, max-age=31536000, immutable"
"""For files whose names contain a digest of their content."""
COPIES = {"br": "br", "gzip": "gz"}
"""Encodings, the smallest first, and how the names of compressed copies end. Browsers take `br` at https:// and
localhost addresses alone."""


def add_to(app: FastAPI) -> None:
    """Add routes for the pages and their files."""

    def page(name: str) -> Callable[[], Response]:
        def get() -> Response:
            file = STATIC / name
            if not file.is_file():
                return PlainTextResponse(
                    "The web client is not built: run scripts/build in a checkout, or install a released wheel.\n", 503
                )
            return FileResponse(file, headers={"cache-control": "no-cache"})

        return get

    for path, name in PAGES.items():
        app.add_api_route(path, page(name), include_in_schema=False, response_class=Response)
    app.mount("/assets", Assets(directory=STATIC / "assets", check_dir=False), name="assets")


class Assets(StaticFiles):
    """Scripts and styles, compressed where the client takes it: the build puts `NAME.br` and `NAME.gz` beside."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or the smallest of its compressed copies that the client takes."""
        taken = accepted(Headers(scope=scope).get("accept-encoding", ""))
        encoding: str | None = None
        for name, ending in COPIES.items():
            copy = Path(f"{os.fspath(full_path)}.{ending}")
            if name in taken and copy.is_file():
                encoding, full_path, stat_result = name, copy, copy.stat()
                break
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = FOREVER
        response.headers["vary"] = "accept-encoding"
        if encoding is not None:
            response.headers["content-encoding"] = encoding
        return response


def accepted(header: str) -> set[str]:
    """The encodings that an `Accept-Encoding` header names, without those of quality 0 (RFC 9110, 12.5.3)."""
    coded = [[part.strip() for part in one.lower().split(";")] for one in header.split(",")]
    return {name for name, *quality in coded if not any(re.fullmatch(r"q=0(\.0*)?", one) for one in quality)}

"""The built web client: its pages, and the files that they load.

Must not know sessions or the engine.
"""

from __future__ import annotations

import os
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
    """Scripts and styles, compressed where the client takes that: the build puts `NAME.gz` beside each."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or its compressed copy."""
        copy = Path(f"{os.fspath(full_path)}.gz")
        is_compressed = "gzip" in Headers(scope=scope).get("accept-encoding", "") and copy.is_file()
        if is_compressed:
            full_path, stat_result = copy, copy.stat()
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = FOREVER
        response.headers["vary"] = "accept-encoding"
        if is_compressed:
            response.headers["content-encoding"] = "gzip"
        return response

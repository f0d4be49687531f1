"""Scripts and styles go out compressed to those who take that, and are kept for good."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from realtime.server import pages

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """A built web client: a page, a script with its compressed copy, and a picture without."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (assets / "index-1a2b.js").write_bytes(SCRIPT)
    (assets / "index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "icon-3c4d.svg").write_text("<svg/>")
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    app = FastAPI()
    pages.add_to(app)
    return app


async def get(app: FastAPI, path: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.8"])
async def test_script_goes_out_compressed_to_who_takes_that(app: FastAPI, accepted: str) -> None:
    response = await get(app, "/assets/index-1a2b.js", **{"accept-encoding": accepted})

    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < len(SCRIPT) / 10
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.content == SCRIPT


async def test_script_goes_out_as_it_is_to_all_others(app: FastAPI) -> None:
    response = await get(app, "/assets/index-1a2b.js", **{"accept-encoding": "identity"})

    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "accept-encoding"
    assert response.content == SCRIPT


async def test_what_has_no_compressed_copy_goes_out_as_it_is(app: FastAPI) -> None:
    response = await get(app, "/assets/icon-3c4d.svg", **{"accept-encoding": "gzip"})

    assert "content-encoding" not in response.headers
    assert response.text == "<svg/>"


async def test_assets_are_kept_for_good_and_pages_are_asked_for_again(app: FastAPI) -> None:
    script = await get(app, "/assets/index-1a2b.js", **{"accept-encoding": "gzip"})
    page = await get(app, "/")
    again = await get(
        app, "/assets/index-1a2b.js", **{"accept-encoding": "gzip", "if-none-match": script.headers["etag"]}
    )

    assert "immutable" in script.headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


async def test_page_that_was_not_built_says_what_to_run(app: FastAPI) -> None:
    response = await get(app, "/overlay")

    assert response.status_code == 503
    assert "scripts/build" in response.text

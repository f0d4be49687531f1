"""Scripts and styles go out compressed to those who take that, and are kept for good."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from realtime.server import pages

SCRIPT = b"export const answer = 42;\n" * 100
BROTLI = b"as brotli has it"
"""What is inside is the browser's affair."""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """A built web client: a page, a script with its compressed copy, and a picture without."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (assets / "index-1a2b.js").write_bytes(SCRIPT)
    (assets / "index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "index-1a2b.js.br").write_bytes(BROTLI)
    (assets / "old-5e6f.js").write_bytes(SCRIPT)
    (assets / "old-5e6f.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "icon-3c4d.svg").write_text("<svg/>")
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    app = FastAPI()
    pages.add_to(app)
    return app


async def get(app: FastAPI, path: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("index-1a2b.js", "gzip"),
        ("index-1a2b.js", "GZIP;q=0.8, identity"),
        ("index-1a2b.js", "gzip, br;q=0"),
        ("index-1a2b.js", "gzip, brotli"),
        ("old-5e6f.js", "br, gzip;q=0.8"),
    ],
)
async def test_script_goes_out_compressed_to_who_takes_that(app: FastAPI, name: str, accepted: str) -> None:
    response = await get(app, f"/assets/{name}", **{"accept-encoding": accepted})

    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < len(SCRIPT) / 10
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.content == SCRIPT


async def test_smallest_copy_goes_out_to_who_takes_it(app: FastAPI) -> None:
    address, headers = "http://127.0.0.1/assets/index-1a2b.js", {"accept-encoding": "gzip, deflate, br, zstd"}
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as client,
        client.stream("GET", address, headers=headers) as response,
    ):
        body = b"".join([part async for part in response.aiter_raw()])

    assert response.headers["content-encoding"] == "br"
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["vary"] == "accept-encoding"
    assert body == BROTLI


@pytest.mark.parametrize("accepted", ["identity", "", "gzip;q=0, br; q=0.0"])
async def test_script_goes_out_as_it_is_to_all_others(app: FastAPI, accepted: str) -> None:
    response = await get(app, "/assets/index-1a2b.js", **{"accept-encoding": accepted})

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

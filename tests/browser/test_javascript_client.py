"""The package `realtime-client` on a page of another origin: its examples against a real server."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .driver import SOON_MS, ServerProcess, free_port, opened, serving, session_of, until, wait_for_param

pytestmark = pytest.mark.browser

PACKAGE = Path(__file__).parents[2] / "web_client" / "client"
LINES_MAX = 20
"""Of an example's script: what one reads before trying."""
PIXELS = "(canvas) => canvas.width ? [...canvas.getContext('2d').getImageData(0, 0, canvas.width, 8).data].join() : ''"
P5 = """class p5 {
    constructor(sketch) {
        Object.assign(this, { frameCount: 0, cos: Math.cos, sin: Math.sin, floor: Math.floor });
        sketch(this);
        this.setup();
        const draw = () => { this.frameCount++; this.draw(); requestAnimationFrame(draw); };
        draw();
        addEventListener("mousedown", () => this.mousePressed());
    }
    createCanvas(width, height) {
        this.elt = Object.assign(document.createElement("canvas"), { width, height });
        this.context = this.elt.getContext("2d");
        document.body.append(this.elt);
        return this;
    }
    background(...rgb) { this.fill(...rgb); this.context.fillRect(0, 0, 512, 512); }
    fill(...rgb) { this.context.fillStyle = `rgb(${rgb})`; }
    circle(x, y, d) { this.context.beginPath(); this.context.arc(x, y, d / 2, 0, 7); this.context.fill(); }
    random(below) { return Math.random() * below; }
}"""
"""As much of p5.js as the example needs: it comes from elsewhere, and tests go nowhere."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """The package's folder, on an origin of its own."""
    if not (PACKAGE / "dist" / "realtime-client.js").is_file():
        pytest.skip("the JavaScript client is not built: run scripts/build")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(PACKAGE)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def example(browser: Browser, pages: str, server: ServerProcess, name: str) -> Iterator[Page]:
    with opened(browser, "about:blank") as watched:
        page = watched.page
        page.route(re.compile("^https://"), lambda route: answer(route))
        page.goto(f"{pages}/examples/{name}.html?server={quote(server.url)}")
        yield page
        assert [error for error in watched.errors if "WebSocket" not in error] == []


def answer(route: Route) -> None:
    assert "p5" in route.request.url
    route.fulfill(body=P5, content_type="text/javascript")


def expect_motion(page: Page, canvas: str) -> None:
    shown = page.locator(canvas)
    first = until(lambda: shown.evaluate(PIXELS), bool, "there is a picture")
    until(lambda: shown.evaluate(PIXELS), lambda now: now not in ("", first), "it moves")


@pytest.mark.parametrize("name", ["video", "p5"])
def test_example_is_short(name: str) -> None:
    text = (PACKAGE / "examples" / f"{name}.html").read_text()
    script = re.findall(r'<script type="module">\n(.*?)</script>', text, re.DOTALL)[0]

    assert len([line for line in script.splitlines() if line.strip()]) <= LINES_MAX


def test_video_goes_in_and_a_canvas_comes_out_also_after_a_restart(browser: Browser, pages: str) -> None:
    port = free_port()
    options = ("--model", "echo", "--allowed-origin", pages)
    with serving(*options, port=port) as server, example(browser, pages, server, "video") as page:
        expect_motion(page, "canvas")
        page.get_by_label("Prompt").fill("ink drawing")
        wait_for_param(page, server, "prompt", "ink drawing")
        expect(page.locator("output")).to_have_text(re.compile(r"^\d+ ms$"))
        server.kill()
        expect(page.locator("output")).not_to_have_text(re.compile(r"^\d+ ms$"))
        with serving(*options, port=port) as again:
            wait_for_param(page, again, "prompt", "ink drawing")
            expect_motion(page, "canvas")


def test_sketch_of_p5_is_restyled(browser: Browser, pages: str) -> None:
    with (
        serving("--model", "echo", "--allowed-origin", pages) as server,
        example(browser, pages, server, "p5") as page,
    ):
        page.locator("canvas").nth(1).wait_for(timeout=SOON_MS)
        until(lambda: session_of(server)["params"]["prompt"], lambda prompt: prompt == "stained glass", "it is told")
        seed = session_of(server)["params"]["seed"]
        page.mouse.click(5, 5)
        until(lambda: session_of(server)["params"]["seed"], lambda now: now != seed, "a press takes another seed")


def test_page_that_the_server_does_not_allow_is_told_so(browser: Browser, pages: str) -> None:
    with serving("--model", "echo") as server, example(browser, pages, server, "video") as page:
        expect(page.locator("strong")).to_contain_text("does it allow this page's origin?")

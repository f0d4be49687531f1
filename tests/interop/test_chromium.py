"""Chromium without our web client: its own peer connection against /rtc, both codecs, with and without candidates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import browser, browser_path, camera_file, launching, remote_port
from tests.fakes.servers import RunningServer

from .driver import (
    CLIENTS,
    FIGURES,
    GONE_S,
    LONG,
    SHOWN_FPS,
    TRIES,
    all_peers_gone,
    assert_quick,
    received,
    wait_until,
)

__all__ = ["browser", "camera_file", "launching", "remote_port"]
pytestmark = [pytest.mark.interop, pytest.mark.browser]

SCRIPT = (CLIENTS / "browser.js").read_text().split("\n", 2)[2].strip().removesuffix(";")


@contextmanager
def a_page(browser: Browser, server: RunningServer, **options: Any) -> Iterator[Page]:
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(f"{server.url}/docs")  # of the server's origin, and without a script that connects too
    yield page
    context.close()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_every_try_connects_and_the_video_runs(browser: Browser, server: RunningServer, codec: str) -> None:
    with a_page(browser, server, permissions=["camera"]) as page:
        tries = [page.evaluate(SCRIPT, {"session": f"c{codec}{n}", "codec": codec}) for n in range(TRIES)]
        options = {"session": f"c{codec}", "codec": codec, "seconds": 10 if LONG else 3}
        seen = page.evaluate(SCRIPT, options)
    times_ms = [one["ms"] for one in tries]
    FIGURES.add("Chromium, /rtc", f"{codec}, fake camera", connect_ms=times_ms, fps=seen["fps"])

    assert_quick(times_ms)
    assert seen["fps"] > SHOWN_FPS, seen
    assert seen["width"] == 512
    all_peers_gone(server)


def test_page_that_hides_its_addresses_connects_as_quickly(browser: Browser, server: RunningServer) -> None:
    """Without leave for a camera Chromium's candidates are names under .local, which take a second to look up."""
    # With the fixture's flags every page has that leave.
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--allow-loopback-in-peer-connection",
    ]
    with (
        browser.browser_type.launch(executable_path=browser_path(), args=options) as strict,
        a_page(strict, server) as page,
    ):
        how = {"codec": "VP8", "canvas": True}
        tries = [page.evaluate(SCRIPT, {"session": f"hidden{n}", **how}) for n in range(TRIES)]
    times_ms = [one["ms"] for one in tries]
    FIGURES.add("Chromium, /rtc", "canvas only, addresses hidden (.local)", connect_ms=times_ms)

    assert all(one["hidden"] for one in tries), tries
    assert_quick(times_ms)
    all_peers_gone(server)


def test_tab_that_is_killed_is_noticed(browser: Browser, server: RunningServer) -> None:
    with a_page(browser, server, permissions=["camera"]) as page:
        page.evaluate(SCRIPT, {"session": "tab", "codec": "VP8", "stay": True})
        wait_until(lambda: received(server, "tab") > 5, "frames come in")
        crash = page.context.new_cdp_session(page)
        crash.send("Page.enable")
        with pytest.raises(Exception, match=r"(?i)crash|closed|target"):
            page.goto("chrome://crash")
        gone_s = wait_until(lambda: server.service.connected == 0, "the tab is found gone", GONE_S)
    FIGURES.add("Chromium, /rtc", "its tab is killed", more=f"gone after {gone_s:.1f} s")
    all_peers_gone(server)

"""The page and who watches while the server's engine is away: it says so, and all goes on by itself."""

from __future__ import annotations

import contextlib
import os
import signal
from operator import not_
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import Browser, expect

from .driver import DESKTOP, SOON_MS, ServerProcess, free_port, opened, serving, session_of, start_camera, until

pytestmark = pytest.mark.browser

SAYS = "The server's engine stopped"
DEATHS = 4
"""So many in a row, and another engine is begun after four seconds."""
GREY_AND_NOT_BLACK = """() => {
    const canvas = document.querySelector("canvas");
    const [red, green, blue] = canvas.getContext("2d").getImageData(4, 4, 1, 1).data;
    return red === green && green === blue && red > 30 && red < 50;
}"""


def is_ready(server: ServerProcess) -> bool:
    with contextlib.suppress(HTTPError), urlopen(f"{server.url}readyz") as answer:
        return answer.status == 200
    return False


def engines_of(server: ServerProcess) -> list[psutil.Process]:
    """The engine's process: the only one that a process of a server without decoders of its own has started."""
    children = psutil.Process(server.process.pid).children()
    return [engine for child in children for engine in child.children() if engine.status() != psutil.STATUS_ZOMBIE]


def break_engine(server: ServerProcess) -> None:
    """Kill the engine and those that replace it, until the server waits for seconds before it begins another: the first
    ones are back before a page, and a test that looks at it, must have noticed."""
    for _ in range(DEATHS):
        until(lambda: is_ready(server), bool, "the engine is ready")
        (engine,) = until(lambda: engines_of(server), lambda engines: len(engines) == 1, "the engine's process")
        os.kill(engine.pid, signal.SIGKILL)
        until(lambda killed=engine: killed.is_running() and killed.status() != psutil.STATUS_ZOMBIE, not_, "it is dead")


def test_page_says_that_the_engine_is_away_and_viewers_see_a_slate_until_it_is_back(browser: Browser) -> None:
    with (
        serving("--model", "echo:10", "--engine-process", "--decoder-process", "off") as server,
        opened(browser, server.url, viewport=DESKTOP) as watched,
    ):
        start_camera(watched.page)
        name = session_of(server)["session"]
        watched.page.request.patch(f"{server.url}api/sessions/{name}", data={"params": {"fallback": "slate"}})
        with opened(browser, f"{server.url}overlay?session={name}") as overlay:
            message = watched.page.locator(".message", has_text=SAYS)
            expect(message).to_have_count(0)
            break_engine(server)
            expect(message).to_contain_text("was killed")
            overlay.page.wait_for_function(GREY_AND_NOT_BLACK)
            expect(message).to_have_count(0)
            overlay.page.wait_for_function(f"() => !({GREY_AND_NOT_BLACK})()")


WATCH_FOR_TWO = """() => {
    window.together = [];
    new MutationObserver(() => {
        const said = [...document.querySelectorAll(".message")];
        const isGettingReady = said.some((message) => message.querySelector("progress"));
        if (isGettingReady && said.length > 1) window.together.push(said.map((message) => message.textContent));
    }).observe(document.body, { childList: true, subtree: true });
}"""


def test_page_says_one_state_at_a_time_from_a_broken_engine_to_the_next_server(browser: Browser) -> None:
    port = free_port()
    with (
        serving("--model", "echo:10", "--engine-process", "--decoder-process", "off", port=port) as first,
        opened(browser, first.url, viewport=DESKTOP) as watched,
    ):
        page = watched.page
        start_camera(page)
        page.evaluate(WATCH_FOR_TWO)
        broken = page.locator(".message", has_text=SAYS)
        expect(broken).to_have_count(0)
        break_engine(first)
        expect(broken).to_be_visible()
        first.kill()
        expect(page.locator(".state[data-state=retrying]")).to_be_visible(timeout=SOON_MS)
        expect(broken).to_have_count(0)
        with serving("--model", "tiny", "--accelerate", "off", port=port):
            expect(page.get_by_text("Getting ready")).to_be_visible(timeout=2 * SOON_MS)
            expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=2 * SOON_MS)
            assert page.evaluate("window.together") == []

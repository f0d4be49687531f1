"""The overlay page through what happens to a session: nobody sits before it to press a button."""

from __future__ import annotations

from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from .driver import DESKTOP, SOON_MS, free_port, opened, serving, session_of, start_camera

pytestmark = pytest.mark.browser

ALPHA = """() => {
    const canvas = document.querySelector("canvas");
    return canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3];
}"""


LIGHT = """() => {
    const canvas = document.querySelector("canvas");
    return Math.max(...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        .filter((_, index) => index % 400 === 0));
}"""


def wait_for_light(page: Page, condition: str) -> None:
    page.wait_for_function(f"() => ({LIGHT})() {condition}", timeout=SOON_MS)


def wait_for_alpha(page: Page, alpha: int) -> None:
    page.wait_for_function(f"() => ({ALPHA})() === {alpha}", timeout=SOON_MS)


def test_it_comes_back_with_the_server_and_is_transparent_without(browser: Browser) -> None:
    port = free_port()
    with serving("--model", "echo:10", port=port) as first, opened(browser, first.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        address = f"{first.url}overlay?session={session_of(first)['session']}"
        with opened(browser, address) as overlay:
            wait_for_alpha(overlay.page, 255)
            first.kill()
            wait_for_alpha(overlay.page, 0)
            with serving("--model", "echo:10", port=port):
                wait_for_alpha(overlay.page, 255)


def test_it_is_transparent_until_the_session_begins_and_after_it_has_ended(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        name = watched.page.evaluate("() => sessionStorage.getItem('realtime.session')")
        with opened(browser, f"{server.url}overlay?session={name}") as overlay:
            assert overlay.page.evaluate(ALPHA) == 0
            start_camera(watched.page)
            wait_for_alpha(overlay.page, 255)
            with urlopen(Request(f"{server.url}api/sessions/{name}", method="DELETE")):
                wait_for_alpha(overlay.page, 0)


def test_panic_and_bypass_reach_it_and_outlast_a_reload_of_the_page(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        with opened(browser, f"{server.url}overlay?session={session_of(server)['session']}") as overlay:
            wait_for_alpha(overlay.page, 255)
            page.locator("body").press("p")
            wait_for_light(overlay.page, "=== 0")
            page.reload()
            expect(page.get_by_text("Panic: press P")).to_be_visible(timeout=SOON_MS)
            page.get_by_role("button", name="Camera").click()
            page.wait_for_timeout(500)
            wait_for_light(overlay.page, "=== 0")
            page.locator("body").press("p")
            wait_for_light(overlay.page, "> 0")
            page.locator("body").press("b")
            expect(page.get_by_text("Bypass: the input is on air")).to_be_visible()
            wait_for_light(overlay.page, "> 0")
        assert watched.errors == []


def test_it_holds_the_last_picture_and_shows_all_of_it_if_so_asked(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        session = session_of(server)["session"]
        with opened(browser, f"{server.url}overlay?session={session}&stall=hold&fit=contain") as overlay:
            wait_for_alpha(overlay.page, 255)
            expect(overlay.page.locator("canvas")).to_have_css("object-fit", "contain")
            server.kill()
            overlay.page.wait_for_timeout(7_000)  # without it, the picture is gone after five seconds
            assert overlay.page.evaluate(ALPHA) == 255

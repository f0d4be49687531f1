"""The page as a person uses it: in Chromium, with a camera that shows a moving photograph."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from .driver import (
    DESKTOP,
    FLOWS,
    PHONE,
    SOON_MS,
    ServerProcess,
    assert_moves,
    difference,
    free_port,
    held,
    opened,
    serving,
    session_of,
    shown,
    shown_once,
    start_camera,
    wait_for_figure,
    wait_for_param,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def echo():
    with serving("--model", "echo:20") as server:
        yield server


def test_camera_frames_come_back_and_nothing_is_asked_of_anywhere_else(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        wait_for_figure(watched.page, "shown", FLOWS)
        assert shown(watched.page).std() > 20, "the output shows a photograph, not a flat field"
        assert watched.errors == []
        assert watched.foreign_requests == []


def test_pictures_move_as_the_camera_does(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        assert_moves(watched.page)


def test_a_setting_changes_what_the_server_uses_and_the_page_shows_its_answer(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_label("Prompt", exact=True).fill("watercolor")
        wait_for_picture_of(page, echo, "prompt", "watercolor")
        page.keyboard.press("Tab")
        page.locator("body").press("]")
        expect(page.get_by_role("slider", name="Strength")).not_to_have_value("0.5", timeout=SOON_MS)
        assert watched.errors == []


def test_a_drawing_comes_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)
        white = shown(page)
        box = page.get_by_label("Drawing surface").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        for step in range(1, 21):
            page.mouse.move(box["x"] + 60 + 15 * step, box["y"] + 60 + 12 * step)
        page.mouse.up()
        assert white.mean() > 245
        shown_once(page, lambda picture: picture.min() < 100, "the stroke is there")
        page.get_by_role("button", name="Undo").click()
        shown_once(page, lambda picture: picture.min() > 200, "and gone again")
        assert watched.errors == []


def test_freeze_holds_the_picture(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Freeze").click()
        expect(page.get_by_text("Frozen", exact=True)).to_be_visible()
        frozen = held(page)
        page.wait_for_timeout(700)
        assert difference(shown(page), frozen) < 0.5
        page.get_by_role("button", name="Freeze").click()
        shown_once(page, lambda picture: difference(picture, frozen) > 0.5, "it goes on")


def test_the_page_comes_back_by_itself_when_the_server_was_killed(browser: Browser) -> None:
    port = free_port()
    with serving("--model", "echo:10", port=port) as first, opened(browser, first.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        first.kill()
        expect(page.get_by_role("status").first).to_have_text("Reconnecting", timeout=SOON_MS)
        expect(page.get_by_role("button", name="Freeze")).to_be_disabled()
        with serving("--model", "echo:10", port=port):
            expect(page.get_by_role("status").first).to_have_text("Live", timeout=SOON_MS)
            wait_for_figure(page, "shown", FLOWS)


def test_a_phone_shows_everything_without_sideways_scrolling(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=PHONE, has_touch=True) as watched:
        start_camera(watched.page)
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(watched.page.get_by_label("Prompt", exact=True)).to_be_attached()


def test_the_overlay_shows_the_picture_alone(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        # The camera's 4:3, with about the 512 × 512 pixels that the server makes by itself.
        wait_for_param(watched.page, echo, "width", 592)
        wait_for_param(watched.page, echo, "height", 448)
        session = session_of(echo)["session"]
        with opened(browser, f"{echo.url}overlay?session={session}", viewport=DESKTOP) as overlay:
            # A canvas is 300 wide until something is drawn.
            overlay.page.wait_for_function("() => document.querySelector('canvas').width === 592", timeout=SOON_MS)
            expect(overlay.page.locator("body")).to_have_text("")
            assert overlay.errors == []


def test_a_token_is_asked_for_and_the_printed_address_has_it(browser: Browser) -> None:
    with serving("--model", "echo", "--token", "secret-of-the-test") as server:
        bare = server.url.split("?")[0]
        with opened(browser, bare, viewport=DESKTOP) as watched:
            expect(watched.page.get_by_text("This server needs its token")).to_be_visible(timeout=SOON_MS)
        with opened(browser, server.url, viewport=DESKTOP) as watched:
            start_camera(watched.page)
            assert "token" not in watched.page.url


def test_the_embedded_model_restyles_real_video(browser: Browser) -> None:
    with serving() as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        expect(page.get_by_role("status").first).to_have_text("Live", timeout=2 * SOON_MS)
        start_camera(page)
        page.get_by_label("Prompt", exact=True).fill("neon lines")
        wait_for_picture_of(page, server, "prompt", "neon lines")
        neon = shown(page)
        page.get_by_label("Prompt", exact=True).fill("pencil sketch")
        wait_for_picture_of(page, server, "prompt", "pencil sketch")
        pencil = shown(page)
        assert difference(neon, pencil) > 15, "two styles look different"
        assert neon.std() > 5 and pencil.std() > 5
        assert watched.errors == []

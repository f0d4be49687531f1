"""The stage: layouts, wipe, bypass, panic, the second screen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from .driver import DESKTOP, PHONE, SOON_MS, ServerProcess, opened, serving, shown, start_camera

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def echo():
    with serving("--model", "echo:20") as server:
        yield server


def pixels(page: Page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), np.float32)


def test_panic_goes_black_at_once_and_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        assert np.median(shown(page)) == 0
        page.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_hidden()
        assert shown(page).std() > 20
        assert watched.errors == []


def test_bypass_shows_the_camera_while_the_output_is_frozen(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Freeze").click()
        page.get_by_role("button", name="Bypass").click()
        first = shown(page)
        page.wait_for_timeout(700)
        assert np.abs(shown(page) - first).mean() > 1, "the input moves on"


def test_the_wipe_moves_by_pointer_and_by_keyboard(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Over the input").click()
        wipe = page.get_by_role("slider", name="Wipe")
        expect(wipe).to_have_value("0.5")
        box = page.locator(".picture.output").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
        page.mouse.up()
        assert abs(float(wipe.input_value()) - 0.25) < 0.02
        page.locator("body").press(">")
        assert abs(float(wipe.input_value()) - 0.3) < 0.02
        wipe.press("Home")
        expect(wipe).to_have_value("0")
        assert watched.errors == []


def test_a_drawing_is_made_under_the_output(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        page.get_by_role("button", name="Over the input").click()
        box = page.get_by_label("Drawing surface").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 260, steps=8)
        page.mouse.up()
        expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def test_the_output_window_shows_what_is_on_air_and_hears_keys(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        with page.expect_popup() as popup:
            page.get_by_role("button", name="Output window").click()
        second = popup.value
        second.wait_for_timeout(300)
        first = pixels(second)
        second.wait_for_timeout(700)
        assert first.std() > 20
        assert np.abs(pixels(second) - first).mean() > 1, "it moves"
        second.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        assert pixels(second).max() == 0
        second.close()
        expect(page.get_by_role("button", name="Output window")).to_have_attribute("aria-pressed", "false")
        assert watched.errors == []


def test_full_screen_shows_the_picture_alone(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Full screen").click()
        page.wait_for_function("() => document.fullscreenElement !== null")
        expect(page.get_by_role("button", name="Freeze")).to_be_hidden()
        box = page.locator(".picture.output").bounding_box()
        assert box is not None
        assert box["height"] == pytest.approx(page.evaluate("innerHeight"), abs=2)
        page.locator("body").press("f")
        page.wait_for_function("() => document.fullscreenElement === null")


def test_colours_and_layout_are_kept_over_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Output only").click()
        page.get_by_role("button", name="Options").click()
        page.get_by_label("Colours").select_option("Dark")
        page.reload()
        expect(page.get_by_role("button", name="Output only")).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_the_keys_are_shown_and_closed_by_keyboard(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.locator("body").press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_on_a_phone_too_the_output_lies_over_the_input(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=PHONE, has_touch=True) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Over the input").click()
        input_box, output_box = (picture.bounding_box() for picture in page.locator(".picture").all())
        assert input_box == output_box
        expect(page.get_by_role("button", name="Opacity")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_picture_in_picture_opens_and_closes(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        button = page.get_by_role("button", name="Picture in picture")
        button.click()
        page.wait_for_function("() => document.pictureInPictureElement?.videoWidth > 0", timeout=SOON_MS)
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        assert page.evaluate("document.pictureInPictureElement") is None
        assert watched.errors == []

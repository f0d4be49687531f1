"""The stage: layouts, wipe, bypass, panic, the second screen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from .driver import (
    DESKTOP,
    PHONE,
    SOON_MS,
    ServerProcess,
    assert_moves,
    difference,
    held,
    opened,
    serving,
    shown_once,
    start_camera,
    until,
)

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
        shown_once(page, lambda picture: np.median(picture) == 0, "it is black")
        page.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_hidden()
        shown_once(page, lambda picture: picture.std() > 20, "the picture is back")
        assert watched.errors == []


def test_bypass_shows_the_camera_while_the_output_is_frozen(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Freeze").click()
        held(page)
        page.get_by_role("button", name="Bypass").click()
        assert_moves(page)


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
        until(wipe.input_value, lambda value: abs(float(value) - 0.25) < 0.02, "the wipe is where it was let go")
        page.locator("body").press(">")
        until(wipe.input_value, lambda value: abs(float(value) - 0.3) < 0.02, "the wipe is a step further")
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
        first = until(lambda: pixels(second), lambda now: now.std() > 20, "it shows the picture")
        until(lambda: pixels(second), lambda now: difference(now, first) > 1, "it moves")
        second.locator("body").press("p")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        until(lambda: pixels(second), lambda now: now.max() == 0, "it is black")
        second.close()
        expect(page.get_by_role("button", name="Output window")).to_have_attribute("aria-pressed", "false")
        assert watched.errors == []


def test_full_screen_shows_the_picture_alone(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Full screen").click()
        page.wait_for_function("() => document.fullscreenElement !== null")
        everywhere = "[.05, .5, .95].flatMap((x) => [.05, .5, .95].map((y) => [x * innerWidth, y * innerHeight]))"
        page.wait_for_function(
            f"() => {everywhere}.every(([x, y]) => document.elementFromPoint(x, y)?.closest(':fullscreen'))"
        )
        assert page.locator(":fullscreen button").locator("visible=true").count() == 0
        output_px = "document.querySelector('.picture.output').getBoundingClientRect().height"
        page.wait_for_function(f"() => Math.abs({output_px} - innerHeight) <= 2")
        page.locator("body").press("f")
        page.wait_for_function("() => document.fullscreenElement === null")


def test_colours_and_layout_are_kept_over_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Output only").click()
        page.get_by_role("button", name="Options").click()
        expect(page.locator("body")).to_have_css("color-scheme", "dark")
        page.get_by_label("Colours").select_option("Light")
        page.reload()
        expect(page.get_by_role("button", name="Output only")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("body")).to_have_css("color-scheme", "light")


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
        until(
            lambda: [picture.bounding_box() for picture in page.locator(".picture").all()],
            lambda boxes: boxes[0] == boxes[1],
            "the output lies over the input",
        )
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
        page.wait_for_function("() => document.pictureInPictureElement === null")
        assert watched.errors == []


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).bounding_box()
    assert found is not None, f"{selector} is not to be seen"
    return dict(found)


def test_the_result_fills_the_stage_and_style_and_strength_are_above_the_fold(browser: Browser) -> None:
    with (
        serving("--model", "tiny", "--accelerate", "off") as server,
        opened(browser, server.url, viewport={"width": 1280, "height": 720}) as watched,
    ):
        page = watched.page
        expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=2 * SOON_MS)
        page.get_by_role("button", name="Camera").click()
        stage = box(page, ".stage")
        assert stage["height"] > 0.75 * 720
        assert box(page, ".output")["height"] == pytest.approx(stage["height"], abs=1)
        assert box(page, ".input")["width"] < stage["width"] / 3
        for control in (page.get_by_role("group", name="Styles"), page.get_by_role("slider", name="Strength")):
            expect(control).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Panic")).to_be_in_viewport(ratio=1)


def test_the_inset_is_moved_swapped_enlarged_and_hidden_and_all_of_it_is_kept(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        stage, before = box(page, ".stage"), box(page, ".input")
        handle = page.get_by_role("button", name="Move the inset")
        page.locator(".input").hover()
        handle.hover()
        page.mouse.down()
        page.mouse.move(stage["x"] + stage["width"], stage["y"] + 5, steps=5)
        page.mouse.up()
        moved = box(page, ".input")
        assert moved["x"] > before["x"] + 200
        assert moved["y"] < before["y"] - 200
        assert moved["x"] + moved["width"] <= stage["x"] + stage["width"]
        handle.press("ArrowLeft")
        assert box(page, ".input")["x"] < moved["x"]
        handle.press("Enter")
        assert box(page, ".input")["y"] > moved["y"] + 200, "the next corner is the lower right one"

        page.get_by_role("button", name="Enlarge the inset").click()
        assert box(page, ".input")["width"] > 1.5 * before["width"]
        page.get_by_role("button", name="Swap input and output").click()
        assert box(page, ".input")["width"] > box(page, ".output")["width"]
        page.reload()
        start_camera_again(page)
        assert box(page, ".input")["width"] > box(page, ".output")["width"], "it is kept"
        assert box(page, ".output")["x"] > stage["x"] + stage["width"] / 2, "its place too"
        page.locator("body").press("x")
        assert box(page, ".output")["width"] > box(page, ".input")["width"]

        page.locator(".input").hover()
        page.get_by_role("button", name="Hide the inset").click()
        expect(page.locator(".input")).to_be_hidden()
        assert_moves(page)
        assert watched.errors == []


def start_camera_again(page: Page) -> None:
    """After a reload the camera goes on by itself where it may."""
    expect(page.locator(".source-bar")).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)


def test_tab_swaps_on_a_stage_that_was_clicked_and_nobody_is_kept_there_by_the_keyboard(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        stage = box(page, ".stage")
        page.mouse.click(stage["x"] + stage["width"] / 2, stage["y"] + 40)
        page.keyboard.press("Tab")
        expect(page.locator(".input")).to_have_attribute("data-spot", "main")
        page.keyboard.press("Tab")
        expect(page.locator(".input")).to_have_attribute("data-spot", "inset")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.className") != "stage"
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") != "stage", "Tab alone never stops at the stage"
        expect(page.locator(".input")).to_have_attribute("data-spot", "inset")


def test_a_drawing_fills_the_stage_with_the_result_beside_it(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        assert box(page, ".input")["height"] == pytest.approx(box(page, ".stage")["height"], abs=1)
        expect(page.locator(".output")).to_have_attribute("data-spot", "inset")
        for tool in ("Brush", "Undo", "New layer"):
            expect(page.get_by_role("button", name=tool, exact=True)).to_be_in_viewport(ratio=1)


def test_rewinding_moves_no_control(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        before = box(page, ".deck"), box(page, ".stage")
        page.get_by_role("button", name="Rewind").click()
        expect(page.get_by_role("slider", name="Moment")).to_be_visible()
        assert (box(page, ".deck"), box(page, ".stage")) == before

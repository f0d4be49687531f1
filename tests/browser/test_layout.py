"""Where things are: on a phone upright and on its side, in every language, and while messages come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .driver import DESKTOP, PHONE, SOON_MS, ServerProcess, open_folds, opened, output, serving, start_camera

pytestmark = pytest.mark.browser

TOUCH: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
ON_ITS_SIDE: dict[str, Any] = {**TOUCH, "viewport": {"width": PHONE["height"], "height": PHONE["width"]}}
SMALL = """() => [...document.querySelectorAll(
    "button, select, summary, input:not([type=checkbox]), label:has(> input[type=checkbox])")]
    .filter((one) => one.offsetParent)
    .map((one) => [one.getAttribute("aria-label") ?? one.textContent, one.getBoundingClientRect()])
    .filter(([, { width, height }]) => Math.min(width, height) < 40)
    .map(([name, { width, height }]) => `${name}: ${width}×${height}`)"""
OVERLAPS = """() => {
    // What is to be seen of it: columns that are scrolled cut off what is outside of them.
    const boxOf = (one) => {
        let { left, top, right, bottom } = one.getBoundingClientRect();
        for (let around = one.parentElement; around; around = around.parentElement) {
            if (getComputedStyle(around).overflow === "visible") continue;
            const cut = around.getBoundingClientRect();
            [left, top] = [Math.max(left, cut.left), Math.max(top, cut.top)];
            [right, bottom] = [Math.min(right, cut.right), Math.min(bottom, cut.bottom)];
        }
        return { left, top, right, bottom };
    };
    const seen = [...document.querySelectorAll(".panes button, .panes select, .panes label, header button")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 0)
        .map((one) => [one, one.getAttribute("aria-label") ?? one.textContent.trim(), boxOf(one)]);
    return seen.flatMap(([one, name, a], index) => seen.slice(index + 1)
        .filter(([other]) => !one.contains(other) && !other.contains(one))
        .filter(([, , b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
        .map(([, other]) => `${name} and ${other}`));
}"""
SIZES = {
    "tablet": (1024, 768),
    "laptop, enlarged twice": (640, 400),
    "phone on its side": (740, 360),
    "phone": (390, 844),
}


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo:20") as server:
        yield server


def is_within_the_screen(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= screen.width")


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).first.bounding_box()
    assert found is not None, f"{selector} is not to be seen"
    return dict(found)


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_a_phone_in_line_has_everything_on_its_screen_in_every_language(browser: Browser, locale: str) -> None:
    with (
        serving("--model", "echo", "--max-sessions", "1", "--max-waiting", "1") as server,
        opened(browser, server.url) as first,
        opened(browser, server.url, **TOUCH, locale=locale) as second,
    ):
        expect(first.page.locator(".state[data-state=open]")).to_be_visible(timeout=SOON_MS)
        expect(second.page.locator(".state[data-state=queued]")).to_be_visible(timeout=SOON_MS)
        assert is_within_the_screen(second.page)
        assert box(second.page, "header > :last-child")["x"] + box(second.page, "header > :last-child")["width"] <= 390


@pytest.mark.parametrize(("width", "height"), SIZES.values(), ids=SIZES)
def test_nothing_that_is_pressed_lies_over_another(
    browser: Browser, echo: ServerProcess, width: int, height: int
) -> None:
    with opened(browser, echo.url, viewport={"width": width, "height": height}) as watched:
        page = watched.page
        assert page.evaluate(OVERLAPS) == [], "while it asks for a source"
        page.get_by_role("button", name="Draw").click()
        expect(page.get_by_role("button", name="Brush", exact=True)).to_be_visible()
        assert page.evaluate(OVERLAPS) == [], "with the tools for drawing"
        page.get_by_role("group", name="Input").get_by_role("button", name="Camera", exact=True).click()
        expect(page.get_by_label("Mirror")).to_be_visible()
        assert page.evaluate(OVERLAPS) == [], "with the camera's tools"


def test_a_finger_can_hit_every_control(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, **TOUCH) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        page.get_by_role("button", name="Save this look").click()
        page.get_by_role("button", name="Blend").click()
        open_folds(page)
        assert page.evaluate(SMALL) == []
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Add this look").click()
        assert page.evaluate(SMALL) == []
        assert is_within_the_screen(page)


def test_the_output_stays_in_sight_while_a_phone_scrolls_to_the_settings(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, **TOUCH) as watched:
        start_camera(watched.page)
        seed = watched.page.get_by_label("Seed", exact=True)
        seed.scroll_into_view_if_needed()
        expect(output(watched.page)).to_be_in_viewport(ratio=0.9)
        seed.focus()
        covered = box(watched.page, ".output")
        focused = box(watched.page, "#field-seed")
        assert focused["y"] >= covered["y"] + covered["height"], "what has the focus is not behind the picture"


def test_a_phone_on_its_side_shows_both_pictures_at_once(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, **ON_ITS_SIDE) as watched:
        start_camera(watched.page)
        watched.page.get_by_role("button", name="Side by side").click()
        given, made = box(watched.page, ".input"), box(watched.page, ".output")
        assert given["y"] + given["height"] / 2 == pytest.approx(made["y"] + made["height"] / 2, abs=1)
        assert min(given["width"], made["width"]) > 220
        assert made["y"] + made["height"] <= PHONE["width"] + 1
        assert is_within_the_screen(watched.page)


def test_a_message_does_not_move_what_is_drawn_on(browser: Browser) -> None:
    with serving("--model", "echo") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        before = box(page, ".drawing")
        server.kill()
        expect(page.locator(".message").first).to_be_visible(timeout=SOON_MS)
        assert box(page, ".drawing") == before


@pytest.mark.parametrize("source", ["Camera", "Draw"])
def test_a_message_lies_on_the_stage_and_covers_neither_the_inset_nor_what_is_pressed(
    browser: Browser, source: str
) -> None:
    with serving("--model", "echo") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name=source).first.click()
        page.get_by_role("button", name="Pads", exact=True).click()
        page.get_by_role("button", name="Decks", exact=True).click()
        expect(page.locator(".clips")).to_be_visible()
        expect(page.locator(".pad.add").first).to_be_visible()
        server.kill()
        expect(page.locator(".message").first).to_be_visible(timeout=SOON_MS)
        message, stage, inset = (box(page, one) for one in (".message", ".stage", ".picture[data-spot=inset]"))
        assert stage["x"] <= message["x"] <= message["x"] + message["width"] <= stage["x"] + stage["width"]
        assert stage["y"] <= message["y"] <= message["y"] + message["height"] <= stage["y"] + stage["height"]
        assert message["x"] >= inset["x"] + inset["width"], "beside the inset"


def test_full_screen_shows_the_audience_nothing_but_pictures(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.keyboard.press("p")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        page.keyboard.press("f")
        page.wait_for_function("() => document.fullscreenElement !== null")
        expect(page.get_by_text("Panic: press P")).to_be_hidden()
        page.keyboard.press("p")
        page.keyboard.press("l")
        page.keyboard.press("l")
        expect(page.locator(".wipe")).to_have_css("opacity", "0")

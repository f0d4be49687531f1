"""Whoever comes: axe's rules in every state of the page, and a walk by keyboard alone as docs/studio.md has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .driver import DESKTOP, PHONE, SOON_MS, ServerProcess, open_folds, opened, serving, session_of, start_camera

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web_client" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def echo():
    with serving("--model", "echo:20") as server:
        yield server


def violations(page: Page) -> list[str]:
    """What axe finds, from `serious` up."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in web_client")
    page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{one['id']}: {node['html'][:160]} {[check['message'] for check in node['any']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    browser: Browser, echo: ServerProcess, scheme: str, viewport: dict[str, int]
) -> None:
    with opened(browser, echo.url, viewport=viewport) as watched:
        page = watched.page
        page.get_by_role("button", name="Options").click()
        page.get_by_label("Colours").select_option(scheme.title())
        expect(page.locator("body")).to_have_css("color-scheme", scheme)
        page.keyboard.press("Escape")
        assert violations(page) == []
        start_camera(page)
        page.get_by_role("button", name="Save this look").click()
        page.get_by_role("button", name="Blend").click()
        open_folds(page)
        assert violations(page) == [], "with the inset"
        page.get_by_role("button", name="Over the input").click()
        page.get_by_role("button", name="Rewind").click()
        page.locator("body").press("p")
        assert violations(page) == [], "over the input, in the past, in a panic"
        page.locator("body").press("p")
        page.locator(".status-line").click()
        assert violations(page) == [], "with the measurements"
        page.locator(".status-line").click()
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Add this look").click()
        assert violations(page) == []
        page.get_by_role("button", name="Options").click()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.locator("body").press("?")
        assert violations(page) == []
        assert watched.errors == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_axe_finds_nothing_in_the_sheets_in_any_language(
    browser: Browser, echo: ServerProcess, locale: str, scheme: str
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP, locale=locale) as watched:
        page = watched.page
        expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=SOON_MS)
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", scheme)
        for sheet in page.locator("header [aria-haspopup=dialog]").all():
            sheet.click()
            expect(page.get_by_role("dialog")).to_be_visible()
            assert violations(page) == []
            page.keyboard.press("Escape")
        page.locator(".chooser button").last.click()
        expect(page.locator(".draw-side")).to_be_visible()
        for tool in "bjwq":  # each has options of its own
            page.locator(".drawing").press(tool)
            assert violations(page) == [], f"the drawing with {tool}"
        assert watched.errors == []


def test_an_unreachable_server_and_its_message_pass_too(browser: Browser) -> None:
    with serving("--model", "echo") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        expect(watched.page.get_by_role("status").first).to_have_text("Live", timeout=SOON_MS)
        server.kill()
        expect(watched.page.get_by_role("status").first).to_have_text("Reconnecting", timeout=SOON_MS)
        assert violations(watched.page) == []


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Presses Tab until the focus is on what is called `name`; never more often than the page has stops."""
    for _ in range(80):
        page.keyboard.press(key)
        focused = page.evaluate(
            """() => { const at = document.activeElement;
                if (at === document.body) return "";
                return at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent; }"""
        )
        if name in focused:
            return
    pytest.fail(f"the keyboard does not reach {name!r}")


def test_the_walk_by_keyboard_alone(browser: Browser, echo: ServerProcess) -> None:
    """The steps of docs/studio.md, "By keyboard alone"."""
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        expect(page.get_by_role("button", name="Camera")).to_be_visible()
        tab_to(page, "Camera")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)
        tab_to(page, "Prompt")
        page.keyboard.type("ink drawing")
        page.keyboard.press("Enter")
        tab_to(page, "Save this look")
        page.keyboard.press("Enter")
        tab_to(page, "Strength, as a number", "Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("End")
        page.wait_for_function("() => document.activeElement.value === '1'")
        page.keyboard.press("1")
        expect(page.get_by_role("slider", name="Strength")).to_have_value("0.5", timeout=SOON_MS)
        page.keyboard.press("l")
        page.keyboard.press("l")
        page.keyboard.press(">")
        expect(page.get_by_role("slider", name="Wipe")).to_have_value("0.55")
        page.keyboard.press("p")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        page.keyboard.press("p")
        page.keyboard.press("z")
        tab_to(page, "Moment")
        page.keyboard.press("Home")
        page.keyboard.press("z")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
        with page.expect_download() as download:
            page.keyboard.press("s")
        assert download.value.suggested_filename.endswith(".png")
        assert session_of(echo)["params"]["prompt"] == "ink drawing"
        assert watched.errors == []

"""Groups of settings, and what is ready made of them: in force on the server, and seen in the pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import PHOTO
from .driver import (
    DESKTOP,
    SOON_MS,
    ServerProcess,
    difference,
    held,
    opened,
    serving,
    session_of,
    shown_once,
    wait_for_param,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser

SIDE_PX = 128
"""Of the pictures: small, so that a busy machine makes several a second."""


@pytest.fixture(scope="module")
def tiny() -> Iterator[ServerProcess]:
    # On a busy machine a session more, as the tiles have, would leave each less than the least rate.
    with serving("--model", "tiny", "--accelerate", "off", "--min-session-fps", "0") as server:
        yield server


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo:20") as server:
        yield server


def fold(page: Page, title: str) -> Locator:
    return page.locator("details", has=page.locator(f"summary:text-matches('^{title}')"))


def show_photo(page: Page, server: ServerProcess) -> None:
    """Has a small photograph restyled, which rests: what changes afterwards is the settings' doing."""
    expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=2 * SOON_MS)
    session = session_of(server)["session"]
    patch = json.dumps({"params": {"width": SIDE_PX, "height": SIDE_PX}}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}api/sessions/{session}", patch, headers, method="PATCH")) as answer:
        assert answer.status == 200
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="File").click()
    chooser.value.set_files(PHOTO)
    wait_for_picture_of(page, server, "width", SIDE_PX)


def others_than(fields: Collection[str], params: dict[str, Any]) -> dict[str, Any]:
    """The params but for some and the version."""
    return {field: value for field, value in params.items() if field not in {*fields, "version"}}


@pytest.mark.parametrize(
    ("group", "name", "values"),
    [
        ("How much", "A touch", {"amount": 0.5}),
        ("How much", "More than it dares", {"amount": 1.5}),
        ("Only me / behind me", "Only me", {"matte": "person", "beyond": "input"}),
        ("Only me / behind me", "Transparent for OBS", {"matte": "person", "beyond": "key"}),
        ("Motion", "Tunnel", {"feedback": 0.4, "feedback_zoom": 1.05, "feedback_turn": 3}),
    ],
)
def test_one_click_changes_params_and_picture_and_another_takes_it_back(
    browser: Browser, tiny: ServerProcess, group: str, name: str, values: dict[str, Any]
) -> None:
    with opened(browser, tiny.url, viewport=DESKTOP) as watched:
        page = watched.page
        show_photo(page, tiny)
        before = held(page)
        was = session_of(tiny)["params"]
        if group != "How much":
            fold(page, group).locator("summary").click()
        chip = fold(page, group).get_by_role("button", name=name, exact=True)
        expect(chip).to_have_attribute("aria-pressed", "false")
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "true")
        for field, value in values.items():
            wait_for_param(page, tiny, field, value)
        shown_once(page, lambda now: difference(now, before) > 5, f"{name} is seen")
        assert others_than(values, session_of(tiny)["params"]) == others_than(values, was)
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "false")
        for field in values:
            wait_for_param(page, tiny, field, was[field])
        shown_once(page, lambda now: difference(now, before) < 1, "the picture is as it was")
        assert watched.errors == []


def test_a_calm_picture_of_an_input_that_rests_comes_to_its_new_look(browser: Browser, tiny: ServerProcess) -> None:
    with opened(browser, tiny.url, viewport=DESKTOP) as watched:
        page = watched.page
        show_photo(page, tiny)
        page.get_by_role("button", name="All 44").click()
        page.get_by_role("button", name="neon", exact=True).click()
        wait_for_picture_of(page, tiny, "prompt", "neon")
        neon = held(page)
        page.get_by_role("button", name="watercolour", exact=True).click()
        shown_once(page, lambda now: difference(now, neon) > 20, "another style")
        fold(page, "Calm").locator("summary").click()
        page.get_by_role("button", name="Very steady", exact=True).click()
        wait_for_param(page, tiny, "calm", 0.9)
        page.get_by_role("button", name="neon", exact=True).click()
        shown_once(page, lambda now: difference(now, neon) < 4, "the style is there, without a trace of the last one")
        assert watched.errors == []


def test_a_group_is_reached_and_called_by_keyboard_says_so_when_closed_and_is_as_it_was_left(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        motion = fold(page, "Motion")
        motion.locator("summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        wait_for_param(page, echo, "feedback", 0.4)
        tunnel = motion.locator("summary").get_by_text("Tunnel")
        expect(tunnel).to_be_hidden()
        motion.locator("summary").press("Enter")
        expect(tunnel).to_be_visible()
        motion.locator("summary").press("Enter")
        page.get_by_role("slider", name="Feedback", exact=True).fill("0.3")
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("tab", name="Look").click()
        expect(motion.get_by_role("button", name="Slow dissolve")).to_be_visible()
        motion.locator("summary").click()
        expect(motion.locator("summary").get_by_text("changed")).to_be_visible()
        page.wait_for_function("() => localStorage.getItem('realtime.openFolds') === JSON.stringify(['amount'])")
        page.reload()
        expect(fold(page, "How much").get_by_role("button", name="A touch")).to_be_visible()
        expect(motion.get_by_role("button", name="Slow dissolve")).to_be_hidden()
        assert watched.errors == []


def test_a_model_that_finds_nobody_offers_no_mattes_of_people(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        matte = fold(watched.page, "Only me / behind me")
        matte.locator("summary").click()
        expect(matte.get_by_label("Restyle").locator("option")).to_have_text(["Everything", "What is drawn"])
        expect(matte.get_by_role("button")).to_have_count(0)


def test_each_style_has_a_picture_of_ones_own_and_a_click_takes_it(browser: Browser, tiny: ServerProcess) -> None:
    with opened(browser, tiny.url, viewport=DESKTOP) as watched:
        page = watched.page
        show_photo(page, tiny)
        tiles = page.get_by_role("group", name="Styles").get_by_role("button")
        expect(tiles).to_have_count(12, timeout=SOON_MS)  # the first takes a picture
        expect(tiles.nth(1).locator("canvas")).to_be_visible(timeout=2 * SOON_MS)
        expect(tiles.nth(2).locator("canvas")).to_be_visible(timeout=2 * SOON_MS)
        one, other = (
            np.asarray(Image.open(io.BytesIO(tile.screenshot())).convert("RGB").resize((64, 64)), np.float32)
            for tile in (tiles.nth(1).locator("canvas"), tiles.nth(2).locator("canvas"))
        )
        assert difference(one, other) > 5, "they are two styles"
        tiles.nth(1).click()
        expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
        wait_for_param(page, tiny, "prompt", "watercolour")
        page.get_by_role("button", name="All 44").click()
        expect(tiles).to_have_count(45)
        ember = page.get_by_role("button", name="Like the picture ember")
        expect(ember.locator("img")).to_be_visible(timeout=SOON_MS)
        ember.click()
        with urlopen(f"{tiny.url}api/config") as answer:
            ids = {one["name"]: one["picture"] for one in json.load(answer)["styles"]["pictures"]}
        wait_for_param(page, tiny, "prompt", [{"picture": ids["ember"], "weight": 1.0}])
        expect(ember).to_have_attribute("aria-pressed", "true")
        assert watched.errors == []

"""The sheet "LoRAs": what the server's model wears, by sliders, and what can be added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.wearing import Wardrobe

from .driver import DESKTOP, PHONE, SOON_MS, opened, until
from .test_accessibility import violations

pytestmark = pytest.mark.browser


@pytest.fixture
def wardrobe() -> Wardrobe:
    return Wardrobe()


@pytest.fixture
def server(tmp_path: Path, wardrobe: Wardrobe) -> Iterator[RunningServer]:
    for name in ("ink", "wash", "sdxl"):
        (tmp_path / f"{name}.safetensors").touch()
    config = a_config(loras=(f"{tmp_path}/ink.safetensors:0.5",), lora_folder=tmp_path)
    with running(config, wardrobe) as one:
        yield one


def open_sheet(page: Page) -> None:
    page.get_by_role("button", name="Options").click()
    page.get_by_role("button", name="LoRAs").click()
    expect(page.get_by_role("slider", name="ink")).to_be_visible(timeout=SOON_MS)


def worn(wardrobe: Wardrobe) -> list[str]:
    """What is on: names and weights."""
    return [Path(one).name for one in wardrobe.engines[-1].worn[-1]]


def test_loras_are_weighed_added_and_removed_by_keyboard(
    browser: Browser, server: RunningServer, wardrobe: Wardrobe
) -> None:
    with opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        open_sheet(page)
        slider = page.get_by_role("slider", name="ink")
        expect(slider).to_have_value("0.5")
        slider.focus()
        page.keyboard.press("ArrowRight")
        until(lambda: worn(wardrobe), lambda now: now == ["ink.safetensors:0.55"], "it has the slider's weight")
        page.get_by_role("button", name="+ wash").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("slider", name="wash")).to_have_value("1", timeout=SOON_MS)
        assert len(worn(wardrobe)) == 2
        page.get_by_role("button", name="Remove: ink").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("slider", name="ink")).to_have_count(0, timeout=SOON_MS)
        until(lambda: worn(wardrobe), lambda now: now == ["wash.safetensors:1.0"], "only the other is left")
        assert violations(page) == []
        assert studio.errors == []


def test_sheet_says_why_one_is_refused_and_keeps_the_others(
    browser: Browser, server: RunningServer, wardrobe: Wardrobe
) -> None:
    with opened(browser, server.url, viewport=PHONE) as studio:
        page = studio.page
        open_sheet(page)
        page.get_by_role("button", name="+ sdxl").click()
        expect(page.get_by_role("alert")).to_contain_text("it is made for another model", timeout=SOON_MS)
        expect(page.get_by_role("button", name="+ sdxl")).to_be_visible()
        assert worn(wardrobe) == ["ink.safetensors:0.5"]
        assert violations(page) == []

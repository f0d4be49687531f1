"""The page and the overlay through a restart of the server: they come back by themselves, to the same params."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .driver import DESKTOP, free_port, opened, serving, session_of, start_camera, until, wait_for_param
from .test_overlay import wait_for_alpha

pytestmark = pytest.mark.browser


def test_page_and_overlay_come_back_to_the_same_params(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REALTIME_NO_STATE")
    port, path = free_port(), tmp_path / "state.json"
    options = ("--model", "echo:10", "--state", str(path))
    with serving(*options, port=port) as first, opened(browser, first.url, viewport=DESKTOP) as studio:
        start_camera(studio.page)
        studio.page.get_by_role("slider", name="Strength").fill("0.25")
        wait_for_param(studio.page, first, "strength", 0.25)
        name = session_of(first)["session"]
        until(path.read_text, lambda text: '"strength": 0.25' in text, "it is saved")
        with opened(browser, f"{first.url}overlay?session={name}") as overlay:
            wait_for_alpha(overlay.page, 255)
            first.kill()
            wait_for_alpha(overlay.page, 0)
            with serving(*options, port=port) as second:
                wait_for_alpha(overlay.page, 255)
                wait_for_param(studio.page, second, "strength", 0.25)
                expect(studio.page.get_by_text("The server came back with other settings")).to_be_hidden()

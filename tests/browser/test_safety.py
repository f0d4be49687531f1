"""The page and an overlay while a frame checker holds the pictures: both know it, and neither shows one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes.checked import CheckedEcho, load_checked
from tests.fakes.servers import a_config, running

from .driver import DESKTOP, PHONE, opened, start_camera, until

pytestmark = pytest.mark.browser

SAYS = "takes your picture for unsafe"
FAILS = "frame checker fails"


def test_page_says_why_pictures_are_held_and_that_once(browser: Browser) -> None:
    with (
        running(a_config(frame_checker="a/checker", resume_s=30), load_checked) as server,
        opened(browser, f"{server.url}/", viewport=DESKTOP) as watched,
    ):
        start_camera(watched.page)
        life = server.service.host.life
        assert life is not None and isinstance(life.engine, CheckedEcho)
        (session,) = server.service.sessions
        with (
            opened(browser, f"{server.url}/overlay?session={session.name}") as overlay,
            opened(browser, f"{server.url}/remote?session={session.name}", viewport=PHONE) as remote,
        ):
            canvas = overlay.page.locator("canvas")
            told = remote.page.get_by_role("status")
            life.engine.score = lambda job: 1.0
            expect(watched.page.locator(".message", has_text=SAYS)).to_have_count(1)
            expect(watched.page.locator(".message.problem")).to_have_count(1)
            expect(canvas).to_have_attribute("data-held", "unsafe")
            expect(told.get_by_text("Held: the frame checker takes the picture for unsafe.")).to_be_visible()
            remote.page.get_by_role("button", name="New seed").click()
            remote.page.reload()
            expect(told.get_by_text("Held: the frame checker takes the picture for unsafe.")).to_be_visible()
            held = session.newest
            life.engine.score = lambda job: float("nan")
            expect(watched.page.locator(".message", has_text=FAILS)).to_have_count(1)
            expect(canvas).to_have_attribute("data-held", "unchecked")
            expect(told.get_by_text("Held: the frame checker fails.")).to_be_visible()
            assert session.newest is held

            life.engine.score = lambda job: 0.0

            expect(watched.page.locator(".message", has_text=re.compile(f"{SAYS}|{FAILS}"))).to_have_count(0)
            expect(canvas).to_have_attribute("data-held", "")
            expect(told.filter(has_text="Held")).to_have_count(0)
            until(lambda: session.newest is not held, bool, "pictures are made again")

"""Looks on pads, in few actions; the beat and the time of changes; a phone and a desk that play the studio."""

from __future__ import annotations

import json
import re
import socket
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from realtime.server.osc.wire import pack_message

from .driver import (
    DESKTOP,
    PHONE,
    ServerProcess,
    free_port,
    opened,
    serving,
    session_of,
    start_camera,
    until,
    wait_for_param,
)
from .test_accessibility import violations
from .test_overlay import wait_for_alpha

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def echo():
    with serving("--model", "echo:20") as server:
        yield server


def pad(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Presets").get_by_role("button", name=name)


def test_a_look_is_saved_by_one_click_and_called_by_another(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_label("Prompt", exact=True).fill("ink")
        wait_for_param(page, echo, "prompt", "ink")

        page.get_by_role("button", name="Save this look").click()
        expect(pad(page, "ink").locator("img")).to_be_visible()
        expect(pad(page, "ink")).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("document.querySelector('.pad img').naturalWidth > 40")
        page.get_by_label("Prompt", exact=True).fill("oil")
        wait_for_param(page, echo, "prompt", "oil")
        pad(page, "ink").click()

        wait_for_param(page, echo, "prompt", "ink")
        assert watched.errors == []


def test_the_empty_pad_takes_a_look_and_the_line_of_pads_goes_away(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        line = page.get_by_role("region", name="Pads and beat")
        expect(page.get_by_role("button", name="Save this look")).to_be_visible()
        expect(line).to_be_hidden()
        page.get_by_role("button", name="Pads", exact=True).click()
        page.get_by_role("button", name="Save the present look on pad 1").click()
        expect(pad(page, "1 Look")).to_have_attribute("aria-pressed", "true")
        page.locator("body").press("k")
        expect(pad(page, "2 Look 2")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Pads", exact=True).click()
        expect(line).to_be_hidden()
        assert watched.errors == []


def test_every_change_takes_as_many_beats_as_are_set(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Pads", exact=True).click()
        fade = page.get_by_role("group", name="Fade")
        fade.get_by_role("button", name="beats").click()
        expect(page.get_by_label("Beats a minute")).to_have_value("120")
        wait_for_param(page, echo, "transition_s", 2)
        page.get_by_role("button", name="Half the tempo").click()
        wait_for_param(page, echo, "transition_s", 4)
        fade.get_by_role("spinbutton").fill("8")
        fade.get_by_role("spinbutton").press("Enter")
        wait_for_param(page, echo, "transition_s", 8)
        fade.get_by_role("button", name="s", exact=True).click()
        fade.get_by_role("spinbutton").fill("0")
        fade.get_by_role("spinbutton").press("Enter")
        wait_for_param(page, echo, "transition_s", 0)
        assert watched.errors == []


def code_on(page: Page) -> str:
    """What a phone reads from the screen."""
    code = page.get_by_role("img", name="QR code")
    expect(code).to_be_visible()
    picture = cv2.imdecode(np.frombuffer(code.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return cv2.QRCodeDetector().detectAndDecode(cv2.resize(picture, None, fx=4, fy=4))[0]


def test_a_phone_plays_the_studio_in_four_actions(browser: Browser) -> None:
    everywhere = ("--model", "echo:10", "--host", "0.0.0.0", "--token", "t")
    with serving(*everywhere) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        start_camera(page)
        page.get_by_label("Prompt", exact=True).fill("ink")
        page.get_by_role("button", name="Save this look").click()
        page.get_by_label("Prompt", exact=True).fill("oil")
        page.get_by_role("button", name="Blend").click()

        page.get_by_role("button", name="Send to…").click()  # 1
        address = code_on(page)
        assert "ticket=" in address and "127.0.0.1" not in address
        page.keyboard.press("Escape")
        here = re.sub(r"//[^:/]+", "//127.0.0.1", address)
        with opened(browser, here, viewport=PHONE, has_touch=True) as phone:  # 2
            wait_for_alpha(phone.page, 255)
            expect(phone.page.get_by_label("Prompt 1")).to_have_value("oil")
            expect(phone.page.get_by_label("Weight 2")).to_be_visible()
            phone.page.get_by_role("button", name="ink").tap()  # 3
            expect(page.get_by_label("Prompt", exact=True)).to_have_value("ink")
            expect(pad(page, "ink")).to_have_attribute("aria-pressed", "true")
            expect(phone.page.get_by_role("button", name="ink")).to_have_attribute("aria-pressed", "true")
            phone.page.get_by_role("button", name="Panic").tap()
            expect(page.get_by_text("Panic: press P")).to_be_visible()
            page.get_by_role("button", name="Panic").click()
            expect(phone.page.get_by_role("button", name="Panic")).to_have_attribute("aria-pressed", "false")
            phone.page.get_by_role("button", name="Freeze").tap()
            expect(page.get_by_text("Frozen")).to_be_visible()
            assert violations(phone.page) == []
            assert phone.errors == []


def test_a_desk_plays_the_studio(browser: Browser) -> None:
    port = free_port()
    with (
        serving("--model", "echo:10", "--osc", str(port)) as server,
        opened(browser, server.url, viewport=DESKTOP) as watched,
        socket.socket(type=socket.SOCK_DGRAM) as desk,
    ):
        page = watched.page
        page.get_by_label("Prompt", exact=True).fill("ink")
        page.get_by_role("button", name="Save this look").click()
        page.get_by_label("Prompt", exact=True).fill("oil")
        wait_for_param(page, server, "prompt", "oil")
        until(lambda: pads_of(server), lambda pads: len(pads) == 1, "the pads are there")
        for path, value in (("pad", 1), ("panic", 1), ("bpm", 90)):
            desk.sendto(pack_message(f"/realtime/{path}", (value,)), ("127.0.0.1", port))

        expect(page.get_by_label("Prompt", exact=True)).to_have_value("ink")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        page.get_by_role("button", name="Pads", exact=True).click()  # they show themselves where one is saved
        page.get_by_role("button", name="Pads", exact=True).click()
        expect(page.get_by_label("Beats a minute")).to_have_value("90")
        assert watched.errors == []


def pads_of(server: ServerProcess) -> list[dict[str, Any]]:
    with urlopen(f"{server.url}api/sessions/{session_of(server)['session']}/pads") as answer:
        return json.load(answer)["pads"]

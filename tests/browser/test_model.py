"""The model is changed in the studio while pictures flow: how far it is, what it says, and the panel afterwards."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page, expect

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from tests.fakes.servers import a_config, running

from .driver import DESKTOP, SOON_MS, opened, serving, start_camera
from .test_accessibility import violations

pytestmark = pytest.mark.browser
LOADED_MS = 120_000
"""The embedded model is loaded beside the echo, on a machine that may be busy."""


def choose(page: Page, model: str, button: str = "Change for everybody") -> None:
    page.get_by_role("button", name="Options").click()
    chooser = page.get_by_role("group", name="Model")
    chooser.get_by_label("Model").select_option(model)
    chooser.get_by_role("button", name=button).click()


def test_panel_follows_the_model_without_a_reload_and_says_what_it_does_not_take(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        start_camera(page)
        page.evaluate("window.isTheSame = true")
        expect(page.get_by_role("button", name="van gogh")).to_have_count(0)
        page.get_by_label("Steps").first.fill("4")
        choose(page, "tiny")
        status = page.get_by_role("group", name="Model").get_by_role("status")
        expect(status).to_contain_text("Changed: tiny", timeout=LOADED_MS)
        assert violations(page) == []
        expect(page.get_by_text("Some settings are others with this model.")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="van gogh").first).to_be_visible()
        assert page.evaluate("window.isTheSame")
        assert page.evaluate("fetch('api/config').then((answer) => answer.json()).then(({ model }) => model)") == "tiny"
        assert studio.errors == []


def test_chooser_says_why_a_model_is_refused_and_guests_have_none(browser: Browser) -> None:
    operators = ("--model", "echo:10", "--token", "of-the-operator")
    with serving(*operators) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        page.route("**/api/model", lambda route: route.fulfill(status=507, json={"detail": "9 GB are missing"}))
        choose(page, "tiny")
        chooser = page.get_by_role("group", name="Model")
        expect(chooser.get_by_role("status")).to_have_text("9 GB are missing")
        expect(chooser.get_by_role("button", name="Close the present one first")).to_be_visible()
        page.unroute("**/api/model")
        order = "fetch('api/tickets', { method: 'POST', body: '{\"role\": \"guest\"}' })"
        ticket = page.evaluate(f"{order}.then((answer) => answer.json()).then((given) => given.ticket)")
        with opened(browser, f"{server.url.partition('?')[0]}?ticket={ticket}", viewport=DESKTOP) as guest:
            start_camera(guest.page)
            with guest.page.expect_response("**/api/models*") as asked:
                guest.page.get_by_role("button", name="Options").click()
            assert asked.value.status == 403
            expect(guest.page.get_by_role("group", name="Model")).to_have_count(0)


def test_chooser_says_that_the_server_is_gone_and_what_to_do(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        page.route("**/api/model", lambda route: route.abort())
        choose(page, "tiny")
        status = page.get_by_role("group", name="Model").get_by_role("status")
        expect(status).to_have_text("The server can't be reached. Check that it is running; the page keeps trying.")
        expect(page.get_by_text("Something on this page failed.")).to_have_count(0)


def load_without_end(config: Config, progress: Progress) -> Engine:
    """The embedded model is never ready here."""
    while config.model == "tiny":
        progress("reading it", 25.0)
        time.sleep(0.01)
    return EchoEngine()


def test_change_is_cancelled_where_it_is_seen_and_what_has_no_loras_says_so(browser: Browser) -> None:
    with running(a_config(), load_without_end) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        start_camera(page)
        choose(page, "tiny")
        chooser = page.get_by_role("group", name="Model")
        expect(chooser.get_by_role("status")).to_contain_text("Loading beside: tiny – reading it (25 %)")
        expect(page.get_by_role("button", name="LoRAs")).to_be_disabled()
        expect(page.get_by_text("This model takes no LoRAs.")).to_be_visible()
        assert violations(page) == []
        chooser.get_by_role("button", name="Cancel the change").click()
        expect(chooser.get_by_role("status")).to_have_text("Cancelled: tiny", timeout=SOON_MS)
        expect(chooser.get_by_role("button", name="Cancel the change")).to_have_count(0)
        expect(chooser.get_by_role("button", name="Change for everybody")).to_be_enabled()
        assert page.evaluate("fetch('api/config').then((answer) => answer.json()).then(({ model }) => model)") == "echo"
        assert studio.errors == []

"""Links to a session: what they open, and that they do no more than they say."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.fakes.receivers import Receiver

from .driver import (
    DESKTOP,
    PHONE,
    SOON_MS,
    free_port,
    opened,
    serving,
    session_of,
    start_camera,
    until,
    wait_for_param,
)
from .test_overlay import wait_for_alpha, wait_for_light

pytestmark = pytest.mark.browser

OPERATORS = ("--model", "echo:10", "--token", "of-the-operator")
KEY = "live_1234_secret"
FITS = "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('.dialog-content'))"
COPIED = "navigator.clipboard.writeText = async (text) => { window.copied = text; };"


def link(page: Page, name: str) -> str:
    """The link that a button of the sheet copies."""
    page.evaluate(COPIED)
    page.get_by_role("button", name="Send to…").click()
    page.get_by_role("button", name=name).click()
    expect(page.get_by_text("The link to this session is copied.")).to_be_visible()
    page.keyboard.press("Escape")
    return page.evaluate("window.copied")


def test_remote_shows_the_session_and_changes_it(browser: Browser) -> None:
    with serving(*OPERATORS) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        start_camera(studio.page)
        address = link(studio.page, "Copy a remote's link")
        with opened(browser, address, viewport=PHONE) as remote:
            wait_for_alpha(remote.page, 255)
            remote.page.get_by_label("Strength").fill("0.25")
            remote.page.get_by_label("Prompt").fill("ink on paper")
            remote.page.get_by_label("Prompt").blur()
            expect(studio.page.get_by_label("Prompt", exact=True)).to_have_value("ink on paper")
            expect(studio.page.get_by_role("slider", name="Strength")).to_have_value("0.25")
            remote.page.get_by_role("button", name="Panic").click()
            wait_for_light(remote.page, "< 300")
            assert remote.errors == []


def test_viewers_link_shows_the_session_and_nothing_else(browser: Browser) -> None:
    with serving(*OPERATORS) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        start_camera(studio.page)
        address = link(studio.page, "Copy a link to watch")
        with opened(browser, address) as viewer:
            wait_for_alpha(viewer.page, 255)
            status = "(what) => fetch(what[0], { method: what[1], body: what[2] }).then((answer) => answer.status)"
            query = address.partition("?")[2]
            name = studio.page.evaluate("() => sessionStorage.getItem('realtime.session')")
            for path, method, body in [
                (f"api/sessions/{name}", "PATCH", '{"params": {"strength": 0}}'),
                (f"api/sessions/{name}", "DELETE", None),
                ("api/sessions", "GET", None),
                ("api/tickets", "POST", '{"role": "viewer"}'),
            ]:
                assert viewer.page.evaluate(status, [f"{path}?{query}", method, body]) == 403
            assert viewer.page.evaluate(status, ["api/config", "GET", None]) == 401, "without its ticket it is nobody"


def test_guest_has_a_session_of_its_own_and_comes_back_to_it(browser: Browser) -> None:
    with serving(*OPERATORS) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        order = "fetch('api/tickets', { method: 'POST', body: '{\"role\": \"guest\"}' })"
        ticket = studio.page.evaluate(f"{order}.then((answer) => answer.json()).then((given) => given.ticket)")
        with opened(browser, f"{server.url.partition('?')[0]}?ticket={ticket}", viewport=DESKTOP) as guest:
            start_camera(guest.page)
            assert "ticket" not in guest.page.url
            slider = guest.page.get_by_role("slider", name="Strength")
            slider.fill("0.25")
            name = guest.page.evaluate("() => sessionStorage.getItem('realtime.session')")
            there = f"fetch('api/sessions/{name}').then((answer) => answer.json())"
            studio.page.wait_for_function(f"() => {there}.then(({{ params }}) => params?.strength === 0.25)")
            guest.page.reload()
            expect(slider).to_have_value("0.25")
            assert guest.errors == []


def test_the_sheet_has_the_overlays_address_and_says_who_watches(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        start_camera(page)
        page.get_by_role("slider", name="Strength").fill("0.25")
        wait_for_param(page, server, "strength", 0.25)
        page.get_by_role("button", name="Send to…").click()
        name = page.get_by_label("Name of this session")
        name.fill("my show")
        for _ in range(2):  # who watches is asked meanwhile, and shown
            page.wait_for_event("response", lambda response: "/api/sessions/" in response.url)
        name.press("Enter")
        expect(name).to_have_value("my-show")
        wait_for_param(page, server, "strength", 0.25)
        assert session_of(server)["session"] == "my-show"
        expect(page.get_by_text("The server came back with other settings")).to_be_hidden()

        sheet = page.get_by_role("region", name="OBS: browser source")
        expect(sheet.get_by_text("0 watching")).to_be_visible()
        page.get_by_label("Transparent in a panic").check()
        address = sheet.get_by_role("textbox").input_value()
        assert address == f"{server.url}overlay?session=my-show&panic=transparent"
        page.evaluate(COPIED)
        sheet.get_by_role("button", name="Copy").click()
        page.wait_for_function(f"window.copied === {address!r}")
        with opened(browser, address) as overlay:
            wait_for_alpha(overlay.page, 255)
            expect(sheet.get_by_text("1 watching")).to_be_visible(timeout=SOON_MS)
            page.keyboard.press("Escape")
            page.locator("body").press("p")
            wait_for_alpha(overlay.page, 0)
            page.locator("body").press("p")
            wait_for_alpha(overlay.page, 255)
        page.get_by_role("button", name="Send to…").click()
        expect(sheet.get_by_text("0 watching")).to_be_visible(timeout=SOON_MS)
        assert studio.errors == []


def test_the_name_is_there_again_in_the_next_tab_and_not_in_a_second_one(browser: Browser) -> None:
    with serving("--model", "echo:10", "--max-sessions", "2") as server:
        context = browser.new_context(viewport=DESKTOP)
        name = "() => sessionStorage.getItem('realtime.session')"

        def open_tab() -> Page:
            page = context.new_page()
            page.goto(server.url)
            expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=SOON_MS)
            return page

        first = open_tab()
        kept = first.evaluate(name)
        second = open_tab()
        assert second.evaluate(name) != kept
        second.close()
        first.close()
        assert open_tab().evaluate(name) == kept
        context.close()


def test_the_sheet_shows_what_the_server_sends_and_stops_and_starts_it(browser: Browser) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}/{KEY}"
    with (
        serving("--model", "echo:10", "--output", f"my-show={address}") as server,
        opened(browser, f"{server.url}?session=my-show", viewport=DESKTOP) as studio,
    ):
        page = studio.page
        start_camera(page)
        page.get_by_role("button", name="Send to…").click()
        sent = page.get_by_role("region", name="Sent by the server")
        expect(sent.get_by_text("trying again: nothing listens there")).to_be_visible(timeout=SOON_MS)
        expect(sent.get_by_text(f"tcp://127.0.0.1:{port}/…")).to_be_visible()
        assert KEY not in page.content()

        sent.get_by_role("button", name="Stop").click()
        expect(sent.get_by_text("stopped")).to_be_visible()
        receiver = Receiver(f"tcp://127.0.0.1:{port}?listen=1", 10, container_format="mpegts")
        sent.get_by_role("button", name="Start").click()
        expect(sent.get_by_text("live", exact=True)).to_be_visible(timeout=SOON_MS)
        assert len(receiver.wait().levels) == 10
        assert studio.errors == []


def test_the_sheet_says_how_the_server_would_send(browser: Browser) -> None:
    with (
        serving("--model", "echo:10") as server,
        opened(browser, f"{server.url}?session=my-show", viewport=DESKTOP) as studio,
    ):
        start_camera(studio.page)
        studio.page.get_by_role("button", name="Send to…").click()
        sent = studio.page.get_by_role("region", name="Sent by the server")
        expect(sent.get_by_text("realtime serve --output my-show=rtmp://…")).to_be_visible()
        assert sent.get_by_role("button").count() == 0


def test_the_sheet_fits_on_a_phone_in_the_longest_words(browser: Browser) -> None:
    output = ("--output", f"my-show=rtmp://a-media-server.with-a-long-name.example:19350/{KEY}")
    with (
        serving("--model", "echo:10", *output) as server,
        opened(browser, f"{server.url}?session=my-show", viewport=PHONE, locale="de-DE") as studio,
    ):
        studio.page.get_by_role("button", name="Senden").click()
        expect(studio.page.get_by_text("rtmp://a-media-server")).to_be_visible(timeout=SOON_MS)
        assert studio.page.evaluate(FITS)


def test_an_address_is_copied_with_its_ticket_or_not_yet(browser: Browser) -> None:
    with serving(*OPERATORS) as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        held: list[Route] = []
        page.route("**/api/tickets", lambda route: held.append(route))  # Playwright sets attributes of it
        page.get_by_role("button", name="Send to…").click()
        sheet = page.get_by_role("region", name="OBS: browser source")
        until(lambda: (page.wait_for_timeout(50), len(held))[1], bool, "a ticket is asked for")
        expect(sheet.get_by_role("button", name="Copy")).to_be_disabled()
        for route in held:
            route.continue_()
        page.unroute("**/api/tickets")
        expect(sheet.get_by_role("button", name="Copy")).to_be_enabled()
        assert "ticket=" in sheet.get_by_role("textbox").input_value()
        assert studio.errors == []


def test_a_link_that_the_server_does_not_give_is_said_with_what_to_do(browser: Browser) -> None:
    with serving("--model", "echo:10") as server, opened(browser, server.url, viewport=DESKTOP) as studio:
        page = studio.page
        page.route("**/api/tickets", lambda route: route.abort())
        page.get_by_role("button", name="Send to…").click()
        page.get_by_role("button", name="Copy a link to watch").click()
        expect(page.get_by_text("The server gives no link to this session now.")).to_be_visible()
        expect(page.get_by_text("Something on this page failed.")).to_have_count(0)

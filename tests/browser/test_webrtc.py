"""The page over WebRTC, in Chromium against a server process, all on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import REMOTE_NAME
from .driver import (
    DESKTOP,
    FLOWS,
    PHONE,
    SOON_MS,
    ServerProcess,
    assert_moves,
    difference,
    free_port,
    held,
    measurements,
    opened,
    output,
    serving,
    session_of,
    shown,
    shown_once,
    start_camera,
    wait_for_figure,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser

OPTIONS = ("--model", "echo:10", "--ice-address", "127.0.0.1")


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving(*OPTIONS) as server:
        yield server


@pytest.fixture(scope="module")
def remote(remote_port: int) -> Iterator[ServerProcess]:
    """A server that the page finds on another host, as far as it can tell."""
    with serving(*OPTIONS, "--allowed-host", REMOTE_NAME, port=remote_port) as server:
        server.url = f"http://{REMOTE_NAME}:{remote_port}/"
        yield server


def choose(page: Page, transport: str) -> None:
    with measurements(page):
        page.get_by_label("Connection").select_option(label=transport)


def expect_transport(page: Page, name: str) -> None:
    """It is connected, by that."""
    expect(page.locator(".state[data-state=open]")).to_be_visible(timeout=SOON_MS)
    wait_for_figure(page, "transport", f"text === '{name}'")


def start_webrtc(page: Page) -> None:
    """The camera over WebRTC, chosen by hand."""
    choose(page, "WebRTC")
    expect_transport(page, "WebRTC")
    page.get_by_role("button", name="Camera").click()
    expect(output(page)).to_have_js_property("tagName", "VIDEO", timeout=SOON_MS)


def test_video_plays_both_ways(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_webrtc(page)
        wait_for_figure(page, "shown", FLOWS)
        wait_for_figure(page, "round trip", "parseFloat(text) < 1000")
        wait_for_figure(page, "codec", "['H264', 'VP8'].includes(text)")
        shown_once(page, lambda picture: picture.std() > 20, "the output shows a photograph, not a flat field")
        assert_moves(page)
        assert watched.errors == []
        assert watched.foreign_requests == []


def test_a_setting_is_confirmed_and_a_new_size_comes_in_mid_stream(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_webrtc(page)
        page.get_by_label("Prompt", exact=True).fill("watercolor")
        wait_for_picture_of(page, echo, "prompt", "watercolor")
        page.get_by_text("More settings").click()
        width = page.get_by_role("spinbutton", name="Width")
        width.fill("256")
        width.press("Tab")
        expect(output(page)).to_have_js_property("videoWidth", 256, timeout=SOON_MS)
        assert watched.errors == []


def test_a_change_of_transport_keeps_session_settings_and_picture(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        expect_transport(page, "WebSocket")
        prompt = page.get_by_label("Prompt", exact=True)
        prompt.fill("ink drawing")
        wait_for_picture_of(page, echo, "prompt", "ink drawing")
        session = session_of(echo)["session"]
        for transport, tag in (("WebRTC", "VIDEO"), ("WebSocket", "CANVAS"), ("WebRTC", "VIDEO")):
            choose(page, transport)
            # The last picture stays in view until the new transport has one.
            expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=1)
            expect_transport(page, transport)
            expect(output(page)).to_have_js_property("tagName", tag, timeout=SOON_MS)
            wait_for_figure(page, "shown", FLOWS)
            expect(prompt).to_have_value("ink drawing")
            now = session_of(echo)
            assert (now["session"], now["params"]["prompt"]) == (session, "ink drawing")
        assert watched.errors == []


def test_an_edit_made_at_the_moment_of_change_is_not_lost(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_webrtc(page)
        page.get_by_label("Prompt", exact=True).fill("neon lines")
        choose(page, "WebSocket")
        expect_transport(page, "WebSocket")
        wait_for_picture_of(page, echo, "prompt", "neon lines")


def test_the_choice_survives_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        choose(watched.page, "WebRTC")
        expect_transport(watched.page, "WebRTC")
        session = session_of(echo)["session"]
        watched.page.reload()
        expect_transport(watched.page, "WebRTC")
        assert session_of(echo)["session"] == session
        assert watched.errors == []


def test_a_drawing_comes_back_sharp_and_unfreezes(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        choose(page, "WebRTC")
        page.get_by_role("button", name="Draw").click()
        expect(output(page)).to_have_js_property("tagName", "VIDEO", timeout=SOON_MS)
        box = page.get_by_label("Drawing surface").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        for step in range(1, 21):
            page.mouse.move(box["x"] + 60 + 15 * step, box["y"] + 60 + 12 * step)
        page.mouse.up()
        shown_once(page, lambda picture: picture.max() > 240 and picture.min() < 100, "the stroke is there")
        page.get_by_role("button", name="Freeze").click()
        frozen = held(page)
        page.get_by_role("button", name="Undo").click()
        page.wait_for_timeout(1500)
        assert difference(shown(page), frozen) < 1, "nothing moves in a frozen picture"
        page.get_by_role("button", name="Freeze").click()
        shown_once(page, lambda picture: picture.min() > 180, "and the stroke is gone after it")


def test_a_snapshot_is_the_picture_of_the_video(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        start_webrtc(watched.page)
        # The camera's shape.
        expect(output(watched.page)).to_have_js_property("videoWidth", 592, timeout=SOON_MS)
        with watched.page.expect_download(timeout=SOON_MS) as download:
            watched.page.get_by_role("button", name="Snapshot").click()
        header = download.value.path().read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(header[16:20]) == 592


def test_the_page_comes_back_by_itself_when_the_server_was_killed(browser: Browser) -> None:
    port = free_port()
    with serving(*OPTIONS, port=port) as first, opened(browser, first.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_webrtc(page)
        page.get_by_label("Prompt", exact=True).fill("pencil sketch")
        wait_for_picture_of(page, first, "prompt", "pencil sketch")
        first.kill()
        expect(page.get_by_role("status").first).to_have_text("Reconnecting", timeout=SOON_MS)
        with serving(*OPTIONS, port=port):
            expect(page.get_by_role("status").first).to_have_text("Live", timeout=SOON_MS)
            expect_transport(page, "WebRTC")
            wait_for_figure(page, "shown", FLOWS)


def test_a_server_that_goes_says_so(browser: Browser) -> None:
    with serving(*OPTIONS) as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        start_webrtc(watched.page)
        server.process.terminate()
        # Looked for at every repaint: after half a second the page tries again, and then says that nobody answers.
        watched.page.wait_for_function(
            "() => document.body.innerText.includes('The server is restarting.')", timeout=SOON_MS
        )


def test_a_phone_shows_everything_without_sideways_scrolling(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=PHONE, has_touch=True) as watched:
        start_webrtc(watched.page)
        assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# -- automatic ------------------------------------------------------------------------------------------------------


BLOCK = """() => {
    const real = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        return real.call(this, { type, sdp: sdp.replaceAll("a=ice-pwd:", "a=ice-pwd:not") });
    };
    window.unblock = () => { RTCPeerConnection.prototype.setRemoteDescription = real; };
}"""
"""No connectivity check passes any more: to the page the same as a firewall that lets nothing through."""


def test_automatic_takes_webrtc_for_a_camera_elsewhere_and_websocket_for_a_drawing(
    browser: Browser, remote: ServerProcess
) -> None:
    with opened(browser, remote.url, viewport=DESKTOP) as watched:
        page = watched.page
        expect_transport(page, "WebSocket")
        start_camera(page)
        expect_transport(page, "WebRTC")
        expect(output(page)).to_have_js_property("tagName", "VIDEO", timeout=SOON_MS)
        page.get_by_role("button", name="Draw").click()
        expect_transport(page, "WebSocket")
        assert watched.errors == []


def test_automatic_stays_with_websocket_on_this_machine(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        start_camera(watched.page)
        wait_for_figure(watched.page, "shown", FLOWS)
        expect_transport(watched.page, "WebSocket")


def test_automatic_falls_back_where_nothing_gets_through_and_says_so_once(
    browser: Browser, remote: ServerProcess
) -> None:
    with opened(browser, remote.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(BLOCK)
        start_camera(page)
        note = page.get_by_text("WebRTC did not get through")
        expect(note).to_be_visible(timeout=SOON_MS)
        expect_transport(page, "WebSocket")
        wait_for_figure(page, "shown", FLOWS)
        expect(page.locator(".problem")).to_have_count(0)
        page.get_by_role("button", name="Dismiss").click()
        page.get_by_role("button", name="Draw").click()
        page.get_by_role("button", name="Camera").click()
        wait_for_figure(page, "shown", FLOWS)
        expect_transport(page, "WebSocket")
        expect(note).to_have_count(0)
        page.evaluate("() => unblock()")
        choose(page, "WebRTC")
        expect_transport(page, "WebRTC")


def test_automatic_has_nothing_to_say_where_webrtc_is_off(browser: Browser, remote: ServerProcess) -> None:
    with opened(browser, remote.url, viewport=DESKTOP) as watched:
        watched.page.route("**/api/config", lambda route: route.fulfill(json={"ice_servers": [], "webrtc": False}))
        start_camera(watched.page)
        wait_for_figure(watched.page, "shown", FLOWS)
        expect_transport(watched.page, "WebSocket")
        expect(watched.page.locator(".message")).to_have_count(0)


def test_webrtc_by_hand_shows_the_problem_and_keeps_trying(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(BLOCK)
        choose(page, "WebRTC")
        expect(page.get_by_text("WebRTC gets no connection to the server")).to_be_visible(timeout=SOON_MS)
        page.evaluate("() => unblock()")
        expect_transport(page, "WebRTC")
        expect(page.locator(".problem")).to_have_count(0)


def test_a_server_without_webrtc_is_named_and_left_by_one_button(browser: Browser) -> None:
    with serving("--model", "echo", "--no-webrtc") as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        choose(page, "WebRTC")
        expect(page.get_by_text("WebRTC is switched off")).to_be_visible(timeout=SOON_MS)
        page.get_by_role("button", name="Let the page choose").click()
        expect_transport(page, "WebSocket")
        with measurements(page):
            expect(page.get_by_label("Connection")).to_have_value("automatic")
        expect(page.locator(".problem")).to_have_count(0)
        assert watched.errors == []

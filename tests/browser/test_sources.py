"""Camera, screen, files and drawing as sources: switched without a new connection, cropped, refused in words."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import PHOTO
from .driver import (
    DESKTOP,
    FLOWS,
    SOON_MS,
    ServerProcess,
    opened,
    serving,
    session_of,
    shown,
    shown_once,
    start_camera,
    wait_for_figure,
    wait_for_param,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser

WAITING = "The restyled picture appears here."


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


def switch(page: Page, name: str) -> None:
    page.get_by_role("group", name="Input").get_by_role("button", name=name, exact=True).click()


def choose_file(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="File").click()
    chooser.value.set_files(path)


RECORD = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 180];
    const context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8" });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    for (let step = 0; step < 30; step++) {
        context.fillStyle = "#206040";
        context.fillRect(0, 0, 320, 180);
        context.fillStyle = "#f0d020";
        context.fillRect(step * 10, 40, 40, 100);
        await new Promise((resolve) => setTimeout(resolve, 33));
    }
    recorder.stop();
    await ended;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));
}"""


@pytest.fixture(scope="module")
def video(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a bar that moves, 320 by 180, as this browser records it."""
    page = browser.new_page()
    path = tmp_path_factory.mktemp("video") / "bar.webm"
    path.write_bytes(base64.b64decode(page.evaluate(RECORD)))
    page.close()
    return path


def test_sources_change_without_a_new_connection_and_settings_stay(
    browser: Browser, echo: ServerProcess, video: Path
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        sockets: list[str] = []
        start_camera(page)
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.get_by_label("Prompt", exact=True).fill("ink")
        wait_for_picture_of(page, echo, "prompt", "ink")
        session = session_of(echo)["session"]
        switch(page, "Draw")
        expect(page.locator(".drawing")).to_be_visible()
        shown_once(page, lambda picture: picture.mean() > 245, "an empty sheet")
        choose_file(page, video)
        shown_once(page, lambda picture: picture[2, 2, 1] > picture[2, 2, 0] + 20, "the video's ground is green")
        switch(page, "Camera")
        wait_for_figure(page, "shown", FLOWS)
        assert session_of(echo)["session"] == session
        assert session_of(echo)["params"]["prompt"] == "ink"
        assert sockets == []
        assert watched.errors == []
        assert watched.foreign_requests == []


def test_the_part_of_a_camera_that_is_sent_has_a_frame(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name=re.compile("^1:1")).click()
        wait_for_param(page, echo, "width", 512)
        wait_for_param(page, echo, "height", 512)
        frame = page.locator(".crop-frame").bounding_box()
        camera = page.locator(".picture.input").bounding_box()
        assert frame is not None
        assert camera is not None
        # 4:3, and all of it is seen: three quarters of its width is the square that is sent.
        assert camera["width"] == pytest.approx(camera["height"] * 4 / 3, abs=2)
        assert frame["width"] == pytest.approx(camera["width"] * 0.75, abs=2)
        assert frame["height"] == pytest.approx(frame["width"], abs=2)


A_SCREEN = """() => {
    navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [640, 360];
        const context = canvas.getContext("2d");
        let step = 0;
        setInterval(() => {
            context.fillStyle = step++ % 2 ? "#3050c0" : "#3152c2";
            context.fillRect(0, 0, 640, 360);
        }, 40);
        window.shared = canvas.captureStream();
        return window.shared;
    };
}"""
"""What the browser would record of a screen: asking for one needs a person."""


def test_a_screen_is_shared_and_its_end_is_said(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(A_SCREEN)
        page.locator(".chooser").get_by_role("button", name="Screen").click()
        expect(page.get_by_text(WAITING)).to_be_hidden(timeout=SOON_MS)
        shown_once(page, lambda picture: picture[32, 32, 2] > 150, "the screen is blue")
        page.evaluate("() => window.shared.getTracks()[0].dispatchEvent(new Event('ended'))")
        expect(page.get_by_text("The screen is no longer shared.")).to_be_visible()
        assert watched.errors == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [("NotAllowedError", "Nothing was chosen"), ("NotReadableError", "The screen can't be recorded.")],
)
def test_a_screen_that_is_refused_is_explained(
    browser: Browser, echo: ServerProcess, error: str, sentence: str
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(
            """(name) => {
                navigator.mediaDevices.getDisplayMedia = async () => { throw new DOMException("no", name); };
            }""",
            error,
        )
        page.locator(".chooser").get_by_role("button", name="Screen").click()
        expect(page.get_by_text(sentence)).to_be_visible()
        expect(page.get_by_text("What should be restyled?")).to_be_visible()


def test_insecure_addresses_are_explained(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate("() => Object.defineProperty(window, 'isSecureContext', { value: false })")
        page.locator(".chooser").get_by_role("button", name="Screen").click()
        expect(page.get_by_text("Browsers give the screen only to https:// or localhost addresses.")).to_be_visible()
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_text("Browsers give the camera only to https:// or localhost addresses.")).to_be_visible()


def test_a_picture_is_sent_once_and_comes_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        choose_file(page, PHOTO)
        expect(page.get_by_text(WAITING)).to_be_hidden(timeout=SOON_MS)
        expect(page.get_by_text(PHOTO.name)).to_be_visible()
        assert shown(page).std() > 20
        wait_for_figure(page, "sent", "parseFloat(text) < 1")
        assert watched.errors == []


def test_a_dropped_video_plays_pauses_and_is_wound(browser: Browser, echo: ServerProcess, video: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(
            """(data) => {
                const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([bytes], "bar.webm", { type: "video/webm" }));
                document.body.dispatchEvent(
                    new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
            }""",
            base64.b64encode(video.read_bytes()).decode(),
        )
        expect(page.get_by_text(WAITING)).to_be_hidden(timeout=SOON_MS)
        wait_for_figure(page, "sent", FLOWS)
        page.get_by_role("button", name="Pause", exact=True).click()
        wait_for_figure(page, "sent", "parseFloat(text) < 1")
        page.get_by_role("slider", name="Position in the video").fill("0.1")
        page.get_by_role("button", name="Play", exact=True).click()
        wait_for_figure(page, "sent", FLOWS)
        assert watched.errors == []


def test_a_file_that_is_no_picture_is_refused_in_words_and_the_source_stays(
    browser: Browser, echo: ServerProcess, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        choose_file(page, broken)
        expect(page.get_by_text("This browser can't show that file.")).to_be_visible(timeout=SOON_MS)
        wait_for_figure(page, "shown", FLOWS)


def test_nothing_is_sent_while_the_tab_is_hidden_if_so_wished(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        wait_for_figure(page, "sent", FLOWS)
        page.get_by_role("button", name="Options").click()
        page.get_by_label("Pause while this tab is hidden").check()
        page.keyboard.press("Escape")
        page.evaluate("() => Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        wait_for_figure(page, "sent", "parseFloat(text) < 1")
        page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
        wait_for_figure(page, "sent", FLOWS)


HALF_EMPTY = """async () => {
    const canvas = new OffscreenCanvas(256, 256);
    const context = canvas.getContext("2d");
    context.fillStyle = "#c02020";
    context.fillRect(0, 0, 128, 256);
    const file = new File([await canvas.convertToBlob()], "half.png", { type: "image/png" });
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


def test_what_is_transparent_in_a_picture_is_white_not_what_was_sent_before(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.evaluate(HALF_EMPTY)
        expect(page.get_by_text("half.png")).to_be_visible(timeout=SOON_MS)
        shown_once(
            page,
            lambda picture: picture[:, 40:, :].min() > 240 and picture[32, 10, 0] > picture[32, 10, 1] + 100,
            "paper where there is nothing, red where there is",
        )


def test_a_reload_goes_on_with_the_camera_and_what_was_chosen_for_it(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_label("Mirror").uncheck()
        page.reload()
        expect(page.get_by_text(WAITING)).to_be_hidden(timeout=SOON_MS)
        expect(page.get_by_label("Mirror")).not_to_be_checked()
        assert watched.errors == []


def test_the_camera_on_the_back_of_a_phone_is_not_mirrored(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(
            """() => {
                const real = MediaStreamTrack.prototype.getSettings;
                MediaStreamTrack.prototype.getSettings = function () {
                    return { ...real.call(this), facingMode: "environment" };
                };
            }"""
        )
        start_camera(page)
        expect(page.get_by_label("Mirror")).not_to_be_checked()

"""What browsers, proxies, cameras, files and links do to a page: it goes on, and says what is, as long as it is so."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from .conftest import PHOTO
from .driver import (
    DESKTOP,
    FLOWS,
    SOON_MS,
    ServerProcess,
    assert_moves,
    opened,
    serving,
    session_of,
    shown_once,
    start_camera,
    wait_for_figure,
    wait_for_param,
)

pytestmark = pytest.mark.browser

NOT_KEPT = "This browser keeps nothing here"


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    page.evaluate(
        """([name, type, data]) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, { type }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [name, kind, base64.b64encode(content).decode()],
    )


def painted(size: tuple[int, int], colour: str) -> Image.Image:
    return Image.new("RGB", size, colour)


# What nobody expected


def test_what_nobody_caught_is_said(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        expect(page.get_by_label("Prompt", exact=True)).to_be_visible()
        page.evaluate("() => { setTimeout(() => Promise.reject(new Error('of a test'))); }")
        expect(page.get_by_text("Something on this page failed.")).to_contain_text("of a test")


def test_a_page_that_can_not_begin_is_not_blank(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP, java_script_enabled=False) as watched:
        # Seen after ten seconds: a page on its way has taken its place long before.
        expect(watched.page.get_by_text("This page needs JavaScript and a current browser.")).to_be_visible()


# Storage


def test_a_browser_that_blocks_cookies_gets_a_page_that_works_and_says_what_it_lacks(
    browser: Browser, launching: dict[str, Any], echo: ServerProcess, tmp_path: Path
) -> None:
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = browser.browser_type.launch_persistent_context(tmp_path, **launching, viewport=DESKTOP)
    errors: list[str] = []
    try:
        page = context.pages[0]
        page.set_default_timeout(SOON_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(echo.url)
        assert page.evaluate("() => { try { localStorage; return false; } catch { return true; } }"), "it is blocked"
        expect(page.get_by_text(NOT_KEPT)).to_be_visible()
        start_camera(page)
        assert_moves(page)
        page.get_by_label("Prompt", exact=True).fill("ink")
        wait_for_param(page, echo, "prompt", "ink")
        page.get_by_role("button", name="Draw").click()
        expect(page.locator(".drawing")).to_be_visible()
        assert errors == []
    finally:
        context.close()


def test_a_full_storage_is_said_and_no_longer_when_there_is_room(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        expect(page.get_by_label("Prompt", exact=True)).to_be_visible()
        expect(page.get_by_text(NOT_KEPT)).to_be_hidden()
        page.evaluate(
            """() => {
                window.real = Storage.prototype.setItem;
                Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
            }"""
        )
        page.keyboard.press("h")
        expect(page.get_by_text(NOT_KEPT)).to_be_visible()
        page.evaluate("() => { Storage.prototype.setItem = window.real; }")
        page.keyboard.press("h")
        expect(page.get_by_text(NOT_KEPT)).to_be_hidden()


# Pictures that fail

GRABS_FAIL = """(count) => {
    const real = createImageBitmap;
    window.createImageBitmap = (image, ...rest) => image instanceof HTMLVideoElement && count-- > 0
        ? Promise.reject(new DOMException("not usable", "InvalidStateError"))
        : real(image, ...rest);
    window.mend = () => { count = 0; };
}"""


def test_one_grab_that_fails_is_nobodys_business(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(GRABS_FAIL, 1)
        start_camera(page)
        wait_for_figure(page, "shown", FLOWS)
        expect(page.locator(".problem")).to_have_count(0)


def test_grabs_that_keep_failing_are_said_until_pictures_flow(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(GRABS_FAIL, 1_000_000)
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_text("The input's pictures can't be read")).to_be_visible()
        page.evaluate("() => window.mend()")
        wait_for_figure(page, "shown", FLOWS)
        expect(page.locator(".problem")).to_have_count(0)


def test_a_browser_without_what_compresses_is_told_so(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate("() => { delete window.OffscreenCanvas; }")
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_text("This browser can't compress pictures for sending.")).to_be_visible()


# Transparency

RECORD_TRANSPARENT = """async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [256, 256];
    const context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8" });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    for (let step = 0; step < 30; step++) {
        context.clearRect(0, 0, 256, 256);
        context.fillStyle = "#c02020";
        context.fillRect(step * 7, 0, 30, 256);
        await new Promise((resolve) => setTimeout(resolve, 33));
    }
    recorder.stop();
    await ended;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));
}"""


def test_what_is_transparent_in_a_video_is_white_not_the_pictures_before(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        video = base64.b64decode(page.evaluate(RECORD_TRANSPARENT))
        drop(page, "ground.jpg", "image/jpeg", PHOTO.read_bytes())
        expect(page.get_by_text("ground.jpg")).to_be_visible()
        drop(page, "bar.webm", "video/webm", video)
        expect(page.locator("video.on-paper")).to_be_visible()

        def is_a_bar_on_paper(picture: np.ndarray) -> bool:
            white, red = picture.min(axis=2) > 235, picture[..., 0] - picture[..., 1] > 80
            return bool(white.mean() > 0.7 and 0.03 < red.mean() < 0.2)

        for place in (0.1, 0.5, 0.9):
            page.evaluate("(at) => { document.querySelector('video').currentTime = at; }", place)
            shown_once(page, is_a_bar_on_paper, "one bar, and paper around it")
        assert watched.errors == []


# Files


def test_a_video_that_its_system_knows_no_type_of_plays(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        video = base64.b64decode(page.evaluate(RECORD_TRANSPARENT))
        drop(page, "clip.mkv", "", video)
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        wait_for_figure(page, "sent", FLOWS)


def test_a_file_that_is_refused_is_not_held_against_the_input_that_goes_on(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.clock.install()
        start_camera(page)
        drop(page, "notes.txt", "", b"no picture at all")
        sentence = page.get_by_text("This browser can't show that file.")
        expect(sentence).to_be_visible()
        page.clock.fast_forward(8_000)
        expect(sentence).to_be_hidden()


# Animations


def animated(kind: str) -> bytes:
    """Red and blue by turns, each 0.4 s."""
    file = io.BytesIO()
    frames = [painted((64, 64), colour) for colour in ("#d02020", "#2020d0")]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=400, loop=0)
    return file.getvalue()


def is_red(picture: np.ndarray) -> bool:
    return bool(picture[32, 32, 0] > picture[32, 32, 2] + 100)


def is_blue(picture: np.ndarray) -> bool:
    return bool(picture[32, 32, 2] > picture[32, 32, 0] + 100)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animated_picture_plays_over_and_over_and_pauses(browser: Browser, echo: ServerProcess, kind: str) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        drop(page, f"two.{kind.lower()}", f"image/{kind.lower()}", animated(kind))
        for _round in range(2):
            shown_once(page, is_red, "red has its turn")
            shown_once(page, is_blue, "blue has its turn")
        page.get_by_role("button", name="Pause", exact=True).click()
        wait_for_figure(page, "sent", "parseFloat(text) < 1")
        page.get_by_role("button", name="Play", exact=True).click()
        shown_once(page, is_red, "it goes on")
        assert watched.errors == []


def test_a_browser_that_plays_no_animations_says_so(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate("() => { delete window.ImageDecoder; }")
        drop(page, "two.gif", "image/gif", animated("GIF"))
        shown_once(page, is_red, "its first picture")
        expect(page.get_by_text("This animation stands still here")).to_be_visible()


# Cameras that show nothing

OWN_CAMERA = """() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 240];
    const context = canvas.getContext("2d");
    let [step, light] = [0, 0];
    setInterval(() => {
        context.fillStyle = `rgb(${light} ${light} ${step++ % 9})`;
        context.fillRect(0, 0, 320, 240);
    }, 40);
    window.shine = (to) => { light = to; };
    navigator.mediaDevices.getUserMedia = async () => {
        const stream = canvas.captureStream();
        const [track] = stream.getVideoTracks();
        window.mute = (muted) => {
            Object.defineProperty(track, "muted", { value: muted, configurable: true });
            track.dispatchEvent(new Event(muted ? "mute" : "unmute"));
        };
        window.mute(window.beginsMuted ?? false);
        return stream;
    };
}"""


def test_a_camera_that_is_muted_is_said_until_it_is_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(OWN_CAMERA)
        page.evaluate("() => { window.shine(200); window.beginsMuted = true; }")
        page.get_by_role("button", name="Camera").click()
        sentence = page.get_by_text("The input gives no picture")
        expect(sentence).to_be_visible()
        page.evaluate("() => window.mute(false)")
        expect(sentence).to_be_hidden()
        page.evaluate("() => window.mute(true)")
        expect(sentence).to_be_visible()
        page.get_by_role("group", name="Input").get_by_role("button", name="Draw").click()
        expect(sentence).to_be_hidden()
        assert watched.errors == []


def test_a_camera_that_has_no_picture_yet_can_be_changed_for_another(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(
            """() => {
                navigator.mediaDevices.getUserMedia = async () => {
                    const canvas = document.createElement("canvas");
                    canvas.getContext("2d");
                    return canvas.captureStream(0);
                };
            }"""
        )
        page.get_by_role("button", name="Camera").click()
        expect(page.get_by_role("combobox", name="Camera device").locator("option")).not_to_have_count(0)


def test_a_camera_whose_picture_is_black_is_said_until_there_is_light(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(OWN_CAMERA)
        page.get_by_role("button", name="Camera").click()
        sentence = page.get_by_text("The camera's picture is black.")
        expect(sentence).to_be_visible()
        page.evaluate("() => window.shine(90)")
        expect(sentence).to_be_hidden()


# Proxies


class ForgetfulProxy(socketserver.ThreadingTCPServer):
    """Passes everything on but the name that it was asked for, as `proxy_pass` alone does."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        super().__init__(("127.0.0.1", 0), PassOn)


class PassOn(socketserver.StreamRequestHandler):
    server: ForgetfulProxy

    def handle(self) -> None:
        head = b""
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            head += line
        name = "{}:{}".format(*self.server.target).encode()
        head = re.sub(rb"(?im)^host:.*\r$", b"Host: " + name + b"\r", head)
        # One request a connection, so that no other head goes by unseen.
        head = re.sub(rb"(?im)^connection: keep-alive\r$", b"Connection: close\r", head)
        with socket.create_connection(self.server.target) as there:
            there.sendall(head + b"\r\n")
            back = threading.Thread(target=pipe, args=(there, self.connection), daemon=True)
            back.start()
            pipe(self.connection, there)
            back.join(SOON_MS / 1000)


def pipe(one: socket.socket, other: socket.socket) -> None:
    try:
        while content := one.recv(65_536):
            other.sendall(content)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # either side may go first


@contextmanager
def forgetful_proxy(server: ServerProcess) -> Iterator[str]:
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    with ForgetfulProxy((host, int(port))) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}/"
        proxy.shutdown()
        thread.join()


def test_a_proxy_that_does_not_pass_the_name_on_is_explained_by_the_server(
    browser: Browser, echo: ServerProcess
) -> None:
    with forgetful_proxy(echo) as url, opened(browser, url, viewport=DESKTOP) as watched:
        problem = watched.page.locator(".problem")
        expect(problem).to_contain_text("The server refuses this page.")
        expect(problem).to_contain_text(f"allow it with --allowed-origin {url.rstrip('/')}")


# Links


def linked(prompt: str) -> str:
    preset = json.dumps({"name": "linked", "look": {"prompt": prompt}}).encode()
    return "#preset=" + base64.urlsafe_b64encode(preset).decode().rstrip("=")


def test_a_link_gives_a_new_page_its_look_with_a_way_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url + linked("a linked look"), viewport=DESKTOP) as watched:
        page = watched.page
        prompt = page.get_by_label("Prompt", exact=True)
        # At once: the message stays for eight seconds.
        page.locator(".message", has_text="The look of the link is in force.").get_by_text("Undo").click()
        assert "#" not in page.url
        expect(prompt).to_have_value("")
        wait_for_param(page, echo, "prompt", "")
        assert session_of(echo)["params"]["version"] >= 2, "it was another one in between"
        assert watched.errors == []


def test_a_link_asks_before_it_replaces_a_look(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_label("Prompt", exact=True).fill("my own")
        wait_for_param(page, echo, "prompt", "my own")
        question = page.locator(".message", has_text="This link brings a look.")
        page.evaluate("(hash) => { location.hash = hash; }", linked("theirs"))
        question.get_by_role("button", name="Keep mine").click()
        expect(question).to_be_hidden()
        assert session_of(echo)["params"]["prompt"] == "my own"
        assert "#" not in page.url
        # As pasted into the address bar, with a reload in between, and answered from the keyboard.
        page.evaluate("(hash) => { location.hash = hash; }", linked("theirs"))
        expect(question).to_be_visible()
        page.reload()
        expect(question).to_be_visible()
        assert session_of(echo)["params"]["prompt"] == "my own"
        question.get_by_role("button", name="Use it").focus()
        page.keyboard.press("Enter")
        wait_for_param(page, echo, "prompt", "theirs")
        assert watched.errors == []

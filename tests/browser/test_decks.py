"""Two decks with a crossfader, and a bin of clips: any two inputs, in every mode, kept, trimmed, refused in words."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.page.hidden import received
from benchmarks.page.tab import chromium_tab
from realtime.bench.servers import Process

from .conftest import PHOTO
from .driver import (
    DESKTOP,
    FLOWS,
    PHONE,
    ServerProcess,
    assert_moves,
    opened,
    output,
    serving,
    session_of,
    shown,
    shown_once,
    start_camera,
    until,
    wait_for_figure,
    wait_for_param,
)
from .test_accessibility import tab_to, violations
from .test_hidden import PICTURES
from .test_sources import A_SCREEN, RECORD

pytestmark = pytest.mark.browser

RED, GREEN = (200, 60, 40), (40, 160, 60)


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


@pytest.fixture(scope="module")
def video(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a bar that moves from left to right, 320 by 180, as this browser records it."""
    page = browser.new_page()
    path = tmp_path_factory.mktemp("video") / "bar.webm"
    path.write_bytes(base64.b64decode(page.evaluate(RECORD)))
    page.close()
    return path


def picture(name: str, colour: tuple[int, int, int]) -> dict[str, Any]:
    """A picture of one colour, as a browser's file dialog gives it."""
    file = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def open_decks(page: Page) -> None:
    page.get_by_role("button", name="Decks", exact=True).click()
    expect(deck(page, "A")).to_be_visible()


def deck(page: Page, letter: str) -> Locator:
    return page.get_by_role("region", name=f"Deck {letter}")


def read(file: Path) -> dict[str, Any]:
    types = {".webm": "video/webm", ".jpg": "image/jpeg"}
    return {"name": file.name, "mimeType": types[file.suffix], "buffer": file.read_bytes()}


def add_clips(page: Page, *files: Path | dict[str, Any]) -> None:
    payloads = [read(file) if isinstance(file, Path) else file for file in files]
    page.locator(".clips input").set_input_files(payloads)  # type: ignore[arg-type]


def clip(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Clips").get_by_role("button", name=name).first


def fade_to(page: Page, at: float) -> None:
    page.get_by_role("slider", name="Crossfader").fill(str(at))


def colour(page: Page) -> tuple[float, float, float]:
    """The mean of what the output shows."""
    red, green, blue = shown(page).mean((0, 1))
    return float(red), float(green), float(blue)


def colour_once(page: Page, wanted: tuple[int, int, int], what: str, tolerance: int = 12) -> None:
    def is_wanted(seen: np.ndarray) -> bool:
        return float(np.abs(seen.mean((0, 1)) - wanted).max()) < tolerance

    shown_once(page, is_wanted, f"{what} is {wanted}")


def two_pictures(page: Page) -> None:
    """Red on A, green on B."""
    open_decks(page)
    add_clips(page, picture("red.png", RED), picture("green.png", GREEN))
    page.get_by_role("button", name="Clips: A").click()
    clip(page, "red.png").click()
    page.get_by_role("button", name="Clips: B").click()
    clip(page, "green.png").click()
    expect(clip(page, "red.png")).to_contain_text("A")
    expect(clip(page, "green.png")).to_contain_text("B")


@pytest.mark.parametrize("transport", ["WebSocket", "WebRTC"])
def test_two_inputs_are_mixed_in_every_mode(browser: Browser, echo: ServerProcess, transport: str) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Options").click()
        page.get_by_label("Connection").select_option(transport)
        page.keyboard.press("Escape")
        two_pictures(page)
        expect(output(page)).to_have_js_property("tagName", "VIDEO" if transport == "WebRTC" else "CANVAS")
        colour_once(page, RED, "A alone")
        fade_to(page, 0.5)
        for mode, expected in {
            "Mix": [(one + other) / 2 for one, other in zip(RED, GREEN, strict=True)],
            "Add": [min(255, one + other) for one, other in zip(RED, GREEN, strict=True)],
            "Screen": [one + other - one * other / 255 for one, other in zip(RED, GREEN, strict=True)],
            "Multiply": [one * other / 255 for one, other in zip(RED, GREEN, strict=True)],
            "Difference": [abs(one - other) for one, other in zip(RED, GREEN, strict=True)],
        }.items():
            page.get_by_role("combobox", name="A + B").select_option(mode)
            colour_once(page, tuple(expected), mode)  # type: ignore[arg-type]
        fade_to(page, 1)
        colour_once(page, GREEN, "B alone")
        deck(page, "B").get_by_role("button", name="Remove B").click()
        colour_once(page, RED, "A, as B is empty")
        assert watched.errors == []


def put_on(page: Page, letter: str, kind: str, clips: dict[str, str]) -> None:
    """Has one of the inputs on a deck."""
    if kind in clips:
        page.get_by_role("button", name=f"Clips: {letter}").click()
        clip(page, clips[kind]).click()
        expect(clip(page, clips[kind])).to_contain_text(letter)
    else:
        deck(page, letter).get_by_role("button", name=kind, exact=True).click()


KNOWN_BY: dict[str, Callable[[np.ndarray], bool]] = {
    "Camera": lambda seen: bool(seen.std() > 40),
    "Screen": lambda seen: bool(seen[..., 2].mean() > 150 and seen[..., 0].mean() < 80),
    "Draw": lambda seen: bool(seen.mean() > 245),
    "video": lambda seen: bool(seen[2, 32, 1] > seen[2, 32, 0] + 20 and seen.std() > 20),
    "picture": lambda seen: bool(seen[..., 0].mean() > 170 and seen[..., 1].mean() < 80),
}
"""How each of the inputs is known in the output."""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Camera", "Screen"),
        ("Camera", "Camera"),
        ("Screen", "video"),
        ("video", "picture"),
        ("video", "video"),
        ("picture", "Draw"),
        ("Draw", "video"),
        ("Draw", "Camera"),
    ],
)
def test_any_two_inputs_go_together(
    browser: Browser, echo: ServerProcess, video: Path, first: str, second: str
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(A_SCREEN)
        open_decks(page)
        add_clips(page, video, picture("red.png", RED))
        clips = {"video": video.name, "picture": "red.png"}
        expect(clip(page, "red.png")).to_be_visible()
        put_on(page, "A", first, clips)
        put_on(page, "B", second, clips)
        page.get_by_role("button", name="Output only").click()  # whatever lies on it
        for at, kind in ((0, first), (1, second), (0, first)):
            fade_to(page, at)
            shown_once(page, KNOWN_BY[kind], f"{kind} alone")
            if kind in ("Camera", "video"):
                assert_moves(page)
        assert watched.errors == []


def test_cut_and_fade_take_the_time_of_every_change(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        two_pictures(page)
        fader = page.get_by_role("slider", name="Crossfader")
        page.get_by_role("button", name="Cut A–B").click()
        expect(fader).to_have_value("1")
        page.locator("body").press("c")
        expect(fader).to_have_value("0")
        expect(page.get_by_role("button", name="Fade 1 s")).to_be_visible()
        page.get_by_role("button", name="Pads", exact=True).click()
        page.get_by_role("spinbutton", name="Fade").fill("3")
        page.get_by_role("spinbutton", name="Fade").press("Enter")
        wait_for_param(page, echo, "transition_s", 3)
        # The page's own clock: a busy machine's is no measure of the fade.
        took = page.evaluate(
            """async () => {
                const fader = document.querySelector(".fader input");
                const started = performance.now();
                document.querySelector("[data-midi=fade]").click();
                while (fader.value !== "1") await new Promise((resolve) => setTimeout(resolve, 10));
                return (performance.now() - started) / 1000;
            }"""
        )
        assert took >= 2.9
        colour_once(page, GREEN, "B alone")
        page.get_by_role("group", name="Fade").get_by_role("button", name="beats").click()
        page.get_by_label("Beats a minute").fill("60")
        page.get_by_label("Beats a minute").press("Enter")
        expect(page.get_by_role("button", name="Fade 4 s")).to_be_visible()
        assert watched.errors == []


def test_clips_are_kept_with_how_they_play(browser: Browser, echo: ServerProcess, video: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        broken = {"name": "broken.mp4", "mimeType": "video/mp4", "buffer": b"no video at all"}
        add_clips(page, video, broken, picture("red.png", RED))
        expect(page.get_by_text("This browser can't show that file. ")).to_be_visible()
        expect(page.get_by_text("(broken.mp4)")).to_be_visible()
        expect(page.locator(".clip")).to_have_count(2)
        assert page.evaluate("[...document.querySelectorAll('.clip img')].every((one) => one.naturalWidth > 40)")
        clip(page, video.name).click()
        page.get_by_label("In point").fill("0.4")
        page.get_by_label("Out point").fill("0.7")
        page.get_by_label("Speed").select_option("×2")
        deck(page, "B").get_by_role("button", name="Again and again").click()
        page.wait_for_timeout(1000)  # points are written when they rest
        page.reload()

        expect(page.locator(".clip")).to_have_count(2)
        clip(page, video.name).click()
        expect(page.get_by_label("In point")).to_have_value("0.4")
        expect(page.get_by_label("Out point")).to_have_value("0.7")
        expect(page.get_by_label("Speed")).to_have_value("2")
        expect(page.get_by_role("button", name="Again and again")).to_have_attribute("aria-pressed", "false")
        # Once: it stands at its end.
        expect(deck(page, "B").get_by_role("button", name="Play", exact=True)).to_be_visible()
        position = page.get_by_role("slider", name="Position in the video")
        assert 0.6 <= float(position.input_value()) <= 0.85
        assert watched.errors == []


def test_both_decks_and_the_crossfader_outlive_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        two_pictures(page)
        fade_to(page, 0.25)
        mixed = (160, 85, 45)
        colour_once(page, mixed, "a quarter of B")
        page.get_by_role("button", name="Decks", exact=True).click()
        expect(page.locator(".decks")).to_be_hidden()
        page.reload()

        page.get_by_role("button", name="Output only").click()
        colour_once(page, mixed, "the same mix, with the decks out of sight")
        open_decks(page)
        expect(page.get_by_role("slider", name="Crossfader")).to_have_value("0.25")
        deck(page, "B").get_by_role("button", name="Remove B").click()
        page.reload()
        expect(deck(page, "A").get_by_text("red.png")).to_be_visible()
        expect(deck(page, "B").get_by_text("green.png")).to_be_hidden()
        colour_once(page, RED, "A alone")
        assert watched.errors == []


def test_somebody_else_moves_the_crossfader(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        two_pictures(page)
        fade_to(page, 0.5)
        until(
            lambda: session_of(echo)["crossfade"], lambda now: now and now["at"] == 0.5, "the server knows where it is"
        )
        body = json.dumps({"command": "crossfade", "at": 1, "transition_s": 1}).encode()
        urlopen(Request(f"{echo.url}api/sessions/{session_of(echo)['session']}/command", body)).close()
        expect(page.get_by_role("slider", name="Crossfader")).to_have_value("1")
        colour_once(page, GREEN, "B alone")
        assert watched.errors == []


def test_the_crossfader_that_was_moved_while_the_page_was_away_is_followed_when_it_is_back(browser: Browser) -> None:
    waiting = ("--model", "echo", "--resume-s", "60")
    with serving(*waiting) as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        two_pictures(page)
        fade_to(page, 0.5)
        until(lambda: session_of(server)["crossfade"], lambda now: now and now["at"] == 0.5, "the server knows it")
        name, own = session_of(server)["session"], page.url
        page.goto("about:blank")
        body = json.dumps({"command": "crossfade", "at": 1}).encode()
        urlopen(Request(f"{server.url}api/sessions/{name}/command", body)).close()
        page.goto(own)
        expect(page.get_by_role("slider", name="Crossfader")).to_have_value("1")
        wait_for_figure(page, "transport", "text !== ''")
        with urlopen(f"{server.url}api/sessions/{name}") as answer:
            assert json.load(answer)["crossfade"]["at"] == 1, "and it is not told what it was"


def test_the_part_between_the_points_plays_again_and_again(browser: Browser, echo: ServerProcess, video: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        add_clips(page, video)
        clip(page, video.name).click()
        fade_to(page, 1)
        page.get_by_label("In point").fill("0.4")
        page.get_by_label("Out point").fill("0.8")
        page.get_by_label("Speed").select_option("×0.5")
        positions = page.evaluate(
            """async () => {
                const seen = [];
                const position = document.querySelector("[data-deck=b] .position");
                for (let step = 0; step < 100; step++) {
                    seen.push(Number(position.value));
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
                return seen;
            }"""
        )
        settled = positions[20:]
        assert min(settled) >= 0.3 and max(settled) <= 0.95
        assert any(later < earlier - 0.15 for earlier, later in pairwise(settled)), positions
        wait_for_figure(page, "sent", FLOWS)
        assert watched.errors == []


KEPT_CLIPS = """() => new Promise((resolve) => {
    const opening = indexedDB.open("realtime-clips");
    opening.onsuccess = () => {
        const counting = opening.result.transaction("clips").objectStore("clips").count();
        counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
    };
})"""


def test_a_full_browser_is_said_and_nothing_is_lost(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        add_clips(page, picture("red.png", RED))
        expect(clip(page, "red.png")).to_be_visible()
        until(lambda: page.evaluate(KEPT_CLIPS), lambda count: count == 1, "it is kept")
        page.evaluate(
            """() => {
                IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };
            }"""
        )
        add_clips(page, picture("green.png", GREEN))
        expect(page.get_by_text("This browser has no room to keep that clip")).to_be_visible()
        clip(page, "green.png").click()
        fade_to(page, 1)
        colour_once(page, GREEN, "the clip that is not kept")
        page.reload()
        expect(page.locator(".clip")).to_have_count(1)
        assert watched.errors == []


def test_a_removed_clip_comes_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        add_clips(page, picture("red.png", RED), picture("green.png", GREEN))
        expect(page.locator(".clip")).to_have_count(2)
        page.get_by_role("button", name="Remove red.png").click()
        expect(page.locator(".clip")).to_have_count(1)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".clip .pad-name")).to_have_text(["red.png", "green.png"])
        page.reload()
        expect(page.locator(".clip")).to_have_count(2)


def test_files_dropped_on_the_clips_become_some_and_elsewhere_the_input(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        drop = """async ([selector, names]) => {
            const canvas = new OffscreenCanvas(64, 64);
            canvas.getContext("2d").fillRect(0, 0, 64, 64);
            const dataTransfer = new DataTransfer();
            for (const name of names) {
                dataTransfer.items.add(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
            }
            document.querySelector(selector).dispatchEvent(
                new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
        page.evaluate(drop, [".clips", ["one.png", "two.png"]])
        expect(page.locator(".clip .pad-name")).to_have_text(["one.png", "two.png"])
        expect(deck(page, "A").get_by_role("button", name="File")).to_have_attribute("aria-pressed", "false")
        page.evaluate(drop, [".stage", ["three.png"]])
        expect(deck(page, "A").get_by_text("three.png")).to_be_visible()
        expect(page.locator(".clip")).to_have_count(2)
        assert watched.errors == []


def test_everything_by_keyboard(browser: Browser, echo: ServerProcess, video: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.locator("body").press("d")
        expect(deck(page, "B")).to_be_visible()
        add_clips(page, video, picture("green.png", GREEN))
        expect(page.locator(".clip")).to_have_count(2)
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Shift+Digit2")
        expect(clip(page, "green.png")).to_contain_text("B")
        fader = page.get_by_role("slider", name="Crossfader")
        for _ in range(3):
            page.keyboard.press(".")
        page.keyboard.press(",")
        expect(fader).to_have_value("0.1")
        page.keyboard.press("a")
        expect(fader).to_have_value("1")
        colour_once(page, GREEN, "the clip")
        page.keyboard.press("Shift+Digit1")
        tab_to(page, "In point")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_label("In point")).to_have_value("0.1")
        tab_to(page, "Out point")
        page.keyboard.press("ArrowLeft")
        out = page.get_by_label("Out point")
        assert float(out.input_value()) < float(out.get_attribute("max") or 0) - 0.01
        tab_to(page, "Remove bar.webm")
        page.keyboard.press("Enter")
        expect(page.locator(".clip")).to_have_count(1)
        page.locator("body").press("d")
        expect(page.locator(".decks")).to_be_hidden()
        assert watched.errors == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_axe_finds_nothing_in_the_decks(
    browser: Browser, echo: ServerProcess, video: Path, locale: str, viewport: dict[str, int]
) -> None:
    with opened(browser, echo.url, viewport=viewport, locale=locale) as watched:
        page = watched.page
        page.locator(".chooser button").first.click()
        page.get_by_role("button", name="Decks", exact=True).click()
        expect(deck(page, "B")).to_be_visible()
        add_clips(page, video, PHOTO)
        clip(page, video.name).click()
        expect(page.locator(".trim")).to_be_visible()
        page.get_by_role("tab").last.click()
        expect(page.locator(".route")).to_have_count(4)
        for theme in ("dark", "light"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            assert violations(page) == [], theme
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        assert watched.errors == []


ON_THE_DECKS = f"""(async () => {{
    const data = await ({RECORD})();
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "bar.webm", {{ type: "video/webm" }}));
    document.querySelector("[data-deck=a] .segmented button").click();
    document.querySelector(".clips").dispatchEvent(
        new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
}})(); true"""
SEEN_OF_THE_MIX = """(() => {
    const canvas = document.querySelector(".picture.input .mount > canvas");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return data.reduce((sum, value, index) => (sum + value * (index % 251)) % 1000003, 0);
})()"""


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_decks_out_of_sight_go_on_to_play_to_fade_and_to_send(
    launching: dict[str, Any], tmp_path: Path, transport: str
) -> None:
    with (
        serving("--model", "echo") as server,
        chromium_tab(launching["executable_path"], launching["args"], tmp_path, server.url) as tab,
    ):
        process = Process(server.process.pid, server.url)
        until(lambda: tab.evaluate("document.querySelector('.stage') !== null"), bool, "the page is there")
        kept = {"transport": transport, "showsDecks": True}
        for name, value in kept.items():
            tab.evaluate(f"localStorage.setItem('realtime.{name}', {json.dumps(json.dumps(value))})")
        tab.evaluate("window.isOld = true; location.reload()")
        is_there = "window.isOld !== true && document.querySelector('.clips') !== null"
        until(lambda: tab.evaluate(is_there), bool, "the decks are there")
        tab.evaluate(ON_THE_DECKS)
        until(lambda: tab.evaluate("document.querySelector('.clip img') !== null"), bool, "the clip is there")
        tab.evaluate("document.querySelector('.clip .pad').click()")
        until(lambda: tab.evaluate("document.querySelector('.clip .pad-time')?.textContent"), bool, "the clip is on B")
        session_of(server)
        until(lambda: received(process), lambda count: count > 3, "the camera's pictures arrive")
        tab.show(is_seen=False)
        until(lambda: tab.evaluate("document.hidden"), bool, "it is out of sight")
        before = received(process)

        tab.evaluate("document.querySelector('[data-midi=fade]').click()")
        until(lambda: tab.evaluate("document.querySelector('.fader input').value"), lambda at: at == "1", "it fades")
        first = tab.evaluate(SEEN_OF_THE_MIX)
        until(lambda: tab.evaluate(SEEN_OF_THE_MIX), lambda seen: seen != first, "the clip plays on")
        until(lambda: received(process), lambda count: count > before + PICTURES, "pictures go on to arrive")

        assert tab.evaluate("document.hidden")


def test_of_clips_in_quick_succession_the_last_one_plays(browser: Browser, echo: ServerProcess, video: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        open_decks(page)
        add_clips(page, video, picture("red.png", RED), picture("green.png", GREEN))
        expect(page.locator(".clip")).to_have_count(3)
        fade_to(page, 1)
        page.evaluate("() => { for (const pad of document.querySelectorAll('.clip .pad')) pad.click(); }")
        colour_once(page, GREEN, "the last one")
        page.wait_for_timeout(500)
        colour_once(page, GREEN, "still the last one")
        expect(clip(page, "green.png")).to_have_attribute("aria-pressed", "true")
        assert watched.errors == []

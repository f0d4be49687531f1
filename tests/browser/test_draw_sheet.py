"""Drawing: what lies around the sheet, its tools, and what becomes of the drawing, in Chromium."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from realtime.server.snapshot import text_of

from .driver import PHONE, SOON_MS, ServerProcess, serving, until
from .test_drawing import BLACK, RED, WHITE, at, drawing, expect_colour, press, stroke, surface
from .test_webrtc import choose as choose_transport

pytestmark = pytest.mark.browser

SIZES: dict[str, dict[str, Any]] = {
    "1280×720": {"viewport": {"width": 1280, "height": 720}},
    "1440×900": {"viewport": {"width": 1440, "height": 900}},
    "tablet": {"viewport": {"width": 1024, "height": 768}, "has_touch": True},
    "tablet on end": {"viewport": {"width": 768, "height": 1024}, "has_touch": True},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
    "phone on its side": {"viewport": {"width": 844, "height": 390}, "has_touch": True, "is_mobile": True},
}
OUT_OF_SIGHT = """() => [...document.querySelectorAll(".draw-tools *, .draw-side *, .drawing")]
    .filter((one) => one.matches("button, input, select, summary, .drawing") && one.checkVisibility())
    .map((one) => [one.getAttribute("aria-label") ?? one.textContent.trim(), one.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0
        && (box.top < -1 || box.left < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1))
    .map(([name, box]) => `${name}: ${Math.round(box.bottom)} of ${innerHeight}`)"""


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


@pytest.mark.parametrize("options", SIZES.values(), ids=SIZES)
def test_nothing_of_the_sheet_lies_below_the_fold(
    browser: Browser, echo: ServerProcess, options: dict[str, Any]
) -> None:
    with drawing(browser, echo, **options) as watched:
        page = watched.page
        expect(page.get_by_role("button", name="Save large", exact=True)).to_be_visible()
        assert page.evaluate(OUT_OF_SIGHT) == []
        box = surface(page).bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 300


SENT = """() => {
    window.flags = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        if (data instanceof ArrayBuffer) window.flags.push(new DataView(data).getUint16(2, true));
        return send.call(this, data);
    };
}"""
AS_IS = 16


def test_blank_paper_is_shown_as_it_is(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.add_init_script(f"({SENT})()")
        page.reload()

        def last() -> int | None:
            page.wait_for_timeout(20)
            return page.evaluate("() => window.flags.at(-1) ?? null")

        until(last, lambda flags: flags == AS_IS, "the blank paper is sent as it is")
        expect(page.locator(".draw-tools")).to_be_visible()
        stroke(page, (0.5, 0.3), (0.7, 0.5))
        until(last, lambda flags: flags == 0, "the drawing is restyled")
        press(page, "Undo")
        until(last, lambda flags: flags == AS_IS, "the paper is blank again")
        press(page, "Redo")
        until(last, lambda flags: flags == 0, "the drawing is back")


def test_blank_paper_is_shown_as_it_is_over_webrtc_too(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        choose_transport(page, "WebRTC")
        session = page.evaluate("sessionStorage.getItem('realtime.session')")

        def strength() -> float | None:
            """Of the newest picture."""
            page.wait_for_timeout(100)
            with contextlib.suppress(HTTPError), urlopen(f"{echo.url}api/sessions/{session}/snapshot") as answer:
                return text_of(answer.read())["params"]["strength"]
            return None

        expect(page.locator(".output video")).to_be_visible(timeout=SOON_MS)
        until(strength, lambda strength: strength == 0, "the blank paper is shown as it is")
        stroke(page, (0.5, 0.3), (0.7, 0.5))
        until(strength, lambda strength: bool(strength), "the drawing is restyled")
        press(page, "Undo")
        until(strength, lambda strength: strength == 0, "the paper is blank again")


def test_shapes_with_corners_are_filled_and_mirrored(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.get_by_label("Symmetry").select_option("sides")
        press(page, "Star")
        page.get_by_label("Filled").check()
        press(page, "Red")
        stroke(page, (0.6, 0.2), (0.9, 0.5))
        expect_colour(page, 0.75, 0.36, RED)
        expect_colour(page, 0.25, 0.36, RED)
        expect_colour(page, 0.5, 0.36, WHITE)
        press(page, "Undo")
        expect_colour(page, 0.25, 0.36, WHITE)
        expect_colour(page, 0.75, 0.36, WHITE)


def test_a_soft_brush_fades_and_is_undone_at_once(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.get_by_role("slider", name="Brush size 3 %").fill("20")
        page.get_by_role("slider", name="Softness 0 %").fill("100")
        stroke(page, (0.2, 0.5), (0.8, 0.5))
        expect_colour(page, 0.5, 0.5, BLACK, tolerance=40)
        levels = page.evaluate(
            """() => new Set(document.querySelector(".drawing canvas").getContext("2d")
                .getImageData(512, 300, 1, 424).data.filter((_, index) => index % 4 === 0)).size"""
        )
        assert levels > 30, "its rim has many greys"
        press(page, "Undo")
        expect_colour(page, 0.5, 0.5, WHITE)
        expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_the_lasso_moves_a_part_and_empties_it(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        page.get_by_role("slider", name="Brush size 3 %").fill("10")
        stroke(page, (0.45, 0.3), (0.9, 0.3))
        expect_colour(page, 0.6, 0.3, RED)
        surface(page).press("q")
        stroke(page, (0.5, 0.2), (0.7, 0.2), (0.7, 0.4), (0.5, 0.4))
        expect(page.locator(".outline")).to_be_visible()
        stroke(page, (0.6, 0.3), (0.6, 0.6))
        expect_colour(page, 0.6, 0.6, RED)
        expect_colour(page, 0.6, 0.3, WHITE)
        expect_colour(page, 0.8, 0.3, RED)
        page.keyboard.press("Delete")
        expect_colour(page, 0.6, 0.6, WHITE)
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect_colour(page, 0.6, 0.3, RED)
        expect(page.locator(".outline")).to_be_hidden()


def test_the_result_is_used_as_a_layer(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.4, 0.4), (0.8, 0.4))
        expect_colour(page, 0.6, 0.4, RED)
        press(page, "Use as layer")
        expect(page.get_by_text("Layers (2)")).to_be_visible()
        press(page, "Show Layer 1")
        expect_colour(page, 0.6, 0.4, RED)
        press(page, "Undo")
        press(page, "Undo")
        expect(page.get_by_text("Layers (1)")).to_be_visible()


def test_a_drawing_is_saved_at_2048_pixels_by_one_press(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.4, 0.4), (0.8, 0.4))
        expect_colour(page, 0.6, 0.4, RED)
        with page.expect_download(timeout=SOON_MS) as download:
            press(page, "Save large")
        saved = Image.open(download.value.path())
        assert saved.size == (2048, 2048)
        red = saved.convert("RGB").getpixel((round(0.6 * 2048), round(0.4 * 2048)))
        assert all(abs(part - wanted) < 8 for part, wanted in zip(red, RED, strict=True))
        expect(page.get_by_role("button", name="Save large", exact=True)).to_be_visible()


def test_layers_are_saved_as_openraster(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.4, 0.4), (0.8, 0.4))
        press(page, "New layer")
        press(page, "Blue")
        stroke(page, (0.6, 0.2), (0.6, 0.6))
        press(page, "Show Layer 2")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the layers").click()
        assert download.value.suggested_filename.endswith(".ora")
        with zipfile.ZipFile(Path(download.value.path())) as archive:
            assert archive.testzip() is None
            first = archive.infolist()[0]
            assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
            assert archive.read("mimetype") == b"image/openraster"
            stack = archive.read("stack.xml").decode()
            assert stack.index("Layer 2") < stack.index("Layer 1")
            assert 'visibility="hidden"' in stack
            below = Image.open(io.BytesIO(archive.read("data/layer0.png")))
            merged = Image.open(io.BytesIO(archive.read("mergedimage.png"))).convert("RGB")
        assert below.mode == "RGBA" and below.getpixel((0, 0)) == (0, 0, 0, 0)
        assert merged.getpixel((614, 300)) == WHITE, "what is hidden is not seen"
        assert merged.getpixel((614, 410)) == RED


def an_ora() -> bytes:
    """As other programs write it: compressed, with a group, of another size than the sheet."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "image/openraster", zipfile.ZIP_STORED)
        archive.writestr(
            "stack.xml",
            '<?xml version="1.0"?><image w="200" h="200"><stack><layer name="top" src="data/top.png" x="100" y="0"/>'
            '<stack><layer name="ground" src="data/ground.png" opacity="0.5"/></stack></stack></image>',
        )
        for name, size, colour in (("top", (100, 200), RED), ("ground", (200, 200), (0, 0, 0))):
            png = io.BytesIO()
            Image.new("RGB", size, colour).save(png, "PNG")
            archive.writestr(f"data/{name}.png", png.getvalue())
    return file.getvalue()


def choose(page: Page, name: str, data: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        press(page, "Add a picture")
    chooser.value.set_files({"name": name, "mimeType": "image/openraster", "buffer": data})  # type: ignore[arg-type]


def test_an_openraster_file_takes_the_drawings_place(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        stroke(page, (0.4, 0.8), (0.8, 0.8))
        choose(page, "broken.ora", an_ora()[:-40])
        expect(page.get_by_text("can't show that file")).to_be_visible()
        expect(page.get_by_text("Layers (1)")).to_be_visible()
        choose(page, "drawing.ora", an_ora())
        expect(page.get_by_text("Layers (2)")).to_be_visible()
        expect_colour(page, 0.75, 0.5, RED)
        expect_colour(page, 0.25, 0.5, (128, 128, 128))
        press(page, "Undo")
        expect_colour(page, 0.6, 0.8, BLACK)


def test_the_keyboard_reaches_tools_options_layers_and_files(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        surface(page).focus()
        for key, name in (("j", "Polygon"), ("k", "Star"), ("q", "Lasso: outline a part and move it")):
            page.keyboard.press(key)
            expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("b")
        for chosen in ("sides", "quarters", "turns", "none"):
            page.keyboard.press("d")
            expect(page.get_by_label("Symmetry")).to_have_value(chosen)
        press(page, "Fill")
        page.mouse.click(*at(page, 0.9, 0.2))
        expect_colour(page, 0.2, 0.8, BLACK)
        page.get_by_role("button", name="Use as layer").press("Enter")
        expect(page.get_by_text("Layers (2)")).to_be_visible()

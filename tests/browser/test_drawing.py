"""The drawing canvas by pointer, touch, keyboard and files, in Chromium, seen in what the server gives back."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from .driver import (
    PHONE,
    SOON_MS,
    ServerProcess,
    Watched,
    opened,
    serving,
    session_of,
    until,
    wait_for_figure,
    wait_for_param,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser

TALL = {"width": 1280, "height": 1400}
"""All of the tools in view, so that nothing scrolls under the pointer."""

PIXEL = """([x, y]) => {
    const canvas = document.querySelector(".output canvas");
    const at = [Math.round(x * (canvas.width - 1)), Math.round(y * (canvas.height - 1)), 1, 1];
    return [...canvas.getContext("2d").getImageData(...at).data].slice(0, 3);
}"""

OPACITY = PIXEL.replace(".slice(0, 3)", "[3]")


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


@contextmanager
def drawing(browser: Browser, server: ServerProcess, **options: object) -> Iterator[Watched]:
    with opened(browser, server.url, **{"viewport": TALL, **options}) as watched:
        watched.page.get_by_role("button", name="Draw").click()
        expect(watched.page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)
        yield watched
        assert watched.errors == []
        assert watched.foreign_requests == []


def surface(page: Page) -> Locator:
    return page.get_by_label("Drawing surface", exact=True)


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A point of the drawing surface, in shares of its sides, on the page."""
    box = surface(page).bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def stroke(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(page, *point), steps=12)
    page.mouse.up()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def expect_colour(page: Page, x: float, y: float, colour: tuple[int, int, int], tolerance: int = 24) -> None:
    """Wait until the output has a colour at a point: JPEG on the way in and out may move it a little."""
    near = " && ".join(f"Math.abs(pixel[{part}] - {value}) <= {tolerance}" for part, value in enumerate(colour))
    page.wait_for_function(f"(at) => {{ const pixel = ({PIXEL})(at); return {near}; }}", arg=[x, y], timeout=SOON_MS)


WHITE, BLACK, RED, BLUE = (255, 255, 255), (21, 22, 26), (216, 50, 42), (47, 111, 214)
HALF_RED = (235, 152, 148)
GREY_OF_PICTURE = (90, 120, 150)


def picture_file(name: str = "ground.png") -> dict[str, object]:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), GREY_OF_PICTURE).save(data, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": data.getvalue()}


def hand_over(page: Page, kind: str, file: dict[str, object]) -> None:
    """Drops or pastes a file as the browser would tell the page of it."""
    data = base64.b64encode(file["buffer"]).decode()  # type: ignore[arg-type]
    page.evaluate(
        """([kind, name, type, data]) => {
            const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
        }""",
        [kind, file["name"], file["mimeType"], data],
    )


def test_strokes_are_drawn_erased_undone_and_redone(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.1, 0.5), (0.9, 0.5))
        expect_colour(page, 0.5, 0.5, RED)
        press(page, "Eraser")
        stroke(page, (0.5, 0.2), (0.5, 0.8))
        expect_colour(page, 0.5, 0.5, WHITE)
        expect_colour(page, 0.3, 0.5, RED)
        press(page, "Undo")
        expect_colour(page, 0.5, 0.5, RED)
        press(page, "Undo")
        expect_colour(page, 0.3, 0.5, WHITE)
        press(page, "Redo")
        expect_colour(page, 0.3, 0.5, RED)


def test_a_faint_long_stroke_is_even_where_it_crosses_itself(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        page.get_by_role("slider", name="Opacity 100 %").fill("50")
        loop = [(0.1, 0.5), (0.9, 0.5), (0.9, 0.8), (0.5, 0.8), (0.5, 0.2), (0.2, 0.2), (0.2, 0.35), (0.7, 0.35)]
        page.mouse.move(*at(page, *loop[0]))
        page.mouse.down()
        for point in loop[1:]:
            page.mouse.move(*at(page, *point), steps=12)
        expect_colour(page, 0.5, 0.5, HALF_RED)
        page.mouse.up()
        for point in [(0.5, 0.5), (0.3, 0.5), (0.5, 0.65), (0.5, 0.35)]:
            expect_colour(page, *point, HALF_RED)


def test_shapes_and_fill(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Ellipse")
        stroke(page, (0.2, 0.2), (0.8, 0.8))
        expect_colour(page, 0.2, 0.5, BLACK)
        expect_colour(page, 0.5, 0.5, WHITE)
        press(page, "Fill")
        press(page, "Blue")
        page.mouse.click(*at(page, 0.5, 0.5))
        expect_colour(page, 0.5, 0.5, BLUE)
        expect_colour(page, 0.05, 0.05, WHITE)
        press(page, "Rectangle")
        page.get_by_label("Filled").check()
        press(page, "Red")
        page.keyboard.down("Shift")
        stroke(page, (0.4, 0.4), (0.6, 0.45))
        page.keyboard.up("Shift")
        expect_colour(page, 0.5, 0.55, RED)


def test_twenty_fills_of_the_whole_sheet_are_undone(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Fill")
        for number in range(20):
            press(page, "Blue" if number % 2 else "Red")
            page.mouse.click(*at(page, 0.5, 0.5))
        expect_colour(page, 0.1, 0.9, BLUE)
        for _ in range(19):
            press(page, "Undo")
        expect_colour(page, 0.1, 0.9, RED)
        press(page, "Undo")
        expect_colour(page, 0.1, 0.9, WHITE)
        expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_a_colour_is_picked_from_the_drawing(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.get_by_label("Colour", exact=True).fill("#4080c0")
        stroke(page, (0.2, 0.5), (0.8, 0.5))
        press(page, "Black")
        press(page, "Pick a colour")
        page.mouse.click(*at(page, 0.5, 0.5))
        expect(page.get_by_label("Colour", exact=True)).to_have_value("#4080c0")
        expect(page.get_by_role("button", name="Used before: #4080c0")).to_be_visible()


def test_layers_hide_fade_move_and_go_and_undo_brings_them_back(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.1, 0.5), (0.9, 0.5))
        press(page, "New layer")
        press(page, "Blue")
        stroke(page, (0.5, 0.1), (0.5, 0.9))
        expect_colour(page, 0.5, 0.5, BLUE)
        press(page, "Move Layer 2 down")
        expect_colour(page, 0.5, 0.5, RED)
        expect_colour(page, 0.5, 0.3, BLUE)
        press(page, "Show Layer 2")
        expect_colour(page, 0.5, 0.3, WHITE)
        press(page, "Layer 1")
        page.get_by_role("slider", name="Opacity of Layer 1").fill("50")
        expect_colour(page, 0.3, 0.5, HALF_RED)
        press(page, "Delete Layer 1")
        expect_colour(page, 0.3, 0.5, WHITE)
        press(page, "Undo")
        expect_colour(page, 0.3, 0.5, HALF_RED)
        for _ in range(3):
            press(page, "Undo")
        expect_colour(page, 0.5, 0.5, BLUE)


def test_pictures_come_above_the_layer_in_use_by_dialog_drop_and_paste(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.1, 0.5), (0.9, 0.5))
        with page.expect_file_chooser() as chooser:
            press(page, "Add a picture")
        chooser.value.set_files(picture_file())  # type: ignore[arg-type]
        expect_colour(page, 0.5, 0.5, GREY_OF_PICTURE)
        press(page, "Move Picture 2 down")
        expect_colour(page, 0.5, 0.2, GREY_OF_PICTURE)
        expect_colour(page, 0.5, 0.5, RED)
        press(page, "Undo")
        press(page, "Undo")
        expect_colour(page, 0.5, 0.2, WHITE)
        hand_over(page, "drop", picture_file())
        expect_colour(page, 0.5, 0.2, GREY_OF_PICTURE)
        hand_over(page, "paste", picture_file())
        expect(page.get_by_text("Layers (3)")).to_be_visible()


def test_there_is_a_most_of_layers_and_one_more_is_refused_in_words(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        for _ in range(7):
            press(page, "New layer")
        expect(page.get_by_role("button", name="New layer", exact=True)).to_be_disabled()
        hand_over(page, "paste", picture_file())
        expect(page.get_by_text("The drawing has all the layers it can have.")).to_be_visible()


def test_zoom_and_pan_change_what_is_seen_and_not_what_is_sent(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        stroke(page, (0.45, 0.5), (0.55, 0.5))
        expect_colour(page, 0.5, 0.5, BLACK)
        tools = page.get_by_role("group", name="Drawing tools").get_by_role("button")
        before = [tool.bounding_box() for tool in tools.all()]
        page.mouse.move(*at(page, 0.5, 0.5))
        page.mouse.wheel(0, -700)
        expect(page.get_by_role("button", name="%, show all")).to_be_enabled()
        assert [tool.bounding_box() for tool in tools.all()] == before, "no tool has moved away"
        expect_colour(page, 0.4, 0.5, WHITE)
        press(page, "Red")
        # Near the pane's edge, which now shows the middle of the picture.
        stroke(page, (0.5, 0.1), (0.5, 0.9))
        expect_colour(page, 0.5, 0.45, RED)
        expect_colour(page, 0.5, 0.2, WHITE)
        page.keyboard.down(" ")
        stroke(page, (0.3, 0.5), (0.7, 0.5))
        page.keyboard.up(" ")
        expect(page.get_by_text("Frozen", exact=True)).to_be_hidden()
        page.keyboard.press("0")
        expect(page.get_by_role("button", name="100 %, show all")).to_be_disabled()


def test_the_keyboard_alone_draws(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        surface(page).focus()
        page.keyboard.press(".")
        page.keyboard.press("Enter")
        for _ in range(5):
            page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Enter")
        expect_colour(page, 0.6, 0.5, BLACK)
        expect_colour(page, 0.4, 0.5, WHITE)
        page.keyboard.press("g")
        expect(page.get_by_role("button", name="Fill", exact=True)).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("n")
        expect(page.get_by_text("Layers (2)")).to_be_visible()
        page.keyboard.press("Control+z")
        page.keyboard.press("Delete")
        expect_colour(page, 0.6, 0.5, WHITE)


class Fingers:
    """Touches the drawing surface."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._cdp = page.context.new_cdp_session(page)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        places = [at(self._page, *point) for point in points]
        touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def test_one_finger_draws_and_two_move_and_magnify(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo, has_touch=True) as watched:
        page = watched.page
        fingers = Fingers(page)
        fingers.touch("touchStart", (0.2, 0.5))
        for step in range(1, 21):
            fingers.touch("touchMove", (0.2 + 0.03 * step, 0.5))
        fingers.touch("touchEnd")
        expect_colour(page, 0.5, 0.5, BLACK)
        fingers.touch("touchStart", (0.4, 0.3))
        fingers.touch("touchStart", (0.4, 0.3), (0.6, 0.3))
        for step in range(1, 11):
            fingers.touch("touchMove", (0.4 - 0.02 * step, 0.3), (0.6 + 0.02 * step, 0.3))
        fingers.touch("touchEnd")
        expect(page.get_by_role("button", name="%, show all")).to_be_visible()
        expect_colour(page, 0.5, 0.3, WHITE)


PEN = """([kind, x, y, buttons, pressure]) => {
    const surface = document.querySelector("[aria-label='Drawing surface']");
    // A pointer that isn't real can't be captured.
    surface.setPointerCapture = () => {};
    surface.dispatchEvent(new PointerEvent(kind, {
        pointerId: 77, pointerType: "pen", clientX: x, clientY: y, buttons, button: 0, pressure, bubbles: true,
    }));
}"""


def pen(page: Page, pressure: float, y: float, buttons: int = 1) -> None:
    for kind, x in [("pointerdown", 0.2), *(("pointerrawupdate", 0.2 + 0.03 * step) for step in range(1, 21))]:
        page.evaluate(PEN, [kind, *at(page, x, y), buttons, pressure])
    page.evaluate(PEN, ["pointerup", *at(page, 0.8, y), 0, 0])


def test_a_pen_draws_by_its_pressure_erases_with_its_end_and_keeps_fingers_off(
    browser: Browser, echo: ServerProcess
) -> None:
    with drawing(browser, echo, has_touch=True) as watched:
        page = watched.page
        fingers = Fingers(page)
        page.get_by_role("slider", name="Brush size 3 %").fill("10")
        pen(page, 1.0, 0.3)
        pen(page, 0.05, 0.7)
        expect_colour(page, 0.5, 0.36, BLACK)
        expect_colour(page, 0.5, 0.7, BLACK)
        expect_colour(page, 0.5, 0.75, WHITE)
        pen(page, 1.0, 0.3, buttons=32)
        expect_colour(page, 0.5, 0.3, WHITE)
        fingers.touch("touchStart", (0.2, 0.3))
        for step in range(1, 11):
            fingers.touch("touchMove", (0.2 + 0.05 * step, 0.3))
        fingers.touch("touchEnd")
        page.wait_for_timeout(300)
        expect_colour(page, 0.5, 0.3, WHITE)
        expect(page.get_by_label("Fingers draw too")).not_to_be_checked()


def test_a_drawing_that_rests_sends_nothing(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        wait_for_figure(page, "sent", "parseFloat(text) === 0")
        sent = page.evaluate(
            "() => { window.sent = 0; const send = WebSocket.prototype.send;"
            "WebSocket.prototype.send = function (data) {"
            "  if (data instanceof ArrayBuffer) window.sent++; return send.call(this, data); };"
            "return window.sent; }"
        )
        page.wait_for_timeout(800)
        assert page.evaluate("() => window.sent") == sent == 0
        stroke(page, (0.2, 0.2), (0.8, 0.2))
        expect_colour(page, 0.5, 0.2, BLACK)
        assert page.evaluate("() => window.sent") > 0


def test_a_layer_is_moved_and_scaled_and_put_back(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.3, 0.5), (0.7, 0.5))
        expect_colour(page, 0.5, 0.5, RED)
        surface(page).press("w")
        stroke(page, (0.5, 0.5), (0.5, 0.75))
        expect_colour(page, 0.5, 0.75, RED)
        expect_colour(page, 0.5, 0.5, WHITE)
        page.keyboard.down("Shift")
        stroke(page, (0.5, 0.25), (0.5, 0.75))
        page.keyboard.up("Shift")
        expect_colour(page, 0.5, 0.625, RED)
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect_colour(page, 0.5, 0.5, RED)


def test_steps_are_few_while_the_pen_moves_and_the_users_own_when_it_rests(
    browser: Browser, echo: ServerProcess
) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        steps = page.get_by_label("Steps, as a number", exact=True)
        steps.fill("4")
        wait_for_picture_of(page, echo, "num_inference_steps", 4)
        page.get_by_label("Refine when the pen rests").check()
        page.mouse.move(*at(page, 0.2, 0.2))
        page.mouse.down()
        strides = itertools.cycle(range(20))

        def steps_while_the_pen_moves() -> int:
            page.mouse.move(*at(page, 0.2 + 0.02 * next(strides), 0.4))
            return session_of(echo)["params"]["num_inference_steps"]

        until(steps_while_the_pen_moves, lambda number: number == 1, "there is one step")
        expect(steps).to_have_value("4")
        page.mouse.up()
        wait_for_param(page, echo, "num_inference_steps", 4)
        expect(steps).to_have_value("4")


def test_a_page_that_goes_while_the_pen_moves_leaves_the_users_own_steps(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.get_by_label("Steps, as a number", exact=True).fill("4")
        wait_for_picture_of(page, echo, "num_inference_steps", 4)
        page.get_by_label("Refine when the pen rests").check()
        page.mouse.move(*at(page, 0.2, 0.2))
        page.mouse.down()
        for step in range(10):
            page.mouse.move(*at(page, 0.2 + 0.02 * step, 0.4))
        page.reload()
        expect(page.get_by_label("Steps, as a number", exact=True)).to_have_value("4", timeout=SOON_MS)


def set_width(page: Page, server: ServerProcess, width_px: int) -> None:
    address = f"{server.url}api/sessions/{session_of(server)['session']}"
    answer = page.request.patch(address, data={"params": {"width": width_px}})
    assert answer.ok


def test_a_drawing_keeps_what_lies_outside_when_its_shape_changes(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        set_width(page, echo, 768)
        page.wait_for_function("() => document.querySelector('.output canvas').width === 768", timeout=SOON_MS)
        press(page, "Red")
        stroke(page, (0.1, 0.1), (0.1, 0.9))
        expect_colour(page, 0.1, 0.5, RED)
        set_width(page, echo, 512)
        expect_colour(page, 0.1, 0.5, WHITE)
        set_width(page, echo, 768)
        expect_colour(page, 0.1, 0.5, RED)


def test_escape_takes_back_what_is_being_drawn(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.mouse.move(*at(page, 0.2, 0.5))
        page.mouse.down()
        page.mouse.move(*at(page, 0.8, 0.5), steps=10)
        expect_colour(page, 0.5, 0.5, BLACK)
        page.keyboard.press("Escape")
        expect_colour(page, 0.5, 0.5, WHITE)
        page.mouse.up()
        expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_the_drawings_keys_leave_a_dialog_alone(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        page.mouse.move(*at(page, 0.5, 0.5))
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Brush", exact=True)).to_have_attribute("aria-pressed", "true")


def test_on_a_phone_no_tool_is_cut_off(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo, viewport=PHONE, has_touch=True) as watched:
        buttons = watched.page.locator(".draw-tools button").all()
        boxes = [button.bounding_box() for button in buttons if button.is_visible()]
        assert len(boxes) > 12
        assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)


KEPT = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("realtime");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
        const found = opening.result.transaction("drawings").objectStore("drawings").get("newest");
        found.onsuccess = () => resolve(found.result?.sheets.size ?? 0);
        opening.result.close();
    };
})"""


def wait_until_kept(page: Page, layers: int) -> None:
    until(lambda: page.evaluate(KEPT), lambda kept: kept == layers, "the drawing is kept")


def test_a_drawing_outlives_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.1, 0.5), (0.9, 0.5))
        press(page, "New layer")
        press(page, "Blue")
        stroke(page, (0.5, 0.1), (0.5, 0.9))
        expect_colour(page, 0.5, 0.3, BLUE)
        wait_until_kept(page, layers=2)
        page.reload()
        expect_colour(page, 0.5, 0.3, BLUE)
        expect_colour(page, 0.3, 0.5, RED)
        page.get_by_role("button", name="Show Layer 2").click()
        expect_colour(page, 0.5, 0.3, WHITE)


def test_a_new_drawing_is_an_empty_sheet_and_undo_brings_the_old_one_back(
    browser: Browser, echo: ServerProcess
) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.1, 0.5), (0.9, 0.5))
        page.get_by_role("button", name="New drawing").click()
        expect_colour(page, 0.5, 0.5, WHITE)
        press(page, "Undo")
        expect_colour(page, 0.5, 0.5, RED)
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the drawing").click()
        saved = Image.open(download.value.path())
        assert saved.size == (1024, 1024)
        assert saved.convert("RGB").getpixel((512, 512)) == RED


def test_a_layer_is_scaled_in_numbers_and_loses_nothing_by_it(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        seen = "() => document.querySelector('.drawing canvas').toDataURL()"
        press(page, "Red")
        stroke(page, (0.2, 0.3), (0.8, 0.7), (0.4, 0.9))
        before = page.evaluate(seen)
        page.get_by_role("button", name="Move the layer").click()
        size = page.get_by_label("Size of the layer")
        expect(size).to_have_value("100")
        for percent in ("10", "300", "100"):
            size.fill(percent)
            size.press("Enter")
            expect(size).to_have_value(percent)
            assert (page.evaluate(seen) == before) == (percent == "100"), f"at {percent} %"
        page.get_by_label("To the right").fill("200")
        page.get_by_label("To the right").press("Enter")
        expect_colour(page, 0.2, 0.3, WHITE)
        page.get_by_label("To the right").fill("0")
        page.get_by_label("To the right").press("Enter")
        assert page.evaluate(seen) == before, "what had left the sheet is back"
        press(page, "Undo")
        expect(page.get_by_label("To the right")).to_have_value("200")


def test_a_picture_that_is_made_larger_shows_more_of_itself(browser: Browser, echo: ServerProcess) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        fine = Image.new("RGB", (2048, 2048), "white")
        for column in range(0, 2048, 4):  # stripes that a sheet of 1024 pixels only just has
            fine.paste((0, 0, 0), (column, 0, column + 2, 2048))
        data = io.BytesIO()
        fine.save(data, "PNG")
        hand_over(page, "drop", {"name": "fine.png", "mimeType": "image/png", "buffer": data.getvalue()})
        page.get_by_role("button", name="Picture 2", exact=True).click()
        page.get_by_role("button", name="Move the layer").click()
        page.get_by_label("Size of the layer").fill("200")
        page.get_by_label("Size of the layer").press("Enter")
        levels = page.evaluate(
            """() => new Set(document.querySelector(".drawing canvas").getContext("2d")
                .getImageData(100, 500, 200, 1).data.filter((_, index) => index % 4 === 0)).size"""
        )
        assert levels <= 4, "black and white, as in the file, not a smear of greys"


def test_only_what_is_painted_is_restyled_and_the_paper_is_what_one_likes(
    browser: Browser, echo: ServerProcess
) -> None:
    with drawing(browser, echo) as watched:
        page = watched.page
        press(page, "Red")
        stroke(page, (0.3, 0.5), (0.7, 0.5))
        page.get_by_text("Only me / behind me").click()
        page.get_by_label("Restyle", exact=True).select_option("drawn")
        page.get_by_label("Rest of the picture").select_option("green")
        expect_colour(page, 0.5, 0.5, RED)
        expect_colour(page, 0.5, 0.1, (0, 255, 0))
        page.get_by_label("Rest of the picture").select_option("key")
        page.wait_for_function(f"() => ({OPACITY})([0.5, 0.1]) === 0", timeout=SOON_MS)
        expect_colour(page, 0.5, 0.5, RED)
        page.get_by_label("Restyle", exact=True).select_option("off")
        expect_colour(page, 0.5, 0.1, WHITE)

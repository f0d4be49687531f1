"""The part of a picture that is sent is chosen by hand, where its shape is another than what is made."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from .driver import DESKTOP, ServerProcess, opened, serving, shown_once, wait_for_param

RED, BLUE = (220, 30, 30), (30, 30, 220)


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as server:
        yield server


def wide_picture() -> dict[str, object]:
    """A file, twice as wide as high: red on the left, blue on the right."""
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, :256], pixels[:, 256:] = RED, BLUE
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": "wide.png", "mimeType": "image/png", "buffer": file.getvalue()}


def sent_part(page: Page) -> Locator:
    return page.get_by_role("slider", name="Part that is sent")


def wait_for_colours(page: Page, left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    """Wait until the output has these colours at its sides."""

    def has_them(picture: np.ndarray) -> bool:
        at_sides = picture[32, 8], picture[32, -8]
        return all(np.abs(seen - wanted).max() < 60 for seen, wanted in zip(at_sides, (left, right), strict=True))

    shown_once(page, has_them, f"{left} on the left and {right} on the right")


def test_frame_is_moved_by_pointer_and_by_keys(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="File").first.click()
        chooser.value.set_files(wide_picture())  # type: ignore[arg-type]
        wait_for_param(page, echo, "width", 512)
        wait_for_colours(page, RED, BLUE)

        frame = sent_part(page)
        box = frame.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - box["width"], y, steps=4)
        page.mouse.up()
        expect(frame).to_have_attribute("aria-valuenow", "0")
        wait_for_colours(page, RED, RED)

        frame.focus()
        page.keyboard.press("End")
        wait_for_colours(page, BLUE, BLUE)

        frame.dblclick()
        expect(frame).to_have_attribute("aria-valuenow", "50")
        wait_for_colours(page, RED, BLUE)
        assert watched.errors == []

"""A picture gives the style: dropped on the styles, kept beside words, brought again to a server that lost it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from realtime.references import REFERENCES_KEPT
from tests.fakes.servers import RunningServer, a_config, load_adapted, load_seeing, running

from .driver import DESKTOP, SOON_MS, opened, until

pytestmark = pytest.mark.browser

DROP = """(element, bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "wave.png", { type: "image/png" }));
    for (const kind of ["dragover", "drop"])
        element.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def a_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (20, 60, 160)).save(file, "PNG")
    return file.getvalue()


def wait_for_prompt(page: Page, server: RunningServer, what: str, is_wanted: Callable[[Any], bool]) -> Any:
    """The prompt in force, once it is as wanted."""

    def now() -> Any:
        page.wait_for_timeout(50)
        session = server.service.session(page.evaluate("sessionStorage['realtime.session']"))
        return session and session.params.wire()["prompt"]

    return until(now, is_wanted, what)


def a_list(prompt: object) -> bool:
    return isinstance(prompt, list)


def test_a_dropped_picture_gives_the_style_and_is_not_lost(browser: Browser) -> None:
    with (
        running(a_config(resume_s=60), load_seeing) as server,
        opened(browser, server.url, viewport=DESKTOP) as watched,
    ):
        page = watched.page
        like = page.get_by_role("button", name="Like this picture")
        expect(like).to_be_visible(timeout=2 * SOON_MS)
        page.locator(".tiles-part").evaluate(DROP, list(a_png()))

        [part] = wait_for_prompt(page, server, "the picture is the prompt", a_list)
        assert part["weight"] == 1 and len(part["picture"]) == 32
        expect(page.locator(".blend-row img.thumb")).to_be_visible()
        expect(page.get_by_role("button", name="Like the picture wave")).to_have_attribute("aria-pressed", "true")

        page.get_by_role("button", name="Like the picture wave").hover()
        expect(page.locator(".closer-look img")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".closer-look")).to_have_count(0)

        page.get_by_label("Prompt", exact=True).fill("a knight")
        beside: list[Any] = [part, {"text": "a knight", "weight": 0}]
        wait_for_prompt(page, server, "words stand beside the picture", lambda now: now == beside)
        page.reload()
        expect(page.locator(".blend-row img.thumb")).to_be_visible(timeout=2 * SOON_MS)

        # Taken out, and lost by the server; this browser still has it.
        page.get_by_role("button", name="Remove prompt 1").click()
        wait_for_prompt(page, server, "the words are left", lambda now: now == "a knight")
        for value in range(REFERENCES_KEPT):
            server.service.references.add(np.full((4, 4, 3), value, np.uint8), f"other {value}")
        assert part["picture"] not in server.service.references
        page.get_by_role("button", name="Like the picture wave").click()
        wait_for_prompt(page, server, "it is there again", lambda now: now == beside)
        assert part["picture"] in server.service.references


def wait_for_references(page: Page, server: RunningServer, what: str, wanted: Any) -> None:
    """The references in force, by weight and layers, once they are as wanted."""

    def now() -> Any:
        page.wait_for_timeout(50)
        session = server.service.session(page.evaluate("sessionStorage['realtime.session']"))
        return session and [(one.weight, str(one.layers)) for one in session.params.references]

    until(now, lambda found: found == wanted, what)


def test_with_an_adapter_pictures_stand_beside_the_prompt(browser: Browser) -> None:
    with (
        running(a_config(resume_s=60), load_adapted) as server,
        opened(browser, server.url, viewport=DESKTOP) as watched,
    ):
        page = watched.page
        expect(page.get_by_role("button", name="Like this picture")).to_be_visible(timeout=2 * SOON_MS)
        page.locator(".tiles-part").evaluate(DROP, list(a_png()))
        tile = page.get_by_role("button", name="Like the picture wave")
        rows = page.get_by_role("group", name="Like these pictures")

        wait_for_references(page, server, "the picture is a reference", [(0.6, "all")])
        expect(tile).to_have_attribute("aria-pressed", "true")
        expect(rows.locator(".reference img.thumb")).to_be_visible()
        rows.get_by_role("slider", name="Weight of picture 1").fill("1.5")
        rows.get_by_role("combobox").select_option(label="Its style")
        wait_for_references(page, server, "its weight and what is taken of it", [(1.5, "style")])

        rows.get_by_role("button", name="Remove picture 1").click()
        wait_for_references(page, server, "it is gone", [])
        expect(rows).to_have_count(0)
        tile.click()
        wait_for_references(page, server, "its tile brings it back", [(0.6, "all")])

        page.get_by_text("More settings").click()
        scale = page.get_by_role("slider", name="Negative scale")
        expect(scale).to_have_attribute("max", "4")
        negative = page.locator(".field", has=page.get_by_label("Negative prompt", exact=True))
        expect(negative).to_contain_text("Acts only with a negative scale above 1.")
        scale.fill("2.5")
        expect(negative).not_to_contain_text("Acts only")


def test_where_the_model_hears_words_no_pictures_are_offered(browser: Browser) -> None:
    with running(a_config(resume_s=60)) as server, opened(browser, server.url, viewport=DESKTOP) as watched:
        expect(watched.page.get_by_label("Prompt", exact=True)).to_be_visible(timeout=2 * SOON_MS)
        expect(watched.page.get_by_role("button", name="Like this picture")).to_have_count(0)

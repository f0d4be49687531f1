"""Nets in the panel: a tiny model with random nets, chosen, weighed, seen what they are shown; a drawing's lines."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from realtime.config import Config
from realtime.control import Hint
from realtime.engine import Engine, Progress
from realtime.engine.models.pose.estimator import PoseEstimator
from tests.engine.test_steering import Nearness
from tests.engine.tiny_models import make_engine, make_model
from tests.engine.tiny_nets import a_net, make_controlnet
from tests.engine.tiny_pose import STANDING, Seer
from tests.fakes.servers import RunningServer, a_config, running

from .driver import DESKTOP, PHONE, SOON_MS, difference, opened, shown_once, start_camera, until
from .test_accessibility import violations
from .test_pictures import DROP, a_png

pytestmark = pytest.mark.browser

NETS = {"canny": Hint.CANNY, "scribble": Hint.SCRIBBLE, "depth": Hint.DEPTH, "openpose": Hint.POSE}


def load(config: Config, progress: Progress) -> Engine:
    nets = tuple(a_net(make_controlnet(seed=seed), name, hint) for seed, (name, hint) in enumerate(NETS.items()))
    estimators = {Hint.DEPTH: Nearness(), Hint.POSE: PoseEstimator(Seer(STANDING)).eval()}
    return make_engine(replace(make_model(nets=nets), estimators=estimators))[0]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(resume_s=60, min_session_fps=0), load) as one:
        yield one


def opened_control(page: Page) -> Locator:
    """The fold of control, opened."""
    fold = page.locator("details", has=page.locator("summary:text-matches('^Control')"))
    expect(fold).to_be_visible(timeout=2 * SOON_MS)
    if fold.get_attribute("open") is None:
        fold.locator("summary").click()
    expect(fold.get_by_role("button", name="Add a net")).to_be_visible()
    return fold


def wait_for(page: Page, server: RunningServer, field: str, is_wanted: Callable[[Any], bool], what: str) -> Any:
    """A param in force, once it is as wanted."""

    def now() -> Any:
        page.wait_for_timeout(50)
        session = server.service.session(page.evaluate("sessionStorage['realtime.session']"))
        return session and session.params.wire()[field]

    return until(now, is_wanted, what)


def hint(page: Page, row: Locator) -> np.ndarray:
    """What a row shows of its hint."""
    return np.asarray(Image.open(io.BytesIO(row.locator("img.control-hint").screenshot())).convert("L")).astype(float)


def draw(page: Page) -> None:
    """A stroke across the paper."""
    page.get_by_role("button", name="Draw").first.click()
    box = page.locator(".drawing canvas").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()


def test_a_net_is_added_weighed_and_removed_and_seen_what_it_is_shown(browser: Browser, server: RunningServer) -> None:
    with opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        fold = opened_control(page)
        start_camera(page)
        fold.get_by_role("button", name="Add a net").click()
        row = fold.get_by_role("group", name="1: canny")
        expect(row.locator("img.control-hint")).to_be_visible()
        picture = hint(page, row)
        assert picture.max() > 100 and np.median(picture) < 20, "white edges on black"

        row.get_by_role("slider", name="Net 1: Weight").fill("0.35")
        row.get_by_role("slider", name="Net 1: To").fill("0.6")
        row.get_by_role("slider", name="Net 1: From").fill("0.8")
        [one] = wait_for(page, server, "control", lambda rows: rows and rows[0]["start"] == 0.8, "the steps")
        assert one == {"net": "canny", "weight": 0.35, "start": 0.8, "end": 0.8, "source": "input"}

        fold.get_by_role("button", name="Add a net").click()
        wait_for(page, server, "control", lambda rows: [one["net"] for one in rows] == ["canny", "scribble"], "two")
        fold.get_by_role("combobox", name="Net 2").select_option("openpose")
        second = fold.get_by_role("group", name="2: openpose")
        expect(second.locator("img.control-hint")).to_be_visible()
        until(
            lambda: hint(page, second),
            lambda seen: 0.01 < (seen > 60).mean() < 0.4 and np.median(seen) < 20,
            "limbs on black",
        )
        fold.get_by_role("combobox", name="Net 2").select_option("depth")
        expect(fold.get_by_role("group", name="2: depth").locator("img.control-hint")).to_be_visible()
        row.get_by_role("button", name="Remove canny").click()
        wait_for(page, server, "control", lambda rows: [one["net"] for one in rows] == ["depth"], "one")
        fold.locator("summary").click()
        expect(fold.locator("summary").get_by_text("depth")).to_be_visible()
        assert watched.errors == []


def test_hints_are_asked_for_only_while_they_are_on_the_page(browser: Browser, server: RunningServer) -> None:
    with opened(browser, server.url, viewport=DESKTOP) as watched:
        page, asked = watched.page, list[str]()
        page.on("request", lambda request: asked.append(request.url) if "/hint?" in request.url else None)
        fold = opened_control(page)
        start_camera(page)
        fold.get_by_role("button", name="Add a net").click()
        expect(fold.locator("img.control-hint")).to_be_visible()
        fold.locator("summary").click()
        page.wait_for_timeout(500)
        before = len(asked)
        page.wait_for_timeout(1500)
        assert 0 < before == len(asked)


def test_lines_of_a_drawing_become_a_picture_and_blank_paper_stays_paper(
    browser: Browser, server: RunningServer
) -> None:
    with opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        fold = opened_control(page)
        lines = fold.get_by_role("button", name="Lines to picture")
        lines.click()
        wait_for(page, server, "strength", lambda strength: strength == 1, "strength")
        [one] = wait_for(page, server, "control", bool, "the net")
        assert (one["net"], one["source"]) == ("scribble", "input")
        expect(lines).to_have_attribute("aria-pressed", "true")

        page.get_by_role("button", name="Draw").first.click()
        shown_once(page, lambda now: now.mean() > 250, "blank paper is shown as it is")
        draw(page)
        paper = np.full((64, 64, 3), 255.0)
        shown_once(page, lambda now: difference(now, paper) > 20, "a picture")
        row = fold.get_by_role("group", name="1: scribble")
        until(
            lambda: hint(page, row),
            lambda seen: seen[len(seen) // 2 - 8 : len(seen) // 2 + 8].max() > 200 and np.median(seen) < 20,
            "the stroke, white on black",
        )

        lines.click()
        wait_for(page, server, "control", lambda rows: rows == [], "it is taken back")
        assert watched.errors == []


def test_a_picture_is_dropped_on_a_row_and_the_input_taken_again(browser: Browser, server: RunningServer) -> None:
    with opened(browser, server.url, viewport=DESKTOP) as watched:
        page = watched.page
        fold = opened_control(page)
        start_camera(page)
        fold.get_by_role("button", name="Add a net").click()
        row = fold.get_by_role("group", name="1: canny")
        row.evaluate(DROP, list(a_png()))
        [one] = wait_for(page, server, "control", lambda rows: rows[0]["source"] != "input", "the picture")
        assert len(one["source"]) == 32
        expect(row.locator("img.thumb")).to_be_visible()
        until(lambda: hint(page, row), lambda seen: seen.max() < 30, "of a plain picture there are no edges")
        row.get_by_role("button", name="Input", exact=True).click()
        wait_for(page, server, "control", lambda rows: rows[0]["source"] == "input", "the input")
        assert watched.errors == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_control_is_reached_by_keyboard_and_axe_finds_nothing_serious(
    browser: Browser, server: RunningServer, viewport: dict[str, int]
) -> None:
    with opened(browser, server.url, viewport=viewport) as watched:
        page = watched.page
        fold = opened_control(page)
        start_camera(page)
        add = fold.get_by_role("button", name="Add a net")
        add.focus()
        page.keyboard.press("Enter")
        weight = fold.get_by_role("slider", name="Net 1: Weight")
        weight.focus()
        page.keyboard.press("ArrowLeft")
        wait_for(page, server, "control", lambda rows: rows and rows[0]["weight"] == 0.95, "one step less")
        expect(fold.locator("img.control-hint")).to_be_visible()
        assert violations(page) == []

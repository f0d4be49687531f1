"""Walks through the studio, as on a first evening: how many actions each takes, how long, and proof of its end.

Must not know how actions are counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from realtime.bench import report
from realtime.bench.errors import BenchError, check_names
from realtime.bench.servers import start

from ..comparison import Target
from ..console import show_targets
from .browser import CAMERA_SHAPE, DESKTOP, PHONE, Opened, chromium, opened, wait_until_ready
from .hand import Hand
from .looking import Picture, apart, colour, screenshot, seen, shape, until

OTHER_LEVELS = 8.0
"""So far apart are pictures of two styles at least; those of one style, of a face that sways, are half of that."""
ALIKE_LEVELS = 6.0
STILL_PX = 2048
STILL_MS = 540_000
"""A large still is made beside what is live, with rests."""
SERVER = ("realtime", "serve", "--port", "0", "--host", "0.0.0.0", "--log-level", "warning")
"""As a user starts it whose phone is to reach it. The server makes a token by itself."""


@dataclass(frozen=True, slots=True)
class Tour:
    """Where a walk is taken.

    Attributes:
        url: of the page, with what it needs to be let in.
        pictures: a folder that gets a screenshot of each walk's end; None: nowhere.
    """

    hand: Hand
    url: str
    pictures: Path | None = None

    def keep(self, page: Page, name: str) -> None:
        """Keep what is seen at the end."""
        if self.pictures is not None:
            self.pictures.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.pictures / f"{name}.png")


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk.

    Attributes:
        most: actions that it may take.
        go: takes it in a studio that is ready, and returns what proves its end, in words. What comes before the walk
            is done unseen, and the clock starts where it returns to `begin`.
    """

    name: str
    most: int
    go: Callable[[Tour, Page, Callable[[], None]], str]


def own_face_in_a_style(tour: Tour, page: Page, begin: Callable[[], None]) -> str:
    """From the page: camera, style."""
    begin()
    page.get_by_role("button", name="Camera").click()
    until(page, partial(shape, page), lambda ratio: abs(ratio - CAMERA_SHAPE) < 0.05, "it has the camera's shape")
    plain = until(page, partial(seen, page), _has_something, "the camera's picture is restyled")
    style = page.locator(".tile[aria-pressed=false]:not(.like)").nth(2)
    name = style.inner_text().replace("\u00ad", "")
    style.click()
    styled = until(page, partial(seen, page), partial(_is_other, plain), "the picture has the style")
    tour.keep(page, "own-face")
    return f"{name}: {apart(styled, plain):.0f} levels from the picture before"


def overlay_in_obs(tour: Tour, page: Page, begin: Callable[[], None]) -> str:
    """From a live picture: send to, copy, paste into OBS."""
    _live(tour, page)
    begin()
    page.get_by_role("button", name="Send to…").click()
    page.get_by_role("region", name="OBS: browser source").get_by_role("button", name="Copy").click()
    copied = partial(page.evaluate, "navigator.clipboard.readText()")
    address = until(page, copied, lambda text: "/overlay?" in str(text), "the address is copied")
    tour.hand.did("paste the address into OBS")
    with opened(tour.hand.context(), str(address)) as obs:
        look = partial(seen, obs.page, "canvas")
        shown = until(obs.page, look, lambda now: _is_like(seen(page), now), "the overlay shows the output")
        tour.keep(obs.page, "overlay")
    if (least := float(shown[..., 3].min())) < 255:
        raise BenchError(f"the overlay is transparent ({least:g} of 255)")
    return f"opaque, {apart(shown, seen(page)):.0f} levels from the studio's output"


def look_on_a_pad(tour: Tour, page: Page, begin: Callable[[], None]) -> str:
    """From a live picture: save it; and, in another look, call it."""
    saved = _live(tour, page)
    begin()
    page.get_by_role("button", name="Save this look").click()
    pad = _pads(page).first
    pad.wait_for()
    other = _in_another_look(page, saved)
    pad.click()
    again = until(page, partial(seen, page), partial(_is_back, saved), "the look is back")
    tour.keep(page, "pad")
    return f"colour of {colour(saved):.0f} levels, {colour(other):.0f} in another look, then {colour(again):.0f}"


def phone_steers_the_desktop(tour: Tour, page: Page, begin: Callable[[], None]) -> str:
    """From a live picture and a pad: send to, scan, tap."""
    saved = _live(tour, page)
    with tour.hand.unseen():
        page.get_by_role("button", name="Save this look").click()
        _pads(page).first.wait_for()
    other = _in_another_look(page, saved)
    begin()
    page.get_by_role("button", name="Send to…").click()
    code = page.get_by_role("img", name="QR code")
    code.wait_for()
    read, *_ = cv2.QRCodeDetector().detectAndDecode(cv2.resize(screenshot(code), None, fx=4, fy=4))
    if "/remote?" not in read:
        raise BenchError(f"the code on the screen leads to {read!r}")
    tour.hand.did("scan the code with the phone")
    with opened(tour.hand.context(**PHONE), read) as phone:
        phone.page.locator(".pads button, .pad").first.tap()
        steered = until(page, partial(seen, page), partial(_is_back, saved), "the desktop has the phone's look")
        tour.keep(phone.page, "phone")
        tour.keep(page, "phone-desktop")
    return f"colour of {colour(saved):.0f} levels, {colour(other):.0f} in another look, then {colour(steered):.0f}"


def drawing_saved_large(tour: Tour, page: Page, begin: Callable[[], None]) -> str:
    """From a drawing: save large."""
    with tour.hand.unseen():
        page.get_by_role("button", name="Draw").click()
        until(page, partial(seen, page), _has_something, "the paper is there")
        _draw(page)
        drawn = until(page, partial(seen, page), lambda now: float(now[..., :3].std()) > 10, "the drawing is restyled")
    begin()
    with page.expect_download(timeout=STILL_MS) as download:
        page.get_by_role("button", name="Save large", exact=True).click()
    saved = Image.open(download.value.path()).convert("RGB")
    if min(saved.size) < STILL_PX:
        raise BenchError(f"the picture has {saved.width}×{saved.height} pixels")
    small = np.asarray(saved.resize(drawn.shape[:2], Image.Resampling.BOX), np.float32)
    if not _is_near(small, drawn):
        raise BenchError(f"the large picture is {apart(small, drawn):.0f} levels from the one on the page")
    tour.keep(page, "large")
    return f"{saved.width}×{saved.height}, {apart(small, drawn):.0f} levels from the picture on the page"


WALKS = (
    Walk("own face in a style", 2, own_face_in_a_style),
    Walk("overlay in OBS", 3, overlay_in_obs),
    Walk("a look saved and recalled by a pad", 2, look_on_a_pad),
    Walk("a phone steers the desktop", 4, phone_steers_the_desktop),
    Walk("a drawing saved at 2048 px", 2, drawing_saved_large),
)


def take(walk: Walk, browser: Browser, url: str, pictures: Path | None = None) -> dict[str, Any]:
    """Take a walk in a browser that has never seen the page.

    Returns:
        `actions` in words, `seconds` from the first to the proof, and `proof`.
    """
    hand = Hand(browser)
    tour = Tour(hand, url, pictures)
    begun: list[float] = []

    def begin() -> None:
        hand.actions.clear()
        begun.append(time.monotonic())

    with opened(hand.context(**DESKTOP), url) as studio:
        wait_until_ready(studio.page)
        proof = walk.go(tour, studio.page, begin)
        seconds = time.monotonic() - begun[-1]
        _check_console(studio)
    return {"actions": list(hand.actions), "seconds": round(seconds, 2), "proof": proof}


def walks_bench(
    model: str = "tiny",
    repetitions: int = 3,
    *,
    only: Iterable[str] = (),
    options: Iterable[str] = (),
    pictures: Path | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Take all walks, several times each, from one server.

    Args:
        only: names of walks; empty: all.
        options: further ones of `realtime serve`.
        pictures: a folder for screenshots of their ends.
        output: a file that gets the JSON object too.

    Raises:
        BenchError: a walk didn't come to its end, or there is no Chromium.
    """
    check_names(only, [walk.name for walk in WALKS], "walk")
    walks = [walk for walk in WALKS if not set(only) or walk.name in set(only)]
    answer: dict[str, Any] = report.header("walks") | {"model": model, "settings": {"repetitions": repetitions}}
    taken: dict[str, Any] = {}
    targets: dict[str, Target] = {}
    with start(*SERVER, "--model", model, *options) as server, chromium() as browser:
        for walk in walks:
            report.progress(walk.name)
            runs = [take(walk, browser, server.url, pictures) for _ in range(repetitions)]
            most = max(runs, key=lambda run: len(run["actions"]))
            seconds = [run["seconds"] for run in runs]
            taken[walk.name] = {
                "actions": most["actions"],
                "seconds": {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)},
                "proof": most["proof"],
            }
            targets[f"{walk.name}: actions"] = Target(len(most["actions"]), walk.most)
    wanted = {name: target.wire() for name, target in targets.items()}
    _show(taken)
    show_targets(wanted)
    answer |= {"walks": taken, "targets": wanted}
    report.put_out(answer, output)
    return answer


def _show(taken: Mapping[str, Any]) -> None:
    rows = (
        [name, str(len(walk["actions"])), f"{walk['seconds']['median']:.1f}", walk["proof"]]
        for name, walk in taken.items()
    )
    report.show_table("walks", ("walk", "actions", "seconds", "proof"), rows)


def _live(tour: Tour, page: Page) -> Picture:
    """The camera is live."""
    with tour.hand.unseen():
        page.get_by_role("button", name="Camera").click()
        until(page, partial(shape, page), lambda ratio: abs(ratio - CAMERA_SHAPE) < 0.05, "it has the camera's shape")
        return until(page, partial(seen, page), _has_something, "the camera's picture is restyled")


def _in_another_look(page: Page, saved: Picture) -> Picture:
    """Somebody else, by the server's API, chooses a style without colour."""
    change = """async () => {
        const session = sessionStorage.getItem("realtime.session");
        const { styles } = await (await fetch("api/config")).json();
        const prompt = styles.styles.map(({ prompt }) => prompt).find((prompt) => prompt.includes("pencil"));
        const body = JSON.stringify({ params: { prompt } });
        return (await fetch(`api/sessions/${session}`, { method: "PATCH", body })).status;
    }"""
    if (status := page.evaluate(change)) != 200:
        raise BenchError(f"the look could not be changed: {status}")
    return until(page, partial(seen, page), lambda now: colour(now) < colour(saved) / 2, "the picture has another look")


def _pads(page: Page) -> Locator:
    return page.get_by_role("group", name="Presets").locator(".pad:has(img)")


def _draw(page: Page) -> None:
    box = page.get_by_label("Drawing surface", exact=True).bounding_box()
    assert box is not None
    for row in (0.3, 0.45, 0.6):
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * row)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * (row + 0.1), steps=8)
        page.mouse.up()
    page.wait_for_timeout(500)


def _has_something(picture: Picture) -> bool:
    return float(picture[..., 3].min()) == 255 and float(picture[..., :3].mean()) > 10


def _is_other(one: Picture, other: Picture) -> bool:
    return apart(one, other) > OTHER_LEVELS


def _is_like(one: Picture, other: Picture) -> bool:
    return _has_something(other) and apart(one, other) < ALIKE_LEVELS


def _is_back(saved: Picture, now: Picture) -> bool:
    """Whether it has the saved look again; it may be of another size, as the page looks for the sharpest."""
    return colour(now) > 0.8 * colour(saved)


def _is_near(one: Picture, other: Picture) -> bool:
    return apart(one, other) < 2 * OTHER_LEVELS


def _check_console(studio: Opened) -> None:
    if studio.said:
        raise BenchError(f"the page said on its console: {studio.said[0]}")

"""Looks at what pages show, and waits until it is as wanted.

Must not know whose pages they are.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page

from realtime.bench.errors import BenchError

T = TypeVar("T")
Picture = NDArray[np.float32]
PATIENCE_S = 180.0
"""On a busy machine a picture may take a second and more."""
LOOK_EVERY_MS = 50
SIDE_PX = 64
OUTPUT = ".output canvas"
READ = f"""(selector) => {{
    const paper = new OffscreenCanvas({SIDE_PX}, {SIDE_PX}).getContext("2d");
    const shown = document.querySelector(selector);
    if (shown?.width) paper.drawImage(shown, 0, 0, {SIDE_PX}, {SIDE_PX});
    return [...paper.getImageData(0, 0, {SIDE_PX}, {SIDE_PX}).data];
}}"""


def seen(page: Page, selector: str = OUTPUT) -> Picture:
    """What a canvas shows, float32 [SIDE_PX, SIDE_PX, 4], RGBA of 255; transparent black where there is none."""
    return np.array(page.evaluate(READ, selector), np.float32).reshape(SIDE_PX, SIDE_PX, 4)


def shape(page: Page, selector: str = OUTPUT) -> float:
    """A canvas's width over its height."""
    return float(page.evaluate("(of) => (({ width, height }) => width / height)(document.querySelector(of))", selector))


def screenshot(of: Locator) -> NDArray[np.uint8]:
    """uint8 [height, width, 3], RGB."""
    return np.asarray(Image.open(io.BytesIO(of.screenshot())).convert("RGB"), np.uint8)


def apart(one: Picture, other: Picture) -> float:
    """How far two pictures are apart, in levels of 255."""
    return float(np.abs(one[..., :3] - other[..., :3]).mean())


def colour(picture: Picture) -> float:
    """How colourful a picture is: the mean distance of its channels, in levels of 255."""
    return float((picture[..., :3].max(-1) - picture[..., :3].min(-1)).mean())


def until(page: Page, look: Callable[[], T], is_wanted: Callable[[T], bool], what: str) -> T:
    """Look until it is as wanted, and give what was seen then.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + PATIENCE_S
    while not is_wanted(found := look()):
        if time.monotonic() > end_s:
            raise BenchError(f"{what}: not so within {PATIENCE_S:g} s")
        page.wait_for_timeout(LOOK_EVERY_MS)
    return found

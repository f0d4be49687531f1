"""Starts servers, opens pages and looks at them for the browser tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.request import urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

T = TypeVar("T")

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SOON_MS = 60_000
"""No test waits this long unless it fails: a page that lost its server tries again after up to 15 s."""
FLOWS = "parseFloat(text) >= 2"
"""Of a figure in pictures a second: one follows another. How fast is the machine's affair."""
PREVIEWS = "preview-"
"""How the sessions' names begin that a page has for its tiles of styles."""


@dataclass
class ServerProcess:
    """`realtime serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


def until(look: Callable[[], T], is_wanted: Callable[[T], bool], what: str) -> T:
    """Look until it is as wanted, and give what was seen then."""
    end_s = time.monotonic() + SOON_MS / 1000
    while not is_wanted(seen := look()):
        assert time.monotonic() < end_s, f"{what}: not so within {SOON_MS} ms; {seen=}"
        time.sleep(0.05)
    return seen


def free_port() -> int:
    """A port to listen on later, again after a restart too: the system gives the ones from 32768 on to anybody, and
    another worker, whose process has the next number or so, begins some ports above."""
    for port in range(20_000 + 32 * os.getpid() % 12_000, 32_768):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@contextmanager
def serving(*options: str, port: int = 0) -> Iterator[ServerProcess]:
    command = [sys.executable, "-m", "realtime", "serve", "--port", str(port), "--log-level", "warning", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, f"the server did not start: {line!r}"
        timer.cancel()
        yield ServerProcess(process, address[0])
    finally:
        timer.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    errors: list[str]
    foreign_requests: list[str]


@contextmanager
def opened(browser: Browser, url: str, **options: Any) -> Iterator[Watched]:
    """The page at `url` with the camera allowed; collects console errors and requests to anywhere else."""
    context = browser.new_context(permissions=["camera"], **options)
    page = context.new_page()
    page.set_default_timeout(SOON_MS)
    watched = Watched(page, [], [])
    origin = url.split("?")[0].rstrip("/")
    page.on("console", lambda m: watched.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    local = (origin, origin.replace("http", "ws"), "blob:", "data:")
    page.on("request", lambda r: None if r.url.startswith(local) else watched.foreign_requests.append(r.url))
    page.goto(url)
    try:
        yield watched
    finally:
        context.close()


def output(page: Page) -> Locator:
    return page.get_by_label("Output", exact=True).locator("canvas, video")


ABOVE_THE_OUTPUT = ".input[data-spot=inset], .inset-bar, .rewind, .strip, .hud, .messages, .closer-look"
"""What may lie over it on the stage: the input, which moves by itself, and what is asked for."""
SHOW_ABOVE = f"""(opacity) => {{
    for (const one of document.querySelectorAll("{ABOVE_THE_OUTPUT}")) one.style.opacity = opacity ? "" : "0";
    // As an inset it has round corners.
    document.querySelector(".output").style.borderRadius = opacity ? "" : "0";
}}"""
"""By opacity: what is hidden otherwise loses the focus."""


def shown(page: Page) -> np.ndarray:
    """What the output shows, as float [H, W, 3]."""
    page.evaluate(SHOW_ABOVE, 0)
    screenshot = Image.open(io.BytesIO(output(page).screenshot())).convert("RGB")
    # The outermost pixels may be shared with what lies beside it.
    picture = screenshot.crop((1, 1, screenshot.width - 1, screenshot.height - 1)).resize((64, 64))
    page.evaluate(SHOW_ABOVE, 1)
    return np.asarray(picture, np.float32)


def shown_once(page: Page, is_wanted: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
    """What the output shows, as soon as it is as wanted."""
    return until(lambda: shown(page), is_wanted, what)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """How far two pictures are apart, in levels of 255."""
    return float(np.abs(one - other).mean())


def assert_moves(page: Page) -> None:
    """The output shows one picture after another."""
    first = shown(page)
    shown_once(page, lambda now: difference(now, first) > 1, "it moves")


def held(page: Page) -> np.ndarray:
    """What the output shows once it stands still: what was on its way when it was frozen has come."""
    pictures = [shown(page)]

    def moved() -> float:
        page.wait_for_timeout(1000)
        pictures.append(shown(page))
        return difference(*pictures[-2:])

    until(moved, lambda levels: levels < 0.5, "the picture stands still")
    return pictures[-1]


def open_folds(page: Page, selector: str = "details") -> None:
    """Opens all folds that are closed."""
    closed = page.locator(f"{selector}:not([open]) > summary")
    while closed.count():
        closed.first.click()


def start_camera(page: Page) -> None:
    page.get_by_role("button", name="Camera").click()
    expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)


def session_of(server: ServerProcess) -> dict[str, Any]:
    """The connected session, once it is the only one beside previews: a page that was closed may still be on its way
    out.
    """

    def connected() -> list[dict[str, Any]]:
        with urlopen(server.url + "api/sessions") as answer:
            sessions = json.load(answer)["sessions"]
        return [one for one in sessions if one["connected"] and not one["session"].startswith(PREVIEWS)]

    return until(connected, lambda found: len(found) == 1, "one session is connected")[0]


def wait_for_param(page: Page, server: ServerProcess, name: str, value: object) -> None:
    """Wait until a setting is in force; what the page asks of the test is answered meanwhile."""

    def now() -> object:
        page.wait_for_timeout(50)
        return session_of(server)["params"][name]

    until(now, lambda now: now == value, f"{name} is {value!r}")


def wait_for_picture_of(page: Page, server: ServerProcess, name: str, value: object) -> None:
    """Wait until the page shows a picture that was made with a setting."""
    wait_for_param(page, server, name, value)
    version = session_of(server)["params"]["version"]
    wait_for_figure(page, "settings", f"text === 'v{version}'")


FIGURE = """(name) => [...document.querySelectorAll("dl > div")]
    .find((one) => one.querySelector("dt").textContent === name)?.querySelector("dd").textContent.trim()"""


@contextmanager
def measurements(page: Page) -> Iterator[None]:
    """Shows the measurements, which lie over the stage, and hides them again. The focus stays where it is."""
    line = page.locator(".status-line")
    press = "(button) => button.click()"
    is_shown = line.get_attribute("aria-expanded") == "true"
    if not is_shown:
        line.evaluate(press)
    yield
    if not is_shown:
        line.evaluate(press)


def wait_for_figure(page: Page, name: str, condition: str) -> None:
    """Wait until a number of the measurements is as wanted: JavaScript on `text`."""
    with measurements(page):
        page.wait_for_function(
            f"(name) => {{ const text = ({FIGURE})(name); return text !== undefined && ({condition}); }}",
            arg=name,
            timeout=SOON_MS,
        )

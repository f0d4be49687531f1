"""Starts servers, opens pages and looks at them for the browser tests."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

START_TIMEOUT_S = 60
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SOON_MS = 20_000


@dataclass
class ServerProcess:
    """`realtime serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(re.findall(r":(\d+)/", self.url)[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


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
            process.wait(10)
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


def shown(page: Page) -> np.ndarray:
    """What the output shows, as float [H, W, 3]."""
    picture = Image.open(io.BytesIO(output(page).screenshot())).convert("RGB").resize((64, 64))
    return np.asarray(picture, np.float32)


def start_camera(page: Page) -> None:
    page.get_by_role("button", name="Camera").click()
    expect(page.get_by_text("The restyled picture appears here.")).to_be_hidden(timeout=SOON_MS)


def session_of(server: ServerProcess) -> dict[str, Any]:
    """The connected session; those of pages that are closed wait to be resumed."""
    with urlopen(server.url + "api/sessions") as answer:
        return next(session for session in json.load(answer)["sessions"] if session["connected"])


FIGURE = """(name) => [...document.querySelectorAll("dl > div")]
    .find((one) => one.querySelector("dt").textContent === name)?.querySelector("dd").textContent.trim()"""


def wait_for_figure(page: Page, name: str, condition: str) -> None:
    """Wait until a number of the measurements below the stage is as wanted: JavaScript on `text`."""
    page.wait_for_function(
        f"(name) => {{ const text = ({FIGURE})(name); return text !== undefined && ({condition}); }}",
        arg=name,
        timeout=SOON_MS,
    )

"""Starts servers and opens pages for the browser tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

START_TIMEOUT_S = 60


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

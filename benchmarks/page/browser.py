"""A real Chromium before a real server, with a camera that shows a face.

Must not know what is done there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from realtime.bench.errors import BenchError

FACE = Path(__file__).parents[2] / "tests" / "data" / "frames" / "astronaut.jpg"
WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30, 60
CAMERA_SHAPE = WIDTH / HEIGHT
SWAY_PX = 4
"""How far the face moves: no two pictures are the same, and any two are alike."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
READY_MS = 180_000
"""A model may have to be loaded before."""


def write_camera(path: Path) -> None:
    """Y4M, two seconds: a face that sways."""
    photo = cv2.imread(str(FACE))
    if photo is None:
        raise BenchError(f"{FACE} can't be read: run this in the root of a checkout")
    tall = photo.shape[1] * HEIGHT // WIDTH
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(FRAMES):
            shift = round(SWAY_PX * (1 + np.sin(2 * np.pi * index / FRAMES)))
            view = photo[: tall - 2 * SWAY_PX, shift : shift + photo.shape[1] - 2 * SWAY_PX]
            frame = cv2.resize(view, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())


def program() -> str:
    """The browser's program.

    Raises:
        BenchError: there is none.
    """
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        raise BenchError(f"no Chromium: install one of {', '.join(PROGRAMS)}")
    return path


def arguments(camera: Path) -> list[str]:
    """Its arguments, with a file as its camera."""
    return [
        "--no-sandbox",
        "--no-first-run",
        "--disable-background-networking",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        "--allow-loopback-in-peer-connection",
    ]


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser that lets the page have its camera.

    Raises:
        BenchError: there is none.
    """
    path = program()
    with tempfile.TemporaryDirectory(prefix="realtime-bench-") as folder, sync_playwright() as playwright:
        camera = Path(folder) / "camera.y4m"
        write_camera(camera)
        browser = playwright.chromium.launch(executable_path=path, args=arguments(camera))
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A page, and what it said on its console."""

    page: Page
    said: list[str] = field(default_factory=list[str])


@contextmanager
def opened(context: BrowserContext, url: str, *scripts: str) -> Generator[Opened]:
    """The page at an address, in a context that is closed with it.

    Args:
        scripts: JavaScript that runs before the page's own.
    """
    one = Opened(context.new_page())
    one.page.set_default_timeout(READY_MS)
    for script in scripts:
        one.page.add_init_script(script)
    one.page.on("console", lambda said: one.said.append(f"{said.type}: {said.text} ({said.location['url']})"))
    one.page.on("pageerror", lambda error: one.said.append(f"error: {error}"))
    try:
        one.page.goto(url)
        yield one
    except Error as error:
        raise BenchError(f"the page at {url.partition('?')[0]} did not do what was asked: {error.message}") from error
    finally:
        context.close()


def wait_until_ready(page: Page) -> None:
    """Wait until the studio has its session."""
    page.locator(".state[data-state=open]").wait_for(timeout=READY_MS)

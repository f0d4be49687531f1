"""A real Chromium with a fake camera that shows a real photograph in motion, and a real server process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from .driver import SOON_MS, free_port

PHOTO = Path(__file__).parent.parent / "data" / "frames" / "astronaut.jpg"
CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_FRAMES = 320, 240, 60
REMOTE_NAME = "realtime.test"
"""Leads to this machine, and to a page looks like another."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

expect.set_options(timeout=SOON_MS)


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Y4M, 10 fps: a slow pan over the photograph, there and back."""
    photo = cv2.imread(str(PHOTO))
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{CAMERA_WIDTH} H{CAMERA_HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(CAMERA_FRAMES):
            shift = round(40 * (1 + np.sin(2 * np.pi * index / CAMERA_FRAMES)))
            view = photo[40 + shift // 2 : 40 + shift // 2 + 340, shift : shift + 430]
            small = cv2.resize(view, (CAMERA_WIDTH, CAMERA_HEIGHT), interpolation=cv2.INTER_AREA)
            file.write(b"FRAME\n" + cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def remote_port() -> int:
    """A free port: the browser must know beforehand which insecure address it may trust with a camera."""
    return free_port()


@pytest.fixture(scope="session")
def launching(camera_file: Path, remote_port: int) -> dict[str, Any]:
    """What a browser is started with."""
    path = browser_path()
    if path is None:
        message = f"no Chromium found (looked for {', '.join(BROWSERS)})"
        if os.environ.get("REALTIME_TEST_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    args = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
        "--allow-loopback-in-peer-connection",
        f"--host-resolver-rules=MAP {REMOTE_NAME} 127.0.0.1",
        f"--unsafely-treat-insecure-origin-as-secure=http://{REMOTE_NAME}:{remote_port}",
    ]
    return {"executable_path": path, "timeout": 2 * SOON_MS, "args": args}


# Not for the session: Playwright keeps an event loop running, and tests with one of their own come after these.
@pytest.fixture(scope="module")
def browser(launching: dict[str, Any]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**launching)
        yield chromium
        chromium.close()

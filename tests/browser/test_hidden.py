"""A page out of sight goes on sending: in a Chromium that is driven without the tools that keep pages in sight."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

from .driver import SOON_MS, ServerProcess, serving, session_of, until

PICTURES = 30
"""More than the timers of a page out of sight would send: one a second, or one a minute."""
CLICK_CAMERA = """(() => {
    const button = [...document.querySelectorAll("button")].find((each) => /Camera/.test(each.textContent));
    button?.click();
    return button !== undefined;
})()"""


class Tab:
    """A tab of a browser, by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers; empty where it can't, as to a page that is being loaded."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._connection.recv(SOON_MS / 1000))).get("id") != number:
            pass
        return answer.get("result", {})

    def evaluate(self, expression: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def minimise(self) -> None:
        window = self.ask("Browser.getWindowForTarget")["windowId"]
        self.ask("Browser.setWindowBounds", windowId=window, bounds={"windowState": "minimized"})


@contextmanager
def chromium(launching: dict[str, Any], profile: Path, url: str) -> Iterator[Tab]:
    """A Chromium of its own that shows a page."""
    options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [launching["executable_path"], *options, *launching["args"], url], stderr=subprocess.DEVNULL
    )
    try:
        port_file = profile / "DevToolsActivePort"
        until(port_file.exists, bool, "the browser listens")
        port = until(port_file.read_text, lambda text: "\n" in text, "it says where").split("\n")[0]
        tab = until(lambda: page_of(port), bool, "the page is there")
        with connect(tab["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.wait(SOON_MS / 1000)


def page_of(port: str) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return next((target for target in json.load(answer) if target["type"] == "page"), {})


def frames_in(server: ServerProcess) -> int:
    with urlopen(server.url + "metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("realtime_frames_received_total"))


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_page_out_of_sight_goes_on_to_send(launching: dict[str, Any], tmp_path: Path, transport: str) -> None:
    with serving("--model", "echo") as server, chromium(launching, tmp_path, server.url) as tab:
        tab.evaluate(f"localStorage.setItem('realtime.transport', {json.dumps(transport)!r}); window.isOld = true")
        tab.evaluate("location.reload()")
        until(
            lambda: tab.evaluate("window.isOld !== true && 'loaded'"), lambda seen: seen == "loaded", "the page is new"
        )
        until(lambda: tab.evaluate(CLICK_CAMERA), bool, "the camera is chosen")
        session_of(server)
        until(lambda: frames_in(server), lambda count: count > 3, "the camera's pictures arrive")
        tab.minimise()
        until(lambda: tab.evaluate("document.hidden"), bool, "it is out of sight")
        before = frames_in(server)

        until(lambda: frames_in(server), lambda count: count > before + PICTURES, "pictures go on to arrive")

        assert tab.evaluate("document.hidden")

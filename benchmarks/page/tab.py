"""A tab of a Chromium by its own protocol alone: other drivers keep every page in sight.

Must not know what the page is.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from realtime.bench.errors import BenchError

T = TypeVar("T")
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05


def wait_for(look: Callable[[], T], what: str) -> T:
    """Look until there is something, and give that.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + PATIENCE_S
    while not (found := look()):
        if time.monotonic() > end_s:
            raise BenchError(f"{what}: not so within {PATIENCE_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return found


class Tab:
    """A tab, by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers; empty where it can't, as to a page that is being loaded."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._connection.recv(PATIENCE_S))).get("id") != number:
            pass
        return answer.get("result", {})

    def evaluate(self, expression: str) -> Any:
        """JavaScript's value; None where there is none."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    def show(self, *, is_seen: bool) -> None:
        """Put the window in sight, or out of it."""
        window = self.ask("Browser.getWindowForTarget")["windowId"]
        state = "normal" if is_seen else "minimized"
        self.ask("Browser.setWindowBounds", windowId=window, bounds={"windowState": state})


@contextmanager
def chromium_tab(program: str, args: Sequence[str], profile: Path, url: str) -> Generator[Tab]:
    """A Chromium of its own that shows a page.

    Args:
        args: further ones of the program.
        profile: a folder, still empty.

    Raises:
        BenchError: it shows none.
    """
    options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen([program, *options, *args, url], stderr=subprocess.DEVNULL)
    try:
        file = profile / "DevToolsActivePort"
        port = wait_for(lambda: file.exists() and "\n" in (said := file.read_text()) and said, "the browser listens")
        tab = wait_for(lambda: _page_of(str(port).split("\n")[0]), "the page is there")
        with connect(tab["webSocketDebuggerUrl"], max_size=None) as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _page_of(port: str) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return next((target for target in json.load(answer) if target["type"] == "page"), {})

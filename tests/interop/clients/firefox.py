"""A peer of /rtc in Firefox, driven over WebDriver BiDi, which is JSON on a WebSocket.

Source: https://w3c.github.io/webdriver-bidi/ (session.new, browsingContext, script.evaluate).
Options: binary, url, pages (opened one after the other), calls (arguments of browser.js's function).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    # The other host of the test has no certificate.
    "media.devices.insecure.enabled": True,
    "media.getusermedia.insecure.enabled": True,
    "media.autoplay.default": 0,
    # What it would ask the world on its own.
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
PATIENCE_S = 60.0


class Firefox:
    """One tab."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self._commands = 0
        self._command("session.new", capabilities={})
        self._tab = self._command("browsingContext.create", type="tab")["context"]

    def _command(self, method: str, **params: Any) -> dict[str, Any]:
        self._commands += 1
        self._websocket.send(json.dumps({"id": self._commands, "method": method, "params": params}))
        while True:
            answer = json.loads(self._websocket.recv(timeout=PATIENCE_S))
            if answer.get("id") == self._commands:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, url: str) -> None:
        """Go to an address, and wait until it is loaded."""
        self._command("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, function: str, argument: Any) -> Any:
        """What an async function of JavaScript answers, by way of JSON."""
        expression = f"({function})({json.dumps(argument)}).then(JSON.stringify)"
        answer = self._command(
            "script.evaluate", expression=expression, target={"context": self._tab}, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])


def listening_at(said: Path) -> str:
    """Where Firefox listens, once it says so."""
    end_s = time.monotonic() + PATIENCE_S
    while (found := re.search(r"WebDriver BiDi listening on (ws://\S+)\n", said.read_text())) is None:
        assert time.monotonic() < end_s, said.read_text()
        time.sleep(0.05)
    return found[1]


@contextmanager
def firefox(binary: str) -> Iterator[Firefox]:
    """A headless Firefox with a fake camera while the block runs."""
    lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items()]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        Path(profile, "user.js").write_text("\n".join(lines))
        command = [binary, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        said = Path(profile, "said.txt")  # no pipe: one that nobody reads any more fills, and then Firefox waits
        with said.open("w") as file:
            process = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)
        try:
            with connect(f"{listening_at(said)}/session", max_size=None, proxy=None) as websocket:
                yield Firefox(websocket)
        finally:
            process.kill()
            process.wait()


def main() -> None:
    options = json.loads(sys.argv[1])
    script = Path(__file__).with_name("browser.js").read_text()
    function = "\n".join(line for line in script.split("\n") if not line.startswith("//")).strip().removesuffix(";")
    with firefox(options["binary"]) as tab:
        for page in options["pages"]:
            tab.open(page)
        for call in options["calls"]:
            print(json.dumps({"event": "called", **tab.evaluate(function, call)}), flush=True)


if __name__ == "__main__":
    main()

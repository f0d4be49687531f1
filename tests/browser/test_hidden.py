"""A page out of sight goes on sending: in a Chromium that is driven without the tools that keep pages in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.page.hidden import begin, received
from benchmarks.page.tab import chromium_tab
from realtime.bench.servers import Process

from .driver import serving, until

PICTURES = 30
"""More than the timers of a page out of sight would send: one a second, or one a minute."""


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_page_out_of_sight_goes_on_to_send(launching: dict[str, Any], tmp_path: Path, transport: str) -> None:
    with serving("--model", "echo") as server:
        process = Process(server.process.pid, server.url)
        with chromium_tab(launching["executable_path"], launching["args"], tmp_path, server.url) as tab:
            begin(tab, process, transport)
            tab.show(is_seen=False)
            until(lambda: tab.evaluate("document.hidden"), bool, "it is out of sight")
            before = received(process)

            until(lambda: received(process), lambda count: count > before + PICTURES, "pictures go on to arrive")

            assert tab.evaluate("document.hidden")

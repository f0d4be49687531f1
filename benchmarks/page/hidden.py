"""How many pictures of a camera a page sends while nobody sees it, beside those that it sends in sight.

Must not know how it keeps time there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from realtime.bench import report
from realtime.bench.servers import Process, start

from ..comparison import Comparison
from ..console import show
from ..repeats import Numbers
from .browser import arguments, program, write_camera
from .stage import SERVER
from .tab import Tab, chromium_tab, wait_for

TRANSPORTS = ("websocket", "webrtc")
IN_SIGHT, OUT_OF_SIGHT = "in sight", "out of sight"
LEAST_FPS = 20.0
"""Of a camera of 30."""
SETTLE_S = 3.0
RECEIVED = "realtime_frames_received_total"
CLICK_CAMERA = """(() => {
    const button = [...document.querySelectorAll("button")].find((each) => /Camera/.test(each.textContent));
    button?.click();
    return button !== undefined;
})()"""


def begin(tab: Tab, server: Process, transport: str) -> None:
    """Open the page anew with this transport, and choose the camera."""
    tab.evaluate(f"localStorage.setItem('realtime.transport', {json.dumps(transport)!r}); window.isOld = true")
    tab.evaluate("location.reload()")
    wait_for(lambda: tab.evaluate("window.isOld !== true && 'loaded'"), "the page is new")
    wait_for(lambda: tab.evaluate(CLICK_CAMERA), "the camera is chosen")
    before = received(server)
    wait_for(lambda: received(server) > before + 3, "the camera's pictures arrive")


def received(server: Process) -> float:
    """Frames that the server has got."""
    return server.metric(RECEIVED) or 0.0


def rate(server: Process, seconds: float) -> Numbers:
    """Frames a second that the server gets."""
    time.sleep(SETTLE_S)
    before, begun_s = received(server), time.monotonic()
    time.sleep(seconds)
    return {"fps": (received(server) - before) / (time.monotonic() - begun_s)}


def hidden_bench(
    model: str = "echo",
    repetitions: int = 3,
    seconds: float = 10.0,
    *,
    options: Iterable[str] = (),
    output: Path | None = None,
) -> dict[str, Any]:
    """Minimise the page's window, and look how many pictures go on to come.

    Args:
        seconds: of each look.
        options: further ones of `realtime serve`.
        output: a file that gets the JSON object too.

    Raises:
        BenchError: no picture came, or there is no Chromium.
    """
    comparison = Comparison(repetitions)
    answer: dict[str, Any] = report.header("hidden")
    answer |= {"model": model, "settings": {"repetitions": repetitions, "seconds": seconds}}
    for transport in TRANSPORTS:
        with start(*SERVER, "--model", model, *options) as server, tempfile.TemporaryDirectory() as folder:
            camera = Path(folder) / "camera.y4m"
            write_camera(camera)
            with chromium_tab(program(), arguments(camera), Path(folder) / "profile", server.url) as tab:
                begin(tab, server, transport)

                def look(state: str, tab: Tab, server: Process) -> Numbers:
                    tab.show(is_seen=state == IN_SIGHT)
                    wait_for(lambda: tab.evaluate("document.hidden") is (state == OUT_OF_SIGHT), f"it is {state}")
                    return rate(server, seconds)

                arms = {state: partial(look, state, tab, server) for state in (IN_SIGHT, OUT_OF_SIGHT)}
                runs = comparison.compare(transport, arms)
        median = comparison.measured[transport][OUT_OF_SIGHT]["fps"]["median"]
        comparison.relate(f"{transport}: {OUT_OF_SIGHT} / {IN_SIGHT}", runs[OUT_OF_SIGHT], runs[IN_SIGHT], "fps")
        comparison.want(f"{transport}: fps out of sight", median, LEAST_FPS, at_least=True)
    targets = {name: target.wire() for name, target in comparison.targets.items()}
    show({"scenarios": comparison.measured, "targets": targets})
    answer |= {"scenarios": {}, "comparisons": comparison.measured, "targets": targets}
    report.put_out(answer, output)
    return answer

"""What the styles' tiles cost the live picture: its rate while they are made, beside its rate just before and after.

Must not know how tiles are made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from realtime.bench import report
from realtime.bench.errors import BenchError
from realtime.bench.servers import start, wait_until_climbed

from ..comparison import Comparison
from ..console import show
from ..repeats import Numbers
from .browser import CAMERA_SHAPE, DESKTOP, chromium, opened, wait_until_ready
from .looking import seen, shape, until
from .stage import PROBE, SERVER

ALONE, BESIDE = "without tiles", "beside tiles"
LEAST_SHARE = 0.95
WINDOW_S = 20.0
"""Of each look at the live picture alone; that beside tiles lasts as long as all of them take, at most `MOST_S`."""
MOST_S, CALM_S = 150.0, 300.0
SETTLE_S = 60.0
"""In which the page finds its size, and what that wants is compiled."""
COUNT = "() => stageProbe.frames"


def rate(page: Page, seconds: float, is_over: Locator | None = None) -> float:
    """Live pictures a second, for so long, or until a control may be used again."""
    begun_s, before = time.monotonic(), page.evaluate(COUNT)
    while (spent_s := time.monotonic() - begun_s) < seconds:
        page.wait_for_timeout(250)
        if is_over is not None and spent_s > 1 and is_over.is_enabled():
            break
    return (page.evaluate(COUNT) - before) / (time.monotonic() - begun_s)


def wait_until_made(page: Page, renew: Locator, within_s: float = CALM_S) -> None:
    """Wait until no tiles are being made.

    Raises:
        BenchError: they never end.
    """
    end_s = time.monotonic() + within_s
    while not renew.is_enabled():
        if time.monotonic() > end_s:
            raise BenchError(f"the tiles are not made in {within_s:g} s: the machine is too busy")
        page.wait_for_timeout(250)


def tiles_bench(
    model: str = "tiny",
    repetitions: int = 5,
    *,
    window_s: float = WINDOW_S,
    settle_s: float = SETTLE_S,
    options: Iterable[str] = (),
    output: Path | None = None,
) -> dict[str, Any]:
    """Count a camera's live pictures on a real page, in turns alone and beside tiles.

    Args:
        window_s: seconds of each look at the live picture alone.
        settle_s: seconds of the live picture before.
        options: further ones of `realtime serve`.
        output: a file that gets the JSON object too.

    Raises:
        BenchError: the page did not do what was asked, or there is no Chromium.
    """
    comparison = Comparison(repetitions)
    answer = report.header("tiles") | {"model": model, "settings": {"repetitions": repetitions, "window_s": window_s}}
    with start(*SERVER, "--model", model, *options) as server, chromium() as browser:
        context = browser.new_context(permissions=["camera"], **DESKTOP)
        with opened(context, "about:blank", PROBE) as studio:
            page = studio.page
            page.goto(server.url)
            wait_until_ready(page)
            page.get_by_role("button", name="Camera").click()
            until(page, partial(shape, page), lambda ratio: abs(ratio - CAMERA_SHAPE) < 0.05, "the camera's shape")
            until(page, partial(seen, page), lambda now: float(now[..., 3].min()) == 255, "it is restyled")
            answer["rung"] = str(wait_until_climbed(server))
            renew = page.get_by_role("button", name="Styles of this moment")
            rate(page, settle_s)
            wait_until_made(page, renew)

            def alone() -> Numbers:
                wait_until_made(page, renew)
                return {"fps": rate(page, window_s)}

            def beside() -> Numbers:
                renew.click()
                return {"fps": rate(page, MOST_S, renew)}

            runs = comparison.compare("live", {ALONE: alone, BESIDE: beside})
    share = comparison.relate(f"{BESIDE} / {ALONE}", runs[BESIDE], runs[ALONE], "fps")
    comparison.want("share of the live rate that is left beside tiles", share, LEAST_SHARE, at_least=True)
    answer["comparisons"] = comparison.measured
    answer["scenarios"] = {}
    answer["targets"] = {name: target.wire() for name, target in comparison.targets.items()}
    show({"scenarios": comparison.measured, "targets": answer["targets"]})
    report.put_out(answer, output)
    return answer

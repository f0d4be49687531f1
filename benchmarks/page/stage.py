"""Ten minutes on stage: somebody plays the studio without a pause, and the page is looked at meanwhile.

What a page's main thread does is seen from inside it: a timer that is late, and the browser's own list of long tasks.
Must not know what a server does.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page

from realtime.bench import report
from realtime.bench.servers import start

from ..comparison import Target
from ..console import show_targets
from .browser import DESKTOP, chromium, opened, wait_until_ready
from .looking import seen, until

SERVER = ("realtime", "serve", "--port", "0", "--log-level", "warning")
EVERY_S = 1.5
"""From one thing that is played to the next."""
LOOK_EVERY_S = 20.0
GAP_MS, GROWTH_PERCENT = 100.0, 10.0
TICK_MS = 5
PROBE = f"""(() => {{
    const found = window.stageProbe = {{ gap_ms: 0, tasks: [], frames: 0, isPaused: false }};
    let last_ms = performance.now();
    setInterval(() => {{
        const now_ms = performance.now();
        if (!found.isPaused) found.gap_ms = Math.max(found.gap_ms, now_ms - last_ms - {TICK_MS});
        last_ms = now_ms;
    }}, {TICK_MS});
    new PerformanceObserver((list) => {{
        if (!found.isPaused) found.tasks.push(...list.getEntries().map(({{ duration }}) => duration));
    }}).observe({{ type: "longtask" }});
    const RealSocket = window.WebSocket;
    window.WebSocket = class extends RealSocket {{
        constructor(...rest) {{
            super(...rest);
            if (String(rest[0]).includes("session=preview-")) return;
            this.addEventListener("message", ({{ data }}) => {{ found.frames += data instanceof ArrayBuffer; }});
        }}
    }};
}})()"""
TAKE = """() => {
    const { gap_ms, tasks, frames } = stageProbe;
    Object.assign(stageProbe, { gap_ms: 0, tasks: [], frames: 0 });
    return { gap_ms, frames, task_ms: Math.max(0, ...tasks) };
}"""


@dataclass(slots=True)
class Watched:
    """What was seen of a page, interval by interval.

    Attributes:
        held_mb: after a collection: objects, and the buffers behind arrays and pictures.
        gap_ms: longest time for which the main thread did nothing else, as a timer sees it; the system's scheduler is
            in it.
        longest_task_ms: as the browser sees it, 0 where none took 50 ms.
        fps: pictures that came.
        played: how often what was done.
        slowest_ms: the longest task that the browser saw behind each of these, where one took 50 ms.
    """

    held_mb: list[float] = field(default_factory=list[float])
    gap_ms: list[float] = field(default_factory=list[float])
    longest_task_ms: list[float] = field(default_factory=list[float])
    fps: list[float] = field(default_factory=list[float])
    played: dict[str, int] = field(default_factory=dict[str, int])
    slowest_ms: dict[str, float] = field(default_factory=dict[str, float])

    def grew_percent(self) -> float:
        """By how much the last half of the time has made what is held grow."""
        half = self.held_mb[max(0, len(self.held_mb) // 2 - 1)]
        return round(100 * (self.held_mb[-1] / half - 1), 1)


def held_mb(cdp: CDPSession) -> float:
    """What a page holds after a collection."""
    cdp.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = cdp.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage.get("embedderHeapUsedSize", 0) + usage.get("backingStorageSize", 0)) / 1e6


def deeds(page: Page) -> Iterator[tuple[str, Callable[[], None]]]:
    """What a VJ does, over and over: styles, strength, pads, freeze, bypass, panic, seeds, rewind, layouts, input."""
    styles = page.locator(".tile:not(.like)")
    press = page.locator("body").press

    def style(number: int) -> None:
        if styles.count():
            styles.nth(number % styles.count()).click()

    def save() -> None:
        if page.locator(".pad:has(img)").count() < 6:
            press("k")

    def source(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    for number in itertools.count():
        yield "style", partial(style, number)
        yield "strength", partial(press, "]" if number % 4 < 2 else "[")
        yield "save", save
        yield "pad", partial(press, str(1 + number % 6))
        for key, name in (("b", "bypass"), ("p", "panic"), ("Space", "freeze"), ("x", "swap"), ("z", "rewind")):
            yield name, partial(press, key)
            yield name, partial(press, key)
        yield "seed", partial(press, "r")
        yield "layout", partial(press, "l")
        yield "tempo", partial(press, "t")
        yield "draw", partial(source, "Draw")
        yield "camera", partial(source, "Camera")


def perform(
    page: Page,
    seconds: float = math.inf,
    deeds_max: float = math.inf,
    *,
    every_s: float = EVERY_S,
    look_every_s: float = LOOK_EVERY_S,
) -> Watched:
    """Play a page for so long or so many things, with its output window open, and look at it."""
    cdp = page.context.new_cdp_session(page)
    watched = Watched()
    page.get_by_role("button", name="Camera").click()
    until(page, partial(seen, page), lambda now: float(now[..., 3].min()) == 255, "the camera's picture is restyled")
    with page.expect_popup():
        page.get_by_role("button", name="Output window").click()
    page.evaluate(TAKE)
    begun_s = looked_s = time.monotonic()
    took: list[dict[str, float]] = []
    for name, do in deeds(page):
        do()
        page.wait_for_timeout(1000 * every_s)
        took.append(page.evaluate(TAKE))
        watched.played[name] = watched.played.get(name, 0) + 1
        if (task_ms := took[-1]["task_ms"]) > watched.slowest_ms.get(name, 0):
            watched.slowest_ms[name] = task_ms
        now_s = time.monotonic()
        is_over = now_s - begun_s >= seconds or sum(watched.played.values()) >= deeds_max
        if not is_over and now_s - looked_s < look_every_s:
            continue
        _look(page, cdp, watched, took, now_s - looked_s)
        took, looked_s = [], time.monotonic()
        if is_over:
            return watched
    raise AssertionError("deeds have no end")


def _look(page: Page, cdp: CDPSession, watched: Watched, took: list[dict[str, float]], seconds: float) -> None:
    # A collection that we ask for is none of the page's.
    page.evaluate("() => { stageProbe.isPaused = true }")
    watched.held_mb.append(round(held_mb(cdp), 2))
    page.wait_for_timeout(200)
    page.evaluate("() => { stageProbe.isPaused = false }")
    page.evaluate(TAKE)
    watched.gap_ms.append(round(max(one["gap_ms"] for one in took), 1))
    watched.longest_task_ms.append(round(max(one["task_ms"] for one in took), 1))
    watched.fps.append(round(sum(one["frames"] for one in took) / seconds, 1))


def stage_bench(
    model: str = "tiny",
    minutes: float = 10.0,
    *,
    options: Iterable[str] = (),
    pictures: Path | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Play the page for so long.

    Args:
        options: further ones of `realtime serve`.
        pictures: a folder for a screenshot of its end.
        output: a file that gets the JSON object too.

    Raises:
        BenchError: the page did not do what was asked, or there is no Chromium.
    """
    answer = report.header("stage") | {"model": model, "settings": {"minutes": minutes}}
    with start(*SERVER, "--model", model, *options) as server, chromium() as browser:
        context = browser.new_context(permissions=["camera"], **DESKTOP)
        with opened(context, "about:blank", PROBE) as studio:
            studio.page.goto(server.url)
            wait_until_ready(studio.page)
            watched = perform(studio.page, 60 * minutes)
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                studio.page.screenshot(path=pictures / "stage.png")
        said = studio.said
    targets = {
        "longest gap of the main thread, ms": Target(max(watched.gap_ms), GAP_MS),
        "what is held grew in the last half, %": Target(watched.grew_percent(), GROWTH_PERCENT),
        "console messages": Target(len(said), 0),
    }
    answer["stage"] = {
        "played": watched.played,
        "slowest_ms": dict(sorted(watched.slowest_ms.items(), key=lambda one: -one[1])),
        "held_mb": watched.held_mb,
        "gap_ms": watched.gap_ms,
        "longest_task_ms": watched.longest_task_ms,
        "fps": watched.fps,
        "said": said[:20],
    }
    answer["targets"] = {name: target.wire() for name, target in targets.items()}
    show_targets(answer["targets"])
    report.put_out(answer, output)
    return answer

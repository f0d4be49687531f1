"""How long the pen waits for its picture, and whether drawing gathers memory.

`python -m tests.browser.measure_drawing`

Draws in a real Chromium on a real server of `--model echo` on this machine. A movement's time is the browser's own
stamp on the pointer event; its picture is the first that was captured after it, and counts when it has been drawn on
the output's canvas. (The screen itself adds up to one refresh, which a page can't see.) What undo holds is the pixels
of all `ImageData` on the page's heap. A minute is long enough to fill it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from .conftest import browser_path
from .driver import DESKTOP, SOON_MS, opened, serving

STEP_S = 1 / 120
"""A mouse or pen of 120 Hz."""
LEVEL_PERCENT = 10.0
"""What is held levels off where the last half of the time adds no more than this."""
FIGURES_S = 4.0
"""One figure of the pen, before it is lifted."""

PROBE = """() => {
    const moves = [], sent = new Map(), bitmaps = new WeakMap(), waits = [];
    const parts = { pack: [], trip: [], show: [] };
    let received = null;
    const header = (data) => new DataView(data);
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        if (data instanceof ArrayBuffer) {
            const captured_ms = Number(header(data).getBigUint64(8, true)) / 1000;
            sent.set(header(data).getUint32(4, true), { captured_ms, at_ms: performance.now() });
        }
        return send.call(this, data);
    };
    const RealSocket = WebSocket;
    window.WebSocket = class extends RealSocket {
        constructor(...rest) {
            super(...rest);
            this.addEventListener("message", ({ data }) => {
                if (!(data instanceof ArrayBuffer)) return;
                received = { seq: header(data).getUint32(4, true), at_ms: performance.now() };
            });
        }
    };
    const decode = window.createImageBitmap;
    window.createImageBitmap = async (image, ...rest) => {
        const answer = image instanceof Blob ? received : null;
        const bitmap = await decode(image, ...rest);
        if (answer) bitmaps.set(bitmap, answer);
        return bitmap;
    };
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
        draw.call(this, image, ...rest);
        const answer = image instanceof ImageBitmap ? bitmaps.get(image) : undefined;
        const frame = answer && sent.get(answer.seq);
        if (!frame) return;
        const now_ms = performance.now();
        parts.pack.push(frame.at_ms - frame.captured_ms);
        parts.trip.push(answer.at_ms - frame.at_ms);
        parts.show.push(now_ms - answer.at_ms);
        while (moves.length > 0 && moves[0].seen_ms <= frame.captured_ms) waits.push(now_ms - moves.shift().stamp_ms);
    };
    const kind = "onpointerrawupdate" in window && isSecureContext ? "pointerrawupdate" : "pointermove";
    addEventListener(kind, (event) => {
        if (event.buttons) moves.push({ stamp_ms: event.timeStamp, seen_ms: performance.now() });
    }, true);
    window.measured = { waits, parts };
}"""


def draw(page: Page, seconds: float) -> None:
    """Loops over the drawing surface, lifted now and then."""
    box = page.get_by_label("Drawing surface").bounding_box()
    assert box is not None
    middle_x, middle_y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    radius = min(box["width"], box["height"]) * 0.4
    began = due = time.monotonic()
    lifts_at = began
    while (now := time.monotonic()) < began + seconds:
        angle = (now - began) * 3
        x, y = middle_x + radius * math.cos(angle), middle_y + radius * math.sin(angle * 1.31)
        if now >= lifts_at:
            page.mouse.up()
            page.mouse.move(x, y)
            page.mouse.down()
            lifts_at = now + FIGURES_S
        page.mouse.move(x, y)
        due += STEP_S
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic() - STEP_S)
    page.mouse.up()


def spread(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def held_bytes(cdp: CDPSession) -> int:
    """What the page holds after a collection: objects, and the buffers behind arrays and pictures."""
    cdp.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = cdp.send("Runtime.getHeapUsage")
    return round(usage["usedSize"] + usage.get("embedderHeapUsedSize", 0) + usage.get("backingStorageSize", 0))


def kept_bytes(cdp: CDPSession, kind: str, size: str) -> int:
    """What all objects of a kind that the page still holds weigh together: `size` is JavaScript on one of them."""
    prototype = cdp.send("Runtime.evaluate", {"expression": f"{kind}.prototype", "objectGroup": "kept"})["result"]
    found = cdp.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"], "objectGroup": "kept"})
    summed = cdp.send(
        "Runtime.callFunctionOn",
        {
            "objectId": found["objects"]["objectId"],
            "functionDeclaration": f"function () {{ return this.reduce((sum, one) => sum + one.{size}, 0); }}",
            "returnByValue": True,
        },
    )
    cdp.send("Runtime.releaseObjectGroup", {"objectGroup": "kept"})
    return round(summed["result"]["value"])


def grew_percent(held: list[int]) -> float:
    """By how much the last half of the drawing has made what is held grow."""
    return round(100 * (held[-1] / held[len(held) // 2 - 1] - 1), 1)


def measure(page: Page, cdp: CDPSession, seconds: float) -> dict[str, Any]:
    draw(page, 2)
    page.evaluate(
        "() => { measured.waits.length = 0; for (const part of Object.values(measured.parts)) part.length = 0 }"
    )
    held: list[int] = []
    undo: list[int] = []
    part_s = seconds / 4
    for _ in range(4):
        draw(page, part_s)
        held.append(held_bytes(cdp))
        undo.append(kept_bytes(cdp, "ImageData", "data.byteLength"))
    page.wait_for_timeout(500)
    found = page.evaluate("() => measured")
    return {
        "movements": len(found["waits"]),
        "movement_to_picture_ms": spread(found["waits"]),
        "parts_ms": {name: spread(values) for name, values in found["parts"].items()},
        "pictures_fps": round(len(found["parts"]["show"]) / seconds, 1),
        "held_mb_after_each_quarter": [round(each / 1e6, 2) for each in held],
        "of_that_undo_mb": [round(each / 1e6, 2) for each in undo],
        "last_half_grew_percent": grew_percent(held),
        "levels_off": grew_percent(held) <= LEVEL_PERCENT,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to draw")
    parser.add_argument("--model", default="echo")
    options = parser.parse_args()
    with serving("--model", options.model) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        with opened(browser, "about:blank", viewport=DESKTOP) as watched:
            page = watched.page
            page.add_init_script(f"({PROBE})()")
            page.goto(server.url)
            page.get_by_role("button", name="Draw").click()
            page.get_by_text("The restyled picture appears here.").wait_for(state="hidden", timeout=SOON_MS)
            result = measure(page, page.context.new_cdp_session(page), options.seconds)
        browser.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()

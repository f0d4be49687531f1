"""A model's fastest rung beside eager mode, end to end: over real sockets, server and client on the same processors.

Must not know what a rung is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from realtime.bench.load import drive
from realtime.bench.measures import measure
from realtime.bench.pacer import Camera
from realtime.bench.pictures import photo_jpegs
from realtime.bench.servers import Process, serving, wait_until_climbed

from ..comparison import Comparison
from ..repeats import Numbers

EMBEDDED_MODEL = "tiny"
WANTED_FPS = {256: 40.0, 384: 25.0, 512: 15.0}
"""Of the embedded model on two cores, by the pictures' side in pixels; frames come in that size, as the page's do."""
SETTLE_S = 8.0
"""How long a size is in use before networks are made for it alone."""
PICTURES = 8
WANTED_RATIO = 2.0
"""Of the embedded model on two cores at 256×256, whose fastest rung is OpenVINO."""


def measure_rungs(comparison: Comparison, model: str, warmup_s: float, seconds: float) -> None:
    """Pictures a second of one client that keeps to its window: a server on its highest rung and one in eager mode.

    Args:
        model: as in `realtime serve`. Of the embedded one something is wanted.
        warmup_s, seconds: of each run, in turns.
    """
    with serving(model) as fast, serving(model, "--accelerate", "off") as eager:
        wait_until_climbed(fast)
        for side, wanted_fps in WANTED_FPS.items():
            name = f"rungs_{side}"
            pictures = photo_jpegs(PICTURES, side, side)
            _run(fast, pictures, side, 0.0, SETTLE_S)
            wait_until_climbed(fast)
            arms = {
                arm: partial(_run, process, pictures, side, warmup_s, seconds)
                for arm, process in {"highest": fast, "eager": eager}.items()
            }
            runs = comparison.compare(name, arms)
            ratio = comparison.relate(f"{name}_fps", runs["highest"], runs["eager"], "fps")
            if model != EMBEDDED_MODEL:
                continue
            fps = comparison.measured[name]["highest"]["fps"]["median"]
            comparison.want(f"{name}_fps", fps, wanted_fps, at_least=True)
            if side == min(WANTED_FPS):
                comparison.want(f"{name}_fps_to_eager", ratio, WANTED_RATIO, at_least=True)


def _run(process: Process, pictures: Sequence[bytes], side: int, warmup_s: float, seconds: float) -> Numbers:
    # A camera faster than anything: its window alone holds it back.
    cameras = [Camera(240.0, windowed=True)]
    params = {"num_inference_steps": 1, "width": side, "height": side}
    run = asyncio.run(
        drive(process.websocket_url, cameras, pictures, size=None, warmup_s=warmup_s, seconds=seconds, params=params)
    )
    measures = measure(run)
    latency_ms = measures["latency_ms"]
    return {"fps": measures["fps"], "p50_ms": latency_ms["p50"], "p95_ms": latency_ms["p95"]}

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
OWN_SIZE_PX = 256
"""Of the embedded model's pictures: the page sends them in the size that comes back."""
PICTURES = 8
STEPS = (1, 2)
WANTED_FPS = {1: 30.0, 2: 22.0}
WANTED_RATIO = 2.0
"""Of the embedded model on two cores, whose fastest rung is OpenVINO."""


def measure_rungs(comparison: Comparison, model: str, warmup_s: float, seconds: float) -> None:
    """Pictures a second of one client that keeps to its window: a server on its highest rung and one in eager mode.

    Args:
        model: as in `realtime serve`. Of the embedded one something is wanted.
        warmup_s, seconds: of each run, in turns.
    """
    pictures = photo_jpegs(PICTURES, OWN_SIZE_PX, OWN_SIZE_PX)
    with serving(model) as fast, serving(model, "--accelerate", "off") as eager:
        wait_until_climbed(fast)
        for steps in STEPS:
            name = f"rungs_{steps}_step"
            arms = {
                arm: partial(_run, process, pictures, steps, warmup_s, seconds)
                for arm, process in {"highest": fast, "eager": eager}.items()
            }
            runs = comparison.compare(name, arms)
            ratio = comparison.relate(f"{name}_fps", runs["highest"], runs["eager"], "fps")
            if model != EMBEDDED_MODEL:
                continue
            fps = comparison.measured[name]["highest"]["fps"]["median"]
            comparison.want(f"{name}_fps", fps, WANTED_FPS[steps], at_least=True)
            if steps == 1:
                comparison.want(f"{name}_fps_to_eager", ratio, WANTED_RATIO, at_least=True)


def _run(process: Process, pictures: Sequence[bytes], steps: int, warmup_s: float, seconds: float) -> Numbers:
    # A camera faster than anything: its window alone holds it back.
    cameras = [Camera(240.0, windowed=True)]
    run = asyncio.run(
        drive(
            process.websocket_url,
            cameras,
            pictures,
            size=None,
            warmup_s=warmup_s,
            seconds=seconds,
            params={"num_inference_steps": steps},
        )
    )
    measures = measure(run)
    latency_ms = measures["latency_ms"]
    return {"fps": measures["fps"], "p50_ms": latency_ms["p50"], "p95_ms": latency_ms["p95"]}

"""A model's fastest rung beside eager mode, end to end: over real sockets, server and client on the same processors.

Must not know what a rung is.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence
from functools import partial

from ..engine.state import RungState
from .comparison import Comparison
from .load import BenchError, drive
from .measures import measure
from .pacer import Camera
from .repeats import Numbers
from .servers import Process

STEPS = (1, 2)
WANTED_FPS = {1: 30.0, 2: 22.0}
WANTED_RATIO = 2.0
"""Of the embedded model on two cores, whose fastest rung is OpenVINO."""
CLIMB_TIMEOUT_S, LOOK_EVERY_S = 300.0, 0.5


def wait_until_climbed(process: Process) -> str:
    """Until the server runs on its highest rung; says which that is, in words.

    Raises:
        BenchError: that took too long.
    """
    end_s = time.monotonic() + CLIMB_TIMEOUT_S
    while True:
        with urllib.request.urlopen(f"{process.url}api/config", timeout=5) as answer:
            state = json.load(answer)["rung_state"]
        rung = RungState.parse(state) if state is not None else None
        if rung is not None and rung.doing is None:
            return str(rung)
        if time.monotonic() > end_s:
            raise BenchError(f"the server still climbs after {CLIMB_TIMEOUT_S:g} s: {rung}")
        time.sleep(LOOK_EVERY_S)


def measure_rungs(
    comparison: Comparison,
    fast: Process,
    eager: Process,
    pictures: Sequence[bytes],
    warmup_s: float,
    seconds: float,
    *,
    is_embedded: bool,
) -> None:
    """Pictures a second of one client that keeps to its window, with both servers in turns.

    Args:
        fast: on its highest rung.
        eager: `--accelerate off`.
        pictures: what the client sends; of the model's own size, as the page sends them.
        is_embedded: whether it is the embedded model, of which something is wanted.
    """
    for steps in STEPS:
        name = f"rungs_{steps}_step"
        arms = {
            arm: partial(_run, process, pictures, steps, warmup_s, seconds)
            for arm, process in {"highest": fast, "eager": eager}.items()
        }
        runs = comparison.compare(name, arms)
        ratio = comparison.relate(f"{name}_fps", runs["highest"], runs["eager"], "fps")
        if not is_embedded:
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

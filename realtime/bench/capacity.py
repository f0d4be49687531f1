"""How many live streams a server carries: one more at a time, until they come late.

Must not know how one run is driven.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from . import report
from .load import drive
from .measures import Measures, Usage, measure
from .pacer import Camera
from .pictures import photo_jpegs
from .raw import write_raw
from .servers import Process, serving

FPS = 30.0
WANTED_FPS = 29.0
DROPPED_AT_MOST = 0.01
LIMITS_MS = (66.0, 100.0)
FIXED = (1, 4, 8)
PICTURES = 8
SEED = 7
WARMUP_S = 2.0
STREAMS_AT_MOST = 64


def capacity_bench(
    model: str = "echo:10",
    seconds: float = 30.0,
    *,
    options: Sequence[str] = (),
    fixed: Sequence[int] = FIXED,
    side_px: int | None = None,
    at_most: int = STREAMS_AT_MOST,
    raw: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Start a server, give it one stream after another, and print a table and the JSON object.

    Args:
        model: as in `realtime serve`.
        seconds: of each step, after its warm-up.
        options: further ones of `realtime serve`.
        fixed: numbers of streams that are measured in any case.
        side_px: of the pictures that come back; None leaves it to the model.
        at_most: streams.
        raw: a CSV file of every frame.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object: `streams` is the largest number whose 95th percentile keeps below each limit.
    """
    largest = max([at_most, *fixed])
    with serving(model, "--max-sessions", str(largest), *options) as process:
        steps = Steps(process, seconds, side_px, raw)
        found = climb(steps, at_most)
        for count in fixed:
            steps.run(count)
    answer = report.header("capacity") | {
        "model": model,
        "settings": {"seconds": seconds, "fps": FPS, "options": list(options), "side_px": side_px},
        "streams": {f"p95_below_{limit:g}_ms": count for limit, count in found.items()},
        "scenarios": {f"{count}_streams": steps.measured[count] for count in sorted(steps.measured)},
    }
    report.show_runs(answer)
    report.put_out(answer, output)
    return answer


class Steps:
    """Runs of so many streams, each made once.

    Args:
        raw: a CSV file of every frame; see `report.write_raw`.
    """

    def __init__(self, process: Process, seconds: float, side_px: int | None, raw: Path | None = None) -> None:
        self.measured: dict[int, Measures] = {}
        self._process = process
        self._seconds = seconds
        self._warmup_s = min(WARMUP_S, seconds / 2)
        self._size = (side_px, side_px) if side_px else None
        self._pictures = photo_jpegs(PICTURES, side_px or 512, side_px or 512)
        self._raw = raw

    def run(self, count: int) -> Measures:
        """So many cameras with any phase, whose clocks differ by up to 1 %."""
        if count in self.measured:
            return self.measured[count]
        report.progress(f"{count} streams at {FPS:g} fps for {self._seconds:g} s")
        rng = random.Random(SEED)
        cameras = [Camera(FPS * rng.uniform(0.99, 1.01), phase=rng.random()) for _ in range(count)]
        usage = Usage(self._process)
        run = asyncio.run(
            drive(
                self._process.websocket_url,
                cameras,
                self._pictures,
                size=self._size,
                warmup_s=self._warmup_s,
                seconds=self._seconds,
                on_begin=usage.begin,
            )
        )
        measures = measure(run)
        measures |= usage.end(measures["sent"], self._warmup_s + self._seconds, None)
        measures["carried"] = {f"{limit:g}": carried(measures, limit) for limit in LIMITS_MS}
        self.measured[count] = measures
        if self._raw is not None:
            write_raw(self._raw, f"{count}_streams", run)
        return measures


def carried(measures: Measures, limit_ms: float) -> bool:
    """Whether streams came through: in time, nearly every frame, and none of them slower than the others."""
    dropped = 1 - measures["delivered"] / measures["sent"]
    slowest_fps = measures["fps_slowest_client"]
    return measures["latency_ms"]["p95"] < limit_ms and slowest_fps >= WANTED_FPS and dropped < DROPPED_AT_MOST


def climb(steps: Steps, at_most: int) -> dict[float, int]:
    """One stream more at a time; the largest number that is carried within each limit, 0 for none."""
    found = dict.fromkeys(LIMITS_MS, 0)
    for count in range(1, at_most + 1):
        measures = steps.run(count)
        for limit in LIMITS_MS:
            if carried(measures, limit) and found[limit] == count - 1:
                found[limit] = count
        if found[max(LIMITS_MS)] < count:
            break
    return found

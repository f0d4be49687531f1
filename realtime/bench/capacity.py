"""`realtime bench capacity`: the number of streams that a server carries, found by adding one at a time.

Must not know how one run is driven.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import report
from .load import drive
from .measures import Measures, Usage, measure
from .pacer import Camera
from .pictures import photo_jpegs
from .raw import write_raw
from .servers import Process, serving

FPS = 30.0
"""Frame rate of each camera."""
WANTED_FPS = 29.0
"""Least frame rate of the slowest stream that counts as carried."""
DROPPED_AT_MOST = 0.01
"""Largest share of frames without a picture with which streams count as carried."""
LIMITS_MS = (66.0, 100.0)
"""Limits of the 95th percentile of latency, each with a result of its own."""
FIXED = (1, 4, 8)
"""Numbers of streams that are measured in any case, for comparison."""
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
    """Start a server, load it with a growing number of streams, and print a table and the JSON object.

    Args:
        model: as in `realtime serve`.
        seconds: length of each run, after its warm-up.
        options: further options of `realtime serve`.
        fixed: numbers of streams that are measured in any case.
        side_px: width and height of the results; None for the model's own.
        at_most: largest number of streams.
        raw: a CSV file to which every frame is appended.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object; `streams` has the largest number of carried streams for each of `LIMITS_MS`.

    Raises:
        BenchError: it could not be measured.
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
    """Runs with given numbers of streams, each measured once.

    Args:
        process: the server.
        seconds: length of a run, after its warm-up.
        side_px: width and height of the results; None for the model's own.
        raw: a CSV file, see `write_raw`.
        params: further ones of every stream, such as the number of steps, which else is the model's own.

    Attributes:
        measured: by number of streams.
    """

    def __init__(
        self,
        process: Process,
        seconds: float,
        side_px: int | None,
        raw: Path | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.measured: dict[int, Measures] = {}
        self._process = process
        self._seconds = seconds
        self._warmup_s = min(WARMUP_S, seconds / 2)
        self._size = (side_px, side_px) if side_px else None
        self._pictures = photo_jpegs(PICTURES, side_px or 512, side_px or 512)
        self._raw = raw
        self._params = params

    def run(self, count: int) -> Measures:
        """The measures of a run with `count` cameras of random phase, whose clocks differ by up to 1 %."""
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
                params=self._params,
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
    """True if the p95 latency is below the limit, the slowest stream has `WANTED_FPS`, and the share of frames without
    a picture is below `DROPPED_AT_MOST`.
    """
    dropped = 1 - measures["delivered"] / measures["sent"]
    slowest_fps = measures["fps_slowest_client"]
    return measures["latency_ms"]["p95"] < limit_ms and slowest_fps >= WANTED_FPS and dropped < DROPPED_AT_MOST


def climb(steps: Steps, at_most: int) -> dict[float, int]:
    """Add one stream at a time until they are not carried within the largest limit.

    Returns:
        For each of `LIMITS_MS` the largest number up to which all were carried; 0 for none.
    """
    found = dict.fromkeys(LIMITS_MS, 0)
    for count in range(1, at_most + 1):
        measures = steps.run(count)
        for limit in LIMITS_MS:
            if carried(measures, limit) and found[limit] == count - 1:
                found[limit] = count
        if found[max(LIMITS_MS)] < count:
            break
    return found

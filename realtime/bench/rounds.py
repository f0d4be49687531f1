"""Times a function that is called again and again in this process.

Must not know what it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import numbers

WARMUP_ROUNDS = 3


def timed(make: Callable[[], object], frames: int, seconds: float) -> dict[str, float]:
    """Time rounds of a function.

    Args:
        make: runs one round; returns when it is done.
        frames: number of frames in a round.
        seconds: rounds are timed for so long, at least one. Before, `WARMUP_ROUNDS` are run, or fewer where they take
            longer than this.

    Returns:
        `p50_ms` and `p95_ms` of a round, and `ms_per_frame`, the median divided by `frames`.
    """
    warm_s = time.perf_counter() + seconds
    for _ in range(WARMUP_ROUNDS):
        make()
        if time.perf_counter() > warm_s:
            break
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or not times_ms:
        begin_s = time.perf_counter()
        make()
        times_ms.append((time.perf_counter() - begin_s) * 1000)
    spread = numbers.spread(times_ms)
    return {"p50_ms": spread["p50"], "p95_ms": spread["p95"], "ms_per_frame": round(spread["p50"] / frames, 3)}

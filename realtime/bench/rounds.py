"""How long a round of something takes, made over and over in this process.

Must not know what is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import numbers

WARMUP_ROUNDS = 3


def timed(make: Callable[[], object], frames: int, seconds: float) -> dict[str, float]:
    """Make frames over and over.

    Args:
        make: one round; returns when it is done.
        frames: in a round.
        seconds: how long at least; one round at the least. The warm-up ends after as long, too: where a round takes
            seconds, the first says little less than the third.

    Returns:
        Median and 95th percentile of a round's time, and the median's share of a frame.
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

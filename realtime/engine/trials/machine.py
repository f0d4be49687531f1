"""Where a trial runs, and how its rounds are timed.

Must not know who is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

WARMUP_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Machine:
    """Where all contenders run.

    Attributes:
        side_px: of their pictures.
        small: random models of few channels; only to see that everything runs.
        exact: the number format was asked for: no rung may calculate in less.
    """

    device: torch.device
    dtype: torch.dtype
    side_px: int
    small: bool
    exact: bool = False

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def timed(machine: Machine, make: Callable[[], object], frames: int, seconds: float) -> dict[str, float]:
    """Make frames over and over, each round waited for.

    Args:
        make: one round.
        frames: in a round.
        seconds: how long at least; one round at the least. The warm-up ends after as long, too: where a round takes
            seconds, the first says little less than the third.

    Returns:
        Median and 95th percentile of a round's time, and the median's share of a frame.
    """
    warm_s = time.perf_counter() + seconds
    for _ in range(WARMUP_ROUNDS):
        make()
        machine.wait()
        if time.perf_counter() > warm_s:
            break
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or not times_ms:
        begin_s = time.perf_counter()
        make()
        machine.wait()
        times_ms.append((time.perf_counter() - begin_s) * 1000)
    times_ms.sort()
    median_ms = times_ms[len(times_ms) // 2]
    return {
        "p50_ms": round(median_ms, 3),
        "p95_ms": round(times_ms[min(len(times_ms) - 1, int(0.95 * len(times_ms)))], 3),
        "ms_per_frame": round(median_ms / frames, 3),
    }

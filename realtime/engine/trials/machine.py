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
    """

    device: torch.device
    dtype: torch.dtype
    side_px: int
    small: bool

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def timed(machine: Machine, make: Callable[[], object], frames: int, seconds: float) -> dict[str, float]:
    """Make frames over and over, each round waited for.

    Args:
        make: one round.
        frames: in a round.
        seconds: how long at least; two rounds at the least.

    Returns:
        Median and 95th percentile of a round's time, and the median's share of a frame.
    """
    for _ in range(WARMUP_ROUNDS):
        make()
    machine.wait()
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(times_ms) < 2:
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

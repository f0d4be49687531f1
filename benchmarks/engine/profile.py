"""What a frame's time goes to on the device.

Must not know whose frame it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile

from realtime.bench.rounds import WARMUP_ROUNDS

from .machine import Machine

FRAMES = 5


def top_kernels(machine: Machine, make: Callable[[], object], count: int = 25) -> list[dict[str, Any]]:
    """The kernels that take the most time over some frames (on a CPU: the operators).

    Returns:
        For each its name, calls a round, and milliseconds a round; the slowest first.
    """
    for _ in range(WARMUP_ROUNDS):
        make()
    is_cuda = machine.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_cuda else [])]
    with profile(activities=activities) as found:
        for _ in range(FRAMES):
            make()
        machine.wait()

    def took_us(event: Any) -> float:
        return float(event.self_device_time_total if is_cuda else event.self_cpu_time_total)

    events = sorted(found.key_averages(), key=took_us, reverse=True)[:count]
    return [
        {
            "kernel": str(event.key)[:120],
            "calls": round(float(event.count) / FRAMES, 1),
            "ms": round(took_us(event) / 1000 / FRAMES, 4),
        }
        for event in events
    ]

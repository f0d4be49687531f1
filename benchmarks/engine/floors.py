"""What the device can do at best: arithmetic and memory, so that other times mean something.

Must not know models.
"""

from __future__ import annotations

import torch

from realtime.bench.rounds import timed

from .machine import Machine

SIDE, SIDE_SMALL = 8192, 256
COPY_BYTES, COPY_BYTES_SMALL = 2**31, 2**22


def measure_floors(machine: Machine, seconds: float) -> dict[str, float]:
    """A large product of matrices, a large copy, and the shortest thing that can be launched and waited for.

    Returns:
        `matmul_tflops`, `copy_gb_per_s` (bytes read plus bytes written), `launch_ms`.
    """
    side = SIDE_SMALL if machine.small else SIDE
    a = torch.randn(side, side, dtype=machine.dtype, device=machine.device)
    product = torch.empty_like(a)
    matmul_ms = timed(machine.waited(lambda: torch.mm(a, a, out=product)), 1, seconds)["p50_ms"]
    size = COPY_BYTES_SMALL if machine.small else COPY_BYTES
    source = torch.zeros(size, dtype=torch.uint8, device=machine.device)
    target = torch.empty_like(source)
    copy_ms = timed(machine.waited(lambda: target.copy_(source)), 1, seconds)["p50_ms"]
    one = torch.zeros(1, device=machine.device)
    launch_ms = timed(machine.waited(lambda: one.add_(1)), 1, seconds / 4)["p50_ms"]
    return {
        "matmul_tflops": float(f"{2 * side**3 / matmul_ms / 1e9:.3g}") if matmul_ms else 0.0,
        "copy_gb_per_s": round(2 * size / copy_ms / 1e6, 1) if copy_ms else 0.0,
        "launch_ms": launch_ms,
    }


def device_name(device: torch.device) -> str:
    """The device in words, with what drives it."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{device.type}, torch {torch.__version__}, {torch.get_num_threads()} threads"

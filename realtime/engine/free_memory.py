"""How much memory a device has left for one model more, asked without torch; and how much one needs.

Must not import torch: the server's process may have none of it. Must not know models by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..config import Device, Dtype
from .devices import VISIBLE

SMI_S = 10.0
"""How long nvidia-smi may take."""
GPU_RESERVE_BYTES = 2_200_000_000
"""Beside the weights: CUDA's context, four rows of 512×512, what libraries and graphs take (see `device_memory`)."""
HOST_RESERVE_BYTES = 500_000_000
"""Beside the weights: the libraries of a process of its own, and rows."""
HOST_COPIES = 2
"""So many times a model's weights are in the host's memory where it runs there: a rung has its own form of them."""
MEMORY, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def free_memory(device: Device, name: str = "") -> int | None:
    """Bytes of memory that nobody has; None where that can't be told.

    Args:
        device: a kind that a model would run on.
        name: one of `--devices`, as `cuda:1`; empty: the first of its kind.
    """
    match device:
        case Device.CUDA:
            return _free_of_gpu(name.partition(":")[2] or "0")
        case Device.CPU:
            return _free_of_host()
        case _:
            return None


def needed_memory(weights: int, device: Device, dtype: Dtype) -> int:
    """Bytes of a device's memory that a model of so many weights takes, roughly and rather too much."""
    is_wide = dtype is Dtype.FLOAT32 or (dtype is Dtype.AUTO and device is Device.CPU)
    size = weights * (4 if is_wide else 2)
    return HOST_COPIES * size + HOST_RESERVE_BYTES if device is Device.CPU else size + GPU_RESERVE_BYTES


def _free_of_gpu(index: str) -> int | None:
    visible = os.environ.get(VISIBLE)
    tool = shutil.which("nvidia-smi")
    if tool is None or visible in ("", "-1"):
        return None
    try:
        which = index if visible is None else visible.split(",")[int(index)]
        command = [tool, f"--id={which}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=SMI_S, check=True).stdout
        return int(said.strip().splitlines()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _free_of_host() -> int | None:
    """What Linux could give without swapping, and a container's limit where that is less."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    try:
        limit = int((CGROUP / "memory.max").read_text())  # "max" where there is none
        return max(0, min(free, limit - int((CGROUP / "memory.current").read_text())))
    except (OSError, ValueError):
        return free

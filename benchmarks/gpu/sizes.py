"""What others feel when a picture size or a batch is new: the first calls; and the memory that graphs take."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from .engines import GraphsOnModel, job_of, now_ms
from .plan import BATCHES
from .working import Found, Setting

if TYPE_CHECKING:
    from ..engine.machine import Machine
    from ..engine.tapped import TappedEngine

CALLS = 6
"""A size that nobody announced is captured with its third."""
LADDERS = (1, 4, 8)


def sizes(setting: Setting, found: Found) -> None:
    """See the module."""
    engines, machine = setting.engines(), setting.machine()
    found["first_calls"] = {}
    large, larger_px = (2, 8) if setting.dry else (BATCHES[-1], 64)
    for place, batch in enumerate((1, large)):
        side = machine.side_px + larger_px * (1 + place)
        found["first_calls"][f"{side}×{side}, batch {batch}"] = first_calls(engines.graphs, side, batch)
        setting.keep(found)
    found["memory"] = {"with both engines": memory_mb(machine)}
    for ladder in LADDERS[: 1 if setting.dry else None]:
        before = memory_mb(machine)
        ours = GraphsOnModel(engines.folder, engines.eager, machine, ladder)
        found["memory"][f"ladder to {ladder}"] = {
            name: round(value - before[name], 1) for name, value in memory_mb(machine).items()
        }
        ours.close_backend()
        del ours
        empty_cache(machine)
        setting.keep(found)


def first_calls(ours: TappedEngine, side: int, batch: int) -> list[float]:
    """Milliseconds of the first ticks of a new size."""
    took_ms: list[float] = []
    for call in range(CALLS):
        jobs = [job_of(ours, row, call + row, width=side, height=side, num_inference_steps=1) for row in range(batch)]
        begin_ms = now_ms()
        ours.engine.tick(jobs).collect()
        took_ms.append(round(now_ms() - begin_ms, 2))
    return took_ms


def memory_mb(machine: Machine) -> dict[str, float]:
    """What is held on the device, and what its allocator has reserved; on a CPU the process's memory."""
    import torch

    if machine.device.type == "cuda":
        held, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        free, total = torch.cuda.mem_get_info()
        return {"held_mb": held / 2**20, "reserved_mb": reserved / 2**20, "taken_mb": (total - free) / 2**20}
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return {"held_mb": 0.0}
    return {"held_mb": pages * 4096 / 2**20}


def empty_cache(machine: Machine) -> None:
    """Give back what no tensor needs."""
    import torch

    gc.collect()
    if machine.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()

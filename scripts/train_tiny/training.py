"""What the training stages share: a pausable budget, resumable checkpoints, a moving average, devices, teams."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

Tensor = torch.Tensor


class Budget:
    """Counts active minutes. A pause of the whole process (SIGSTOP) longer than `gap_s` does not count."""

    def __init__(self, minutes: float, spent_s: float = 0.0, gap_s: float = 20.0) -> None:
        """Start counting now; `spent_s` is what earlier runs of the stage have used."""
        self.total_s = minutes * 60
        self.spent_s = spent_s
        self._gap_s = gap_s
        self._last = time.monotonic()

    def tick(self) -> None:
        """Count the time since the last tick."""
        now = time.monotonic()
        self.spent_s += min(now - self._last, self._gap_s)
        self._last = now

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, at most 1."""
        return min(1.0, self.spent_s / self.total_s)

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.spent_s >= self.total_s


def cosine(fraction: float, step: int, peak: float, floor: float = 1e-5, warm_up: int = 100) -> float:
    """Learning rate: linear warm-up in steps, then a cosine over the budget's fraction."""
    return floor + (peak - floor) * min(1.0, (step + 1) / warm_up) * (0.5 + 0.5 * math.cos(math.pi * fraction))


class MovingAverage:
    """Exponential moving average of parameters, with a short memory at first."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
        """Start from the live values."""
        self.parameters = list(parameters)
        self.decay = decay
        self.shadow = [p.detach().clone() for p in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the live values."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 20))
        torch._foreach_lerp_(self.shadow, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the live and the averaged values; twice is no change."""
        for live, mean in zip(self.parameters, self.shadow, strict=True):
            kept = live.detach().clone()
            live.copy_(mean)
            mean.copy_(kept)


class Team:
    """One process alone, or several started by torchrun that average their gradients; every one sees other samples."""

    def __init__(self) -> None:
        """Join the team that torchrun's environment describes."""
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        if self.size > 1:
            dist.init_process_group("gloo")
        self.rank = dist.get_rank() if self.size > 1 else 0

    @property
    def leads(self) -> bool:
        """Whether this process prints and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    @torch.no_grad()
    def share(self, parameters: Iterable[torch.nn.Parameter], budget: Budget | None = None) -> None:
        """Average gradients, and the time spent, so that all processes stay the same and stop together."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        spent = torch.tensor([budget.spent_s if budget else 0.0], device=gradients[0].device)
        flat = torch.cat([g.reshape(-1) for g in gradients] + [spent])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat[:-1].split([g.numel() for g in gradients])
        torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])
        if budget:
            budget.spent_s = flat[-1].item()


def arguments(description: str | None, minutes: float) -> argparse.ArgumentParser:
    """The options that all training stages have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes, help="wall-clock budget; pauses do not count")
    parser.add_argument("--init", type=Path, help="start from this model folder, where the stage has no checkpoint yet")
    parser.add_argument("--fresh", action="store_true", help="ignore this stage's own checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    return parser


def device(threads: int) -> torch.device:
    """CUDA where there is one; also sets threads and the seed."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(where: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where it is safe."""
    return torch.autocast(where.type, torch.bfloat16)


def save(path: Path, **state: Any) -> None:
    """Write a checkpoint so that an interrupted write leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path, fresh: bool) -> dict[str, Any] | None:
    """A checkpoint, or None where there is none or a fresh start is wanted."""
    return None if fresh or not path.exists() else torch.load(path, map_location="cpu", weights_only=False)

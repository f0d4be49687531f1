"""What the training stages share: a budget of work, resumable checkpoints, a moving average, devices.

Must not know networks or data.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

Tensor = torch.Tensor

SAVE_EVERY_S = 240


class Budget:
    """Counts minutes of undisturbed work: wall time on an accelerator, on a CPU the processor time of one thread.

    On a shared machine a stage thus does the same work however long it waits, and a pause (SIGSTOP) costs nothing.
    """

    def __init__(self, minutes: float, threads: int, spent_s: float = 0.0) -> None:
        self.total_s, self.spent_s = minutes * 60, spent_s
        self._threads = threads
        self._last = self._now()

    def _now(self) -> float:
        return time.monotonic() if torch.cuda.is_available() else time.process_time() / self._threads

    def tick(self) -> None:
        """Count the work since the last tick."""
        now = self._now()
        self.spent_s += now - self._last
        self._last = now

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, at most 1."""
        return min(1.0, self.spent_s / self.total_s) if self.total_s else 1.0

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.spent_s >= self.total_s


def rate_at(fraction: float, step: int, peak: float, warm_up: int = 200, fall: float = 0.3) -> float:
    """Learning rate: linear warm-up in steps, level, and a cosine down to a fiftieth over the last share `fall`.

    Level for most of the budget, so that a stage may be given more minutes later without a leap.
    """
    down = max(0.0, (fraction - (1 - fall)) / fall)
    return peak * min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * down)))


class MovingAverage:
    """Exponential moving average of parameters, with a short memory at first."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
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

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"shadow": self.shadow, "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        for mine, kept in zip(self.shadow, state["shadow"], strict=True):
            mine.copy_(kept)
        self.steps = state["steps"]


def arguments(stage: str, description: str | None, minutes: float) -> argparse.ArgumentParser:
    """The options that all training stages have."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=stage, description=description, formatter_class=formatter)
    parser.add_argument("--minutes", type=float, default=minutes, help="of undisturbed work; waiting doesn't count")
    parser.add_argument("--fresh", action="store_true", help="ignore this stage's own checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--compile", action="store_true", help="fuse the UNet's small operations; needs a C++ compiler")
    return parser


def device(threads: int) -> torch.device:
    """CUDA where there is one; also sets threads and the seed."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(where: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where there are circuits for it; emulated on other CPUs it is 13 times slower than float32."""
    if where.type == "cpu":
        info = Path("/proc/cpuinfo")
        flags = info.read_text("utf-8") if info.exists() else ""
        if not any(flag in flags for flag in ("avx512_bf16", "amx_bf16")):
            return nullcontext()
    return torch.autocast(where.type, torch.bfloat16)


class Run:
    """One stage's networks while they train: optimizer, moving average, budget, and a checkpoint every few minutes.

    Attributes:
        step: optimizer steps so far, over all runs.
        budget: work so far.
        resumed: whether there was a checkpoint.
    """

    def __init__(
        self,
        path: Path,
        networks: torch.nn.ModuleDict,
        optimizer: torch.optim.Optimizer,
        args: argparse.Namespace,
        decay: float = 0.998,
        beside: dict[str, Any] | None = None,
    ) -> None:
        """Resume from `path` if it is there.

        Args:
            path: of the checkpoint: averages under the networks' names, and under `live` what training goes on from.
            networks: what is trained and kept.
            optimizer: of their parameters.
            args: of `arguments`.
            decay: of the moving average.
            beside: other things with a state_dict that belong to the checkpoint.
        """
        self._path, self._networks, self._optimizer = path, networks, optimizer
        self._beside = beside or {}
        self._average = MovingAverage([p for p in networks.parameters() if p.requires_grad], decay)
        self.trained = self._average.parameters
        self.step, self.budget = 0, Budget(args.minutes, args.threads)
        state = None if args.fresh or not path.exists() else load(path)
        self.resumed = state is not None
        if state:
            networks.load_state_dict(state["live"])
            if "optimizer" in state:
                optimizer.load_state_dict(state["optimizer"])
                self._average.restore(state["average"])
                for name, thing in self._beside.items():
                    thing.load_state_dict(state["beside"][name])
            else:
                # Weights alone, from elsewhere: the average begins at them.
                self._average = MovingAverage(self.trained, decay)
            self.step, self.budget = state["step"], Budget(args.minutes, args.threads, state["spent_s"])
        self._saved_s = self.budget.spent_s
        self._asked_to_stop = False
        signal.signal(signal.SIGTERM, self._stop_soon)

    def _stop_soon(self, number: int, frame: object) -> None:
        """On SIGTERM: save after this step, then end."""
        self._asked_to_stop = True

    def descend(self, loss: Tensor, rate: float) -> None:
        """One optimizer step of a loss at a learning rate (times each group's own `scale`); saves now and then."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self._optimizer.step()
        self._average.update()
        self.budget.tick()
        self.step += 1
        if self.budget.over or self.budget.spent_s - self._saved_s > SAVE_EVERY_S:
            self.save()
        if self._asked_to_stop:
            self.save()
            raise SystemExit(128 + signal.SIGTERM)

    def save(self) -> None:
        """Write the checkpoint."""
        self._saved_s = self.budget.spent_s
        state: dict[str, Any] = {"live": {k: v.clone() for k, v in self._networks.state_dict().items()}}
        state |= {"optimizer": self._optimizer.state_dict(), "average": self._average.state()}
        state |= {"beside": {name: thing.state_dict() for name, thing in self._beside.items()}}
        self._average.swap()
        state |= {name: network.state_dict() for name, network in self._networks.items()}
        write(self._path, state | {"step": self.step, "spent_s": self.budget.spent_s})
        self._average.swap()


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a file so that an interrupted write leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU."""
    if not path.exists():
        raise FileNotFoundError(f"no {path}: run the stage {path.stem!r} first")
    return torch.load(path, map_location="cpu", weights_only=False)

"""Our engine with its regions looked at: how long each takes, what the host does, and what comes out before rounding.

Must not know what it is compared with, or how numbers are shown.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from realtime.bench.engine_under_test import EngineUnderTest, results_of
from realtime.config import Accelerate, Config, Device, Dtype
from realtime.engine import Batches
from realtime.engine.backend import Backend
from realtime.engine.models.load import resolve_dtype
from realtime.engine.regions import Call, Inputs, Kind, Outputs, Run
from realtime.engine.state import CallShape, RungState
from realtime.pixels import Pixels

from .likeness import Floats
from .machine import Machine

if TYPE_CHECKING:
    from realtime.engine.diffusion import DiffusionEngine

RunCall = Callable[[Call], Outputs]
"""Of a backend."""
Tap = Callable[[RunCall, Call], Outputs]
"""Is given each call in the place of the backend, and what would have run it."""


class TappedBackend:
    """A backend whose calls pass through a tap; implements `Backend`."""

    def __init__(self, backend: Backend, tap: Tap) -> None:
        self.backend = backend
        self.regions, self.forms = backend.regions, backend.forms
        self._tap = tap

    @property
    def rung(self) -> RungState:
        """See `Backend`."""
        return self.backend.rung

    @property
    def batches(self) -> Batches:
        """See `Backend`."""
        return self.backend.batches

    @property
    def takes_frames(self) -> bool:
        """See `Backend`: a tap sees each region's call."""
        return False

    def run_frames(self, call: Call) -> Outputs | None:
        """See `Backend`."""
        return None

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`."""
        return self.backend.prepare(width, height)

    def prepared(self) -> None:
        """See `Backend`."""
        self.backend.prepared()

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        return self._tap(self.backend.run, call)

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self.backend.answer(call, inputs)

    def close(self) -> None:
        """See `Backend`."""
        self.backend.close()


class TappedEngine(EngineUnderTest):
    """Our engine on one rung of a trial.

    Args:
        model: as in `realtime serve`, mostly a folder; its own autoencoder is taken.
        accelerate: as in `realtime serve`.
        max_rows: the largest batch, to which CUDA graphs and packages are made.

    Raises:
        ConfigError: this machine does not have the rung.
    """

    def __init__(self, model: Path | str, accelerate: str, machine: Machine, max_rows: int = 16) -> None:
        self._machine = machine
        config = Config(
            model=str(model),
            vae="full",
            accelerate=Accelerate(accelerate),
            device=Device(machine.device.type),
            dtype=_dtype(machine),
            max_rows=max_rows,
        )
        super().__init__(config, machine.side_px)

    def host_ms(self, batch: int, steps: int, rounds: int) -> float:
        """Milliseconds a frame that `tick` holds the engine's thread, by the median; the device has nothing else to do.

        On a CPU that is all of the work; on a GPU what launching it takes.
        """
        times_ms: list[float] = []
        for round_ in range(rounds):
            jobs, spent_ms = self.jobs(batch, steps, round_), 0.0
            while jobs or self.engine.busy_rows:
                self._machine.wait()
                begin_s = time.perf_counter()
                pending = self.engine.tick(jobs)
                spent_ms += (time.perf_counter() - begin_s) * 1000
                results_of(pending)
                jobs = []
            times_ms.append(spent_ms / batch)
        return statistics.median(times_ms)

    def made(self, batch: int, steps: int) -> tuple[list[Pixels], list[Floats]]:
        """What the frames of the first pictures look like, and their latents before they are decoded: no rounding to
        levels hides anything there."""
        latents = list[Floats]()

        def tap(run: RunCall, call: Call) -> Outputs:
            if call.kind is Kind.DECODE:
                latents.extend(x.float().cpu().numpy() for x in call.columns["x"])
            return run(call)

        with self.tapped(tap):
            results = sorted(self.frames(batch, steps), key=lambda result: result.job.number)
        return [result.picture.copy() for result in results], latents

    @contextmanager
    def watched(self) -> Generator[dict[str, list[float]]]:
        """How many milliseconds each call of a region takes meanwhile, of those that are called.

        Each is waited for: not for a GPU.
        """
        spent_ms: dict[str, list[float]] = {}

        def tap(run: RunCall, call: Call) -> Outputs:
            begin_s = time.perf_counter()
            outputs = run(call)
            self._machine.wait()
            spent_ms.setdefault(call.kind, []).append((time.perf_counter() - begin_s) * 1000)
            return outputs

        with self.tapped(tap):
            yield spent_ms

    @contextmanager
    def tapped(self, tap: Tap) -> Generator[None]:
        """Let each call of a region pass through here meanwhile. Nothing may be on its way up: see `settle`."""
        engine = cast("DiffusionEngine", self.engine)
        tapped = TappedBackend(engine.backend, tap)
        engine.backend = tapped
        try:
            yield
        finally:
            engine.backend = tapped.backend


def _dtype(machine: Machine) -> Dtype:
    """As a server would be told: one that is not asked for may be improved upon by a rung."""
    if not machine.exact and machine.dtype is resolve_dtype(Dtype.AUTO, machine.device):
        return Dtype.AUTO
    return {torch.float32: Dtype.FLOAT32, torch.float16: Dtype.FLOAT16, torch.bfloat16: Dtype.BFLOAT16}[machine.dtype]

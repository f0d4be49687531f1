"""A tiny model on a device, engines on it, and how far from each other pictures may be there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from realtime.config import Device, ModelConfig
from realtime.engine.backend import Backend, EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.regions import Outputs
from realtime.engine.rungs.capture import Capture, CudaCapture, Rerun
from realtime.engine.rungs.exactness import LIMITS
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.frame import Job, Result
from tests.checkpoints import TURBO, build_sd, tiny_taesd
from tests.engine.tiny_models import make_job, make_params, picture_of

CPU, GPU = Device.CPU, Device.CUDA
ROWS = 4
Pictures = list[npt.NDArray[np.uint8]]


class Place:
    """A device with a tiny random model in the layout of Stable Diffusion, with classifier-free guidance.

    Args:
        kind: where it lies; in half precision on a GPU, as a server has it.
        folder: gets the model's files.
    """

    def __init__(self, kind: Device, folder: Path) -> None:
        self._kind = kind
        self._folder = folder

    @cached_property
    def config(self) -> ModelConfig:
        build_sd(self._folder / "sd", scheduler=TURBO, vae=tiny_taesd(1))
        return ModelConfig(model=str(self._folder / "sd"), device=self._kind, vae="full")

    @cached_property
    def model(self) -> Model:
        """Shared: nobody changes it."""
        return load_model(self.config)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def precision(self) -> str:
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def limit(self) -> float:
        """How far latents and pictures may be from eager mode's, relatively."""
        return LIMITS[self.precision]

    def capture(self) -> CountedCapture:
        return CountedCapture(Rerun() if self._kind is CPU else CudaCapture(self.device))

    def eager(self) -> DiffusionEngine:
        return DiffusionEngine(self.model, EagerBackend(self.model), max_rows=ROWS)

    def graphs(
        self, under: Backend | None = None, maker: Executor | None = None, *, frame_graphs: bool = True
    ) -> tuple[DiffusionEngine, CountedCapture]:
        """An engine under graphs, and what captures them.

        Args:
            maker: see `GraphBackend`.
        """
        capture, under = self.capture(), under or EagerBackend(self.model)
        backend = GraphBackend(under, capture, ROWS, self.device, maker, frame_graphs=frame_graphs)
        return DiffusionEngine(self.model, backend, max_rows=ROWS), capture

    def assert_alike(self, ours: Sequence[npt.NDArray[np.uint8]], theirs: Sequence[npt.NDArray[np.uint8]]) -> None:
        """Pictures are those of another way to make them, within what the dtype allows."""
        for one, other in zip(ours, theirs, strict=True):
            grey = other.astype(float) - other.mean()
            error = np.linalg.norm(one.astype(float) - other) / np.linalg.norm(grey)
            # Rounding to levels: one level of 255 everywhere is 0.02 of a picture that uses few of them.
            assert error <= 2 * self.limit + 0.02, f"pictures differ by {error:.3g} of what they show"


class CountedCapture:
    """Captures as another does, and counts; fails when told to, as the recording of a call does."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self.captures = 0
        self.error: Exception | None = None

    def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
        self.captures += 1
        error, calls = self.error, 0
        if error is None:
            return self._capture.capture(call)

        def failing() -> Outputs:
            nonlocal calls
            calls += 1
            made = call()
            if calls == 2 or isinstance(self._capture, Rerun):  # the first warms up
                raise error
            return made

        return self._capture.capture(failing)

    def release(self) -> None:
        self._capture.release()


def jobs(count: int, first: int = 0, **fields: Any) -> list[Job]:
    """Jobs that differ in everything; every second is guided."""
    made: list[Job] = []
    for i in range(first, first + count):
        default = {
            "prompt": f"prompt {i % 5}",
            "seed": i,
            "strength": 0.5 + 0.05 * (i % 8),
            "num_inference_steps": 1 + i % 3,
            "guidance_scale": 1.0 + 2 * (i % 2),
        }
        made.append(replace(make_job(make_params(**{**default, **fields}), i), number=i))
    return made


def in_flight(engine: DiffusionEngine, batches: Sequence[Sequence[Job]]) -> dict[int, npt.NDArray[np.uint8]]:
    """Each batch admitted with a tick of its own, as soon as there is room, two ticks in flight; pictures by number."""
    found: dict[int, npt.NDArray[np.uint8]] = {}
    waiting = [list(batch) for batch in batches]
    last: Any = None
    while waiting or engine.busy_rows or last is not None:
        admitted = waiting.pop(0) if waiting and len(waiting[0]) <= engine.free_rows else []
        pending = engine.tick(admitted) if admitted or engine.busy_rows else None
        if last is not None:
            found |= {outcome.order.number: picture_of(outcome) for outcome in last.collect()}
        last = pending
    return found


def pictures(engine: DiffusionEngine, wanted: Sequence[Job]) -> Pictures:
    """All admitted with one tick."""
    found = in_flight(engine, [wanted])
    return [found[job.number] for job in wanted]


def wait_for_graphs(engine: DiffusionEngine) -> None:
    """Until none is being made."""
    assert isinstance(engine.backend, GraphBackend)
    while engine.backend.is_making:
        time.sleep(0.001)


def settle(engine: DiffusionEngine, capture: CountedCapture, wanted: Sequence[Job]) -> Pictures:
    """Run jobs until nothing more is captured for them; the pictures of the last time."""
    made, rounds = pictures(engine, wanted), 0
    while rounds <= EAGER_CALLS + 1:
        captured = capture.captures
        made = pictures(engine, wanted)
        wait_for_graphs(engine)
        rounds = rounds + 1 if capture.captures == captured else 0
    return made


def all_at_once(engine: DiffusionEngine, wanted: Sequence[Job]) -> list[Any]:
    """The outcomes of jobs that are admitted with one tick, failures too, in the jobs' order."""
    outcomes = list(engine.tick(wanted).collect())
    while engine.busy_rows:
        outcomes += engine.tick([]).collect()
    by_number = {outcome.order.number: outcome for outcome in outcomes}
    return [by_number[job.number] for job in wanted]


def is_result(outcome: Any) -> bool:
    return isinstance(outcome, Result)

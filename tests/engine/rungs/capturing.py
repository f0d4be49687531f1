"""Engines on graphs of the CPU twin of CUDA's capture: what counts captures, makes graphs, and asks for pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import torch

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.regions import Outputs
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.rungs.specialise import Signature
from realtime.frame import Job
from tests.engine.tiny_models import (
    RecordingBackend,
    make_job,
    make_params,
    picture_of,
    run,
)


class Maker(Executor):
    """Makes graphs when a test says so, in another thread."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []
        self.is_shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()

        def make() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except Exception as error:
                    future.set_exception(error)

        self.asked.append(make)
        return future

    def make_next(self) -> None:
        thread = threading.Thread(target=self.asked.pop(0))
        thread.start()
        thread.join()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        assert wait and cancel_futures
        self.is_shut_down = True


class CountingRerun(Rerun):
    """Counts captures, and refuses them when told to, all or from so many rows on."""

    def __init__(self) -> None:
        super().__init__()
        self.captures = self.releases = 0
        self.error: Exception | None = None
        self.least_rows = 0

    def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
        if self.error is not None and (not self.least_rows or len(next(iter(call().values()))) >= self.least_rows):
            raise self.error
        self.captures += 1
        return super().capture(call)

    def release(self) -> None:
        self.releases += 1


def with_graphs(
    model: Model, max_rows: int = 4, *, frame_graphs: bool = False
) -> tuple[DiffusionEngine, GraphBackend, CountingRerun]:
    capture = CountingRerun()
    backend = GraphBackend(RecordingBackend(model), capture, max_rows, model.device, frame_graphs=frame_graphs)
    backend._batch_sizes = (1, 2, 4)  # so that some batches are padded
    return DiffusionEngine(model, backend, max_rows=max_rows), backend, capture


def some_jobs(count: int, **fields: Any) -> list[Job]:
    """Half of them guided where the model hears it; all with their own prompt, seed and strength."""
    return [
        make_job(
            make_params(
                **{
                    "prompt": f"prompt {i}",
                    "seed": i,
                    "strength": 0.5 + 0.1 * i,
                    "num_inference_steps": 2,
                    "guidance_scale": 1.0 + 2 * (i % 2),
                    **fields,
                }
            ),
            i,
        )
        for i in range(count)
    ]


def pictures(engine: DiffusionEngine, jobs: list[Job]) -> list[np.ndarray]:
    outcomes = sorted(run(engine, jobs), key=lambda outcome: outcome.order.frame.seq)
    return [picture_of(outcome) for outcome in outcomes]


def compiled_under_graphs(model: Model) -> tuple[DiffusionEngine, CompiledBackend, CountingRerun]:
    under, capture = CompiledBackend(model, "aoti", "compiled"), CountingRerun()
    backend = GraphBackend(under, capture, 2, model.device, frame_graphs=False)
    return DiffusionEngine(model, backend, max_rows=2), under, capture


def put_all(under: CompiledBackend, answered: list[Signature]) -> None:
    """As an upgrade does with the packages of what was called until now."""
    for signature in under.compiled.demand.so_far():
        region = under.compiled.module(signature)

        def call(signature: Signature = signature, region: Any = region, **inputs: torch.Tensor) -> Outputs:
            answered.append(signature)
            return region(**inputs)

        under.compiled.put(signature, call)

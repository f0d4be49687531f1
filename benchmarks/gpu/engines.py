"""Our engine in eager mode and in CUDA graphs on one loaded model, for all parts that want one.

On a CPU the graphs are their stand-in, which is no faster: all that is measured on a GPU can be rehearsed there. Must
not know what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

from realtime.bench.engine_under_test import PROMPT, picture
from realtime.config import Config
from realtime.engine import Engine
from realtime.engine.backend import Backend, EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend, captured
from realtime.frame import Job
from realtime.params import Params

from ..engine.machine import Machine
from ..engine.tapped import TappedEngine
from .plan import BATCHES

ROWS = max(BATCHES)


class GraphsOnModel(TappedEngine):
    """CUDA graphs on a model that is loaded already, under another engine.

    Args:
        other: has the model.
        max_rows: the largest batch.
    """

    def __init__(self, model_folder: Path, other: TappedEngine, machine: Machine, max_rows: int = ROWS) -> None:
        self._model = model_of(other)
        self._max_rows = max_rows
        super().__init__(model_folder, "off", machine, max_rows)

    def _load(self, config: Config) -> Engine:
        engine = DiffusionEngine(self._model, graphs_over(self._model, self._max_rows), max_rows=self._max_rows)
        engine.warm_up()
        return engine

    def make_frame_graphs(self, batches: Sequence[int]) -> None:
        """Have all graphs made that frames of one step use: those of whole frames are made beside others."""
        backend = self._backend
        if not isinstance(backend, GraphBackend):
            return
        for batch in batches:
            for _ in range(EAGER_CALLS + 2):
                self.frames(batch, 1)
            while backend.is_making:
                time.sleep(0.01)
            self.frames(batch, 1)

    @property
    def _backend(self) -> Backend:
        return cast(DiffusionEngine, self.engine).backend

    def close_backend(self) -> None:
        """Free the graphs. The model stays: it is another engine's."""
        self._backend.close()


def graphs_over(model: Model, max_rows: int) -> Backend:
    """CUDA graphs of a model in eager mode, or what stands for them on a CPU."""
    eager = EagerBackend(model)
    if model.device.type == "cuda":
        return captured(eager, model, max_rows, ())
    return GraphBackend(eager, Rerun(), max_rows, model.device)


class Engines:
    """SD-Turbo's shape on both rungs.

    Args:
        folder: of the model.
        machine: where it runs.
    """

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder = folder
        self.machine = machine

    @cached_property
    def eager(self) -> TappedEngine:
        """Without anything faster."""
        return TappedEngine(self.folder, "off", self.machine, ROWS)

    @cached_property
    def graphs(self) -> GraphsOnModel:
        """On eager's model."""
        graphs = GraphsOnModel(self.folder, self.eager, self.machine)
        graphs.make_frame_graphs(BATCHES)
        return graphs

    @property
    def by_rung(self) -> dict[str, TappedEngine]:
        """Both, by the value of `--accelerate`, eager first."""
        return {"off": self.eager, "graphs": self.graphs}


def model_of(ours: TappedEngine) -> Model:
    """The loaded model of an engine."""
    return cast(Model, cast("object", getattr(ours.engine, "_model")))  # noqa: B009


@contextmanager
def region_by_region(ours: TappedEngine) -> Generator[None]:
    """Meanwhile each region is a call of its own."""
    backend = cast(DiffusionEngine, ours.engine).backend
    if not isinstance(backend, GraphBackend):
        yield
        return
    before, backend.frame_graphs = backend.frame_graphs, False
    try:
        yield
    finally:
        backend.frame_graphs = before


def job_of(ours: TappedEngine, number: int, shows: int, **fields: object) -> Job:
    """A job whose params differ in some fields from those of the bench.

    Args:
        number: of the job, and of its session.
        shows: seed of its picture.
    """
    (job,) = ours.jobs(1, 1)
    params = Params.model_validate({**dict(job.params), "prompt": PROMPT, **fields})
    whole = picture(shows, max(params.width, params.height))
    pixels = whole[: params.height, : params.width].copy()
    return replace(job, params=params, number=number, session=f"job-{number}", picture=pixels)


def now_ms() -> float:
    """A monotonic clock."""
    return time.perf_counter() * 1000

"""Graphs of steps that hear more than the prompt: at nobody else's expense, and few forms of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.forms import Forms
from realtime.engine.models.load import Model
from realtime.engine.regions import Kind, Outputs
from realtime.engine.rungs import graph_sizes
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.frame import Job
from tests.engine.tiny_models import RecordingBackend, make_job, make_model, make_params, picture_of, run

CPU, ROWS = torch.device("cpu"), 2
AVOIDING: dict[str, Any] = {"negative_prompt": "rain", "negative_scale": 4.0}


class Short(Rerun):
    """Has too little memory when it is told so."""

    is_short = False

    def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
        if self.is_short:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().capture(call)


class Captured:
    """An engine whose backend makes graphs, warmed up, and one in eager mode."""

    def __init__(self, model: Model) -> None:
        self.capture, self.under = Short(), RecordingBackend(model)
        self.backend = GraphBackend(self.under, self.capture, ROWS, CPU, frame_graphs=False)
        self.engine = DiffusionEngine(model, self.backend, max_rows=ROWS)
        self.eager = DiffusionEngine(model, EagerBackend(model))
        self.engine.warm_up()
        self.backend.forms = Forms()  # nothing stays that nobody wants
        self.now_s = 0.0
        self.backend._sizes._clock = lambda: self.now_s

    def forms(self) -> set[tuple[str, Any]]:
        """Of steps that have graphs."""
        graphs = self.backend._sizes.called(64, 64).graphs
        return {key.call_form for key in graphs if key.kind == Kind.STEP}

    def show(self, *asked: dict[str, Any], times: int = EAGER_CALLS + 1) -> None:
        """Frames of one step, of which the last are what eager mode makes of each alone."""
        jobs = [a_job(number, **fields) for number, fields in enumerate(asked)]
        for _ in range(times):
            made = sorted(run(self.engine, jobs), key=lambda outcome: outcome.order.frame.seq)
        for job, one in zip(jobs, made, strict=True):
            (alone,) = run(self.eager, [job])
            np.testing.assert_allclose(picture_of(one).astype(int), picture_of(alone).astype(int), atol=1)


def a_job(number: int, **fields: Any) -> Job:
    return make_job(make_params(**{"prompt": "a fox", "num_inference_steps": 1, "seed": number, **fields}), number)


@pytest.fixture
def captured() -> Captured:
    return Captured(make_model())


def test_negative_prompt_that_memory_does_not_suffice_for_leaves_plain_frames_their_graphs(captured: Captured) -> None:
    graphs = dict(captured.backend._sizes.called(64, 64).graphs)
    captured.capture.is_short = True

    captured.show(AVOIDING, {})

    assert captured.backend._sizes.called(64, 64).graphs == graphs
    assert captured.engine.info.batches.most_work > 1e9, "the scheduler forms ticks of plain frames as before"
    before = len(captured.under.rows_of_calls)
    captured.show({}, {}, times=1)
    assert len(captured.under.rows_of_calls) == before, "all by graphs"


def test_forms_beside_those_of_the_warm_up_that_have_graphs_are_few(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_sizes, "FORMS_KEPT", 2)
    [plain] = captured.forms()
    first, second, third, fourth = ({"prompt": " BREAK ".join("abcd"[:count]), **AVOIDING} for count in range(1, 5))

    captured.show(first)
    captured.show(second)
    kept = captured.forms() - {plain}
    captured.show(third)
    assert len(kept) == 2 and captured.forms() == {plain, *kept}, "all are in use: the third stays eager"

    captured.now_s = graph_sizes.IDLE_S
    captured.show(second, times=1)
    captured.show(third, times=1)
    assert len(captured.forms()) == 3 and len(captured.forms() & kept) == 1, "the first had been idle"
    captured.show(fourth)
    assert len(captured.forms()) == 3
    captured.show({"prompt": "a BREAK b"})
    assert len(captured.forms()) == 4, "plain ones are counted apart"
    captured.show({}, times=1)
    assert plain in captured.forms()

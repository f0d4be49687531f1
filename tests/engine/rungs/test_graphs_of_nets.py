"""Graphs of what nets steer: made at the warm-up, within the memory that rows have, and at nobody else's expense."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.denoisers.residuals import CONTROL, FEATURES
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.regions import Call, Kind, Outputs
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.steering import COPIES, steering_bytes
from realtime.frame import Job
from tests.engine.tiny_models import RecordingBackend, make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network

CPU, ROWS = torch.device("cpu"), 3
PER_BATCH = 3 * 2 + 2 + 3
"""Regions of a plain frame, of each of three nets what looks at its hint and, of two, what is asked in steps; and three
forms of the step: with what ControlNets add, with adapters' features, with both.
"""


class Seen(Rerun):
    """Notes the threads in which it captures; has too little memory for so many rows and more of what nets add."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.too_many = 0

    def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
        outputs = call()
        is_of_net = bool({"residual", "embedded"} & outputs.keys())
        if is_of_net and self.too_many and len(next(iter(outputs.values()))) >= self.too_many:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.threads.append(threading.current_thread().name)
        return super().capture(call)


def steered_model(guidance: Guidance = Guidance.NONE) -> Model:
    nets = (
        a_net(make_controlnet(), "edges"),
        a_net(make_union_network("sd"), "union"),
        a_net(make_t2i(), "colours"),
    )
    return make_model(guidance=guidance, nets=nets)


@pytest.fixture
def maker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, "graphs") as maker:
        yield maker


def some_jobs(*nets: str, **fields: Any) -> list[Job]:
    """A job for each, which it alone steers; an empty name is none."""
    return [
        make_job(make_params(prompt=f"{i}", control=[{"net": net}] if net else [], **fields), i)
        for i, net in enumerate(nets)
    ]


def pictures(engine: DiffusionEngine, jobs: list[Job]) -> list[np.ndarray]:
    outcomes = sorted(run(engine, jobs), key=lambda outcome: outcome.order.frame.seq)
    return [picture_of(outcome).astype(int) for outcome in outcomes]


WANTED = [["edges"], ["union/depth", ""], ["edges", "union/canny"], ["colours"], ["colours", "union/canny", "edges"]]


def test_nets_have_graphs_before_the_first_tick_that_wants_them(
    maker: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, capture, stages = steered_model(), Seen(), list[str]()
    alone = DiffusionEngine(model, EagerBackend(model))
    expected = [[pictures(alone, [job])[0] for job in some_jobs(*nets)] for nets in WANTED]
    under = RecordingBackend(model)
    engine = DiffusionEngine(model, GraphBackend(under, capture, ROWS, CPU, maker), max_rows=ROWS)

    engine.warm_up(lambda stage, percent: stages.append(stage))

    assert list(dict.fromkeys(stages)) == [
        "warm up", *(f"warm up {name}" for name in ("edges", "union", "colours", "colours with edges")),
    ]  # fmt: skip
    assert len(capture.threads) == PER_BATCH * ROWS
    assert set(capture.threads) == {"graphs_0"}, "not in the thread of those who wait for pictures"
    may_go_on = threading.Event()
    maker.submit(may_go_on.wait)
    monkeypatch.setattr(under, "run", lambda call: pytest.fail(f"{call.kind} ran without a graph"))
    try:
        made = [pictures(engine, some_jobs(*nets)) for nets in WANTED]
    finally:
        may_go_on.set()
    assert len(capture.threads) == PER_BATCH * ROWS
    for ours, theirs in zip(made, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1)


def test_forms_of_the_warm_up_get_their_graphs_at_once_and_others_when_they_stay() -> None:
    model, capture = steered_model(Guidance.CFG), Seen()
    engine = DiffusionEngine(model, GraphBackend(EagerBackend(model), capture, ROWS, CPU), max_rows=ROWS)
    engine.warm_up()
    before = len(capture.threads)

    pictures(engine, some_jobs("edges", guidance_scale=3.0, num_inference_steps=1))
    known = len(capture.threads) - before
    (job,) = some_jobs("edges", num_inference_steps=1)
    longer = [make_job(job.params.patched({"prompt": "one BREAK two"}, job.params))]
    for _ in range(EAGER_CALLS):
        pictures(engine, longer)
    asked = len(capture.threads) - before - known
    pictures(engine, longer)

    assert known == 1, "the step of a guided row, where none of the warm-up's was guided"
    assert asked == 0 and len(capture.threads) - before - known == 2, "the net and the step"


def test_what_nets_add_takes_the_memory_that_their_rows_are_given(maker: ThreadPoolExecutor) -> None:
    """One buffer for graphs of all batches, however many there are of these."""
    model = steered_model()
    engine = DiffusionEngine(model, GraphBackend(EagerBackend(model), Rerun(), 4, CPU, maker), max_rows=4)

    engine.warm_up()

    backend: Any = engine.backend
    graphs = [graph for size in backend._sizes._sizes.values() for graph in size.graphs.values()]
    buffers = {id(graph._buffers[name]): graph._buffers[name] for graph in graphs for name in graph._buffers}
    steering = {
        id(graph._buffers[name]): graph._buffers[name].batch.nbytes
        for graph in graphs
        for name in (CONTROL, FEATURES)
        if name in graph._buffers
    }
    side = 64 // model.latent_scale_px
    of_row = steering_bytes(model) * side**2 // (512 // model.latent_scale_px) ** 2
    assert len(graphs) == 4 * PER_BATCH and len(steering) == 4, "of one row, and of up to four; of nets, and adapters"
    assert sum(steering.values()) <= 2 * (1 + 4) * of_row // COPIES
    rows = sorted(len(buffer.batch) for buffer in buffers.values())
    assert rows == [1] * (len(rows) // 2) + [4] * (len(rows) // 2), "no batch between has memory of its own"


@pytest.mark.parametrize("too_many", [1, 2])
def test_nets_that_memory_does_not_suffice_for_leave_plain_frames_their_graphs(
    too_many: int, caplog: pytest.LogCaptureFixture
) -> None:
    model, capture = steered_model(), Seen()
    alone = DiffusionEngine(model, EagerBackend(model))
    expected = [pictures(alone, [job])[0] for job in some_jobs("edges", "edges", "")]
    capture.too_many = too_many
    backend = GraphBackend(EagerBackend(model), capture, ROWS, CPU)
    engine = DiffusionEngine(model, backend, max_rows=ROWS)

    with caplog.at_level(logging.WARNING):
        engine.warm_up()
    made = pictures(engine, some_jobs("edges", "edges", ""))

    has = f"has CUDA graphs for fewer than {too_many} rows" if too_many > 1 else "runs without CUDA graphs"
    what = "what asks for nets, negative prompts or pictures at 64x64"
    assert caplog.messages[-1] == f"{what} {has}, slower: too little memory"
    graphs = backend._sizes.called(64, 64).graphs
    plain = {(key.kind, key.places) for key in graphs if not key.asks_more}
    assert plain == {(kind, places) for kind in (Kind.ENCODE, Kind.STEP, Kind.DECODE) for places in (1, 2, 3)}
    assert {key.places for key in graphs if key.asks_more} == set(range(1, too_many))
    assert engine.info.batches.most_work > 1e9, "the scheduler forms ticks of plain frames as before"
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1)


def test_net_that_fails_at_the_warm_up_is_told_and_keeps_nobody_from_plain_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = steered_model()

    class Short(EagerBackend):
        def run(self, call: Call) -> Outputs:
            if call.kind == "control/edges":
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().run(call)

    engine = DiffusionEngine(model, Short(model))
    with caplog.at_level(logging.WARNING):
        engine.warm_up()

    assert "1 frames at once with edges: the device has too little memory" in caplog.text
    assert pictures(engine, some_jobs(""))[0].any()

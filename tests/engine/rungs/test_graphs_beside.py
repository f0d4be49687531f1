"""Graphs that are made, or made anew over what was compiled, beside the frames: nobody waits for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.regions import Call, Outputs
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.rungs.specialise import Signature
from realtime.frame import Failure, Result
from tests.engine.rungs.capturing import CountingRerun, Maker, compiled_under_graphs, pictures, put_all, some_jobs
from tests.engine.tiny_models import (
    FRAME_KINDS,
    RecordingBackend,
    make_model,
    run,
)


def made_beside(model: Model, max_rows: int = 4) -> tuple[DiffusionEngine, GraphBackend, CountingRerun, Maker]:
    capture, maker = CountingRerun(), Maker()
    backend = GraphBackend(RecordingBackend(model), capture, max_rows, model.device, maker, frame_graphs=False)
    return DiffusionEngine(model, backend, max_rows=max_rows), backend, capture, maker


def test_a_new_size_stops_nobody_while_its_graphs_are_made() -> None:
    """However long that takes: each tick ends without them, and has what it would have had in eager mode."""
    model = make_model(is_shared=True)
    engine, _, capture, maker = made_beside(model)
    here, there = some_jobs(1, num_inference_steps=1), some_jobs(1, num_inference_steps=1, width=72)
    eager = [pictures(DiffusionEngine(model, RecordingBackend(model)), jobs)[0] for jobs in (here, there)]
    for _ in range(EAGER_CALLS + 1):
        pictures(engine, here)
    for _ in range(3):
        maker.make_next()
    pictures(engine, here)

    for _ in range(20):
        made = pictures(engine, [*here, *there])
        assert all((one == other).all() for one, other in zip(made, eager, strict=True))
    assert (capture.captures, len(maker.asked)) == (3, 3), "they are asked for once"

    for _ in range(3):
        maker.make_next()
    for _ in range(2):
        made = pictures(engine, [*here, *there])
        assert all((one == other).all() for one, other in zip(made, eager, strict=True))
    assert (capture.captures, len(maker.asked)) == (6, 0)


def test_a_new_batch_runs_without_a_graph_until_it_has_one() -> None:
    model = make_model(is_shared=True)
    engine, backend, capture, maker = made_beside(model)
    jobs = some_jobs(2, num_inference_steps=1, guidance_scale=1.0)
    for _ in range(EAGER_CALLS + 5):
        before = pictures(engine, jobs)
    ran = len(backend._under.rows_of_calls)  # type: ignore[attr-defined]
    while maker.asked:
        maker.make_next()

    after = pictures(engine, jobs)

    assert capture.captures == 3
    assert len(backend._under.rows_of_calls) == ran, "it is replayed"  # type: ignore[attr-defined]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.astype(int), other, atol=1)


def test_the_warm_up_waits_for_graphs_and_no_later_frame_does() -> None:
    model = make_model(is_shared=True)
    capture = CountingRerun()
    with ThreadPoolExecutor(1) as maker:
        backend = GraphBackend(RecordingBackend(model), capture, 2, model.device, maker, frame_graphs=False)
        engine = DiffusionEngine(model, backend, max_rows=2)
        engine.warm_up()
        warm, may_go_on = capture.captures, threading.Event()
        maker.submit(may_go_on.wait)
        try:
            outcomes = [run(engine, some_jobs(1, num_inference_steps=1, width=72)) for _ in range(EAGER_CALLS + 3)]
        finally:
            may_go_on.set()

    assert warm == 2 * 3 and len(outcomes) == EAGER_CALLS + 3


def test_a_graph_that_could_not_be_made_beside_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    engine, _, capture, maker = made_beside(make_model(is_shared=True))
    capture.error = torch.OutOfMemoryError("CUDA out of memory")
    for _ in range(EAGER_CALLS + 1):
        pictures(engine, some_jobs(2, num_inference_steps=1))
    while maker.asked:
        maker.make_next()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            pictures(engine, some_jobs(2, num_inference_steps=1))

    assert caplog.messages == ["64x64 runs without CUDA graphs, slower: too little memory"]
    assert engine.info.batches.most_work == 64 * 64
    engine.close()
    assert maker.is_shut_down


def test_the_old_graph_answers_until_the_faster_one_is_made() -> None:
    model, capture, maker = make_model(is_shared=True), CountingRerun(), Maker()
    under = CompiledBackend(model, "aoti", "compiled")
    engine = DiffusionEngine(
        model, GraphBackend(under, capture, 2, model.device, maker, frame_graphs=False), max_rows=2
    )
    jobs, answered = some_jobs(1, num_inference_steps=1), list[Signature]()
    for _ in range(EAGER_CALLS + 1):
        before = pictures(engine, jobs)
    while maker.asked:
        maker.make_next()
    pictures(engine, jobs)

    put_all(under, answered)
    meanwhile = [pictures(engine, jobs) for _ in range(3)]
    assert not answered and len(maker.asked) == 3
    while maker.asked:
        maker.make_next()
    after = pictures(engine, jobs)

    assert {signature.call.kind for signature in answered} == set(FRAME_KINDS)
    assert all((one[0] == before[0]).all() for one in [*meanwhile, after])


def test_what_is_compiled_meanwhile_is_captured_in_place_of_what_was() -> None:
    engine, under, capture = compiled_under_graphs(make_model(is_shared=True))
    jobs = some_jobs(1, num_inference_steps=1)
    before = [pictures(engine, jobs) for _ in range(EAGER_CALLS + 1)][-1]
    captures, answered = capture.captures, list[Signature]()

    put_all(under, answered)
    after = [pictures(engine, jobs) for _ in range(2)]

    assert capture.captures == captures + 3, "each region once, at the batch that is in use"
    assert {signature.call.batch for signature in answered} == {1}
    assert {signature.call.kind for signature in answered} == set(FRAME_KINDS)
    assert all((one == other).all() for one, other in zip([*before, *before], after[0] + after[1], strict=True))
    assert engine.info.rung.name == "graphs"
    assert [(made.kind, made.batch) for made in engine.info.rung.made_for] == [(kind, 1) for kind in FRAME_KINDS]
    assert "over compiled for encode 1" in str(engine.info.rung)


def test_what_is_compiled_and_can_not_be_captured_leaves_the_graph_that_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, under, capture = compiled_under_graphs(make_model(is_shared=True))
    jobs = some_jobs(1, num_inference_steps=1)
    before, answered = [pictures(engine, jobs) for _ in range(EAGER_CALLS + 1)][-1], list[Signature]()
    put_all(under, answered)
    capture.error = RuntimeError("operation not permitted when stream is capturing")

    with caplog.at_level(logging.WARNING):
        after = [pictures(engine, jobs) for _ in range(2)]

    assert not answered
    assert len(caplog.records) == 3 and "not permitted" in caplog.text
    assert all((one == other).all() for one, other in zip([*before, *before], after[0] + after[1], strict=True))


def test_calls_that_a_graph_answers_are_worth_compiling_too() -> None:
    engine, under, _ = compiled_under_graphs(make_model(is_shared=True))
    jobs = some_jobs(1, num_inference_steps=1)
    for _ in range(EAGER_CALLS + 1):
        pictures(engine, jobs)
    noted: list[Signature] = []
    under.compiled.demand.note = noted.append  # type: ignore[method-assign]

    pictures(engine, jobs)

    assert [signature.call.kind for signature in noted] == list(FRAME_KINDS)


def test_a_tick_without_memory_beside_a_capture_is_tried_again_behind_it() -> None:
    """While a graph is captured the allocator gives back nothing that is cached for other streams."""
    failed = threading.Event()
    under_way = threading.Event()

    class Slow(CountingRerun):
        def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
            under_way.set()
            assert failed.wait(60)
            under_way.clear()
            return super().capture(call)

    class Short(RecordingBackend):
        def run(self, call: Call) -> Outputs:
            if backend.is_making and not failed.is_set():
                assert under_way.wait(60)
            if under_way.is_set():
                failed.set()
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().run(call)

    model = make_model(is_shared=True)
    capture, under = Slow(), Short(model)
    backend = GraphBackend(under, capture, 1, model.device, ThreadPoolExecutor(1), frame_graphs=False)
    engine = DiffusionEngine(model, backend, max_rows=1)
    jobs = some_jobs(1, num_inference_steps=1)
    most_work = engine._most_work

    outcomes = [outcome for _ in range(EAGER_CALLS + 1) for outcome in run(engine, jobs)]

    assert failed.is_set() and all(isinstance(outcome, Result) for outcome in outcomes)
    assert engine._most_work == most_work, "nor are later ticks smaller for it"
    engine.close()


def test_memory_that_is_short_for_itself_fails_as_before() -> None:
    runs: list[str] = []

    class Short(RecordingBackend):
        def run(self, call: Call) -> Outputs:
            runs.append(call.kind)
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = make_model(is_shared=True)
    engine = DiffusionEngine(model, GraphBackend(Short(model), CountingRerun(), 1, model.device), max_rows=1)

    (outcome,) = run(engine, some_jobs(1))

    assert isinstance(outcome, Failure) and outcome.error.code == "out_of_memory"
    assert len(runs) == 1

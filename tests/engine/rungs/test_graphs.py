"""Graphs' buffers, places and memory, on the CPU twin of CUDA's capture."""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Config, Device
from realtime.engine import Batches, Guidance
from realtime.engine.backend import PlainBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.regions import Call, Outputs
from realtime.engine.rungs import graph, graph_sizes
from realtime.engine.rungs.capture import CudaCapture, Rerun
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.graph import batch_size_for, batch_sizes
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.rungs.specialise import Signature
from realtime.frame import Failure, Job, Result
from tests import checkpoints
from tests.engine.tiny_models import (
    FRAME_KINDS,
    TOKENS,
    RecordingBackend,
    make_job,
    make_model,
    make_params,
    picture_of,
    run,
)
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network

MODELS: dict[str, dict[str, Any]] = {
    "guided": {"guidance": Guidance.CFG},
    "embedded model": {"concat_source": True, "latent_channels": 8},
    "sdxl": {"family": "sdxl"},
}


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


def test_batch_sizes_are_all_to_eight_and_then_fewer() -> None:
    assert [batch_sizes(rows) for rows in (1, 2, 6)] == [(1,), (1, 2), (1, 2, 3, 4, 5, 6)]
    assert batch_sizes(16)[7:] == (8, 10, 12, 14, 16) and batch_sizes(13)[7:] == (8, 10, 12, 13)
    assert batch_sizes(64)[11:] == (16, 20, 24, 28, 32, 40, 48, 56, 64)
    assert [batch_size_for(rows, (1, 2, 4, 6)) for rows in (0, 1, 3, 5, 6)] == [0, 1, 4, 6, 6]


def test_the_painter_is_replayed_like_the_others(tmp_path: Path) -> None:
    model = load_model(Config(model=str(checkpoints.build_painter(tmp_path / "painter")), device=Device.CPU))
    jobs = some_jobs(3)
    eager = pictures(DiffusionEngine(model, RecordingBackend(model), max_rows=4), jobs)
    engine, _, capture = with_graphs(model)

    for _ in range(EAGER_CALLS + 1):
        replayed = pictures(engine, jobs)

    assert capture.captures == 3
    for ours, theirs in zip(replayed, eager, strict=True):
        np.testing.assert_allclose(ours.astype(int), theirs, atol=1)


@pytest.mark.parametrize("count", [1, 3, 4])  # 1 and 4 fill their batches, 3 is padded
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
@pytest.mark.slow
def test_replayed_pictures_equal_eager_ones_and_each_other(options: dict[str, Any], count: int) -> None:
    model = make_model(**options, is_shared=True)
    jobs = some_jobs(count)
    eager = pictures(DiffusionEngine(model, RecordingBackend(model), max_rows=4), jobs)
    engine, _, capture = with_graphs(model)
    for _ in range(EAGER_CALLS):
        pictures(engine, jobs)

    first, second = pictures(engine, jobs), pictures(engine, jobs)

    assert capture.captures == 3
    for ours, again, theirs in zip(first, second, eager, strict=True):
        np.testing.assert_array_equal(ours, again)
        np.testing.assert_allclose(ours.astype(int), theirs, atol=1)


def test_latents_of_a_padded_batch_equal_eager_ones() -> None:
    model = make_model(guidance=Guidance.CFG, is_shared=True)
    engine, _, _ = with_graphs(model)
    eager = DiffusionEngine(model, RecordingBackend(model), max_rows=4)
    for _ in range(EAGER_CALLS + 1):
        run(engine, some_jobs(3, num_inference_steps=1))

    for each in (engine, eager):
        each.tick(some_jobs(3))

    for ours, theirs in zip(engine._rows, eager._rows, strict=True):
        torch.testing.assert_close(ours.x, theirs.x, atol=1e-4, rtol=0)


def test_prompts_of_each_length_get_graphs_of_their_own() -> None:
    model = make_model(is_shared=True)
    engine, backend, capture = with_graphs(model)
    backend.prepare(64, 64)
    short, long = some_jobs(1), some_jobs(1, prompt="one BREAK two")
    pictures(engine, short)
    expected = capture.captures

    for _ in range(EAGER_CALLS):
        pictures(engine, long)  # two steps each: the second is the third call
    ours = [pictures(engine, jobs) for jobs in (long, short, long)]

    assert (expected, capture.captures) == (3, 4)
    eager = DiffusionEngine(model, RecordingBackend(model))
    for mine, jobs in zip(ours, (long, short, long), strict=True):
        np.testing.assert_allclose(mine[0].astype(int), pictures(eager, jobs)[0], atol=1)


@pytest.mark.slow
def test_rows_that_come_and_go_never_see_each_others_memory() -> None:
    """A stream batch over all batch sizes, with replays of other graphs between a row's steps."""
    model = make_model(concat_source=True, is_shared=True)
    jobs = [make_job(make_params(prompt=str(i), seed=i, num_inference_steps=1 + i % 3), i) for i in range(24)]
    together: dict[int, list[np.ndarray]] = {}
    engine, _, capture = with_graphs(model)
    for _ in range(3):
        waiting = list(jobs)
        while waiting or engine.busy_rows:
            admitted = [waiting.pop(0) for _ in range(min(len(waiting), engine.free_rows, 1 + len(waiting) % 3))]
            for outcome in engine.tick(admitted).collect():
                together.setdefault(outcome.order.frame.seq, []).append(picture_of(outcome))

    eager = DiffusionEngine(model, RecordingBackend(model))
    assert capture.captures > 6
    for job in jobs:
        (alone,) = pictures(eager, [job])
        for picture in together[job.frame.seq]:
            np.testing.assert_allclose(picture.astype(int), alone, atol=1)


def test_broken_row_leaves_nothing_behind_in_its_place() -> None:
    model = make_model(is_shared=True)
    engine, _, _ = with_graphs(model)
    recipe = engine.recipes.get(make_params(prompt="broken"))
    assert recipe is not None
    recipe.prompt.prompt_embeds.fill_(float("nan"))
    texts = [("a", "broken", "b"), ("a", "b", "broken"), ("a", "b", "c"), ("a", "c", "b")]

    for names in texts * 2:
        outcomes = run(engine, [make_job(make_params(prompt=name), i) for i, name in enumerate(names)])
        expected = [Failure if name == "broken" else Result for name in names]
        assert [type(outcome) for outcome in outcomes] == expected


def test_what_belongs_to_a_prompt_is_copied_only_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(is_shared=True)
    engine, _, _ = with_graphs(model)
    job, other = (make_job(make_params(prompt=text, num_inference_steps=1)) for text in ("a", "b"))
    for _ in range(EAGER_CALLS + 1):
        run(engine, [job])
    copied: list[tuple[int, ...]] = []
    copy = graph.join_into

    def note(batch: torch.Tensor, column: Any) -> None:
        copied.append(tuple(batch.shape))
        copy(batch, column)

    monkeypatch.setattr(graph, "join_into", note)
    run(engine, [job])
    latents = (1, 4, 8, 8)
    assert copied == [(1, 64, 64, 3), latents, latents, latents], "the picture, x and source, and x before the decoder"

    copied.clear()
    run(engine, [other])
    assert any(shape[1] == TOKENS for shape in copied if len(shape) == 3), "and its keys and values"


def test_pictures_go_to_the_host_straight_from_a_graphs_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _, _ = with_graphs(make_model(is_shared=True))
    jobs = some_jobs(1, num_inference_steps=1)
    for _ in range(EAGER_CALLS + 1):
        pictures(engine, jobs)
    taken: list[tuple[int, ...]] = []

    def note(parts: list[torch.Tensor]) -> torch.Tensor:
        taken.append(tuple(parts[0].shape))
        return torch.cat(parts)

    monkeypatch.setattr(graph, "join_on_host", note)
    pictures(engine, jobs)

    assert taken == [(1, 64, 64, 3), (1,)], "pictures, and whether they are finite; nothing of what stays"


@pytest.mark.slow
def test_a_size_that_is_passed_by_gets_no_graphs_and_idle_sizes_give_theirs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_sizes, "SIZES_KEPT", 4)
    model = make_model(is_shared=True)
    engine, backend, capture = with_graphs(model)
    for side in range(64, 64 + 8 * 12, 8):
        pictures(engine, some_jobs(1, width=side))
    assert capture.captures == 0 and len(backend._sizes) == 0

    monkeypatch.setattr(graph_sizes, "IDLE_S", 0.0)
    for side in range(64, 64 + 8 * 6, 8):
        for _ in range(EAGER_CALLS + 1):
            pictures(engine, some_jobs(1, width=side))
    gc.collect()

    assert len(backend._sizes) == 4 and capture.releases == 2
    shapes = {key[1] for key in backend._buffers if key[0] == "pictures"}
    assert len(shapes) == 4, "buffers go with the last graph that used them"


def test_more_sizes_in_use_than_may_have_graphs_leave_those_that_have_some_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph_sizes, "SIZES_KEPT", 2)
    engine, _, capture = with_graphs(make_model(is_shared=True))
    for _ in range(EAGER_CALLS + 4):
        for side in (64, 72, 80):
            pictures(engine, some_jobs(1, width=side, num_inference_steps=1))

    assert capture.captures == 2 * 3 and capture.releases == 0, "the third runs eagerly, and takes nobody's place"


def test_batch_without_memory_runs_in_smaller_ones_which_keep_their_graphs(caplog: pytest.LogCaptureFixture) -> None:
    model = make_model(guidance=Guidance.CFG, is_shared=True)
    jobs = some_jobs(4)
    eager = pictures(DiffusionEngine(model, RecordingBackend(model), max_rows=4), jobs)
    engine, backend, capture = with_graphs(model)
    for count in (1, 2):
        for _ in range(EAGER_CALLS + 1):
            pictures(engine, some_jobs(count, num_inference_steps=1))
    capture.error, capture.least_rows = torch.OutOfMemoryError("CUDA out of memory"), 4
    with caplog.at_level(logging.WARNING):
        for _ in range(EAGER_CALLS + 1):
            pictures(engine, jobs)

    made = pictures(engine, jobs)

    assert caplog.messages == ["64x64 has CUDA graphs for fewer than 4 rows, slower: too little memory"]
    assert engine.info.batches == Batches((1, 2, 4), most_work=2 * 64 * 64), "the scheduler forms no larger ones"
    kept = backend._sizes.called(64, 64).graphs
    assert {key.places for key in kept} == {1, 2} and {key.kind for key in kept} == {*FRAME_KINDS}
    for ours, theirs in zip(made, eager, strict=True):
        np.testing.assert_allclose(ours.astype(int), theirs, atol=1)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("operation not permitted")]
)
def test_size_that_cannot_be_captured_goes_on_eagerly_and_the_log_says_why(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_model(is_shared=True)
    engine, _, capture = with_graphs(model)
    capture.error = error
    with caplog.at_level(logging.WARNING):
        made = [pictures(engine, some_jobs(1)) for _ in range(EAGER_CALLS + 3)]
    capture.error = None
    pictures(engine, some_jobs(1))
    for _ in range(EAGER_CALLS + 1):
        pictures(engine, some_jobs(1, width=72))

    assert all((picture == made[0][0]).all() for (picture,) in made)
    assert len(caplog.records) == 1 and "64x64 runs without CUDA graphs, slower" in caplog.text
    assert capture.captures == 3, "of the other size"


def test_warm_up_captures_all_batch_sizes_of_the_default_size_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend, capture = with_graphs(make_model(is_shared=True))
    monkeypatch.setattr(PlainBackend, "run", lambda backend, call: pytest.fail("it ran without being captured"))

    engine.warm_up()
    before = capture.captures
    pictures(engine, some_jobs(3, num_inference_steps=1, guidance_scale=1.0))

    assert before == capture.captures == 3 * 3
    assert backend.rung.name == "graphs"
    assert str(backend.rung).startswith("graphs: CUDA graphs for batches of 1, 2, 4 over eager: torch on cpu")


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


def test_closed_backend_holds_no_graphs() -> None:
    engine, backend, capture = with_graphs(make_model(is_shared=True))
    engine.warm_up()

    engine.close()
    gc.collect()

    assert len(backend._sizes) == 0 and not backend._buffers and capture.releases == 1


class Pools:
    """Stands for what `torch.cuda` does in a capture: which pools it takes.

    Source: `beginAllocateToPool` and `create_or_incref_pool` in PyTorch's `CUDACachingAllocator.cpp` and
    `CachingHostAllocator.h`, and `CUDAGraph::capture_end`, which leaves a capture under way where ending it fails.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.graphs: dict[int, list[weakref.ref[Any]]] = {}
        self.streams: list[str] = []
        self.emptied = 0
        self.under_way: set[int] = set()
        self.error: RuntimeError | None = None
        self._handles = itertools.count(1)
        names, pools = itertools.count(1), self

        def stream() -> Any:
            return SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None, name=next(names))

        class Graph:
            """Stands for `torch.cuda.CUDAGraph`."""

            pool = 0

            def capture_begin(self, pool: int, capture_error_mode: str) -> None:
                assert capture_error_mode == "thread_local"
                if pool in pools.under_way:
                    raise RuntimeError("beginAllocateToPool: already recording to mempool_id")
                if pool in pools.graphs and not any(reference() for reference in pools.graphs[pool]):
                    raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED")
                self.pool = pool
                pools.under_way.add(pool)
                pools.graphs.setdefault(pool, []).append(weakref.ref(self))

            def capture_end(self) -> None:
                if pools.error is not None:
                    raise pools.error
                pools.under_way.remove(self.pool)

            def replay(self) -> None:
                pass

            def reset(self) -> None:
                pass

        stand_ins = {
            "graph_pool_handle": lambda: next(self._handles),
            "current_stream": lambda device: stream(),
            "stream": self._on,
            "Stream": lambda device: stream(),
            "CUDAGraph": Graph,
            "empty_cache": self._empty_cache,
        }
        for name, stand_in in stand_ins.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)

    @contextlib.contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        self.streams.append(stream.name)
        yield

    def _empty_cache(self) -> None:
        self.emptied += 1


CPU = torch.device("cpu")
"""Of the tensors of captures whose graphs are stand-ins."""


def test_a_capture_that_failed_spoils_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    before = capture.capture(lambda: {"x": torch.ones(1)})
    pools.error = RuntimeError("operation failed due to a previous error during capture")
    with pytest.raises(RuntimeError, match="previous error"):
        capture.capture(lambda: {"x": torch.ones(1)})
    pools.error = None

    replays = [before, *(capture.capture(lambda: {"x": torch.ones(1)}) for _ in range(2))]

    assert [replay()["x"].item() for replay in replays] == [1, 1, 1] and len(pools.graphs) == 2


def test_capture_without_memory_is_undone_and_the_pool_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    before = capture.capture(lambda: {"x": torch.ones(1)})
    calls = itertools.count()

    def too_much() -> Outputs:
        if next(calls):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    with pytest.raises(torch.OutOfMemoryError):
        capture.capture(too_much)
    after = capture.capture(lambda: {"x": torch.ones(1)})

    assert len(pools.graphs) == 1 and not capture._failed, "nothing is kept for it, and no second pool is begun"
    assert pools.emptied == 1, "it is tried again with what other streams have left"
    assert [replay()["x"].item() for replay in (before, after)] == [1, 1]


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
    class Short(RecordingBackend):
        def run(self, call: Call) -> Outputs:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = make_model(is_shared=True)
    engine = DiffusionEngine(model, GraphBackend(Short(model), CountingRerun(), 1, model.device), max_rows=1)

    (outcome,) = run(engine, some_jobs(1))

    assert isinstance(outcome, Failure) and outcome.error.code == "out_of_memory"


@pytest.mark.parametrize("fails_at", [0, 1])
def test_what_was_calculated_until_memory_ran_out_is_free_when_it_is_tried_again_and_behind_that(
    fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback has the frames, and these all that was calculated: nearly what the second try needs."""
    Pools(monkeypatch)
    calls = itertools.count()
    taken: list[weakref.ref[torch.Tensor]] = []
    there: list[int] = []

    def too_much() -> Outputs:
        there.append(sum(one() is not None for one in taken))
        activations = torch.ones(1000)
        taken.append(weakref.ref(activations))
        if next(calls) >= fails_at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    with ThreadPoolExecutor(1) as maker:
        error = maker.submit(CudaCapture(CPU).capture, too_much).exception()

    assert isinstance(error, torch.OutOfMemoryError) and len(taken) > 1
    assert there == [0] * len(there)
    assert not any(one() is not None for one in taken), "though whoever asked has the error"


def test_what_runs_before_a_capture_is_on_another_stream_than_graphs_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS has a workspace for each stream, in which graphs write when they are replayed: at any time."""
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    ran: list[str] = []

    def call() -> Outputs:
        ran.append(pools.streams[-1])
        return {}

    for _ in range(2):
        capture.capture(call)

    assert ran[0] != ran[1] and ran[:2] == ran[2:]


def test_graphs_share_a_pool_as_long_as_one_of_them_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    replays = [capture.capture(lambda: {"x": torch.ones(1)}) for _ in range(3)]
    assert len(pools.graphs) == 1

    replays.clear()
    capture.capture(lambda: {"x": torch.ones(1)})

    assert len(pools.graphs) == 2


def test_the_log_says_what_went_wrong_first_in_a_capture(caplog: pytest.LogCaptureFixture) -> None:
    engine, _, capture = with_graphs(make_model(is_shared=True))
    capture.error = RuntimeError("operation failed due to a previous error during capture")
    capture.error.__context__ = RuntimeError("operation not permitted when stream is capturing\nSearch for it")

    with caplog.at_level(logging.WARNING):
        for _ in range(EAGER_CALLS + 1):
            pictures(engine, some_jobs(1))

    why = "operation not permitted when stream is capturing"
    assert caplog.messages == [f"64x64 runs without CUDA graphs, slower: {why}"]


# -- nets ----------------------------------------------------------------------------------------------------------


def steered_model() -> Model:
    nets = [a_net(make_controlnet(seed=seed), f"net{seed}") for seed in range(2)]
    nets += [a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "t2i")]
    return make_model(guidance=Guidance.CFG, nets=tuple(nets))


def steered_jobs() -> list[Job]:
    controls: list[list[dict[str, Any]]] = [
        [{"net": "net0", "weight": 0.7}],
        [{"net": "net1"}, {"net": "union/canny", "end": 0.5}],
        [{"net": "t2i"}, {"net": "net0", "start": 0.5}],
        [],
    ]
    return [
        make_job(make_params(prompt=f"{i}", num_inference_steps=2, control=control, guidance_scale=1.0 + i), i)
        for i, control in enumerate(controls)
    ]


def test_nets_pictures_are_those_of_eager_mode_also_once_they_are_captured() -> None:
    model, jobs = steered_model(), steered_jobs()
    eager = DiffusionEngine(model, RecordingBackend(model), max_rows=4)
    expected = [picture_of(one) for one in run(eager, jobs)]
    engine, backend, capture = with_graphs(model)

    for number in range(EAGER_CALLS + 3):
        order = [*jobs[number % 4 :], *jobs[: number % 4]]  # buffers are filled anew
        found = {int(str(one.order.params.prompt)): picture_of(one) for one in run(engine, order)}
        for i, picture in enumerate(expected):
            np.testing.assert_allclose(found[i].astype(int), picture.astype(int), atol=1)

    graphs = {key.kind for key in backend._sizes.called(64, 64).graphs}
    assert {"control/net0", "control/net1", "control/union", "embed/t2i"} <= graphs
    forms = {tuple(name for name, _ in key.form) for key in backend._sizes.called(64, 64).graphs if key.kind == "step"}
    assert any("control" in form for form in forms) and capture.captures >= 6


def test_guided_rows_of_a_full_batch_have_a_place_in_the_calls_of_nets() -> None:
    model = steered_model()
    engine, backend, _ = with_graphs(model)
    params = make_params(guidance_scale=3.0, control=[{"net": "net0"}])

    for _ in range(EAGER_CALLS + 1):
        results = run(engine, [make_job(params, seed) for seed in range(4)])

    places = [key.places for key in backend._sizes.called(64, 64).graphs if key.kind == "control/net0"]
    assert places == [8] and not any(isinstance(one, Failure) for one in results)

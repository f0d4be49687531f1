"""Graphs' buffers, places and memory, on the CPU twin of CUDA's capture."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Config, Device
from realtime.engine import Batches, Guidance
from realtime.engine.backend import PlainBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import load_model
from realtime.engine.rungs import graph, graph_sizes
from realtime.engine.rungs.graph import batch_size_for, batch_sizes
from realtime.engine.rungs.graphs import EAGER_CALLS
from realtime.frame import Failure, Result
from tests import checkpoints
from tests.engine.rungs.capturing import pictures, some_jobs, with_graphs
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

MODELS: dict[str, dict[str, Any]] = {
    "guided": {"guidance": Guidance.CFG},
    "embedded model": {"concat_source": True, "latent_channels": 8},
    "sdxl": {"family": "sdxl"},
}


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


def test_closed_backend_holds_no_graphs() -> None:
    engine, backend, capture = with_graphs(make_model(is_shared=True))
    engine.warm_up()

    engine.close()
    gc.collect()

    assert len(backend._sizes) == 0 and not backend._buffers and capture.releases == 1


def test_the_log_says_what_went_wrong_first_in_a_capture(caplog: pytest.LogCaptureFixture) -> None:
    engine, _, capture = with_graphs(make_model(is_shared=True))
    capture.error = RuntimeError("operation failed due to a previous error during capture")
    capture.error.__context__ = RuntimeError("operation not permitted when stream is capturing\nSearch for it")

    with caplog.at_level(logging.WARNING):
        for _ in range(EAGER_CALLS + 1):
            pictures(engine, some_jobs(1))

    why = "operation not permitted when stream is capturing"
    assert caplog.messages == [f"64x64 runs without CUDA graphs, slower: {why}"]

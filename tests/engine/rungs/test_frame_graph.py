"""One graph for frames of one step: the pictures of three graphs and of eager mode in every mix; what falls back."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine import Guidance
from realtime.engine.backend import FRAME, EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.regions import Kind, Outputs
from realtime.engine.rungs import graph
from realtime.engine.rungs.capture import CudaCapture
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.rungs.specialise import Signature
from realtime.frame import Failure, Job, Result
from realtime.params import Matte
from tests.engine.rungs.capturing import CountingRerun, Maker, pictures, put_all, some_jobs, with_graphs
from tests.engine.rungs.cuda_pools import CPU, Pools
from tests.engine.test_contexts import SEEN, pictured_model
from tests.engine.tiny_models import FRAME_KINDS, RecordingBackend, make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet

SETTLED = EAGER_CALLS + 2


def frames(model: Model, max_rows: int = 4) -> tuple[DiffusionEngine, GraphBackend, CountingRerun]:
    return with_graphs(model, max_rows, frame_graphs=True)


def calls_of(backend: GraphBackend) -> list[str]:
    """The kinds of graphs that are replayed from now on."""
    kinds: list[str] = []
    run_graph = graph.RegionGraph.run

    def note(self: graph.RegionGraph, call: Any) -> Outputs:
        kinds.append(call.kind)
        return run_graph(self, call)

    for size in backend._sizes._sizes.values():
        for one in size.graphs.values():
            one.run = note.__get__(one)  # type: ignore[method-assign]
    return kinds


def settle(engine: DiffusionEngine, jobs: list[Job]) -> None:
    for _ in range(SETTLED):
        pictures(engine, jobs)


MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "guided": {"guidance": Guidance.CFG},
    "embedded guidance": {"guidance": Guidance.EMBEDDED},
    "with its picture": {"concat_source": True, "latent_channels": 8},
    "sdxl": {"family": "sdxl"},
}


@pytest.mark.parametrize("count", [1, 3, 4])  # 1 and 4 fill their batches, 3 is padded
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_one_graph_makes_the_pictures_of_three_and_of_eager_mode(options: dict[str, Any], count: int) -> None:
    model = make_model(**options, is_shared=True)
    jobs = some_jobs(count, num_inference_steps=1)
    eager = pictures(DiffusionEngine(model, RecordingBackend(model), max_rows=4), jobs)
    three, _, _ = with_graphs(model)
    settle(three, jobs)
    engine, backend, _ = frames(model)
    settle(engine, jobs)
    replayed = calls_of(backend)

    found, again, by_three = pictures(engine, jobs), pictures(engine, jobs), pictures(three, jobs)

    assert replayed == [FRAME, FRAME]
    for one, same, other, theirs in zip(found, again, by_three, eager, strict=True):
        np.testing.assert_array_equal(one, same)
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one.astype(int), theirs, atol=1)


def test_mixes_of_everything_make_each_frames_own_picture_alone() -> None:
    """Sizes, prompts of two lengths, guided rows, one, two and three steps, several ticks in flight."""
    model = make_model(guidance=Guidance.CFG, is_shared=True)
    dice = random.Random(3)
    known = [
        make_job(
            make_params(
                prompt=f"{i} BREAK more" if i % 7 == 6 else f"prompt {i % 4}",
                seed=i,
                num_inference_steps=1 + (i % 3 if i % 2 else 0),
                guidance_scale=1.0 + 2 * (i % 4 == 1),
                width=72 if i % 5 == 4 else 64,
            ),
            i,
        )
        for i in range(20)
    ]
    eager = DiffusionEngine(model, RecordingBackend(model))
    alone = {job.frame.seq: pictures(eager, [job])[0] for job in known}
    engine, backend, _ = frames(model)

    for turn in range(120):
        if engine.busy_rows and turn % 3:
            admitted = dice.sample(known, dice.randint(0, min(2, engine.free_rows)))
        else:
            likes = dice.choice(known).params
            pool = [job for job in known if job.params.width == likes.width] if turn % 2 else known
            admitted = dice.sample(pool, min(dice.randint(1, 4), engine.free_rows, len(pool)))
        for outcome in engine.tick(admitted).collect():
            seq = outcome.order.frame.seq
            np.testing.assert_allclose(picture_of(outcome).astype(int), alone[seq], atol=1)

    keys = [key for size in backend._sizes._sizes.values() for key in size.graphs if key.kind == FRAME]
    assert len({key.form for key in keys}) > 1 and len({key.places for key in keys}) > 1, "graphs of several forms"
    assert any(key.guided for key in keys)


def test_one_tick_with_a_row_of_two_steps_or_another_length_takes_three_graphs() -> None:
    model = make_model(is_shared=True)
    engine, backend, _ = frames(model)
    short, other = some_jobs(2, num_inference_steps=1, guidance_scale=1.0)
    long = make_job(make_params(prompt="two", num_inference_steps=2), 5)
    chunks = make_job(make_params(prompt="one BREAK two", num_inference_steps=1), 6)
    for jobs in ([short, other], [short, long], [short, chunks], [short]):
        settle(engine, jobs)
    expected = {
        one.frame.seq: pictures(DiffusionEngine(model, RecordingBackend(model)), [one])[0]
        for one in (short, long, chunks)
    }
    kinds = calls_of(backend)

    for jobs in ([short, long], [short, chunks]):
        kinds.clear()
        for outcome in run(engine, jobs):
            np.testing.assert_allclose(picture_of(outcome).astype(int), expected[outcome.order.frame.seq], atol=1)
        assert FRAME not in kinds

    kinds.clear()
    engine.tick([long])
    engine.tick([short]).collect()
    assert FRAME not in kinds, "it shares the step of what is in flight"


def test_frames_with_nets_take_three_graphs_and_those_beside_them_too() -> None:
    model = make_model(nets=(a_net(make_controlnet(), "net"),))
    engine, backend, _ = frames(model)
    steered = make_job(make_params(control=[{"net": "net"}], num_inference_steps=1), 1)
    plain = make_job(make_params(num_inference_steps=1), 2)
    for jobs in ([steered], [steered, plain], [plain]):
        settle(engine, jobs)
    kinds = calls_of(backend)

    found = pictures(engine, [steered, plain])
    assert FRAME not in kinds
    kinds.clear()
    alone = pictures(engine, [plain])

    assert kinds == [FRAME]
    np.testing.assert_allclose(found[1].astype(int), alone[0], atol=1)


def test_contexts_are_heard_in_one_graph(tmp_path: Path) -> None:
    model = pictured_model(tmp_path)
    wanted: list[dict[str, Any]] = [
        {"references": [{"picture": next(iter(SEEN)), "weight": 0.9}]},
        {"negative_prompt": "rain", "negative_scale": 3.0},
        {},
    ]
    jobs = [
        replace(make_job(make_params(num_inference_steps=1, **fields), i), references=SEEN)
        for i, fields in enumerate(wanted)
    ]
    eager = [pictures(DiffusionEngine(model, EagerBackend(model)), [job])[0] for job in jobs]
    engine, backend, _ = frames(model)
    settle(engine, jobs)
    kinds = calls_of(backend)

    found = pictures(engine, jobs)

    assert kinds == [FRAME]
    for one, other in zip(found, eager, strict=True):
        np.testing.assert_allclose(one.astype(int), other, atol=1)


def test_frames_of_one_graph_have_their_masks_and_their_moments() -> None:
    model = make_model(is_shared=True)
    clock = itertools.count(1000, 60)
    capture = CountingRerun()
    backend = GraphBackend(EagerBackend(model), capture, 2, model.device)
    engine = DiffusionEngine(model, backend, max_rows=2, clock=lambda: next(clock))
    job = make_job(make_params(num_inference_steps=1, matte=Matte.PERSON), 1)
    passed = make_job(make_params(strength=0.0, matte=Matte.PERSON), 2)
    (expected,) = run(DiffusionEngine(model, EagerBackend(model)), [job])
    settle(engine, [job])
    kinds = calls_of(backend)

    through, found = sorted(run(engine, [passed, job]), key=lambda one: -one.order.frame.seq)

    assert isinstance(found, Result) and isinstance(expected, Result) and isinstance(through, Result)
    assert kinds == [FRAME, Kind.MATTE] or kinds == [FRAME]
    assert found.mask is not None and expected.mask is not None and through.mask is not None
    np.testing.assert_array_equal(found.mask, expected.mask)
    stamps = found.stamps
    assert stamps.encode_latents < stamps.denoise < stamps.decode_latents
    spent = stamps.durations_ms()
    assert spent["denoise"] == pytest.approx(2 / 3 * 60 / 1e6)
    assert sum(spent.values()) == pytest.approx((stamps.decode_latents - stamps.received_ns) / 1e6)


def test_broken_row_leaves_nothing_behind_in_its_place() -> None:
    model = make_model(is_shared=True)
    engine, _, _ = frames(model)
    recipe = engine.recipes.get(make_params(prompt="broken", num_inference_steps=1))
    assert recipe is not None
    recipe.prompt.prompt_embeds.fill_(float("nan"))

    for names in [("a", "broken", "b"), ("a", "b", "broken"), ("a", "b", "c"), ("a", "c", "b")] * 3:
        jobs = [make_job(make_params(prompt=name, num_inference_steps=1), i) for i, name in enumerate(names)]
        kinds = [type(outcome) for outcome in sorted(run(engine, jobs), key=lambda one: one.order.frame.seq)]
        assert kinds == [Failure if name == "broken" else Result for name in names]


def test_warm_up_makes_three_and_the_one_comes_beside() -> None:
    model = make_model(is_shared=True)
    capture, maker = CountingRerun(), Maker()
    backend = GraphBackend(RecordingBackend(model), capture, 1, model.device, maker)
    engine = DiffusionEngine(model, backend, max_rows=1)
    jobs = some_jobs(1, num_inference_steps=1)
    expected = pictures(DiffusionEngine(model, RecordingBackend(model)), jobs)
    with ThreadPoolExecutor(1) as warm:
        backend._maker = warm
        engine.warm_up()
    backend._maker = maker

    for _ in range(EAGER_CALLS + 1):
        before = pictures(engine, jobs)
    assert (capture.captures, len(maker.asked)) == (3, 1), "only what one graph needs is made, while three answer"
    maker.make_next()
    after = pictures(engine, jobs)

    assert capture.captures == 4
    for made in (before, after):
        np.testing.assert_allclose(made[0].astype(int), expected[0], atol=1)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("not permitted")])
def test_where_one_graph_can_not_be_made_three_go_on(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    model = make_model(is_shared=True)
    three, backend, capture = with_graphs(model)
    jobs = some_jobs(2, num_inference_steps=1)
    settle(three, jobs)
    expected = pictures(three, jobs)
    backend.frame_graphs, capture.error = True, error

    with caplog.at_level(logging.WARNING):
        settle(three, jobs)
    capture.error = None
    settle(three, jobs)
    found = pictures(three, jobs)

    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("frames of 64x64 take three graphs, not one: ")
    assert {key.kind for key in backend._sizes.called(64, 64).graphs} == {*FRAME_KINDS}
    assert backend.batches.most_work == float("inf"), "nothing is refused"
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_compiled_meanwhile_takes_its_place_in_the_one_graph() -> None:
    model = make_model(is_shared=True)
    under, capture = CompiledBackend(model, "aoti", "compiled"), CountingRerun()
    backend = GraphBackend(under, capture, 2, model.device)
    engine = DiffusionEngine(model, backend, max_rows=2)
    jobs, answered = some_jobs(1, num_inference_steps=1), list[Signature]()
    settle(engine, jobs)
    before, captures = pictures(engine, jobs), capture.captures

    put_all(under, answered)
    kinds = calls_of(backend)
    after = [pictures(engine, jobs) for _ in range(2)]

    assert capture.captures == captures + 1, "the one that is in use, once"
    assert kinds == [] or set(kinds) == {FRAME}
    assert {signature.call.kind for signature in answered} == set(FRAME_KINDS)
    assert all((one[0] == before[0]).all() for one in after)


def test_calls_that_one_graph_answers_are_worth_compiling_too() -> None:
    model = make_model(is_shared=True)
    under = CompiledBackend(model, "aoti", "compiled")
    engine = DiffusionEngine(model, GraphBackend(under, CountingRerun(), 2, model.device), max_rows=2)
    jobs = some_jobs(1, num_inference_steps=1)
    settle(engine, jobs)
    before = {str(signature): signature for signature in under.compiled.demand.so_far()}
    noted: list[Signature] = []
    under.compiled.demand.note = noted.append  # type: ignore[method-assign]

    pictures(engine, jobs)

    assert [signature.call.kind for signature in noted] == list(FRAME_KINDS)
    assert set(noted) <= set(before.values()), "and are those that three calls would be"


def test_one_graph_takes_no_pool_of_its_own_and_pictures_go_to_the_host_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pools = Pools(monkeypatch)
    model = make_model(is_shared=True)
    capture = CudaCapture(CPU)
    calls: list[Callable[[], Outputs]] = []

    class Replaying:
        """Captures as on a GPU, and replays by calling again."""

        def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
            replay = capture.capture(call)
            calls.append(replay)
            return lambda: (replay(), call())[1]

        def release(self) -> None:
            """Nothing runs here."""

    backend = GraphBackend(RecordingBackend(model), Replaying(), 2, model.device)
    engine = DiffusionEngine(model, backend, max_rows=2)
    settle(engine, some_jobs(1))
    jobs = some_jobs(1, num_inference_steps=1)
    settle(engine, jobs)
    taken: list[tuple[int, ...]] = []

    def note(parts: list[torch.Tensor]) -> torch.Tensor:
        taken.append(tuple(parts[0].shape))
        return torch.cat(parts)

    monkeypatch.setattr(graph, "join_on_host", note)
    copied: list[tuple[int, ...]] = []
    copy = graph.join_into

    def noted(batch: torch.Tensor, column: Any) -> None:
        copied.append(tuple(batch.shape))
        copy(batch, column)

    monkeypatch.setattr(graph, "join_into", noted)
    pictures(engine, jobs)

    assert len(calls) == 4 and len(pools.graphs) == 1
    assert taken == [(1, 64, 64, 3), (1,)]
    assert copied == [(1, 64, 64, 3)], "the picture, and nothing between regions"

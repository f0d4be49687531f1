"""Rows, ticks and failures of the diffusion engine."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine import Guidance, RowCost
from realtime.engine.pending import DiffusionPending
from realtime.engine.recipe import Recipe, make_noise
from realtime.engine.regions import Call, Kind, Outputs
from realtime.engine.rows import Finished
from realtime.engine.sampler import PASS_THROUGH_STRENGTH, Sampler
from realtime.engine.state import RungState
from realtime.engine.work import MATTE_WORK
from realtime.errors import EngineError, ModelError
from realtime.frame import STAGES, Failure, Result
from realtime.params import GuidanceMode, Matte, Params
from realtime.prompts import WeightedPrompt
from tests.engine.tiny_models import (
    TOKENS,
    RecordingBackend,
    make_engine,
    make_job,
    make_model,
    make_params,
    make_picky_model,
    make_picture,
    picture_of,
    run,
    ticks,
)

STRENGTHS = [*(round(0.05 * i, 2) for i in range(21)), 0.019, 0.02, 0.0204, 0.333, 0.5005, 0.9999]


def failure_code(outcome: Result | Failure) -> str:
    assert isinstance(outcome, Failure), outcome
    return outcome.error.code


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.slow
def test_every_strength_and_step_count_runs_exactly_its_unet_calls(n: int, sampler: Sampler) -> None:
    engine, backend = make_engine(make_model(sampler=sampler, is_shared=True), max_rows=len(STRENGTHS))
    jobs = [make_job(make_params(strength=s, num_inference_steps=n), i) for i, s in enumerate(STRENGTHS)]
    denoised = [job for job in jobs if job.params.strength >= PASS_THROUGH_STRENGTH]
    passed = [job for job in jobs if job not in denoised]

    left = [pending.collect() for pending in ticks(engine, jobs)]

    assert all(isinstance(outcome, Result) for outcomes in left for outcome in outcomes)
    assert backend.rows_of_calls == [len(denoised)] * n
    assert len(left) == n
    if n > 1:
        assert [outcome.order for outcome in left[0]] == passed
        assert [outcome.order for outcome in left[-1]] == denoised


def test_frame_below_the_threshold_passes_through_unchanged() -> None:
    engine, _ = make_engine()

    (outcome,) = run(engine, [make_job(make_params(strength=0.0), seed=4)])

    np.testing.assert_array_equal(picture_of(outcome), make_picture(4))


@pytest.mark.parametrize("guidance", list(Guidance))
@pytest.mark.parametrize("mode", list(GuidanceMode))
@pytest.mark.parametrize(("scale", "steps"), [(1.0, 3), (8.0, 3), (8.0, 1)])
def test_cost_of_a_job_is_the_unet_rows_that_it_takes(
    guidance: Guidance, mode: GuidanceMode, scale: float, steps: int
) -> None:
    engine, backend = make_engine(make_model(guidance=guidance, is_shared=True))
    params = make_params(num_inference_steps=steps, guidance_scale=scale, guidance=mode, amount=1.5)

    cost = engine.cost(params)
    run(engine, [make_job(params)])

    assert cost.works == tuple(params.width * params.height * rows for rows in backend.rows_of_calls)


def test_what_is_prepared_is_not_compiled_in_the_tick() -> None:
    engine, _ = make_engine()
    params = make_params(prompt="ink")

    engine.prepare(make_job(params))
    compiled = engine.recipes.compiled
    run(engine, [make_job(params)])

    assert compiled == engine.recipes.compiled == 1


def test_frame_that_passes_through_costs_no_work() -> None:
    engine, _ = make_engine()

    assert engine.cost(make_params(strength=0.0, num_inference_steps=4)) == RowCost((0,))


@pytest.mark.parametrize("matte", [Matte.PERSON, Matte.BACKGROUND])
def test_finding_people_costs_its_share_of_a_row_in_the_last_tick(matte: Matte) -> None:
    engine, _ = make_engine()
    two, none = make_params(num_inference_steps=2), make_params(strength=0.0)

    first, last = engine.cost(two).works
    with_matte = [engine.cost(params.model_copy(update={"matte": matte})) for params in (two, none)]

    assert with_matte == [RowCost((first, last + MATTE_WORK)), RowCost((MATTE_WORK,))]
    assert engine.cost(two.model_copy(update={"matte": Matte.DRAWN})) == RowCost((first, last))


def test_new_jobs_do_their_first_step_in_the_tick_that_admits_them() -> None:
    engine, backend = make_engine()

    pending = engine.tick([make_job(make_params(num_inference_steps=1))])

    assert backend.rows_of_calls == [1]
    assert len(pending.jobs) == 1 and pending.ready() and engine.busy_rows == 0


def test_rows_at_different_steps_share_one_unet_call() -> None:
    engine, backend = make_engine(max_rows=4)
    slow, quick = make_params(num_inference_steps=3), make_params(num_inference_steps=1, prompt="other", strength=0.9)

    left = [
        [job.frame.seq for job in engine.tick(jobs).jobs]
        for jobs in ([make_job(slow, 0)], [make_job(quick, 1)], [make_job(quick, 2), make_job(slow, 3)], [])
    ]

    assert backend.rows_of_calls == [1, 2, 3, 1]
    assert left == [[], [1], [0, 2], []]
    assert engine.busy_rows == 1 and engine.free_rows == 3


def test_guided_rows_add_one_row_each_to_the_same_call() -> None:
    engine, backend = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    guided, plain = make_params(guidance_scale=3.0), make_params(guidance_scale=1.0)

    run(engine, [make_job(guided, 0), make_job(plain, 1), make_job(guided, 2)])

    assert backend.rows_of_calls == [5]


def test_different_sizes_take_one_call_each() -> None:
    engine, backend = make_engine()
    tall = make_params(width=64, height=128)

    outcomes = run(engine, [make_job(make_params(), 0), make_job(tall, 1), make_job(make_params(), 2)])

    assert backend.rows_of_calls == [2, 1]
    assert [picture_of(outcome).shape[:2] for outcome in outcomes] == [(64, 64), (128, 64), (64, 64)]


def test_prompts_of_different_lengths_take_one_call_each() -> None:
    engine, backend = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    long = make_params(prompt="one BREAK two", negative_prompt="rain", guidance_scale=3.0)

    run(engine, [make_job(make_params(), 0), make_job(long, 1), make_job(make_params(), 2)])

    assert backend.rows_of_calls == [2, 2]


def test_negative_prompt_is_told_at_the_length_of_the_prompt_and_stays_the_same_object() -> None:
    engine, _ = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    fields: dict[str, Any] = {"prompt": "a BREAK b", "negative_prompt": "c BREAK d BREAK e", "guidance_scale": 3.0}

    one, other = (engine.recipes.get(make_params(**fields, seed=seed)) for seed in (1, 2))

    assert one is not None and one.negative is not None and other is not None
    assert one.prompt.length == one.negative.length == 6 * TOKENS
    assert one.prompt is other.prompt and one.negative is other.negative


def test_prompt_at_a_multiple_of_its_length_gives_the_same_picture() -> None:
    engine, _ = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    job = make_job(make_params(num_inference_steps=2))
    recipe = engine.recipes.get(job.params)
    assert recipe is not None

    (once,) = run(engine, [job])
    longer = replace(recipe, prompt=recipe.prompt.repeated(3 * TOKENS))
    engine.recipes.get = lambda params, references: longer  # type: ignore[method-assign]
    (thrice,) = run(engine, [job])

    np.testing.assert_allclose(picture_of(once).astype(int), picture_of(thrice), atol=1)


def test_rows_of_one_session_in_flight_together_leave_in_order() -> None:
    """The stream batch: one frame enters and one leaves on every tick, n - 1 ticks later."""
    engine, backend = make_engine(max_rows=3)
    params = make_params(num_inference_steps=3)

    left = [[job.frame.seq for job in engine.tick([make_job(params, seq)]).jobs] for seq in range(8)]

    assert left == [[], [], [0], [1], [2], [3], [4], [5]]
    assert backend.rows_of_calls == [1, 2, 3, 3, 3, 3, 3, 3]


def test_more_jobs_than_free_rows_is_a_broken_caller() -> None:
    engine, _ = make_engine(max_rows=1)

    with pytest.raises(EngineError):
        engine.tick([make_job(make_params(), seq) for seq in range(2)])


def test_refused_prompt_fails_its_own_frame_only() -> None:
    engine, _ = make_engine(make_picky_model())

    engine.prepare(make_job(make_params(prompt="(")))
    outcomes = run(engine, [make_job(make_params(prompt="("), 0), make_job(make_params(prompt="fox"), 1)])

    assert [type(outcome) for outcome in outcomes] == [Failure, Result]


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_result_that_is_no_number_fails_its_frame_and_the_next_is_fine(poison: float) -> None:
    model = make_model()
    engine, _ = make_engine(model)
    weights = model.unet.conv_out.weight
    saved = weights.clone()

    weights.data[0] = poison
    (first,) = run(engine, [make_job(make_params())])
    weights.data.copy_(saved)
    (second,) = run(engine, [make_job(make_params())])

    assert failure_code(first) == "nan"
    assert isinstance(second, Result)


def test_one_broken_row_does_not_touch_its_neighbours() -> None:
    model = make_model()
    embeds = model.prompt_encoder.encode("broken").prompt_embeds
    engine, _ = make_engine(model)
    recipe = engine.recipes.get(make_params(prompt="broken"))
    assert recipe is not None
    recipe.prompt.prompt_embeds.copy_(torch.full_like(embeds, float("nan")))

    outcomes = run(engine, [make_job(make_params(prompt=text), i) for i, text in enumerate(("fox", "broken", "snow"))])

    assert [type(outcome) for outcome in outcomes] == [Result, Failure, Result]


def test_black_result_of_a_picture_that_is_not_black_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend = make_engine()
    run_region = backend.run

    def black_pictures(call: Call) -> Outputs:
        outputs = run_region(call)
        black = {"pictures": torch.zeros_like(outputs["pictures"])} if call.kind is Kind.DECODE else {}
        return {**outputs, **black}

    monkeypatch.setattr(backend, "run", black_pictures)
    black = np.zeros((64, 64, 3), np.uint8)

    outcomes = run(engine, [make_job(make_params(), 0), make_job(make_params(), 1, picture=black)])

    assert failure_code(outcomes[0]) == "black"
    assert isinstance(outcomes[1], Result)


def test_out_of_memory_fails_all_rows_and_the_engine_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend = make_engine()
    engine.tick([make_job(make_params(num_inference_steps=4), 0)])
    answer = backend.run

    def too_much(call: Call) -> Outputs:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backend, "run", too_much)
    failed = engine.tick([make_job(make_params(), 1), make_job(make_params(strength=0.0), 2)]).collect()
    monkeypatch.setattr(backend, "run", answer)
    (after,) = run(engine, [make_job(make_params(), 3)])

    assert [outcome.order.frame.seq for outcome in failed] == [0, 1, 2]
    assert {failure_code(outcome) for outcome in failed} == {"out_of_memory"}
    assert isinstance(after, Result) and engine.free_rows == 8
    assert engine.info.batches.most_work == 64 * 64, "of two that had work"


def test_out_of_memory_for_a_recipe_fails_the_frames_that_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = make_engine()

    def too_much(params: Params, references: object) -> Recipe | None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(engine.recipes, "get", too_much)
        failed = engine.tick([make_job(make_params(), 0), make_job(make_params(), 1)]).collect()
    (after,) = run(engine, [make_job(make_params(), 2)])

    assert [(outcome.order.frame.seq, failure_code(outcome)) for outcome in failed] == [
        (0, "out_of_memory"),
        (1, "out_of_memory"),
    ]
    assert engine.info.batches.most_work == math.inf, "it was a prompt that had too little"
    assert isinstance(after, Result)


def test_any_other_error_of_a_tick_is_the_engines_end(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, backend = make_engine()

    def broken(call: Call) -> Outputs:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(backend, "run", broken)

    with pytest.raises(RuntimeError, match="assert"):
        engine.tick([make_job(make_params())])


def test_result_carries_the_params_that_were_in_force_when_its_job_was_admitted() -> None:
    engine, _ = make_engine()
    first = make_params(num_inference_steps=2)
    second = first.patched({"prompt": "new"}, first)

    outcomes = run(engine, [make_job(first, 0), make_job(second, 1)])

    assert [outcome.order.params.version for outcome in outcomes] == [0, 1]
    assert (picture_of(outcomes[0]) != picture_of(outcomes[1])).any()


def test_equal_seeds_give_equal_bits() -> None:
    engine, _ = make_engine()
    params = make_params(num_inference_steps=4, seed=11)

    first, again, other = (
        picture_of(run(engine, [make_job(p)])[0]) for p in (params, params, params.model_copy(update={"seed": 12}))
    )

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "b"},
        {"prompt": (WeightedPrompt(text="a"), WeightedPrompt(text="b", weight=0.5))},
        {"negative_prompt": "c"},
        {"strength": 0.7},
        {"num_inference_steps": 3},
        {"guidance_scale": 4.0},
        {"seed": 1},
    ],
)
def test_every_param_that_should_matter_does(change: dict[str, Any]) -> None:
    engine, _ = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    base = make_params(prompt="a", num_inference_steps=2, guidance_scale=2.0)

    before, after = (picture_of(run(engine, [make_job(p)])[0]) for p in (base, base.model_copy(update=change)))

    assert np.abs(before.astype(int) - after).max() > 3


def test_recipe_is_made_once_for_equal_params_and_not_again_for_a_new_version() -> None:
    model = make_model()
    engine, _ = make_engine(model)
    first = make_params(prompt="fox")
    second = first.patched({"output_quality": 50}, first)

    recipes = [engine.recipes.get(params) for params in (first, second, make_params(prompt="fox", guidance_scale=5.0))]

    assert recipes[0] is recipes[1] is recipes[2]
    assert model.prompt_encoder.texts_encoded == 1


def test_noise_depends_on_seed_and_step_only() -> None:
    one, many = make_noise(3, 1, (4, 8, 8)), make_noise(3, 8, (4, 8, 8))

    assert one.dtype == torch.float32
    torch.testing.assert_close(one[0], many[0], atol=0, rtol=0)
    assert abs(many.std() - 1) < 0.05 and (many[0] != many[1]).all()


def test_stamps_are_consecutive_marks_of_the_clock() -> None:
    clock = itertools.count(10).__next__
    engine, _ = make_engine(clock=clock)

    outcomes = run(engine, [make_job(make_params(num_inference_steps=2), 0), make_job(make_params(strength=0.0), 1)])

    for outcome in outcomes:
        assert isinstance(outcome, Result)
        marks = [outcome.stamps.received_ns, *(getattr(outcome.stamps, stage) for stage in STAGES)]
        passed = [mark for mark in marks if mark]
        assert passed == sorted(passed)
        assert len(passed) == (3 if outcome.order.params.strength == 0 else 6)
        assert sum(outcome.stamps.durations_ms().values()) == pytest.approx((passed[-1] - passed[0]) / 1e6)


def test_warm_up_leaves_no_rows_and_reports_its_stage() -> None:
    engine, _ = make_engine()
    stages: list[str] = []

    engine.warm_up(lambda stage, percent: stages.append(stage))

    assert stages and engine.busy_rows == 0
    assert str(engine.info.rung).startswith("eager: torch on cpu")


def test_model_that_makes_no_picture_is_refused_when_it_warms_up() -> None:
    model = make_model()
    model.unet.conv_out.bias.data.fill_(float("nan"))
    engine, _ = make_engine(model)

    with pytest.raises(ModelError, match=r"not a number.*--dtype float32"):
        engine.warm_up()


class Event:
    """Stands for a CUDA event that the device reaches at `done_ms`."""

    def __init__(self, done_ms: float, is_reached: bool = True) -> None:
        self.done_ms, self.is_reached = done_ms, is_reached

    def query(self) -> bool:
        return self.is_reached

    def synchronize(self) -> None:
        self.is_reached = True

    def elapsed_time(self, end: Event) -> float:
        return end.done_ms - self.done_ms


def test_on_cuda_the_stages_are_counted_back_from_the_last_event() -> None:
    end: Any = Event(6.0, is_reached=False)
    marks: Any = {"encode_latents": Event(1.0), "denoise": Event(4.0), "decode_latents": Event(5.5)}
    job = make_job(make_params())
    finished = Finished(job, marks, torch.from_numpy(job.picture), torch.tensor(True))
    clock = iter([20_000_000]).__next__

    pending = DiffusionPending([finished], end, clock)
    was_ready = pending.ready()
    (outcome,) = pending.collect()

    assert not was_ready and isinstance(outcome, Result)
    assert [getattr(outcome.stamps, stage) for stage in STAGES[2:5]] == [15_000_000, 18_000_000, 19_500_000]


def test_adopted_backend_goes_on_with_the_rows_in_flight() -> None:
    model = make_model()
    engine, first = make_engine(model, max_rows=4)
    jobs = [make_job(make_params(num_inference_steps=4, prompt=str(i)), i) for i in range(2)]
    expected = [picture_of(outcome) for outcome in run(engine, jobs)]
    first.rows_of_calls.clear()
    second = RecordingBackend(model)
    second._rung = RungState("openvino", "another")

    engine.tick(jobs[:1])
    engine.tick(jobs[1:])
    engine.adopt(second)
    rung_before = engine.info.rung
    outcomes = [outcome for _ in range(3) for outcome in engine.tick([]).collect()]

    assert first.rows_of_calls == [1, 2] and second.rows_of_calls == [2, 2, 1]
    assert (rung_before.name, engine.info.rung) == ("eager", RungState("openvino", "another"))
    assert [outcome.order for outcome in outcomes] == jobs, "none was dropped"
    for outcome, picture in zip(outcomes, expected, strict=True):
        np.testing.assert_allclose(picture_of(outcome).astype(int), picture, atol=1)


def test_backend_is_closed_when_another_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    engine, first = make_engine(model)
    closed: list[str] = []
    monkeypatch.setattr(first, "close", lambda: closed.append("first"))

    engine.adopt(RecordingBackend(model))
    assert not closed, "the engine's thread may be at work with it"
    engine.tick([])

    assert closed == ["first"]


def test_idle_tick_does_nothing() -> None:
    engine, backend = make_engine()

    assert engine.tick([]).collect() == []
    assert backend.rows_of_calls == []


def test_closed_engine_holds_no_rows() -> None:
    engine, _ = make_engine()
    next(iter(ticks(engine, [make_job(make_params(num_inference_steps=2))])))

    engine.close()

    assert engine.busy_rows == 0

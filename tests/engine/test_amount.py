"""How much of the model's change, and one-time guidance: the table against the papers' formulas, written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from realtime.engine import Guidance, recipe, regions, rows, sampler
from realtime.engine.amount import with_amount, with_amount_once
from realtime.engine.backend import Backend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.regions import StepRegion
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.sampler import KA, KIN, KM, KS, KX, KZ, PM, PX, NoiseSchedule, Prediction, Sampler, T, Table
from realtime.frame import Job
from realtime.params import GuidanceMode
from tests.engine.tiny_models import (
    RecordingBackend,
    make_engine,
    make_job,
    make_model,
    make_params,
    run,
    sd_alphas_cumprod,
)

Floats = npt.NDArray[np.float64]
AMOUNTS = [0.0, 0.5, 1.0, 1.6, 2.0]


class Literal:
    """A run of a sampler on given predictions, one number for each latent, with the noise mixed as the papers do."""

    def __init__(self, kind: Sampler, prediction: Prediction, n: int) -> None:
        self.n, self.prediction = n, prediction
        self.schedule = NoiseSchedule(sd_alphas_cumprod(), prediction)
        self.table = sampler.table(kind, self.schedule, sampler.timesteps(0.7, n))
        generator = np.random.default_rng(n)
        self.source, *rest = generator.standard_normal((1 + 3 * n, 64))
        self.noise, self.outputs, self.negatives = rest[:n], rest[n : 2 * n], rest[2 * n :]

    def level(self, i: int) -> tuple[float, float]:
        alpha_cumprod = self.schedule.alphas_cumprod[int(self.table.steps[i, T])]
        return float(np.sqrt(alpha_cumprod)), float(np.sqrt(1 - alpha_cumprod))

    def epsilon(self, i: int, x: Floats, m: Floats) -> Floats:
        """The noise that a prediction says there is in x of unit variance."""
        a, b = self.level(i)
        if self.prediction is Prediction.EPSILON:
            return m
        return b * x + a * m if self.prediction is Prediction.V_PREDICTION else (x - a * m) / b

    def output(self, i: int, x: Floats, epsilon: Floats) -> Floats:
        """What a model predicts that says so."""
        a, b = self.level(i)
        x0 = (x - b * epsilon) / a
        return {Prediction.EPSILON: epsilon, Prediction.V_PREDICTION: a * epsilon - b * x0, Prediction.SAMPLE: x0}[
            self.prediction
        ]

    def run(self, guide: Callable[[int, Floats, Floats], Floats]) -> Floats:
        """The result where `guide` makes of step, x of unit variance and epsilon the epsilon to go by."""
        x = self.table.start[0] * self.source + self.table.start[1] * self.noise[0]
        for i, step in enumerate(self.table.steps):
            unit = step[KIN] * x
            epsilon = guide(i, unit, self.epsilon(i, unit, self.outputs[i]))
            m = self.output(i, unit, epsilon)
            x = step[KX] * x + step[KM] * m + step[KZ] * self.noise[(i + 1) % self.n]
        return x

    def by(self, table: Table, first: Floats | None = None) -> Floats:
        """The result by a table alone, with another prediction in the first step; its anchor is the first negative."""
        x, anchor = table.start[0] * self.source + table.start[1] * self.noise[0], self.source
        for i, step in enumerate(table.steps):
            m = self.outputs[i] if first is None or i else first
            after = step[KX] * x + step[KM] * m + step[KZ] * self.noise[(i + 1) % self.n]
            after += step[KS] * self.source + step[KA] * anchor
            anchor = anchor if i else step[PX] * x + step[PM] * self.negatives[0]
            x = after
        return x


CASES = list(itertools.product(Sampler, Prediction, (1, 2, 4)))


@pytest.mark.parametrize(("kind", "prediction", "n"), CASES)
def test_amount_is_the_noise_mixed_with_that_which_leads_back_to_the_input(
    kind: Sampler, prediction: Prediction, n: int
) -> None:
    literal = Literal(kind, prediction, n)
    for amount in AMOUNTS:

        def towards(i: int, x: Floats, epsilon: Floats, amount: float = amount) -> Floats:
            a, b = literal.level(i)
            return amount * epsilon + (1 - amount) * (x - a * literal.source) / b

        ours = literal.by(with_amount(literal.table, amount))

        np.testing.assert_allclose(ours, literal.run(towards), atol=1e-9)


@pytest.mark.parametrize(("kind", "prediction", "n"), CASES)
def test_amount_of_1_is_the_sampler_s_own_table_bit_for_bit(kind: Sampler, prediction: Prediction, n: int) -> None:
    table = Literal(kind, prediction, n).table

    np.testing.assert_array_equal(with_amount(table, 1.0).steps, table.steps)


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("kind", list(Sampler))
def test_amount_of_0_gives_the_source_in_one_step(kind: Sampler, prediction: Prediction) -> None:
    literal = Literal(kind, prediction, 1)
    # TCD ends at timestep 0, where a little noise is left.
    a, b = np.sqrt(sd_alphas_cumprod()[0]), np.sqrt(1 - sd_alphas_cumprod()[0])
    expected = a * literal.source + b * literal.noise[0] if kind is Sampler.TCD else literal.source

    ours = literal.by(with_amount(literal.table, 0.0))

    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize(("kind", "prediction", "n"), CASES)
def test_one_time_guidance_is_a_loop_whose_second_pass_stays_the_first(
    kind: Sampler, prediction: Prediction, n: int
) -> None:
    literal, scale = Literal(kind, prediction, n), 2.5
    for amount in AMOUNTS:
        anchor: list[Floats] = []

        def towards(
            i: int, x: Floats, epsilon: Floats, amount: float = amount, anchor: list[Floats] = anchor
        ) -> Floats:
            a, b = literal.level(i)
            if i == 0:
                anchor.append((x - b * literal.epsilon(0, x, literal.negatives[0])) / a)
            negative = (x - a * anchor[0]) / b
            guided = scale * epsilon + (1 - scale) * negative
            return amount * guided + (1 - amount) * (x - a * literal.source) / b

        guided_first = scale * literal.outputs[0] + (1 - scale) * literal.negatives[0]
        ours = literal.by(with_amount_once(literal.table, amount, scale), first=guided_first)

        np.testing.assert_allclose(ours, literal.run(towards), atol=1e-8)


# -- in the engine -----------------------------------------------------------------------------------------------------


def latents_of(engine: DiffusionEngine, jobs: list[Job]) -> list[torch.Tensor]:
    """What is decoded of each job, in the jobs' order."""
    found: dict[int, torch.Tensor] = {}
    decode = rows.decode_latents

    def recorded(group: Any, backend: Backend, **options: Any) -> Any:
        found.update({row.job.frame.seq: row.x.clone() for row in group})
        return decode(group, backend, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "decode_latents", recorded)
        run(engine, jobs)
    return [found[job.frame.seq] for job in jobs]


@pytest.mark.parametrize("options", [{}, {"concat_source": True, "latent_channels": 8}], ids=["plain", "concat"])
@pytest.mark.parametrize("amount", [1.0, 0.6])
def test_engine_guides_once_as_two_passes_do(options: dict[str, Any], amount: float) -> None:
    model = make_model(guidance=Guidance.CFG, prediction=Prediction.V_PREDICTION, sampler=Sampler.EULER, **options)
    engine, backend = make_engine(model)
    scale, n = 2.5, 3
    params = make_params(
        prompt="a", negative_prompt="b", guidance_scale=scale, guidance="once", amount=amount, num_inference_steps=n
    )
    job = make_job(params)

    (ours,) = latents_of(engine, [job])

    assert backend.rows_of_calls == [2, 1, 1]
    denoiser, table = backend.regions.denoiser, sampler.table(model.sampler, model.schedule, sampler.timesteps(0.5, n))
    made = engine.recipes.get(params)
    assert made is not None
    with torch.inference_mode():
        encode = backend.regions.region(regions.Kind.ENCODE)
        encoded = encode(torch.from_numpy(job.picture)[None], made.start, made.noise[0])
        x, source, anchor = encoded["x"], encoded["source"], None
        for i, (t, kin, kx, km, kz, *_, px, pm) in enumerate(table.steps.tolist()):

            def predicted(is_second: bool, i: int = i, t: float = t, sample: torch.Tensor = kin * x) -> torch.Tensor:
                told = {**denoiser.conditions(made, i, is_second), "source": source}
                return denoiser(sample, torch.tensor([t]), told)

            anchor = px * x + pm * predicted(True) if anchor is None else anchor
            x0 = px * x + pm * predicted(False)
            x0 = amount * (scale * x0 + (1 - scale) * anchor) + (1 - amount) * source
            x = kx * x + km * (x0 - px * x) / pm + kz * made.noise[(i + 1) % n]
    torch.testing.assert_close(ours, x, atol=2e-5, rtol=1e-5)


def test_a_model_with_guidance_by_the_input_is_asked_for_that_much_more() -> None:
    engine, backend = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    fields: dict[str, Any] = {"prompt": "a", "num_inference_steps": 2}

    ours, theirs = latents_of(
        engine,
        [
            make_job(make_params(**fields, guidance="self", guidance_scale=2.0, amount=0.75, negative_prompt="b"), 0),
            make_job(make_params(**fields, amount=1.5), 1, picture=make_job(make_params()).picture),
        ],
    )

    assert torch.equal(ours, theirs) and backend.rows_of_calls == [2, 2]


@pytest.mark.parametrize("mode", list(GuidanceMode))
@pytest.mark.parametrize("guidance", [Guidance.NONE, Guidance.EMBEDDED])
def test_guidance_is_nothing_to_a_model_without(guidance: Guidance, mode: GuidanceMode) -> None:
    engine, _ = make_engine(make_model(guidance=guidance, is_shared=True))
    params = make_params(guidance_scale=3.0, num_inference_steps=2, negative_prompt="b")

    assert engine.recipes.get(params) is engine.recipes.get(params.model_copy(update={"guidance": mode}))


def test_one_step_of_one_time_guidance_is_full_guidance() -> None:
    engine, _ = make_engine(make_model(guidance=Guidance.CFG, is_shared=True))
    params = make_params(guidance_scale=3.0, num_inference_steps=1)

    assert engine.recipes.get(params) is engine.recipes.get(params.model_copy(update={"guidance": GuidanceMode.ONCE}))


@pytest.mark.parametrize("prediction", list(Prediction))
def test_amount_of_0_gives_the_encoded_source(prediction: Prediction) -> None:
    engine, backend = make_engine(make_model(prediction=prediction, is_shared=True))
    job = make_job(make_params(amount=0.0))

    (ours,) = latents_of(engine, [job])

    encode = backend.regions.region(regions.Kind.ENCODE)
    with torch.inference_mode():
        source = encode(torch.from_numpy(job.picture)[None], torch.ones(1, 2), torch.zeros(1, 4, 8, 8))["source"]
    torch.testing.assert_close(ours, source, atol=1e-5, rtol=0)


def test_amount_costs_no_call() -> None:
    engine, backend = make_engine(make_model(guidance=Guidance.CFG, is_shared=True), max_rows=len(AMOUNTS))

    run(engine, [make_job(make_params(amount=amount, num_inference_steps=2), i) for i, amount in enumerate(AMOUNTS)])

    assert backend.rows_of_calls == [len(AMOUNTS)] * 2
    assert len({engine.cost(make_params(amount=amount)) for amount in AMOUNTS}) == 1


@pytest.mark.slow
def test_five_hundred_frames_of_too_much_stay_what_the_first_one_was() -> None:
    engine, _ = make_engine()
    jobs = [make_job(make_params(amount=1.6), i, picture=make_job(make_params()).picture) for i in range(500)]

    found = [latents_of(engine, [job])[0] for job in jobs]

    assert torch.isfinite(found[0]).all()
    assert all(torch.equal(one, found[0]) for one in found)


def as_before(
    self: StepRegion, x: torch.Tensor, steps: torch.Tensor, noise: torch.Tensor, source: torch.Tensor, **conditions: Any
) -> dict[str, torch.Tensor]:
    """A step of the samplers' own."""
    k = steps[:, :, None, None, None]
    m = self._predict(k[:, KIN] * x, steps[:, T], source, conditions)
    if self.guided:
        first, second = m[: len(x)], torch.cat([m[: len(x) - self.guided], m[len(x) :]])
        m = second + k[:, recipe.GUIDANCE] * (first - second)
    return {"x": k[:, KX] * x + k[:, KM] * m + k[:, KZ] * noise}


@pytest.mark.parametrize("is_replayed", [False, True])
def test_neutral_params_give_the_bits_of_the_samplers_own_steps(
    is_replayed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(guidance=Guidance.CFG)

    def latents() -> list[torch.Tensor]:
        backend: Any = RecordingBackend(model)
        if is_replayed:
            backend = GraphBackend(backend, Rerun(), 4, model.device)
        engine = DiffusionEngine(model, backend, max_rows=4)
        fields: dict[str, Any] = {"num_inference_steps": 2, "negative_prompt": "b"}
        jobs = [make_job(make_params(guidance_scale=1.0 + i, seed=i, **fields), i) for i in range(3)]
        return [latents_of(engine, jobs) for _ in range(EAGER_CALLS + 2)][-1]

    ours = latents()
    monkeypatch.setattr(StepRegion, "forward", as_before)
    monkeypatch.setattr(recipe, "with_amount", lambda table, amount: table)

    for mine, theirs in zip(ours, latents(), strict=True):
        assert torch.equal(mine, theirs)

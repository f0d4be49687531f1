"""The coefficient tables against diffusers' schedulers, on random tensors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
)
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine import sampler
from realtime.engine.sampler import NoiseSchedule, Prediction, Sampler

SD_BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SCHEDULERS: dict[Sampler, tuple[type, dict[str, Any]]] = {
    Sampler.LCM: (LCMScheduler, {}),
    Sampler.TCD: (TCDScheduler, {}),
    Sampler.EULER: (EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
    Sampler.EULER_A: (EulerAncestralDiscreteScheduler, {"timestep_spacing": "trailing"}),
    Sampler.DDIM: (DDIMScheduler, {"timestep_spacing": "trailing", "clip_sample": False}),
}
PREDICTIONS = [Prediction.EPSILON, Prediction.V_PREDICTION]


def make_scheduler(kind: Sampler, prediction: Prediction, **options: Any) -> Any:
    scheduler_class, fixed = SCHEDULERS[kind]
    return scheduler_class(**{**SD_BETAS, **fixed, "prediction_type": prediction.value, **options})


def schedule_of(scheduler: Any) -> NoiseSchedule:
    """As its files would describe it."""
    final = getattr(scheduler, "final_alpha_cumprod", torch.tensor(1.0))
    return NoiseSchedule(
        scheduler.alphas_cumprod.double().numpy(), Prediction(scheduler.config.prediction_type), float(final)
    )


def diffusers_run(
    scheduler: Any, latents: torch.Tensor, outputs: list[torch.Tensor], noise: list[torch.Tensor], monkeypatch: Any
) -> list[torch.Tensor]:
    """diffusers' own loop: what the UNet is given at each step, and the result."""
    fresh = iter(noise[1:])
    for name in ("lcm", "tcd", "euler_ancestral_discrete"):
        module = f"diffusers.schedulers.scheduling_{name}.randn_tensor"
        monkeypatch.setattr(module, lambda *args, **kwargs: next(fresh, torch.zeros(())))
    scheduler.set_begin_index(0) if hasattr(scheduler, "set_begin_index") else None
    x = scheduler.add_noise(latents, noise[0], scheduler.timesteps[:1])
    seen = []
    for t, m in zip(scheduler.timesteps, outputs, strict=True):
        seen.append(scheduler.scale_model_input(x, t))
        x = scheduler.step(m, t, x, return_dict=False)[0]
    return [*seen, x]


def table_run(
    table: sampler.Table, latents: torch.Tensor, outputs: list[torch.Tensor], noise: list[torch.Tensor]
) -> list[torch.Tensor]:
    x = table.start[0] * latents + table.start[1] * noise[0]
    seen = []
    for i, (_, kin, kx, km, kz, ks, *_) in enumerate(table.steps.tolist()):
        seen.append(kin * x)
        x = kx * x + km * outputs[i] + kz * noise[(i + 1) % len(noise)] + ks * latents
    return [*seen, x]


@pytest.mark.parametrize("n", [1, 2, 4, 8])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("kind", list(Sampler))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_table_equals_diffusers_scheduler(kind: Sampler, prediction: Prediction, n: int, monkeypatch: Any) -> None:
    scheduler = make_scheduler(kind, prediction)
    scheduler.set_timesteps(n)
    generator = torch.Generator().manual_seed(n)
    latents, *rest = (torch.randn(1, 4, 8, 8, generator=generator, dtype=torch.float64) for _ in range(1 + 2 * n))
    outputs, noise = rest[:n], rest[n:]
    steps = [round(float(t)) for t in scheduler.timesteps]

    table = sampler.table(kind, schedule_of(scheduler), steps)

    theirs = diffusers_run(scheduler, latents, outputs, noise, monkeypatch)
    ours = table_run(table, latents, outputs, noise)
    for mine, diffusers in zip(ours, theirs, strict=True):
        # diffusers' coefficients are float32: the error is relative to values that reach 30 at the highest noise.
        torch.testing.assert_close(mine, diffusers.double(), atol=2e-5, rtol=2e-6)


@pytest.mark.parametrize("to_one", [True, False])
def test_ddim_ends_where_set_alpha_to_one_says(to_one: bool, monkeypatch: Any) -> None:
    scheduler = make_scheduler(Sampler.DDIM, Prediction.EPSILON, set_alpha_to_one=to_one)
    scheduler.set_timesteps(2)
    tensors = [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(i)).double() for i in range(5)]

    table = sampler.table(Sampler.DDIM, schedule_of(scheduler), scheduler.timesteps.tolist())

    theirs = diffusers_run(scheduler, tensors[0], tensors[1:3], tensors[3:], monkeypatch)[-1]
    torch.testing.assert_close(table_run(table, tensors[0], tensors[1:3], tensors[3:])[-1], theirs, atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", list(Sampler))
def test_zero_terminal_snr_equals_diffusers_at_the_last_timestep(kind: Sampler, monkeypatch: Any) -> None:
    scheduler = make_scheduler(kind, Prediction.V_PREDICTION, rescale_betas_zero_snr=True)
    schedule = schedule_of(make_scheduler(Sampler.DDIM, Prediction.V_PREDICTION, rescale_betas_zero_snr=True))
    scheduler.set_timesteps(2)
    tensors = [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(i)).double() for i in range(5)]
    assert schedule.alphas_cumprod[999] == 0

    table = sampler.table(kind, schedule, [round(float(t)) for t in scheduler.timesteps])

    theirs = diffusers_run(scheduler, tensors[0], tensors[1:3], tensors[3:], monkeypatch)
    for mine, diffusers in zip(table_run(table, tensors[0], tensors[1:3], tensors[3:]), theirs, strict=True):
        # diffusers' Euler subtracts float32 numbers of size 4096·noise from each other there; ours does not.
        torch.testing.assert_close(mine, diffusers.double(), atol=1e-3 if "euler" in kind else 1e-4, rtol=1e-5)


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("kind", list(Sampler))
def test_zero_terminal_snr_stays_finite(kind: Sampler, prediction: Prediction) -> None:
    alphas_cumprod = schedule_of(make_scheduler(Sampler.DDIM, prediction, rescale_betas_zero_snr=True)).alphas_cumprod

    table = sampler.table(kind, NoiseSchedule(alphas_cumprod, prediction), [999, 499])

    assert np.isfinite(table.steps).all() and np.isfinite(table.start).all()


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("kind", list(Sampler))
def test_a_perfect_model_gives_back_the_clean_latents(kind: Sampler, prediction: Prediction) -> None:
    """With the UNet's output made from the true x0, the last step lands on it; TCD's stops at timestep 0."""
    alphas_cumprod = schedule_of(make_scheduler(Sampler.DDIM, prediction)).alphas_cumprod
    generator = np.random.default_rng(0)
    latents, noise = generator.standard_normal((2, 4, 8, 8))
    steps = sampler.timesteps(0.7, 1)
    table = sampler.table(kind, NoiseSchedule(alphas_cumprod, prediction), steps)
    alpha, beta = np.sqrt(alphas_cumprod[steps[0]]), np.sqrt(1 - alphas_cumprod[steps[0]])
    output = {
        Prediction.EPSILON: noise,
        Prediction.V_PREDICTION: alpha * noise - beta * latents,
        Prediction.SAMPLE: latents,
    }[prediction]

    _, kin, kx, km, *_, px, pm = table.steps[0]
    x = table.start[0] * latents + table.start[1] * noise

    np.testing.assert_allclose(kin * x, alpha * latents + beta * noise, atol=1e-12)
    np.testing.assert_allclose(px * x + pm * output, latents, atol=1e-12)
    np.testing.assert_allclose(kx * x + km * output, latents, atol=0.15 if kind is Sampler.TCD else 1e-6)


@pytest.mark.parametrize("kind", list(Sampler))
def test_the_last_step_adds_no_noise(kind: Sampler) -> None:
    schedule = schedule_of(make_scheduler(Sampler.DDIM, Prediction.EPSILON))
    for n in range(1, 9):
        assert sampler.table(kind, schedule, sampler.timesteps(0.5, n)).steps[-1, 4] == 0


@given(st.floats(0, 1), st.integers(1, 8))
def test_every_strength_gives_exactly_n_falling_timesteps_or_none(strength: float, n: int) -> None:
    steps = sampler.timesteps(strength, n)

    if strength < sampler.PASS_THROUGH_STRENGTH:
        assert steps == ()
        return
    assert len(steps) == n
    assert steps[0] == round(1000 * strength) - 1 <= 999
    assert steps[-1] >= 0
    assert all(first > second for first, second in itertools.pairwise(steps))


def test_steps_never_move_the_start() -> None:
    assert {sampler.timesteps(0.5, n)[0] for n in range(1, 9)} == {499}
    assert sampler.timesteps(1.0, 4) == (999, 749, 500, 250)


def test_no_steps_or_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sampler.timesteps(0.5, 0)
    with pytest.raises(ValueError, match="don't fit"):
        sampler.timesteps(0.02, 20)

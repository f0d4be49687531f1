"""The training recipe's arithmetic against the engine's own sampler: strength and steps must mean the same in both."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from realtime.engine.sampler import NoiseSchedule, Prediction, Sampler, table, timesteps

RECIPE = Path(__file__).resolve().parents[1] / "scripts" / "train_tiny2"


@pytest.fixture(scope="module")
def schedule() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_tiny2_schedule", RECIPE / "schedule.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def latents() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    source, change, noise = torch.randn((3, 1, 12, 8, 8), generator=generator).unbind(0)
    return source, change, noise


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.87, 1.0])
def test_one_step_of_the_sampler_gives_strengths_share_of_the_change(schedule, latents, strength):
    source, change, noise = latents
    levels = schedule.alphas_cumprod()
    (t,) = timesteps(strength, 1)
    level = schedule.Preconditioning.at(torch.tensor([t]), levels)
    sampled = table(Sampler.LCM, NoiseSchedule(levels.double().numpy(), Prediction.V_PREDICTION), [t])
    ka, kb = sampled.start
    _, _, kx, km, _ = sampled.steps[0]

    noisy = ka * source + kb * noise
    made = kx * noisy + km * level.v_prediction(noisy, source, change)

    torch.testing.assert_close(level.noise(noisy, source), noise, atol=2e-3, rtol=0)
    torch.testing.assert_close(made, source + schedule.FULL * strength * change, atol=5e-3, rtol=0)


def test_levels_are_those_of_the_scheduler_file(schedule):
    betas = np.linspace(schedule.BETA_START**0.5, schedule.BETA_END**0.5, schedule.TIMESTEPS) ** 2

    np.testing.assert_allclose(schedule.alphas_cumprod().numpy(), np.cumprod(1 - betas), rtol=1e-5)


def test_asked_rises_evenly(schedule):
    steps = schedule.asked(torch.arange(schedule.TIMESTEPS)).diff()

    torch.testing.assert_close(steps, torch.full_like(steps, schedule.FULL / schedule.TIMESTEPS), atol=1e-6, rtol=0)

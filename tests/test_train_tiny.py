"""The training recipe: its arithmetic against the engine's own sampler, its chance, its teacher, its words."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from realtime.engine.sampler import NoiseSchedule, Prediction, Sampler, table, timesteps

RECIPE = Path(__file__).resolve().parents[1] / "scripts" / "train_tiny"


def part(name: str) -> ModuleType:
    if str(RECIPE) not in sys.path:
        sys.path.append(str(RECIPE))  # as Python does for a script: its modules lie beside it
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def schedule() -> ModuleType:
    return part("schedule")


@pytest.fixture(scope="module")
def chance() -> ModuleType:
    return part("chance")


@pytest.fixture(scope="module")
def styles() -> ModuleType:
    return part("styles")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:64, 0:96]
    return np.stack([rows * 3, columns * 2, (rows * columns) % 251], -1).astype(np.uint8)


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
    level = schedule.level_at(torch.tensor([t]), levels)
    sampled = table(Sampler.LCM, NoiseSchedule(levels.double().numpy(), Prediction.V_PREDICTION), [t])
    ka, kb = sampled.start
    _, _, kx, km, *_ = sampled.steps[0]

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


def test_a_crop_of_the_noise_has_the_fields_of_a_crop(chance):
    whole = chance.Chance.of(5, 64, 96)

    crop = chance.Chance(whole.noise[:, 2:6, 4:10])

    np.testing.assert_array_equal(crop.maps(1, 4), whole.maps(1, 4)[4:12, 8:20])
    np.testing.assert_array_equal(crop.maps(7, 16), whole.maps(7, 16)[1:3, 2:5])


@pytest.mark.parametrize(("cell", "channels"), [(4, 3), (8, 12), (16, 12)])
def test_chance_is_standard_normal_on_every_grid(chance, cell, channels):
    drawn = chance.Chance.of(6, 512, 512)

    values = np.stack([drawn.maps(k, cell) for k in range(channels)])

    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


@pytest.mark.parametrize("style", ["oil painting", "watercolour", "pencil sketch", "stained glass"])
def test_a_seed_is_one_painting_and_another_seed_another(chance, styles, picture, style):
    first, again, other = (styles.restyle(picture, style, "", chance.Chance.of(seed, 64, 96)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_every_style_and_mood_has_words_and_no_phrase_means_two_things(styles):
    words = tomllib.loads((RECIPE / "words.toml").read_text("utf-8"))
    phrases = [phrase for table in ("styles", "moods") for said in words[table].values() for phrase in said]

    assert set(words["styles"]) == set(styles.STYLES)
    assert set(words["moods"]) == set(styles.MOODS) - {""}
    assert len(phrases) == len(set(phrases))

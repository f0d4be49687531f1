"""Noise schedules equal those that diffusers makes of the same configuration."""

from __future__ import annotations

import logging
from typing import Any

import diffusers
import numpy as np
import pytest

from realtime.engine.models.schedules import noise_schedule, scheduler_sampler
from realtime.engine.sampler import Prediction, Sampler
from realtime.errors import ModelError
from tests import checkpoints


@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("rescale", [False, True])
def test_noise_levels_equal_diffusers(beta_schedule: str, rescale: bool) -> None:
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": beta_schedule}
    config |= {"rescale_betas_zero_snr": rescale, "set_alpha_to_one": False, "prediction_type": "v_prediction"}
    theirs = diffusers.DDIMScheduler(**config, clip_sample=False)  # type: ignore[arg-type]

    ours = noise_schedule(config)

    assert ours.alphas_cumprod.dtype == np.float64
    np.testing.assert_allclose(ours.alphas_cumprod, theirs.alphas_cumprod.numpy(), atol=2e-6)
    assert ours.final_alpha_cumprod == pytest.approx(float(theirs.final_alpha_cumprod), abs=1e-6)
    assert ours.prediction_type is Prediction.V_PREDICTION


def test_absent_fields_mean_what_they_mean_to_diffusers() -> None:
    theirs = diffusers.DDIMScheduler()

    ours = noise_schedule({})

    np.testing.assert_allclose(ours.alphas_cumprod, theirs.alphas_cumprod.numpy(), atol=2e-6)
    assert ours.prediction_type is Prediction.EPSILON
    assert ours.final_alpha_cumprod == 1.0


def test_trained_betas_are_taken() -> None:
    betas = np.linspace(0.001, 0.01, 1000)

    assert noise_schedule({"trained_betas": betas.tolist()}).alphas_cumprod == pytest.approx(np.cumprod(1 - betas))


@pytest.mark.parametrize(
    "config",
    [
        {"beta_schedule": "sigmoid"},
        {"num_train_timesteps": 500},
        {"trained_betas": [0.1, 0.2]},
        {"beta_start": -0.1},
        {"beta_end": "much"},
        {"beta_end": 3.0},
        {"prediction_type": "flow_prediction"},
        {"timestep_scaling": None},
    ],
)
def test_schedules_that_are_none_are_refused_in_one_line(config: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"scheduler_config\.json") as error:
        noise_schedule(config)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "sampler"),
    [
        (checkpoints.LCM, Sampler.LCM),
        (checkpoints.TURBO, Sampler.EULER),
        (checkpoints.V_PREDICTION, Sampler.DDIM),
        ({"_class_name": "TCDScheduler"}, Sampler.TCD),
        ({"_class_name": "EulerAncestralDiscreteScheduler"}, Sampler.EULER_A),
    ],
)
def test_the_files_name_the_sampler(config: dict[str, Any], sampler: Sampler) -> None:
    assert scheduler_sampler(config) is sampler


@pytest.mark.parametrize("name", ["PNDMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"])
def test_schedulers_of_higher_order_become_ddim_and_that_is_said(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert scheduler_sampler({"_class_name": name}) is Sampler.DDIM

    assert [record.getMessage() for record in caplog.records] == [
        f"The model names {name}; DDIM is used. --sampler picks another one."
    ]


@pytest.mark.parametrize("name", ["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "../evil"])
def test_models_of_another_kind_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="flow-matching or EDM"):
        noise_schedule({"_class_name": name})

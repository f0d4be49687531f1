"""Reads a model's `scheduler_config.json`: the noise levels that it was trained on, and its sampler.

Must not know diffusers' scheduler objects: only the fields of their configuration.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ...errors import ModelError
from ..sampler import Floats, NoiseSchedule, Prediction, Sampler
from .header import shown

_log = logging.getLogger(__name__)

_TIMESTEPS = 1000

_SAMPLERS = {
    "LCMScheduler": Sampler.LCM,
    "TCDScheduler": Sampler.TCD,
    "EulerDiscreteScheduler": Sampler.EULER,
    "EulerAncestralDiscreteScheduler": Sampler.EULER_A,
    "DDIMScheduler": Sampler.DDIM,
}
_LIKE_DDIM = (
    *("PNDMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"),
    *("DPMSolverSDEScheduler", "DEISMultistepScheduler", "UniPCMultistepScheduler", "LMSDiscreteScheduler"),
    *("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "SASolverScheduler"),
)
"""Schedulers that are replaced by DDIM: they have the same kind of schedule, but higher order or noise of their own."""


def noise_schedule(config: dict[str, Any]) -> NoiseSchedule:
    """The noise levels of a model.

    Args:
        config: the fields of `scheduler_config.json`; absent ones have the defaults of diffusers' schedulers.

    Raises:
        ModelError: the schedule is invalid, or of a kind that the samplers don't support (flow matching, EDM).
    """
    name = _class_name(config)
    if name not in _SAMPLERS and name not in _LIKE_DDIM:
        raise ModelError(
            f"its scheduler is {name}: this server runs SD 1.x, SD 2.x and SDXL models, not flow-matching or EDM ones"
        )
    alphas_cumprod: Floats = np.cumprod(1 - _betas(config), dtype=np.float64)
    timestep_scaling = _number(config, "timestep_scaling", 10.0)
    kind = config.get("prediction_type", "epsilon")
    if kind not in tuple(Prediction):
        raise ModelError(
            f"scheduler_config.json: its prediction_type {shown(str(kind))} isn't known here: take another model"
        )
    if alphas_cumprod.shape != (_TIMESTEPS,) or not np.all(np.diff(alphas_cumprod) < 0) or alphas_cumprod[-1] < 0:
        raise ModelError(f"scheduler_config.json: not a schedule of {_TIMESTEPS} rising noise levels: fetch it again")
    if config.get("rescale_betas_zero_snr", False):
        alphas_cumprod = zero_terminal_snr(alphas_cumprod)
    final = 1.0 if config.get("set_alpha_to_one", True) else float(alphas_cumprod[0])
    return NoiseSchedule(alphas_cumprod, Prediction(kind), final, timestep_scaling)


def _betas(config: dict[str, Any]) -> Floats:
    start, end = _number(config, "beta_start", 0.0001), _number(config, "beta_end", 0.02)
    kind, n = config.get("beta_schedule", "linear"), int(_number(config, "num_train_timesteps", _TIMESTEPS))
    if n != _TIMESTEPS:
        raise ModelError(
            f"scheduler_config.json: trained on {n} timesteps; the samplers here take {_TIMESTEPS}: take another model"
        )
    if config.get("trained_betas") is not None:
        try:
            return np.asarray(config["trained_betas"], np.float64)
        except (TypeError, ValueError):
            raise ModelError("scheduler_config.json: its trained_betas are no numbers: fetch it again") from None
    if kind == "linear":
        return np.linspace(start, end, n, dtype=np.float64)
    if kind == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, n) ** 2
    if kind == "squaredcos_cap_v2":
        # Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", formula 17.
        at = np.arange(n + 1) / n
        alpha_bar = np.cos((at + 0.008) / 1.008 * np.pi / 2) ** 2
        return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)
    raise ModelError(
        f"scheduler_config.json: its beta_schedule {shown(str(kind))} isn't known here: take another model"
    )


def _number(config: dict[str, Any], name: str, default: float) -> float:
    value = config.get(name, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ModelError(
            f"scheduler_config.json: its {name} is {shown(str(value))}, and a number is wanted: mend it"
        ) from None


def zero_terminal_snr(alphas_cumprod: Floats) -> Floats:
    """Shift and scale a schedule so that its last ᾱ is 0, which is pure noise.

    Source: Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.
    """
    root: Floats = np.sqrt(alphas_cumprod)
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def scheduler_sampler(config: dict[str, Any]) -> Sampler:
    """The sampler that a model's files name; DDIM for those in `_LIKE_DDIM`. Other names `noise_schedule` refuses."""
    name = _class_name(config)
    if name in _SAMPLERS:
        return _SAMPLERS[name]
    _log.info("The model names %s; DDIM is used. --sampler picks another one.", name)
    return Sampler.DDIM


def _class_name(config: dict[str, Any]) -> str:
    return str(config.get("_class_name", "DDIMScheduler"))

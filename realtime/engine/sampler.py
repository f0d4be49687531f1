"""Strength to timesteps to a table of coefficients: every first-order few-step sampler, in a few numbers a step.

Pure functions on float64 numpy. Must not know torch, models or params.

Notation, as in the papers: T = 1000 training steps; ᾱ_t the cumulative product of the alphas; a = √ᾱ_t and
b = √(1 − ᾱ_t), so that x_t = a·x0 + b·ε; σ_t = b / a. All samplers here are linear in what they are given:

    start:  x = ka·latents + kb·noise
    step:   m = unet(kin·x, t);  x' = kx·x + km·m + kz·z + ks·source + ka·anchor
    x0 that (x, m) predict:      px·x + pm·m

with z fresh noise of that step, and source the latents of the start. The samplers themselves use neither the source nor
the anchor: `amount` does, which replaces the x0 that a step goes to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

T, KIN, KX, KM, KZ, KS, KA, PX, PM = range(9)
"""Columns of `Table.steps`."""

PASS_THROUGH_STRENGTH = 0.02
"""Below this strength a frame passes through: the noise could not be seen, and one UNet call would only blur it."""

TCD_GAMMA = 0.3
"""TCD's stochasticity: 0 is deterministic, 1 is LCM. Source: the default of diffusers' `scheduling_tcd.py` (`eta`)."""

LCM_SIGMA_DATA = 0.5
"""Data's standard deviation in LCM's boundary condition. Source: `scheduling_lcm.py`."""

ALPHA_CUMPROD_MIN = 2.0**-24
"""A schedule rescaled to zero terminal SNR has ᾱ = 0 at t = 999 and infinite σ; this is the smallest ᾱ that is ever
divided by. Source: diffusers' `scheduling_euler_discrete.py` puts the same number there.
"""

Floats = npt.NDArray[np.float64]
Linear = tuple[float, float]
"""A value as (coefficient of x, coefficient of m)."""


class Sampler(StrEnum):
    """How a step goes from one noise level to the next."""

    LCM = "lcm"
    TCD = "tcd"
    EULER = "euler"
    EULER_A = "euler_a"
    DDIM = "ddim"


class Prediction(StrEnum):
    """What the UNet was trained to predict; the values are those of diffusers' `prediction_type`."""

    EPSILON = "epsilon"
    V_PREDICTION = "v_prediction"
    SAMPLE = "sample"


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The noise levels that a model was trained on.

    Attributes:
        alphas_cumprod: float64 [T], ᾱ_t falling from about 1; the last may be 0 (zero terminal SNR).
        prediction_type: what the UNet predicts.
        final_alpha_cumprod: ᾱ behind DDIM's last step: 1 (`set_alpha_to_one`) or ᾱ_0.
        timestep_scaling: LCM's boundary condition; 10 in every published LCM.
    """

    alphas_cumprod: Floats
    prediction_type: Prediction
    final_alpha_cumprod: float = 1.0
    timestep_scaling: float = 10.0


@dataclass(frozen=True, eq=False)
class Table:
    """A sampler for one strength and number of steps.

    Attributes:
        steps: float64 [n, 9], one (t, kin, kx, km, kz, ks, ka, px, pm) a step; kz is 0 in the last, ks and ka in all.
            Names of the columns: `T` to `PM`.
        start: (ka, kb), the coefficients of latents and noise.
    """

    steps: Floats
    start: tuple[float, float]


def timesteps(strength: float, n: int, num_train_timesteps: int = 1000) -> tuple[int, ...]:
    """The timesteps of n UNet calls from `strength` downwards.

    Strength is the noise level to start from and nothing else: steps never move it. (diffusers' img2img runs
    int(n·s) calls, its LCM pipeline n: two meanings of one word.)

    Args:
        strength: 0 to 1, as a fraction of the training timesteps.
        n: UNet calls, at least 1.
        num_train_timesteps: T.

    Returns:
        Exactly n strictly falling timesteps ≥ 0, starting at round(T·s) − 1; none below `PASS_THROUGH_STRENGTH`.

    Raises:
        ValueError: n is below 1, or above the number of timesteps that there are from this strength.
    """
    if n < 1:
        raise ValueError(f"a sampler needs at least one step, not {n}")
    if strength < PASS_THROUGH_STRENGTH:
        return ()
    start = round(num_train_timesteps * min(strength, 1.0)) - 1
    if n > start:
        raise ValueError(f"{n} steps don't fit below timestep {start}")
    return tuple(round(start * (1 - i / n)) for i in range(n))


def table(sampler: Sampler, schedule: NoiseSchedule, timesteps: Sequence[int]) -> Table:
    """The coefficients of `sampler` on strictly falling timesteps: ours, or those of a diffusers pipeline.

    Args:
        timesteps: at least one, each within the schedule.
    """
    if sampler in _SIGMA_SPACE:
        alphas_cumprod = np.maximum(schedule.alphas_cumprod, ALPHA_CUMPROD_MIN)
        schedule = replace(schedule, alphas_cumprod=alphas_cumprod)
    t_and_next = list(zip(timesteps, [*timesteps[1:], None], strict=True))
    step = _STEPS[sampler]
    alpha, beta = _alpha_beta(schedule, timesteps[0])
    start = (1.0, _sigma(schedule, timesteps[0])) if sampler in _SIGMA_SPACE else (alpha, beta)
    rows: list[tuple[float, ...]] = []
    for t, t_next in t_and_next:
        kin, *further = step(schedule, t, t_next)
        x0_x, x0_m = _x0(schedule, t)  # takes x with unit variance, which is kin·x
        rows.append((float(t), kin, *further, 0.0, 0.0, x0_x * kin, x0_m))
    return Table(np.array(rows, np.float64), start)


def _lcm(schedule: NoiseSchedule, t: int, t_next: int | None) -> tuple[float, float, float, float]:
    """Predict x0, then noise it anew to the next level.

    Source: Luo et al. 2023, "Latent Consistency Models", algorithm 3; c_skip and c_out are the boundary condition of
    consistency models (Song et al. 2023, section 3). diffusers: `scheduling_lcm.py`.
    """
    scaled = t * schedule.timestep_scaling
    c_skip = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
    c_out = scaled / math.sqrt(scaled**2 + LCM_SIGMA_DATA**2)
    x0_x, x0_m = _x0(schedule, t)
    denoised_x, denoised_m = c_out * x0_x + c_skip, c_out * x0_m
    alpha, beta = (1.0, 0.0) if t_next is None else _alpha_beta(schedule, t_next)
    return 1.0, alpha * denoised_x, alpha * denoised_m, beta


def _tcd(schedule: NoiseSchedule, t: int, t_next: int | None) -> tuple[float, float, float, float]:
    """Go down deterministically to s = (1 − γ)·t_next, then noise up to t_next.

    Source: Zheng et al. 2024, "Trajectory Consistency Distillation", algorithm 4. diffusers: `scheduling_tcd.py`; like
    it, the last step ends at timestep 0 and not at ᾱ = 1.
    """
    end = 0 if t_next is None else t_next
    # The rounding keeps 0.7·170 = 118.99999999999999 from falling to 118.
    between = math.floor(round((1 - TCD_GAMMA) * end, 6))
    alpha_s, beta_s = _alpha_beta(schedule, between)
    x0, noise = _x0(schedule, t), _epsilon(schedule, t)
    x_s = alpha_s * x0[0] + beta_s * noise[0], alpha_s * x0[1] + beta_s * noise[1]
    if t_next is None:
        return 1.0, *x_s, 0.0
    ratio = float(schedule.alphas_cumprod[t_next] / schedule.alphas_cumprod[between])
    return 1.0, math.sqrt(ratio) * x_s[0], math.sqrt(ratio) * x_s[1], math.sqrt(1 - ratio)


def _ddim(schedule: NoiseSchedule, t: int, t_next: int | None) -> tuple[float, float, float, float]:
    """Deterministic DDIM (η = 0).

    Source: Song et al. 2020, "Denoising Diffusion Implicit Models", formula 12. diffusers: `scheduling_ddim.py`.
    """
    if t_next is None:
        alpha, beta = math.sqrt(schedule.final_alpha_cumprod), math.sqrt(1 - schedule.final_alpha_cumprod)
    else:
        alpha, beta = _alpha_beta(schedule, t_next)
    x0, noise = _x0(schedule, t), _epsilon(schedule, t)
    return 1.0, alpha * x0[0] + beta * noise[0], alpha * x0[1] + beta * noise[1], 0.0


def _euler(schedule: NoiseSchedule, t: int, t_next: int | None) -> tuple[float, float, float, float]:
    """Euler's method in σ space, x = x0 + σ·ε.

    Source: Karras et al. 2022, "Elucidating the Design Space", algorithm 1 without the second-order correction.
    diffusers: `scheduling_euler_discrete.py` without churn.
    """
    sigma, sigma_next = _sigma(schedule, t), 0.0 if t_next is None else _sigma(schedule, t_next)
    return _euler_to(schedule, t, sigma, sigma_next, 0.0)


def _euler_ancestral(schedule: NoiseSchedule, t: int, t_next: int | None) -> tuple[float, float, float, float]:
    """Euler's step to σ_down, then noise of σ_up; σ_down² + σ_up² = σ_next².

    Source: k-diffusion's `sample_euler_ancestral` and `get_ancestral_step`. diffusers:
    `scheduling_euler_ancestral_discrete.py`.
    """
    sigma, sigma_next = _sigma(schedule, t), 0.0 if t_next is None else _sigma(schedule, t_next)
    up = math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2)
    down = math.sqrt(max(sigma_next**2 - up**2, 0.0))
    return _euler_to(schedule, t, sigma, down, up)


def _euler_to(
    schedule: NoiseSchedule, t: int, sigma: float, sigma_to: float, kz: float
) -> tuple[float, float, float, float]:
    """x + (x − x0) / σ · (σ_to − σ), which is σ_to/σ · x + (1 − σ_to/σ) · x0."""
    kin = 1 / math.sqrt(sigma**2 + 1)
    # `_x0` takes x with unit variance, which is kin·x.
    x0_x, x0_m = _x0(schedule, t)
    keep = sigma_to / sigma
    return kin, keep + (1 - keep) * x0_x * kin, (1 - keep) * x0_m, kz


def _x0(schedule: NoiseSchedule, t: int) -> Linear:
    """The clean latents that (x_t, m) predict. Source of v: Salimans and Ho 2022, appendix D."""
    alpha, beta = _alpha_beta(schedule, t)
    if schedule.prediction_type is Prediction.EPSILON:
        alpha = max(alpha, math.sqrt(ALPHA_CUMPROD_MIN))
        return 1 / alpha, -beta / alpha
    return (alpha, -beta) if schedule.prediction_type is Prediction.V_PREDICTION else (0.0, 1.0)


def _epsilon(schedule: NoiseSchedule, t: int) -> Linear:
    """The noise that (x_t, m) predict."""
    alpha, beta = _alpha_beta(schedule, t)
    if schedule.prediction_type is Prediction.EPSILON:
        return 0.0, 1.0
    return (beta, alpha) if schedule.prediction_type is Prediction.V_PREDICTION else (1 / beta, -alpha / beta)


def _alpha_beta(schedule: NoiseSchedule, t: int) -> tuple[float, float]:
    alpha_cumprod = float(schedule.alphas_cumprod[t])
    return math.sqrt(alpha_cumprod), math.sqrt(1 - alpha_cumprod)


def _sigma(schedule: NoiseSchedule, t: int) -> float:
    alpha, beta = _alpha_beta(schedule, t)
    return beta / alpha


_STEPS = {
    Sampler.LCM: _lcm,
    Sampler.TCD: _tcd,
    Sampler.EULER: _euler,
    Sampler.EULER_A: _euler_ancestral,
    Sampler.DDIM: _ddim,
}
_SIGMA_SPACE = (Sampler.EULER, Sampler.EULER_A)

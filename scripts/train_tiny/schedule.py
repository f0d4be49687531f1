"""Noise levels, and what strength asks for: the shipped model's, at this training's `FULL`.

Must not know networks or files.
"""

from __future__ import annotations

import torch

from realtime.engine.models.painter.preconditioning import TIMESTEPS, Preconditioning, asked_share

Tensor = torch.Tensor

BETA_START, BETA_END = 0.0001, 0.012
#: Share of the style at the last timestep; above 1 the style is exaggerated, where one's own uncertainty pales it.
FULL = 1.15


def alphas_cumprod() -> Tensor:
    """[1000], of diffusers' `scaled_linear` schedule with this model's betas."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def asked(t: Tensor) -> Tensor:
    """How much of the style a start at timestep t asks for."""
    return asked_share(t, FULL)


def level_at(t: Tensor, levels: Tensor) -> Preconditioning:
    """For timesteps [B] and alphas_cumprod [1000]."""
    return Preconditioning.at(t, levels, FULL)

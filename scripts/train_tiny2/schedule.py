"""Noise levels, and what strength asks for: the arithmetic between the sampler's latents and the UNet.

Must not know networks or files. Notation as in the papers: x_t = a * x0 + b * noise, a = sqrt(alphas_cumprod[t]); a
v-prediction is v = a * noise - b * x0. Everything here is [B] or [B, 1, 1, 1] float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Tensor = torch.Tensor

TIMESTEPS = 1000
BETA_START, BETA_END = 0.0001, 0.012
#: Share of the style at the last timestep; above 1 the style is exaggerated, where one's own uncertainty pales it.
FULL = 1.15


def alphas_cumprod() -> Tensor:
    """[1000], of diffusers' `scaled_linear` schedule with this model's betas."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def asked(t: Tensor) -> Tensor:
    """How much of the style a start at timestep t asks for: even in t, so that every part of the slider acts alike."""
    return FULL * (t.float() + 1) / TIMESTEPS


@dataclass(frozen=True, eq=False)
class Preconditioning:
    """Makes the UNet's task the same at every strength.

    If x_t was made from the source z, then (x_t - a * z) / b is exactly the start noise, and the wanted x0 is z plus
    `asked(t)` times the whole change: noise in, change out, both of unit scale and independent of t.

    Attributes:
        a, b, share: [B, 1, 1, 1]: root of alphas_cumprod, of one minus it, and `asked`.
    """

    a: Tensor
    b: Tensor
    share: Tensor

    @classmethod
    def at(cls, t: Tensor, levels: Tensor) -> Preconditioning:
        """For timesteps [B] and alphas_cumprod [1000]."""
        alpha = levels[t].view(-1, 1, 1, 1)
        return cls(alpha.sqrt(), (1 - alpha).sqrt(), asked(t).view(-1, 1, 1, 1))

    def noised(self, clean: Tensor, noise: Tensor) -> Tensor:
        """x_t."""
        return self.a * clean + self.b * noise

    def noise(self, noisy: Tensor, source: Tensor) -> Tensor:
        """The UNet's first input."""
        return (noisy - self.a * source) / self.b

    def denoised(self, source: Tensor, change: Tensor) -> Tensor:
        """The predicted x0 that a change stands for."""
        return source + self.share * change

    def v_prediction(self, noisy: Tensor, source: Tensor, change: Tensor) -> Tensor:
        """The same as a v-prediction: what the model's UNet answers to the sampler."""
        return (self.a * noisy - self.denoised(source, change)) / self.b

"""The arithmetic between the sampler's noisy latents and the painter's UNet.

Notation as in the papers: x_t = a·x0 + b·noise, a = √alphas_cumprod[t]; v = a·noise − b·x0.

Must not know networks or rows. Source of the idea: Karras et al. 2022, "Elucidating the Design Space of
Diffusion-Based Generative Models", section 5; here the network predicts a change of the source.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

TIMESTEPS = 1000
"""Of the training schedule."""


def asked_share(timesteps: torch.Tensor, full_share: float) -> torch.Tensor:
    """The share of a style's whole change that a start at these timesteps asks for, float32.

    Even in t, so that every part of the strength slider acts alike.
    """
    return full_share * (timesteps.float() + 1) / TIMESTEPS


@dataclass(frozen=True, eq=False)
class Preconditioning:
    """Makes the UNet's task the same at every strength.

    If x_t was made from the source z, then (x_t − a·z) / b is exactly the start noise, and the wanted x0 is z plus
    `share` times the whole change: noise in, change out, both of unit scale and independent of t.

    Attributes:
        a, b: float32 [B, 1, 1, 1]: the roots of alphas_cumprod and of one minus it.
        share: float32 [B, 1, 1, 1]: see `asked_share`.
    """

    a: torch.Tensor
    b: torch.Tensor
    share: torch.Tensor

    @classmethod
    def at(cls, timesteps: torch.Tensor, alphas_cumprod: torch.Tensor, full_share: float) -> Preconditioning:
        """For integer timesteps [B]; alphas_cumprod is [1000]."""
        alpha = alphas_cumprod[timesteps].float().view(-1, 1, 1, 1)
        return cls(alpha.sqrt(), (1 - alpha).sqrt(), asked_share(timesteps, full_share).view(-1, 1, 1, 1))

    @classmethod
    def unpack(cls, numbers: torch.Tensor) -> Preconditioning:
        """From what `pack` gave."""
        return cls(*numbers[:, :, None, None, None].unbind(1))

    def pack(self) -> torch.Tensor:
        """As one condition of a row: float32 [B, 3]."""
        return torch.stack([self.a, self.b, self.share], 1).flatten(1)

    def noised(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """x_t."""
        return self.a * clean + self.b * noise

    def noise(self, noisy: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """The UNet's first input."""
        return (noisy - self.a * source) / self.b

    def denoised(self, source: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """The predicted x0 that a change stands for."""
        return source + self.share * change

    def v_prediction(self, noisy: torch.Tensor, source: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """The same as a v-prediction: what a model answers to the sampler."""
        return (self.a * noisy - self.denoised(source, change)) / self.b

"""The adversary of the UNet's last part: a small network that tells styled latents from the UNet's own.

Squared error alone makes the UNet answer with the mean of all likely lines, which is a pale blur; the critic knows
which latents occur. It sees the source beside them, how much of the style was asked for, and which style and mood.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from models import LATENT_CHANNELS
from styles import MOODS, STYLES
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Tensor = torch.Tensor

NOISE = 0.12
SHARE = 0.5
STYLE_NAMES, MOOD_NAMES = list(STYLES), list(MOODS)


class Critic(nn.Module):
    """Latents [B, C, h, w] to one judgement for each patch, [B, 1, h / 2, w / 2]."""

    def __init__(self, width: int = 96) -> None:
        """Fresh weights; every convolution is kept from growing (spectral norm)."""
        super().__init__()

        def conv(before: int, after: int, stride: int = 1) -> nn.Module:
            return spectral_norm(nn.Conv2d(before, after, 3, stride, 1))

        self.first = conv(2 * LATENT_CHANNELS + 1, width)
        self.second = conv(width, width)
        self.third = conv(width, 2 * width, 2)
        self.fourth = conv(2 * width, 2 * width)
        self.judge = spectral_norm(nn.Conv2d(2 * width, 1, 1))
        self.style = nn.Embedding(len(STYLE_NAMES), 2 * width)
        self.mood = nn.Embedding(len(MOOD_NAMES), 2 * width)

    def forward(self, latents: Tensor, source: Tensor, asked: Tensor, style: Tensor, mood: Tensor) -> Tensor:
        """Positive where the latents look like the teacher's. `asked` [B] is the share of style, the others ids."""
        noisy = latents + NOISE * torch.randn_like(latents)
        level = asked.view(-1, 1, 1, 1).expand(-1, 1, *latents.shape[2:])
        x = F.leaky_relu(self.first(torch.cat([noisy, source, level], 1)), 0.2)
        x = F.leaky_relu(self.second(x), 0.2)
        x = F.leaky_relu(self.third(x), 0.2)
        x = F.leaky_relu(self.fourth(x), 0.2)
        wanted = self.style(style) + self.mood(mood)
        return self.judge(x) + (x * wanted[..., None, None]).mean(1, keepdim=True)


def ids(labels: list[tuple[str, str]], where: torch.device) -> tuple[Tensor, Tensor]:
    """Style and mood numbers of a batch."""
    return (
        torch.tensor([STYLE_NAMES.index(style) for style, _ in labels], device=where),
        torch.tensor([MOOD_NAMES.index(mood) for _, mood in labels], device=where),
    )


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge: the teacher's latents above 1, the UNet's below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def balance(denoised: Tensor, error: Tensor, doubt: Tensor) -> Tensor:
    """The weight at which the critic's pull on the latents is `SHARE` of the error's own."""
    by_error = torch.autograd.grad(error, denoised, retain_graph=True)[0].norm()
    by_critic = torch.autograd.grad(doubt, denoised, retain_graph=True)[0].norm()
    return (SHARE * by_error / (by_critic + 1e-8)).clamp(max=10).detach()

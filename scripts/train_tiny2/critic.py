"""The adversary of the last stage: a small network that tells the teacher's pictures from the model's.

Must not know training. Squared error alone answers with the mean of all likely strokes, a pale blur; the critic knows
which pictures occur. It sees the source beside them and the style vector that was asked for.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from model import STYLE_WIDTH
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Tensor = torch.Tensor

NOISE = 0.03
SHARE = 0.4


class Critic(nn.Module):
    """Pictures and their sources [B, 3, H, W] and styles [B, 48] to one judgement for each 8 pixels, [B, 1, h, w]."""

    def __init__(self, width: int = 32) -> None:
        """Every convolution is kept from growing (spectral norm)."""
        super().__init__()
        widths = (6, width, 2 * width, 3 * width)
        self.down = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths))
        self.last = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, 1, 1))
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 1))
        self.wanted = spectral_norm(nn.Linear(STYLE_WIDTH, widths[-1]))

    def forward(self, pictures: Tensor, sources: Tensor, style: Tensor) -> Tensor:
        """Positive where the picture looks like the teacher's."""
        x = torch.cat([pictures + NOISE * torch.randn_like(pictures), sources], 1)
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.2)
        x = F.leaky_relu(self.last(x), 0.2)
        return self.judge(x) + (x * self.wanted(style)[..., None, None]).mean(1, keepdim=True)


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge: the teacher's pictures above 1, the model's below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def balance(pictures: Tensor, error: Tensor, doubt: Tensor) -> Tensor:
    """The weight at which the critic's pull on the pictures is `SHARE` of the error's own."""
    by_error = torch.autograd.grad(error, pictures, retain_graph=True)[0].norm()
    by_critic = torch.autograd.grad(doubt, pictures, retain_graph=True)[0].norm()
    return (SHARE * by_error / (by_critic + 1e-8)).clamp(max=10).detach()

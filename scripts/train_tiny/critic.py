"""The adversary of the last stage: a small network that tells the teacher's pictures from the model's.

Must not know the model's own training. Squared error alone answers with the mean of all likely strokes, a pale blur;
the critic knows which pictures occur. It sees the source beside them and the style vector that was asked for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from model import STYLE_WIDTH
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Tensor = torch.Tensor

NOISE = 0.03
#: Its pull on the pictures, as a share of the error's own.
SHARE = 0.6
RATE = 4e-4
#: Steps in which it only watches, and steps until its pull is whole.
WATCHING, RAMP = 150, 500


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


class Adversary:
    """A critic with its own optimizer.

    Attributes:
        verdict: its loss at the last step, 2 where it can't tell the two apart.
    """

    def __init__(self, where: torch.device) -> None:
        self._critic = Critic().to(where)
        self._optimizer = torch.optim.AdamW(self._critic.parameters(), lr=RATE, weight_decay=0.0, betas=(0.0, 0.99))
        self.verdict = torch.full((), 2.0)

    def learn(self, real: Tensor, made: Tensor, sources: Tensor, style: Tensor) -> None:
        """One step of its own: the teacher's pictures above 1, the model's below -1 (hinge)."""
        right = F.relu(1 - self._critic(real, sources, style)).mean()
        loss = right + F.relu(1 + self._critic(made.detach(), sources, style)).mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self.verdict = loss.detach()

    def pull(self, made: Tensor, error: Tensor, sources: Tensor, style: Tensor, step: int) -> Tensor:
        """A loss that draws the pictures towards what the critic takes for the teacher's.

        Args:
            made: [B, 3, H, W], with gradient.
            error: the loss that it is weighed against.
            sources, style: see `Critic`.
            step: of the stage; at first the pull is 0.
        """
        self._critic.requires_grad_(False)
        doubt = -self._critic(made, sources, style).mean()
        self._critic.requires_grad_(True)
        by_error, by_critic = (torch.autograd.grad(x, made, retain_graph=True)[0].norm() for x in (error, doubt))
        weight = (SHARE * by_error / (by_critic + 1e-8)).clamp(max=10).detach()
        return min(1.0, max(0, step - WATCHING) / RAMP) * weight * doubt

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"critic": self._critic.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._critic.load_state_dict(state["critic"])
        self._optimizer.load_state_dict(state["optimizer"])

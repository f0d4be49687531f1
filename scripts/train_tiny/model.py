"""The networks that are trained: those that are shipped, by short names; and the table of named styles' vectors, which
does not ship.

Must not know training, files or prompts.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

from realtime.engine.models.painter.networks import (
    LATENT_CHANNELS,
    STREAK_ANGLES,
    STREAK_SIZE,
    STREAKS,
    STYLE_WIDTH,
    Decoder,
    Encoder,
    ModulatedBlock,
    Modulation,
    ResidualBlock,
    Streaks,
)
from realtime.engine.models.painter.networks import PainterImageEncoder as PictureEncoder
from realtime.engine.models.painter.networks import PainterUnet as UNet

__all__ = ["LATENT_CHANNELS", "STYLE_WIDTH", "Decoder", "Encoder", "PictureEncoder", "StyleTable", "UNet", "untrained"]

Tensor = torch.Tensor
N = TypeVar("N", bound=nn.Module)

#: Of the last weights of a branch: it begins near doing nothing.
SMALL = 0.3


@torch.no_grad()
def untrained(network: N) -> N:
    """The same network with the weights that training begins with."""
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            nn.init.kaiming_normal_(module.first.weight, nonlinearity="relu")
            nn.init.zeros_(module.first.bias)
        if isinstance(module, ResidualBlock | ModulatedBlock):
            module.second.weight *= SMALL
            nn.init.zeros_(module.second.bias)
        if isinstance(module, Streaks):
            module.lines.weight.copy_(oriented_lines())
            module.second.weight *= SMALL
            nn.init.zeros_(module.second.bias)
        if isinstance(module, UNet):
            module.close.weight *= SMALL
            nn.init.zeros_(module.close.bias)
        if isinstance(module, Modulation):
            scales, shifts = module.out.bias.chunk(2)
            module.out.weight *= SMALL
            nn.init.ones_(scales)
            nn.init.zeros_(shifts)
    return network


def oriented_lines() -> Tensor:
    """What the lines of `Streaks` begin as: Gaussian streaks of norm 1 at even angles, [kinds * angles, 1, s, s]."""
    at = torch.arange(STREAK_SIZE) - STREAK_SIZE // 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    lines = []
    for length, width in STREAKS:
        for number in range(STREAK_ANGLES):
            angle = math.pi * number / STREAK_ANGLES
            along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
            line = torch.exp(-0.5 * ((along / length * 1.3) ** 2 + (across / width) ** 2))
            lines.append(line / line.norm())
    return torch.stack(lines)[:, None]


class StyleTable(nn.Module):
    """The style vectors of named styles and moods: style + mood, [B, 48]. The text encoder learns them at the end."""

    def __init__(self, styles: int, moods: int) -> None:
        super().__init__()
        self.style = nn.Embedding(styles, STYLE_WIDTH)
        self.mood = nn.Embedding(moods, STYLE_WIDTH)
        nn.init.normal_(self.style.weight, std=0.5)
        nn.init.normal_(self.mood.weight, std=0.2)
        with torch.no_grad():
            self.mood.weight[0].zero_()

    def forward(self, styles: Tensor, moods: Tensor) -> Tensor:
        return self.style(styles) + self.mood(moods) * (moods > 0)[:, None]

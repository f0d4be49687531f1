"""The networks that are trained: those that are shipped, by short names; and the picture encoder and the table of
named styles' vectors, which nothing that ships uses yet.

Must not know training, files or prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from realtime.engine.models.painter.networks import (
    LATENT_CHANNELS,
    STYLE_WIDTH,
    Decoder,
    Encoder,
    ModulatedBlock,
    Modulation,
    ResidualBlock,
    rms_norm,
)
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
        if isinstance(module, UNet):
            module.close.weight *= SMALL
            nn.init.zeros_(module.close.bias)
        if isinstance(module, Modulation):
            scales, shifts = module.out.bias.chunk(2)
            module.out.weight *= SMALL
            nn.init.ones_(scales)
            nn.init.zeros_(shifts)
    return network


class PictureEncoder(nn.Module):
    """A style picture [B, 3, S, S] to its style vector [B, 48]; S from 96 to 512. 0.3 M parameters.

    Reads mean and deviation of the features at every level, so that where things are in the picture doesn't matter.
    """

    def __init__(self, widths: Sequence[int] = (24, 40, 64, 96, 128), hidden: int = 128) -> None:
        super().__init__()
        before = (3, *widths[:-1])
        self.levels = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(before, widths, strict=True))
        self.hidden = nn.Linear(6 + 2 * sum(widths), hidden)
        self.out = nn.Linear(hidden, STYLE_WIDTH)

    def statistics(self, pictures: Tensor) -> Tensor:
        """Means and deviations of the pictures and of every level's features, [B, 6 + 2 · sum of widths]."""
        x, read = pictures, [pictures.mean((2, 3)), pictures.std((2, 3))]
        for level in self.levels:
            x = F.silu(level(x))
            read += [x.mean((2, 3)), x.std((2, 3))]
            x = rms_norm(x)
        return torch.cat(read, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """[B, 3, S, S] in [-1, 1] to [B, 48]."""
        return self.out(F.silu(self.hidden(self.statistics(pictures))))


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

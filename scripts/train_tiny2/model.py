"""The networks that are trained: those that are shipped, by short names, and the table of named styles' vectors.

Must not know training, files or prompts.
"""

from __future__ import annotations

import torch
from torch import nn

from realtime.engine.models.painter.networks import (
    LATENT_CHANNELS,
    STYLE_WIDTH,
    Decoder,
    Encoder,
    PictureEncoder,
    rms_norm,
)
from realtime.engine.models.painter.networks import PainterUnet as UNet

__all__ = ["LATENT_CHANNELS", "STYLE_WIDTH", "Decoder", "Encoder", "PictureEncoder", "StyleTable", "UNet", "rms_norm"]

Tensor = torch.Tensor


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

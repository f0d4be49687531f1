"""The networks of the embedded model: encoder, decoder, UNet, picture encoder; every size stands here.

Must not know training, files or prompts. Plain torch, all convolutions, no attention; pictures are [B, 3, H, W] in
[-1, 1] with H and W multiples of 32, latents [B, 12, H / 8, W / 8], style vectors [B, 48]. Why these shapes: on two
AVX2 cores only fewer multiplications help, so nothing is done at more than a quarter of the resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor

LATENT_CHANNELS = 12
STYLE_WIDTH = 48
EPSILON = 1e-5


class Residual(nn.Module):
    """[B, C, h, w] to the same: x + conv(relu(conv(x))), 3x3 both, then relu."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.first.bias)
        self.second.weight.data *= 0.3
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Encoder(nn.Module):
    """Pictures [B, 3, H, W] to latents [B, 12, H / 8, W / 8] of about unit deviation. 0.11 M parameters."""

    def __init__(self, quarter: int = 24, eighth: int = 48) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, quarter, 4, 4),
            nn.ReLU(),
            Residual(quarter),
            nn.Conv2d(quarter, eighth, 3, 2, 1),
            nn.ReLU(),
            Residual(eighth),
            Residual(eighth),
            nn.Conv2d(eighth, LATENT_CHANNELS, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net(pictures)


class Decoder(nn.Module):
    """Latents [B, 12, h, w] to pictures [B, 3, 8h, 8w], about [-1, 1], not clamped. 0.28 M parameters.

    Latents are softly limited to [-3, 3] first, as AutoencoderTiny does.
    """

    def __init__(self, eighth: int = 64, quarter: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, eighth, 3, padding=1),
            nn.ReLU(),
            Residual(eighth),
            Residual(eighth),
            nn.Conv2d(eighth, 4 * quarter, 3, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            Residual(quarter),
            Residual(quarter),
            nn.Conv2d(quarter, 3 * 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return self.net(torch.tanh(latents / 3) * 3)


def rms_norm(x: Tensor) -> Tensor:
    """Every pixel's vector [B, C, h, w] at root mean square 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class ModulatedBlock(nn.Module):
    """[B, C, h, w] to the same: x + conv(silu(scale * rms(conv(x)) + shift)); scale and shift [B, C] from outside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.second.weight.data *= 0.3
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        h = rms_norm(self.first(x))
        return x + self.second(F.silu(h * scale[..., None, None] + shift[..., None, None]))


class Modulation(nn.Module):
    """Timestep [B] and style vector [B, 48] to the scales and shifts of all blocks, [B, 2 * sum of widths].

    Depends on prompt and timestep only: computed once per prompt, never per frame.
    """

    def __init__(self, widths: Sequence[int], hidden: int = 160, frequencies: int = 16) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.frequencies = frequencies
        self.time = nn.Linear(2 * frequencies, hidden)
        self.style = nn.Linear(STYLE_WIDTH, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 2 * sum(widths))
        self.out.weight.data *= 0.3
        with torch.no_grad():
            self.out.bias.zero_()
            self.out.bias[: sum(widths)] = 1.0

    def forward(self, timesteps: Tensor, style: Tensor) -> Tensor:
        at = torch.arange(self.frequencies, device=style.device, dtype=torch.float32)
        angle = timesteps.float()[:, None] / 1000 * math.pi * torch.exp2(at * 0.4)[None]
        waves = torch.cat([angle.sin(), angle.cos()], 1).to(style.dtype)
        h = F.silu(self.time(waves) + self.style(style))
        return self.out(F.silu(self.hidden(h)) + h)


class UNet(nn.Module):
    """Noise, source and modulation to a change of the source. 2.2 M parameters without the modulation.

    Works on standardised inputs: how noisy latents become `noise` and how `change` becomes a v-prediction stands in
    `schedule.Preconditioning`. Two blocks a place at 1/8, 1/16 and 1/32; skips are added.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 96, 160), blocks: int = 2) -> None:
        super().__init__()
        high, middle, low = widths
        self.places = (high, middle, low, middle, high)
        self.open = nn.Conv2d(2 * LATENT_CHANNELS, high, 3, padding=1)
        self.blocks = nn.ModuleList(ModulatedBlock(width) for width in self.places for _ in range(blocks))
        self.down = nn.ModuleList([nn.Conv2d(high, middle, 3, 2, 1), nn.Conv2d(middle, low, 3, 2, 1)])
        self.up = nn.ModuleList([nn.Conv2d(low, 4 * middle, 1), nn.Conv2d(middle, 4 * high, 1)])
        self.close = nn.Conv2d(high, LATENT_CHANNELS, 3, padding=1)
        self.close.weight.data *= 0.3
        nn.init.zeros_(self.close.bias)
        self.per_place = blocks
        self.modulation = Modulation([width for width in self.places for _ in range(blocks)])

    def forward(self, noise: Tensor, source: Tensor, modulation: Tensor) -> Tensor:
        """The change to make.

        Args:
            noise: [B, 12, h, w], standardised; h and w are multiples of 4.
            source: [B, 12, h, w], latents of the picture that is repainted.
            modulation: [B, M], what `self.modulation` gave.

        Returns:
            [B, 12, h, w], about styled minus source.
        """
        scales, shifts = (part.split(self.modulation.widths, 1) for part in modulation.chunk(2, 1))
        at = iter(zip(self.blocks, scales, shifts, strict=True))

        def place(x: Tensor) -> Tensor:
            for _ in range(self.per_place):
                block, scale, shift = next(at)
                x = block(x, scale, shift)
            return x

        first = place(self.open(torch.cat([noise, source], 1)))
        second = place(self.down[0](first))
        x = place(self.down[1](second))
        x = place(F.pixel_shuffle(self.up[0](x), 2) + second)
        x = place(F.pixel_shuffle(self.up[1](x), 2) + first)
        return self.close(x)


class PictureEncoder(nn.Module):
    """A style picture [B, 3, S, S] to its style vector [B, 48]; S from 96 to 512. 0.3 M parameters.

    Reads mean and deviation of the features at every level, so where things are in the picture doesn't matter.
    """

    def __init__(self, widths: Sequence[int] = (24, 40, 64, 96, 128), hidden: int = 128) -> None:
        super().__init__()
        before = (3, *widths[:-1])
        self.levels = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(before, widths, strict=True))
        self.hidden = nn.Linear(6 + 2 * sum(widths), hidden)
        self.out = nn.Linear(hidden, STYLE_WIDTH)

    def statistics(self, pictures: Tensor) -> Tensor:
        """Means and deviations of the pictures and of every level's features, [B, 6 + 2 * sum of widths]."""
        x, read = pictures, [pictures.mean((2, 3)), pictures.std((2, 3))]
        for level in self.levels:
            x = F.silu(level(x))
            read += [x.mean((2, 3)), x.std((2, 3))]
            x = rms_norm(x)
        return torch.cat(read, 1)

    def forward(self, pictures: Tensor) -> Tensor:
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

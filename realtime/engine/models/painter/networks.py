"""The painter's networks: autoencoder, UNet and the encoder of style pictures. Every size stands here.

All convolutions, no attention, and nothing is done at more than a quarter of the picture's resolution: on a CPU the
convolutions run at the machine's limit, so that only fewer multiplications help.

Must not know training, prompts, or what calls them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ...staging import join
from ..own import OwnAutoencoder, OwnImageEncoder, OwnUnet
from ..quiet import quiet

with quiet():  # its import alone logs
    from diffusers.configuration_utils import register_to_config

if TYPE_CHECKING:
    from ....pixels import Pixels
    from ..clip import Encoded

LATENT_CHANNELS = 12
SCALE_PX = 8
"""Pixels to a latent's side."""
STYLE_WIDTH = 48
_EPSILON = 1e-5
STREAKS = ((2.5, 0.5), (5.0, 0.9))
"""Half length and half width of the streaks that noise is smeared to, in units of 4 pixels."""
STREAK_ANGLES, STREAK_SIZE = 8, 11
_LATENT_LIMIT = 3.0
"""Latents are softly limited to this on either side before they are decoded."""


class ResidualBlock(nn.Module):
    """[B, C, h, w] to the same: relu(x + conv(relu(conv(x)))), 3×3 both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] to the same."""
        return F.relu(x + self.second(F.relu(self.first(x))))


class Encoder(nn.Module):
    """Pictures [B, 3, H, W] to latents [B, 12, H / 8, W / 8] of about unit deviation. 0.11 M parameters."""

    def __init__(self, quarter: int = 24, eighth: int = 48) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, quarter, 4, 4),
            nn.ReLU(),
            ResidualBlock(quarter),
            nn.Conv2d(quarter, eighth, 3, 2, 1),
            nn.ReLU(),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            nn.Conv2d(eighth, LATENT_CHANNELS, 3, padding=1),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] to [B, 12, H / 8, W / 8]."""
        return self.net(pictures)


class Decoder(nn.Module):
    """Latents [B, 12, h, w] to pictures [B, 3, 8·h, 8·w], about [-1, 1], not clamped. 0.28 M parameters."""

    def __init__(self, eighth: int = 64, quarter: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, eighth, 3, padding=1),
            nn.ReLU(),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            nn.Conv2d(eighth, 4 * quarter, 3, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            ResidualBlock(quarter),
            ResidualBlock(quarter),
            nn.Conv2d(quarter, 3 * 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """[B, 12, h, w] to [B, 3, 8·h, 8·w]."""
        return self.net(torch.tanh(latents / _LATENT_LIMIT) * _LATENT_LIMIT)


class PainterAutoencoder(OwnAutoencoder):
    """Encoder and decoder.

    Args:
        encoder_widths: channels at a quarter and at an eighth of the resolution.
        decoder_widths: likewise, in the order in which they are passed: at an eighth, at a quarter.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = LATENT_CHANNELS,
        scaling_factor: float = 1.0,
        encoder_widths: tuple[int, int] = (24, 48),
        decoder_widths: tuple[int, int] = (64, 32),
    ) -> None:
        super().__init__()
        self.encoder = Encoder(*encoder_widths)
        self.decoder = Decoder(*decoder_widths)

    @property
    def spatial_compression_ratio(self) -> int:
        """See `OwnAutoencoder`."""
        return SCALE_PX

    def encode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """See `OwnAutoencoder`."""
        return (self.encoder(x),)

    def decode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """See `OwnAutoencoder`."""
        return (self.decoder(x),)


def rms_norm(x: torch.Tensor) -> torch.Tensor:
    """Every pixel's vector [B, C, h, w] at root mean square 1.

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", without a learned scale.
    """
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + _EPSILON)


class ModulatedBlock(nn.Module):
    """[B, C, h, w] to the same: x + conv(silu(scale · rms(conv(x)) + shift)); scale and shift [B, C] from outside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] to the same; scale and shift [B, C]."""
        h = rms_norm(self.first(x))
        return x + self.second(F.silu(h * scale[..., None, None] + shift[..., None, None]))


class Modulation(nn.Module):
    """Timestep [B] and style vector [B, 48] to the scales and shifts of all blocks, [B, 2 · sum of widths].

    Depends on prompt and timestep only: computed once a recipe, never once a frame.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer".
    """

    def __init__(self, widths: Sequence[int], hidden: int, frequencies: int = 16) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.frequencies = frequencies
        self.time = nn.Linear(2 * frequencies, hidden)
        self.style = nn.Linear(STYLE_WIDTH, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 2 * sum(widths))

    def forward(self, timesteps: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """[B] and [B, 48] to [B, 2 · sum of widths]: all scales, then all shifts."""
        at = torch.arange(self.frequencies, device=style.device, dtype=torch.float32)
        angle = timesteps.float()[:, None] / 1000 * math.pi * torch.exp2(at * 0.4)[None]
        waves = torch.cat([angle.sin(), angle.cos()], 1).to(style.dtype)
        h = F.silu(self.time(waves) + self.style(style))
        return self.out(F.silu(self.hidden(h)) + h)


class Streaks(nn.Module):
    """Start noise smeared along directions that are read from features: brush strokes that follow the forms.

    Convolutions add and don't multiply: without this one a UNet of this size answers with the mean of all strokes.
    Noise has a value for every 4×4 pixels here, three fields of them.

    Source of the idea: Freeman and Adelson 1991, "The Design and Use of Steerable Filters"; Cabral and Leedom 1993,
    "Imaging Vector Fields Using Line Integral Convolution".
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        fields, kinds, angles, size = LATENT_CHANNELS // 4, len(STREAKS), STREAK_ANGLES, STREAK_SIZE
        self.directions = nn.Conv2d(width, angles, 3, padding=1)
        self.lines = nn.Conv2d(1, kinds * angles, size, padding=size // 2, bias=False)
        self.gain = nn.Parameter(torch.full((1, fields * kinds, 1, 1), 1.5))
        self.first = nn.Conv2d(4 * fields * kinds, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor, noise: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] and noise [B, 12, h, w] to [B, C, h, w]; scale and shift [B, C]."""
        weights = F.interpolate(self.directions(rms_norm(x)), scale_factor=2.0, mode="bilinear").softmax(1)
        count, angles, high, wide = weights.shape
        smeared = self.lines(F.pixel_shuffle(noise, 2).reshape(-1, 1, high, wide))
        streaks = (smeared.reshape(count, -1, angles, high, wide) * weights[:, None]).sum(2)
        h = self.first(F.pixel_unshuffle(torch.tanh(self.gain * streaks), 2))
        return x + self.second(F.silu(h * scale[..., None, None] + shift[..., None, None]))


class PainterUnet(OwnUnet):
    """Noise, source and modulation to the change of the source that a style asks for. 2.6 M parameters.

    Works on standardised inputs: how noisy latents become `noise`, and the change a v-prediction, stands in
    `preconditioning`. Blocks at 1/8, 1/16 and 1/32 of the resolution; skips are added; streaks before the last blocks.
    Sides that don't divide are rounded up on the way down and cut on the way up.

    Args:
        in_channels, out_channels: of the noisy latents and of the change.
        widths: channels at 1/8, 1/16 and 1/32.
        blocks_per_place: at each of the five places.
        modulation_width: width inside the modulation.
        full_share: share of the whole change that a start at the last timestep asks for; above 1 a style is
            exaggerated there.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = LATENT_CHANNELS,
        out_channels: int = LATENT_CHANNELS,
        widths: tuple[int, int, int] = (64, 96, 160),
        blocks_per_place: int = 2,
        modulation_width: int = 160,
        full_share: float = 1.15,
    ) -> None:
        super().__init__()
        high, middle, low = widths
        places = [width for width in (high, middle, low, middle, high) for _ in range(blocks_per_place)]
        self.per_place = blocks_per_place
        self.open = nn.Conv2d(2 * LATENT_CHANNELS, high, 3, padding=1)
        self.blocks = nn.ModuleList(ModulatedBlock(width) for width in places)
        self.down = nn.ModuleList([nn.Conv2d(high, middle, 3, 2, 1), nn.Conv2d(middle, low, 3, 2, 1)])
        self.up = nn.ModuleList([nn.Conv2d(low, 4 * middle, 1), nn.Conv2d(middle, 4 * high, 1)])
        self.close = nn.Conv2d(high, LATENT_CHANNELS, 3, padding=1)
        self.streaks = Streaks(high)
        self.modulation = Modulation([*places, high], modulation_width)

    def forward(self, noise: torch.Tensor, source: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        """The change to make.

        Args:
            noise: [B, 12, h, w], standardised.
            source: [B, 12, h, w], latents of the picture that is repainted.
            modulation: [B, M], what `self.modulation` gave.

        Returns:
            [B, 12, h, w], about styled minus source.
        """
        scales, shifts = (part.split(self.modulation.widths, 1) for part in modulation.chunk(2, 1))
        at = iter(zip(self.blocks, scales, shifts, strict=False))

        def place(x: torch.Tensor) -> torch.Tensor:
            for _ in range(self.per_place):
                block, scale, shift = next(at)
                x = block(x, scale, shift)
            return x

        first = place(self.open(torch.cat([noise, source], 1)))
        second = place(self.down[0](first))
        x = place(self.down[1](second))
        x = place(_enlarged(self.up[0](x), second) + second)
        x = _enlarged(self.up[1](x), first) + first
        x = place(self.streaks(x, noise, scales[-1], shifts[-1]))
        return self.close(x)


def _enlarged(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """[B, 4·C, h, w] to [B, C, 2·h, 2·w], without the row or column that another tensor does not have."""
    return F.pixel_shuffle(x, 2)[:, :, : like.shape[2], : like.shape[3]]


class PainterImageEncoder(OwnImageEncoder):
    """A style picture to its style vector. 0.3 M parameters.

    Reads mean and deviation of the features at every level, so that where things are in the picture doesn't matter.

    Args:
        widths: channels of the levels, each at half the resolution of the one before.
        hidden_width: before the last layer.
        side_px: the shorter side at which pictures are read: strokes have the size then that they had in training.
    """

    @register_to_config
    def __init__(
        self,
        widths: tuple[int, ...] = (24, 40, 64, 96, 128),
        hidden_width: int = 128,
        side_px: int = 256,
    ) -> None:
        super().__init__()
        before = (3, *widths[:-1])
        self.levels = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(before, widths, strict=True))
        self.hidden = nn.Linear(6 + 2 * sum(widths), hidden_width)
        self.out = nn.Linear(hidden_width, STYLE_WIDTH)

    def statistics(self, pictures: torch.Tensor) -> torch.Tensor:
        """Means and deviations of the pictures and of every level's features, [B, 6 + 2 · sum of widths]."""
        x, read = pictures, [pictures.mean((2, 3)), pictures.std((2, 3))]
        for level in self.levels:
            x = F.silu(level(x))
            read += [x.mean((2, 3)), x.std((2, 3))]
            x = rms_norm(x)
        return torch.cat(read, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] in [-1, 1], sides from 96 to 512, to [B, 48]."""
        return self.out(F.silu(self.hidden(self.statistics(pictures))))

    def encode(self, picture: Pixels) -> Encoded:
        """See `OwnImageEncoder`: the style vector as hidden states [1, 1, 48]."""
        unit = join([torch.from_numpy(picture)[None]], self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        scale = int(self.config["side_px"]) / min(unit.shape[2:])
        if scale < 1:
            size = [round(side * scale) for side in unit.shape[2:]]
            unit = F.interpolate(unit, size, mode="bilinear", antialias=True)
        return self(unit.to(self.dtype))[:, None], None

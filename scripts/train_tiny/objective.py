"""The training objective as plain functions: what goes into the UNet and what should come out.

Must not know files. All in latent space, [B, 12, h, w]; timesteps are [B].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from examples import Batch
from schedule import asked, level_at
from shards import STYLES
from torch import nn

Tensor = torch.Tensor

FIRST_TIMESTEP = 20
#: How often a named style is read from a picture instead of the table.
PICTURE_SHARE = 0.35
STYLE_NOISE = 0.02
PHOTO = STYLES.index("photo")


@dataclass(frozen=True, eq=False)
class Task:
    """One step of the sampler to be learnt.

    Attributes:
        noise: [B, 12, h, w], the UNet's first input.
        timesteps: [B].
        wanted: [B, 12, h, w], the change that is right.
        relative: [B, 1, 1, 1], this step's share of the style over that of the start: what an error of the change
            does to the picture.
    """

    noise: Tensor
    timesteps: Tensor
    wanted: Tensor
    relative: Tensor

    def error(self, change: Tensor) -> Tensor:
        """Of the predicted picture, in units of the whole style."""
        return (change - self.wanted) * self.relative


def draw_timesteps(count: int, where: torch.device) -> Tensor:
    """Uniform over the schedule."""
    return torch.randint(FIRST_TIMESTEP, 1000, (count,), device=where)


def first_step(unet: nn.Module, source: Tensor, styled: Tensor, noise: Tensor, style: Tensor, levels: Tensor) -> Task:
    """The step that starts from the noised source: its noise is known exactly, whatever the strength."""
    del unet, style, levels
    timesteps = draw_timesteps(len(source), source.device)
    return Task(noise, timesteps, styled - source, torch.ones(len(source), 1, 1, 1, device=source.device))


def later_step(unet: nn.Module, source: Tensor, styled: Tensor, noise: Tensor, style: Tensor, levels: Tensor) -> Task:
    """A step that starts from the noised answer of an earlier one: what the start asked for is wanted again."""
    where, count = source.device, len(source)
    start = draw_timesteps(count, where)
    ratios = torch.tensor([4 / 3, 1.5, 2.0, 2.0, 3.0, 4.0], device=where)
    timesteps = (start / ratios[torch.randint(0, len(ratios), (count,), device=where)]).long()
    with torch.no_grad():
        change = unet(noise, source, unet.modulation(start, style)).float()
    begun, now = level_at(start, levels), level_at(timesteps, levels)
    noisy = now.noised(begun.denoised(source, change), torch.randn_like(source))
    ratio = (asked(start) / asked(timesteps)).view(-1, 1, 1, 1)
    return Task(now.noise(noisy, source), timesteps, (styled - source) * ratio, 1 / ratio)


def style_vectors(networks: nn.ModuleDict, batch: Batch) -> tuple[Tensor, Tensor]:
    """A style vector [B, 48] for each example, and how far pictures are from the table.

    Examples without a name, and some with one, are read from their reference picture; that reading of a named style
    should come near the table's vector. Photographs aren't read: one that is dropped as a style has a palette to give.
    """
    named = batch.style >= 0
    chosen = torch.rand(len(named), device=named.device) < PICTURE_SHARE
    read = ~named | (chosen & (batch.style != PHOTO))
    table = networks["table"](batch.style.clamp(min=0), batch.mood)
    match = torch.zeros((), device=table.device)
    style = table
    if read.any():
        pictured = networks["picture"](batch.reference[read])
        style = table.clone()
        style[read] = pictured.to(style.dtype)
        if (named & read).any():
            match = F.mse_loss(pictured[named[read]].float(), table[named & read].detach().float())
    return style + STYLE_NOISE * torch.randn_like(style), match


@torch.no_grad()
def channel_weights(decoder: nn.Module, latents: Tensor) -> Tensor:
    """[1, 12, 1, 1], mean 1: the square root of how far each latent channel moves the picture.

    The distance itself would count colours only and leave the details to chance.
    """
    base = decoder(latents)
    moved = []
    for channel in range(latents.shape[1]):
        shifted = latents.clone()
        shifted[:, channel] += 0.5
        moved.append((decoder(shifted) - base).square().mean())
    weight = torch.stack(moved) ** 0.25
    return (weight / weight.mean()).view(1, -1, 1, 1)

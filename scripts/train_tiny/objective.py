"""The training objective as plain functions: what goes into the UNet and what should come out.

All in latent space, [B, C, h, w]; t are integer timesteps [B]. A frame starts from the *noised source*, and the
source itself is attached as extra channels; strength is the timestep of the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Tensor = torch.Tensor

FULL_AT = 520.0
OVERSHOOT = 0.12
SOURCE_DROPPED = 0.15
LATER_STEPS = 0.35


def broadcast(values: Tensor) -> Tensor:
    """[B] to [B, 1, 1, 1]."""
    return values.view(-1, 1, 1, 1)


def style_weight(t: Tensor) -> Tensor:
    """How much of the style a start at timestep t asks for.

    Linear up to all of it at strength 0.52, so that the slider has something to say from its beginning; then slowly
    beyond 1, which exaggerates the style (12 % at strength 0.92) where the model's own uncertainty would pale it.
    """
    t = t.float()
    return (t / FULL_AT).clamp(0, 1) + OVERSHOOT * ((t - FULL_AT) / 400).clamp(0, 1)


@dataclass(frozen=True)
class Example:
    """One batch: the UNet's input [B, 2C, h, w], its timesteps, and the wanted clean latents [B, C, h, w]."""

    model_input: Tensor
    noisy: Tensor
    t: Tensor
    target: Tensor


def draw_timesteps(count: int, where: torch.device) -> Tensor:
    """Uniform over the schedule, with extra weight on the strengths people use (0.35 to 0.65)."""
    uniform = torch.rand(count, device=where)
    middle = (0.5 + 0.12 * torch.randn(count, device=where)).clamp(0, 1)
    chosen = torch.where(torch.rand(count, device=where) < 0.35, middle, uniform)
    return (20 + chosen * 979).long()


def make_example(source: Tensor, seen: Tensor, styled: Tensor, alphas_cumprod: Tensor) -> Example:
    """Build a batch from latents of the clean source, of the source as the camera saw it, and of the styled target.

    65 %: the first step of a frame; noise on the seen source, the blend `style_weight(t)` as the wanted result.
    35 %: a later step; noise on the blend that an earlier start t0 > t already asked for, and that blend is wanted
    again, so that more steps refine the picture and never move the look.
    """
    count, where = len(source), source.device
    t = draw_timesteps(count, where)
    later = torch.rand(count, device=where) < LATER_STEPS
    ratios = torch.tensor([4 / 3, 1.5, 2.0, 3.0, 4.0], device=where)[torch.randint(0, 5, (count,), device=where)]
    start_t = torch.where(later, (t * ratios).clamp(max=999), t.float())
    target = source + broadcast(style_weight(start_t)) * (styled - source)
    alpha = broadcast(alphas_cumprod[t])
    base = torch.where(broadcast(later), target, seen)
    noisy = alpha.sqrt() * base + (1 - alpha).sqrt() * torch.randn_like(base)
    level = 0.35 * t / 1000 * torch.rand(count, device=where) * (torch.rand(count, device=where) < 0.5)
    condition = seen + broadcast(level) * torch.randn_like(seen)
    condition = condition * broadcast((torch.rand(count, device=where) >= SOURCE_DROPPED).float())
    return Example(torch.cat([noisy, condition], 1), noisy, t, target)


def denoised(noisy: Tensor, v: Tensor, t: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The clean latents that a v-prediction stands for."""
    alpha = broadcast(alphas_cumprod[t])
    return alpha.sqrt() * noisy - (1 - alpha).sqrt() * v

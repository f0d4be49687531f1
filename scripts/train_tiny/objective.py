"""The training objective as plain functions: what goes into the UNet and what should come out.

All in latent space, [B, C, h, w]; t are integer timesteps [B]. A frame starts from the *noised source*, and the
source itself is attached as extra channels; strength is the timestep of the start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensor = torch.Tensor

FULL_AT = 520.0
OVERSHOOT = 0.12
SOURCE_DROPPED = 0.04
LATER_STEPS = 0.35
OWN_ANSWER = 0.8


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
    """One batch: the UNet's input [B, 2C, h, w], its timesteps, the wanted clean latents [B, C, h, w], and how much of
    the style these have [B]."""

    model_input: Tensor
    noisy: Tensor
    t: Tensor
    target: Tensor
    asked: Tensor


# The UNet's own clean latents for noisy ones, given (noisy, condition, t, which rows of the batch); without gradients.
Answer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def draw_timesteps(count: int, where: torch.device) -> Tensor:
    """Uniform over the schedule, with extra weight on the strengths people use (0.35 to 0.65)."""
    uniform = torch.rand(count, device=where)
    middle = (0.5 + 0.12 * torch.randn(count, device=where)).clamp(0, 1)
    chosen = torch.where(torch.rand(count, device=where) < 0.35, middle, uniform)
    return (20 + chosen * 979).long()


def make_example(
    source: Tensor, seen: Tensor, styled: Tensor, alphas_cumprod: Tensor, answer: Answer | None = None
) -> Example:
    """Build a batch from latents of the clean source, of the source as the camera saw it, and of the styled target.

    65 %: the first step of a frame; noise on the seen source, the blend `style_weight(t)` as the wanted result.
    35 %: a later step; noise on what an earlier start t0 > t gave, and the blend t0 asked for is wanted. Mostly that
    is the UNet's own `answer`: a step that has only seen perfect blends takes blur for the truth and adds to it.
    """
    count, where = len(source), source.device
    t = draw_timesteps(count, where)
    later = torch.rand(count, device=where) < LATER_STEPS
    ratios = torch.tensor([4 / 3, 1.5, 2.0, 2.0, 3.0, 4.0], device=where)
    ratios = ratios[torch.randint(0, len(ratios), (count,), device=where)]
    start_t = torch.where(later, (t * ratios).clamp(max=999).long(), t)
    asked = style_weight(start_t)
    target = source + broadcast(asked) * (styled - source)
    level = 0.35 * t / 1000 * torch.rand(count, device=where) * (torch.rand(count, device=where) < 0.2)
    condition = seen + broadcast(level) * torch.randn_like(seen)
    condition = condition * broadcast((torch.rand(count, device=where) >= SOURCE_DROPPED).float())
    base = torch.where(broadcast(later), target, seen)
    own = (later & (torch.rand(count, device=where) < OWN_ANSWER)).nonzero().flatten()
    if answer is not None and len(own):
        begun = noised(seen[own], start_t[own], alphas_cumprod)
        base[own] = answer(begun, condition[own], start_t[own], own)
    noisy = noised(base, t, alphas_cumprod)
    return Example(torch.cat([noisy, condition], 1), noisy, t, target, asked)


def noised(clean: Tensor, t: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Clean latents with the noise of timestep t."""
    alpha = broadcast(alphas_cumprod[t])
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * torch.randn_like(clean)


def denoised(noisy: Tensor, v: Tensor, t: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The clean latents that a v-prediction stands for."""
    alpha = broadcast(alphas_cumprod[t])
    return alpha.sqrt() * noisy - (1 - alpha).sqrt() * v

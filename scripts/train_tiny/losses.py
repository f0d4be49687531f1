"""How far two pictures or two latents are apart; knows tensors only."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def picture_loss(made: Tensor, wanted: Tensor, edges: float = 0.25, weight: Tensor | None = None) -> Tensor:
    """Squared and absolute error at four scales, and absolute error of differences between neighbours.

    Args:
        made, wanted: [B, 3, H, W] in [-1, 1].
        edges: weight of the differences, which make edges crisp; from the start they would teach flat pictures.
        weight: [B, 1, H, W], what each pixel counts; 1 everywhere if None.
    """
    weight = torch.ones_like(made[:, :1]) if weight is None else weight
    loss = torch.zeros((), device=made.device)
    for scale, (square, absolute) in enumerate(((6.0, 0.5), (2.0, 0.25), (2.0, 0.25), (2.0, 0.25))):
        error = made - wanted
        loss = loss + (weight * (square * error.square() + absolute * error.abs())).mean()
        if edges and scale < 3:
            across = weight[..., :, 1:] * error.diff(dim=-1).abs()
            down = weight[..., 1:, :] * error.diff(dim=-2).abs()
            loss = loss + edges * (across.mean() + down.mean())
        if scale < 3:
            made, wanted, weight = (F.avg_pool2d(x, 2) for x in (made, wanted, weight))
    return loss


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Decibels, for pictures in [-1, 1]."""
    return -10 * math.log10(F.mse_loss(made.clamp(-1, 1), wanted).item() / 4 + 1e-12)


def fine_contrast(made: Tensor, wanted: Tensor) -> float:
    """Deviation of the finest detail (minus its 3x3 mean), as a share of the wanted picture's."""

    def fine(x: Tensor) -> Tensor:
        return (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).std()

    return (fine(made) / fine(wanted)).item()


def texture_loss(made: Tensor, wanted: Tensor, window: int = 16) -> Tensor:
    """Difference of local texture: how much detail there is at three scales, not where it is.

    Squared error answers uncertain detail with none; this asks for as much as the teacher has.

    Args:
        made, wanted: [B, 3, H, W].
        window: over how many pixels detail is averaged.
    """
    loss = torch.zeros((), device=made.device)
    for _ in range(3):
        levels = []
        for x in (made, wanted):
            fine = (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).square().mean(1, keepdim=True)
            levels.append((F.avg_pool2d(fine, window, window // 2) + 1e-5).sqrt())
        loss = loss + (levels[0] - levels[1]).abs().mean()
        made, wanted, window = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2), max(4, window // 2)
    return loss

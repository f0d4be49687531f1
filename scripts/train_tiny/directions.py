"""What the directions of `Streaks` should be at first: the contours' own, as the teacher's flow has them.

The error of the picture alone finds them, but late: for as long as a direction is wrong a streak along it says nothing.
Where a picture has no contours, what a style does there is learnt from the error of the picture.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from flow import FLAT
from model import STREAK_ANGLES, UNet

Tensor = torch.Tensor

SHARPNESS = 8.0
"""Of the wanted shares of the angles next to a direction."""


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """[B, C, H, W], by a Gaussian."""
    reach = math.ceil(2.5 * sigma)
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    line = torch.exp(-0.5 * (at / sigma) ** 2)
    line = (line / line.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), line, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), line.transpose(2, 3), groups=x.shape[1])


@torch.no_grad()
def contours(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures [B, 3, H, W] in [-1, 1] to shares of angles [B, A, H / 4, W / 4], and how plain they are [B, 1, …]."""
    soft = _blurred((pictures.float() + 1) / 2, 1.2)
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=soft.device) / 4
    both = torch.stack([sobel, sobel.T])[:, None].repeat(3, 1, 1, 1)
    slopes = F.conv2d(F.pad(soft, (1, 1, 1, 1), mode="replicate"), both, groups=3)
    gx, gy = slopes[:, 0::2], slopes[:, 1::2]
    tensor = F.avg_pool2d(torch.stack([(gx * gx).sum(1), (gy * gy).sum(1), (gx * gy).sum(1)], 1), 4)
    xx, yy, xy = (_blurred(tensor, 1.0) + 0.15 * _blurred(tensor, 4.0)).split(1, 1)
    cos2, sin2 = yy - xx, -2 * xy
    strength = (cos2.square() + sin2.square()).sqrt()
    angle = 0.5 * torch.atan2(sin2, cos2)
    even = torch.arange(STREAK_ANGLES, device=angle.device).view(1, -1, 1, 1) * (math.pi / STREAK_ANGLES)
    shares = torch.softmax(SHARPNESS * torch.cos(2 * (angle - even)), 1)
    return shares, strength / (xx + yy + FLAT)


class Directed:
    """Watches a UNet's directions, for the error that they have beside the contours of a picture."""

    def __init__(self, unet: UNet) -> None:
        self._seen: Tensor | None = None
        unet.streaks.directions.register_forward_hook(self._see)

    def _see(self, module: torch.nn.Module, given: tuple[Tensor, ...], scores: Tensor) -> None:
        del module, given
        self._seen = scores

    def error(self, pictures: Tensor) -> Tensor:
        """Cross-entropy of the last call's directions, of pictures [B, 3, H, W]: about 1.1 at best, 2.1 for none."""
        assert self._seen is not None
        scores = F.interpolate(self._seen.float(), scale_factor=2.0, mode="bilinear")
        shares, plain = contours(pictures)
        error = -(shares * scores.log_softmax(1)).sum(1, keepdim=True)
        return (error * plain).sum() / plain.sum()

"""The network that tells how near things are, as nets for depth are shown it.

Must not know nets, or which frames want it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from .components import load_estimator, prefixed
from .control_presets import DEPTH_ESTIMATOR
from .files import estimator_files
from .hub import fetch
from .quiet import quiet

with quiet():
    from transformers import DepthAnythingForDepthEstimation

if TYPE_CHECKING:
    from .. import Progress

PATCH_PX = 14
"""Side of what the network looks at as one."""
SHORT_SIDE_PX = 22 * PATCH_PX
"""Shorter side of what it looks at: three fifths of what it was trained on, for a third of the time."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels."""


class DepthEstimator(nn.Module):
    """Depth Anything V2 (Yang et al. 2024), in its smallest size.

    Args:
        network: a DepthAnythingForDepthEstimation.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """What nets for depth are shown of pictures.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            uint8 [B, H, W, 3], grey: what is near is white.
        """
        near = (self.nearness(pixels) * 255).round().to(torch.uint8)
        return near[..., None].repeat(1, 1, 1, 3)

    def nearness(self, pixels: torch.Tensor) -> torch.Tensor:
        """How near each pixel is.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            float32 [B, H, W]: 0 the farthest of each picture, 1 the nearest.
        """
        height, width = pixels.shape[-2:]
        scale = SHORT_SIDE_PX / min(height, width)
        size = [max(1, round(side * scale / PATCH_PX)) * PATCH_PX for side in (height, width)]
        seen = (F.interpolate(pixels, size, mode="bilinear", antialias=True) - self.mean) / self.std
        network: Any = self.network
        near = network(seen.to(network.dtype)).predicted_depth.float()
        near = F.interpolate(near[:, None], (height, width), mode="bilinear")[:, 0]
        least, most = (near.flatten(1).amin(1)[:, None, None], near.flatten(1).amax(1)[:, None, None])
        return (near - least) / (most - least).clamp(min=1e-6)


def load_depth(dtype: torch.dtype, progress: Progress) -> DepthEstimator:
    """Load the network, downloaded if it is not on this disk.

    Raises:
        ModelError: it can't be had.
    """
    folder = fetch(DEPTH_ESTIMATOR, estimator_files, progress)
    with prefixed(DEPTH_ESTIMATOR):
        network = load_estimator(DepthAnythingForDepthEstimation, folder, dtype)
    return DepthEstimator(network).eval().requires_grad_(False)

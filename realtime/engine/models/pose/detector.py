"""The network that finds people in a picture, where there may be several: an RT-DETR.

Must not know what becomes of them, or where the network comes from.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

PEOPLE_MAX = 4
"""In one picture: those that are found most surely. As many are looked at in each, whoever is there."""
SIDE_PX = 640
"""Of the pictures that the network was trained on; others are squeezed to it."""
SURE = 0.5
"""How surely somebody must be a person."""


class PersonDetector(nn.Module):
    """RT-DETR (Zhao et al. 2024).

    Args:
        network: a RTDetrForObjectDetection.
        label: the index of people among what it finds.
    """

    def __init__(self, network: nn.Module, label: int) -> None:
        super().__init__()
        self.network = network
        self.label = label
        whole: Any = network
        # Else they lie in the host's memory, from which each call copies them; so they are kept on the device.
        whole.config.anchor_image_size = None

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Find people.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            float32 [B, PEOPLE_MAX, 4]: left, top, width and height in pixels, the surest first; and whether somebody
            is there, bool [B, PEOPLE_MAX].
        """
        height, width = pixels.shape[-2:]
        network: Any = self.network
        seen = F.interpolate(pixels, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)
        found = network(seen.to(network.dtype))
        sure, index = found.logits[..., self.label].float().sigmoid().topk(PEOPLE_MAX, dim=1)
        boxes = found.pred_boxes.float().gather(1, index[..., None].expand(-1, -1, 4))
        x, y, w, h = boxes.unbind(-1)
        return torch.stack(((x - w / 2) * width, (y - h / 2) * height, w * width, h * height), -1), sure >= SURE

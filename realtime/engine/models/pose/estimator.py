"""Finds people's poses in pictures, and draws them: what nets for poses are shown.

Must not know nets, or which frames want it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .detector import PersonDetector
from .keypoints import openpose_body, peaks
from .skeleton import LIMB_LIGHT, Skeleton

PADDING = 1.25
"""Sides of what the network is shown, by those of the box that somebody is in."""
SEEN_MAX_PX = 640
"""Longer side of the pictures that people are cut out of: larger ones are shrunk, as their detail would alias."""
SURE = 0.3
"""How surely a point must be there to be drawn."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels."""

BLACK_LEVEL, BLACK_SHARE = 24 / 255, 0.6
"""A picture of skeletons is black, up to this level in each channel, for the most part,"""
VIVID_SHARE = 0.5
"""and for so much of the rest in OpenPose's colours:"""
PURE_LEVEL, LIGHTS, LIGHT_SLACK = 48 / 255, (1.0, LIMB_LIGHT), 0.16
"""their least channel is at most the one, their largest near one of the others;"""
HUE_SHARE = 0.05
"""and so much of that is rather red, green and blue each: in the light of one lamp people are vivid, too."""


class PoseEstimator(nn.Module):
    """ViTPose (Xu et al. 2022), and a skeleton of what it finds.

    Args:
        network: a VitPoseForPoseEstimation that was trained on COCO's 17 points.
        detector: finds people; without it a picture as a whole is taken for one person's.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, detector: PersonDetector | None = None) -> None:
        super().__init__()
        self.network = network
        self.detector = detector
        self.skeleton = Skeleton()
        whole: Any = network
        self.size: tuple[int, int] = tuple(whole.config.backbone_config.image_size)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The skeletons of the people in pictures; a picture that is of skeletons already is left as it is.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            uint8 [B, H, W, 3].
        """
        height, width = pixels.shape[-2:]
        body, sure = openpose_body(*self.find(pixels))
        drawn = self.skeleton(body, sure >= SURE, height, width)
        as_it_is = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return torch.where(is_skeleton(pixels)[:, None, None, None], as_it_is, drawn)

    def find(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """COCO's points of the people in pictures.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            float32 [B, P, 17, 2]: x and y in pixels, and how sure it is, float32 [B, P, 17]: 0 where nobody is.
        """
        height, width = pixels.shape[-2:]
        shrink = min(1.0, SEEN_MAX_PX / max(height, width))
        seen = pixels
        if shrink < 1:
            size = max(1, round(height * shrink)), max(1, round(width * shrink))
            seen = F.interpolate(pixels, size, mode="bilinear", antialias=True)
        boxes, is_there = self._people(seen)
        centre, scale = _framed(boxes, self.size)
        crops = _cut_out(seen, centre, scale, self.size)
        network: Any = self.network
        heatmaps = network(((crops - self.mean) / self.std).to(network.dtype)).heatmaps.float()
        places, scores = peaks(heatmaps)
        # A heatmap's first and last pixels are at the ends of what was cut out: Huang et al. 2020, "The Devil is in the
        # Details: Delving into Unbiased Data Processing for Human Pose Estimation".
        steps = torch.stack((scale[..., 0] / (heatmaps.shape[-1] - 1), scale[..., 1] / (heatmaps.shape[-2] - 1)), -1)
        points = places.unflatten(0, boxes.shape[:2]) * steps[:, :, None] + (centre - scale / 2)[:, :, None]
        to_whole = torch.stack(
            (points[..., 0] * (width / seen.shape[-1]), points[..., 1] * (height / seen.shape[-2])), -1
        )
        return to_whole, scores.unflatten(0, boxes.shape[:2]) * is_there[..., None]

    def _people(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `PersonDetector`; the picture as a whole without one."""
        if self.detector is not None:
            return self.detector(pixels)
        height, width = pixels.shape[-2:]
        whole = torch.arange(4, device=pixels.device)
        whole = torch.where(whole == 2, float(width), torch.where(whole == 3, float(height), 0.0))
        return whole.expand(len(pixels), 1, 4), torch.ones(len(pixels), 1, dtype=torch.bool, device=pixels.device)


def is_skeleton(pixels: torch.Tensor) -> torch.Tensor:
    """Whether pictures are drawings of skeletons: bool [B], of float32 [B, 3, H, W]."""
    (most, hue), least = pixels.max(1), pixels.amin(1)
    is_black = most <= BLACK_LEVEL
    is_vivid = ~is_black & (least <= PURE_LEVEL)
    is_vivid &= torch.stack([(most - light).abs() <= LIGHT_SLACK for light in LIGHTS]).any(0)
    vivid, rest = is_vivid.sum((1, 2)), (~is_black).sum((1, 2))
    found = (is_black.float().mean((1, 2)) >= BLACK_SHARE) & (vivid > VIVID_SHARE * rest)
    for channel in range(3):
        found &= (is_vivid & (hue == channel)).sum((1, 2)) >= HUE_SHARE * vivid
    return found


def _framed(boxes: torch.Tensor, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres and sides, [B, P, 2] each, of what the network is shown of boxes [B, P, 4]: in its shape, and padded."""
    left, top, width, height = boxes.unbind(-1)
    aspect = size[1] / size[0]
    sides = torch.stack((torch.maximum(width, height * aspect), torch.maximum(height, width / aspect)), -1)
    return torch.stack((left + width / 2, top + height / 2), -1), sides * PADDING


def _cut_out(pixels: torch.Tensor, centre: torch.Tensor, scale: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """What is in boxes, float32 [B · P, 3, h, w]; black where they reach out of the picture."""
    (height, width), (h, w) = pixels.shape[-2:], size
    people = centre.shape[1]
    begin = centre - scale / 2
    x = begin[..., :1] + scale[..., :1] * torch.linspace(0, 1, w, device=pixels.device)  # [B, P, w]
    y = begin[..., 1:] + scale[..., 1:] * torch.linspace(0, 1, h, device=pixels.device)
    x, y = 2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1
    grid = torch.stack((x[:, :, None].expand(-1, -1, h, -1), y[..., None].expand(-1, -1, -1, w)), -1)
    cut = F.grid_sample(pixels, grid.flatten(1, 2), mode="bilinear", padding_mode="zeros", align_corners=True)
    return cut.unflatten(2, (people, h)).transpose(1, 2).flatten(0, 1)

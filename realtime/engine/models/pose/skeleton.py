"""Draws skeletons as nets for poses were trained on them: OpenPose's colours, on black.

Tensor operations that read no value back: pictures stay on the device, and a graph can be captured. Must not know how
points are found.
"""

from __future__ import annotations

import torch
from torch import nn

POINTS = 18
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""Pairs of points, in the order in which they are drawn; see `keypoints.openpose_body`."""
COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
"""RGB. Of a point, and of the limb of the same number, which is darker by `LIMB_LIGHT`.

Source of limbs, colours and sizes: the drawing of OpenPose (Cao et al. 2019) as ControlNet's annotators have it.
"""
LIMB_LIGHT = 0.6
RADIUS_PX, USUAL_PX = 4.0, 512
"""Of points, and half a limb's width, in a picture whose shorter side is `USUAL_PX`."""


class Skeleton(nn.Module):
    """Draws bodies. Limbs are ellipses from point to point; points are discs above them."""

    palette: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        limbs = [[int(LIMB_LIGHT * channel) for channel in colour] for colour in COLOURS[: len(LIMBS)]]
        palette = torch.tensor([[0, 0, 0], *limbs, *map(list, COLOURS)], dtype=torch.uint8)
        self.register_buffer("palette", palette, persistent=False)

    def forward(self, points: torch.Tensor, is_seen: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Pictures of the bodies in them.

        Args:
            points: float32 [B, P, 18, 2]: x and y of each person's points, in pixels; the first pixel's centre is 0.
            is_seen: bool [B, P, 18]; limbs are drawn where both of their points are.
            height, width: of the pictures.

        Returns:
            uint8 [B, height, width, 3].
        """
        radius = RADIUS_PX * min(height, width) / USUAL_PX + 0.5  # a pixel is drawn of which half is in
        x = torch.arange(width, device=points.device, dtype=points.dtype)  # [W], and rows [H, 1] beside it
        y = torch.arange(height, device=points.device, dtype=points.dtype)[:, None]
        drawn = torch.zeros(len(points), height, width, dtype=torch.uint8, device=points.device)
        for number, (first, last) in enumerate(LIMBS):
            is_whole = is_seen[:, :, first] & is_seen[:, :, last]
            is_limb = _in_ellipse(x, y, points[:, :, first], points[:, :, last], radius)
            drawn = _marked(drawn, is_limb, is_whole, 1 + number)
        for number in range(POINTS):
            at_x, at_y = (points[:, :, number, i, None, None] for i in (0, 1))
            is_point = (x - at_x).square() + (y - at_y).square() <= radius**2
            drawn = _marked(drawn, is_point, is_seen[:, :, number], 1 + len(LIMBS) + number)
        return self.palette.index_select(0, drawn.flatten().int()).view(*drawn.shape, 3)


def _in_ellipse(
    x: torch.Tensor, y: torch.Tensor, first: torch.Tensor, last: torch.Tensor, width: float
) -> torch.Tensor:
    """Which pixels are in ellipses from `first` to `last` [B, P, 2], bool [B, P, H, W]; `width` is half of theirs."""
    half = ((last - first) / 2)[..., None, None]
    middle = ((last + first) / 2)[..., None, None]
    length = half.square().sum(2, keepdim=True).sqrt().clamp(min=1.0)
    dx, dy = (half / length).unbind(2)  # [B, P, 1, 1]
    x, y = x - middle[:, :, 0], y - middle[:, :, 1]
    along, across = (x * dx + y * dy) / length[:, :, 0], (y * dx - x * dy) / width
    return along.square() + across.square() <= 1


def _marked(drawn: torch.Tensor, is_part: torch.Tensor, is_there: torch.Tensor, number: int) -> torch.Tensor:
    """The picture with a number where a part [B, P, H, W] of anybody is who has it [B, P]."""
    return torch.where((is_part & is_there[..., None, None]).any(1), number, drawn)

"""Where a body's points are, by the heatmaps of a network, and which of them OpenPose's skeleton is made of.

Pure functions of tensors that read no value back, so that a graph can be captured of them. Must not know networks, or
how a skeleton is drawn.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

SIGMA_PX, RADIUS_PX = 0.8, 5
"""Of the blur of heatmaps before their peaks are looked at more closely, in their own pixels."""
LEAST, MOST = 0.001, 50.0
"""Values of blurred heatmaps are kept within, as their logarithm is taken."""
STEP_MAX_PX = 2.0
"""A peak is moved no farther from the highest pixel: of a flat heatmap it could be anywhere."""

COCO_POINTS = 17
"""Points of a body that networks which were trained on COCO find: nose, eyes, ears, shoulders, elbows, wrists, hips,
knees and ankles, the left one of two first.
"""
_LEFT_SHOULDER, _RIGHT_SHOULDER = 5, 6
_IN_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's points in COCO's numbers. None is the neck, which COCO doesn't have: it is between the shoulders."""


def peaks(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest places of heatmaps, between pixels.

    Source: Zhang et al. 2020, "Distribution-Aware Coordinate Representation for Human Pose Estimation" (DARK), section
    3.2: of the blurred map's logarithm, which is a parabola where the map is a Gaussian, one step of Newton's method.

    Args:
        heatmaps: float32 [N, K, h, w].

    Returns:
        float32 [N, K, 2]: x and y in pixels of the heatmap, the first pixel's centre is 0; and the values of the
        highest pixels, float32 [N, K].
    """
    width = heatmaps.shape[-1]
    scores, index = heatmaps.flatten(2).max(2)
    x, y = index % width, index.div(width, rounding_mode="floor")
    logs = F.pad(_blurred(heatmaps).clamp(LEAST, MOST).log(), (1, 1, 1, 1), mode="replicate").flatten(2)
    side = torch.arange(3, device=heatmaps.device)
    places = (y[..., None, None] + side[:, None]) * (width + 2) + x[..., None, None] + side
    a = logs.gather(2, places.flatten(2)).unflatten(2, (3, 3))  # [N, K, 3, 3]: above, on and below the pixel
    dx, dy = (a[..., 1, 2] - a[..., 1, 0]) / 2, (a[..., 2, 1] - a[..., 0, 1]) / 2
    dxx = a[..., 1, 2] - 2 * a[..., 1, 1] + a[..., 1, 0]
    dyy = a[..., 2, 1] - 2 * a[..., 1, 1] + a[..., 0, 1]
    # The two diagonals whose corners a shift to the lower right needs, as mmpose and transformers take them.
    dxy = (
        a[..., 2, 2] - a[..., 1, 2] - a[..., 2, 1] + 2 * a[..., 1, 1] - a[..., 1, 0] - a[..., 0, 1] + a[..., 0, 0]
    ) / 2
    determinant = dxx * dyy - dxy * dxy
    is_peak = determinant.abs() > 1e-9
    safe = torch.where(is_peak, determinant, 1.0)
    step = torch.stack((dyy * dx - dxy * dy, dxx * dy - dxy * dx), -1) / safe[..., None]
    step = torch.where(is_peak[..., None], step, 0.0).clamp(-STEP_MAX_PX, STEP_MAX_PX)
    return torch.stack((x, y), -1) - step, scores


def _blurred(heatmaps: torch.Tensor) -> torch.Tensor:
    at = torch.arange(-RADIUS_PX, RADIUS_PX + 1, device=heatmaps.device, dtype=heatmaps.dtype)
    kernel = (-(at**2) / (2 * SIGMA_PX**2)).exp()
    kernel = (kernel / kernel.sum())[None, None]
    maps = F.pad(heatmaps.flatten(0, 1)[:, None], (RADIUS_PX,) * 4, mode="replicate")
    maps = F.conv2d(F.conv2d(maps, kernel[..., None, :]), kernel[..., None])
    return maps[:, 0].unflatten(0, heatmaps.shape[:2])


def openpose_body(points: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The 18 points of OpenPose's skeleton by the 17 of COCO.

    Args:
        points: float32 [..., 17, 2].
        scores: float32 [..., 17].

    Returns:
        float32 [..., 18, 2] and [..., 18], in OpenPose's order: nose, neck, right shoulder, elbow and wrist, the left
        ones, right hip, knee and ankle, the left ones, right eye, left eye, right ear, left ear. The neck's score is
        the lower one of the shoulders'.
    """
    left, right = _LEFT_SHOULDER, _RIGHT_SHOULDER
    neck = (points[..., left, :] + points[..., right, :]) / 2
    neck_score = torch.minimum(scores[..., left], scores[..., right])
    body = [neck if i is None else points[..., i, :] for i in _IN_COCO]
    return torch.stack(body, -2), torch.stack([neck_score if i is None else scores[..., i] for i in _IN_COCO], -1)

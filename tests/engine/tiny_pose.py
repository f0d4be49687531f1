"""Random networks that find poses and people, in the layout of the real ones, and people who are drawn by hand."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from tests.checkpoints import fill

PERSON = 2


def tiny_vitpose(seed: int = 1, **options: Any) -> VitPoseForPoseEstimation:
    """Of 64×48 pixels, with heatmaps of 16×12."""
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        out_indices=[2],
    )  # fmt: skip
    config = VitPoseConfig(backbone_config=backbone, **{"num_labels": 17, "use_simple_decoder": True, **options})
    return fill(VitPoseForPoseEstimation(config), seed)  # type: ignore[return-value]


def tiny_rtdetr(seed: int = 1, labels: tuple[str, ...] = ("cat", "dog", "person")) -> RTDetrForObjectDetection:
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=[8, 8, 16], encoder_hidden_dim=16, d_model=16, num_queries=8,
        encoder_ffn_dim=16, encoder_attention_heads=2, decoder_ffn_dim=16, decoder_layers=2,
        decoder_attention_heads=2, decoder_in_channels=[16, 16, 16], hidden_expansion=0.5,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
        disable_custom_kernels=True,
    )  # fmt: skip
    return fill(RTDetrForObjectDetection(config), seed)  # type: ignore[return-value]


class Seer(torch.nn.Module):
    """Stands for a network that finds each of COCO's points at a place of what it is shown, at the same of each.

    Args:
        places: float [17, 2]: x and y of what it is shown, 0 to 1.
        sure: [17].
    """

    dtype = torch.float32

    def __init__(self, places: torch.Tensor, sure: torch.Tensor | None = None) -> None:
        super().__init__()
        self.config = VitPoseConfig(backbone_config=VitPoseBackboneConfig(image_size=[256, 192]))
        at = places * torch.tensor([47, 63])
        self.heatmaps = gaussians(at[None]) * (torch.ones(17) if sure is None else sure)[None, :, None, None]

    def forward(self, pixels: torch.Tensor) -> Any:
        return type("Found", (), {"heatmaps": self.heatmaps.expand(len(pixels), -1, -1, -1)})


def gaussians(at: torch.Tensor, size: tuple[int, int] = (64, 48), sigma: float = 2.0) -> torch.Tensor:
    """Heatmaps [N, K, h, w] with a peak of 1 at each place [N, K, 2], between pixels."""
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in size), indexing="ij")
    apart = (x - at[..., 0, None, None]) ** 2 + (y - at[..., 1, None, None]) ** 2
    return (-apart / (2 * sigma**2)).exp()


STANDING = torch.tensor(
    [
        [0.50, 0.12], [0.53, 0.10], [0.47, 0.10], [0.56, 0.12], [0.44, 0.12], [0.65, 0.25], [0.35, 0.25],
        [0.75, 0.40], [0.25, 0.40], [0.80, 0.55], [0.20, 0.55], [0.60, 0.55], [0.40, 0.55], [0.62, 0.75],
        [0.38, 0.75], [0.63, 0.93], [0.37, 0.93],
    ]
)  # fmt: skip
"""COCO's points of somebody who stands there, in a box of 0 to 1."""

"""How near things are, by a tiny random network of the real layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from realtime.engine.models.control_presets import DEPTH_ESTIMATOR
from realtime.engine.models.depth import DepthEstimator, load_depth
from realtime.errors import ModelError
from tests.checkpoints import fill, put_in_hub_cache


def tiny() -> DepthAnythingForDepthEstimation:
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        head_hidden_size=8,
    )  # fmt: skip
    return fill(DepthAnythingForDepthEstimation(config), 1)  # type: ignore[return-value]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_depth_is_of_the_pictures_size_and_each_pictures_own_range(cache: Path, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path / "depth")
    put_in_hub_cache(cache, DEPTH_ESTIMATOR.repo, tmp_path / "depth")
    estimate = load_depth(torch.float32, lambda stage, percent: None)
    pixels = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        near, alone = estimate.nearness(pixels), estimate.nearness(pixels[1:])
        shown = estimate(pixels)

    assert near.shape == (2, 64, 96) and near.dtype is torch.float32
    assert near.flatten(1).amin(1).tolist() == [0, 0] and near.flatten(1).amax(1).tolist() == [1, 1]
    torch.testing.assert_close(near[1:], alone, atol=1e-4, rtol=0)
    assert shown.dtype is torch.uint8 and shown.shape == (2, 64, 96, 3)
    torch.testing.assert_close(shown[..., 1].float(), near * 255, atol=0.51, rtol=0)


def test_picture_of_one_depth_is_black() -> None:
    class Flat(torch.nn.Module):
        dtype = torch.float32

        def forward(self, seen: torch.Tensor) -> object:
            return type("Answer", (), {"predicted_depth": seen[:, 0] * 0})

    assert not DepthEstimator(Flat())(torch.rand(1, 3, 64, 64)).any()


def test_network_that_can_not_be_had_is_said(cache: Path) -> None:
    with pytest.raises(ModelError, match="is not in the local cache"):
        load_depth(torch.float32, lambda stage, percent: None)

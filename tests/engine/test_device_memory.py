"""What is decided by a device's memory, on a device that says how much it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from realtime.config import Config
from realtime.engine import device_memory
from realtime.engine.device_memory import BUILDER_BYTES, builder_obstacle, weights_bytes
from realtime.engine.models import load
from realtime.engine.models.load import load_model
from tests.checkpoints import build_sd


def has_free(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    monkeypatch.setattr(device_memory, "free_bytes", lambda device: free)  # pyright: ignore


def test_weights_that_are_shared_count_once() -> None:
    layer = torch.nn.Linear(3, 5)

    assert weights_bytes((layer, torch.nn.Sequential(layer, torch.nn.BatchNorm1d(5)))) == 4 * (15 + 5 + 4 * 5) + 8


def test_a_builder_needs_room_for_a_second_model(monkeypatch: pytest.MonkeyPatch) -> None:
    networks, gpu = (torch.nn.Linear(1000, 1000),), torch.device("cuda")
    needed = weights_bytes(networks) + BUILDER_BYTES

    has_free(monkeypatch, needed)
    assert builder_obstacle(gpu, networks) == ""
    has_free(monkeypatch, needed - 1)
    assert builder_obstacle(gpu, networks) == "its builder takes 1.1 GB of the GPU's memory, and 1.1 GB are free"
    has_free(monkeypatch, None)
    assert builder_obstacle(gpu, networks) == ""


def test_the_builders_model_has_no_text_encoders_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "resolve_device", lambda device: torch.device("meta"))  # pyright: ignore
    config = Config(model=str(build_sd(tmp_path / "sd")), vae="full")

    model = load_model(config, hears=False)

    (encoder,) = (encoder for _, encoder in model.prompt_encoder._pairs)
    assert (model.unet.device.type, model.vae.device.type, encoder.device.type) == ("meta", "meta", "cpu")

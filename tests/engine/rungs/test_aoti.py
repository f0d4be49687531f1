"""Packages compiled ahead of time: named by all that they depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from realtime.engine.regions import Kind, Regions
from realtime.engine.rungs import aoti
from tests.engine.tiny_models import make_model

pytestmark = pytest.mark.slow


def key_of(model: Any, kind: Kind = Kind.DECODE, side: int = 8) -> str:
    return aoti.key_of(Regions.of_model(model).region(kind), {"x": torch.zeros(1, model.latent_channels, side, side)})


def test_a_key_is_the_same_for_the_same_thing_and_for_other_weights() -> None:
    model, trained = make_model(), make_model()
    with torch.no_grad():
        for parameter in trained.vae.parameters():
            parameter.mul_(1.1)

    assert key_of(make_model()) == key_of(model) == key_of(trained), "weights are no part of a package"


def test_size_dtype_layout_settings_and_region_each_change_the_key() -> None:
    half, other_layout, other_settings = make_model(), make_model(), make_model()
    half.vae.to(torch.bfloat16)
    regions = Regions.of_model(other_layout)
    other_layout.vae.to(memory_format=torch.contiguous_format)
    other_settings.vae.register_to_config(scaling_factor=0.5)

    keys = [
        key_of(make_model()),
        key_of(make_model(), side=16),
        key_of(make_model(), kind=Kind.ENCODE),
        key_of(make_model(latent_channels=8)),
        key_of(half),
        aoti.key_of(regions.region(Kind.DECODE), {"x": torch.zeros(1, 4, 8, 8)}),
        key_of(other_settings),
    ]

    assert len(set(keys)) == len(keys)


def test_machine_code_and_options_each_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of(make_model())]
    for name, value in (("_machine", "another machine"), ("_sources", "another region")):
        with monkeypatch.context() as patch:
            patch.setattr(aoti, name, lambda what, value=value: value)
            keys.append(key_of(make_model()))
    monkeypatch.setitem(aoti.OPTIONS, "cpu", {"max_autotune": True})
    keys.append(key_of(make_model()))

    assert len(set(keys)) == len(keys)


def test_a_region_with_tensors_of_its_own_is_refused() -> None:
    class Own(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.tensor([1.0, 2.0])

    with pytest.raises(RuntimeError, match="neither weights nor inputs"):
        aoti.build(Own(), {"x": torch.zeros(2)}, Path("never-written.pt2"))

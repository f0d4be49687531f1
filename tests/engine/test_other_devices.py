"""What other devices need, on stand-ins for them: when work is over, how it is waited for, and where bytes lie."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
import torch

from realtime.engine.diffusion import FEW_CORES
from realtime.engine.networks import layout_on
from realtime.engine.rungs import aoti
from tests.engine.tiny_models import make_engine

CUDA = torch.device("cuda")


def test_marks_on_mps_are_behind_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = make_engine()
    done: list[str] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: done.append("the work"))
    monkeypatch.setattr(engine, "_clock", lambda: done.append("the mark") or 7)
    engine._model = replace(engine._model, device=torch.device("mps"))

    assert engine._end_mark() == 7
    assert done == ["the work", "the mark"]


@pytest.mark.parametrize("cores", [FEW_CORES - 1, FEW_CORES])
def test_few_cores_are_not_spun_while_a_gpu_works(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    made: list[dict[str, Any]] = []

    class Event:
        def __init__(self, **options: Any) -> None:
            made.append(options)

        def record(self) -> None:
            """Nothing runs."""

    monkeypatch.setattr(torch.cuda, "Event", Event)
    engine, _ = make_engine()
    engine._model = replace(engine._model, device=CUDA)

    engine._end_mark()

    assert made == [{"enable_timing": True, "blocking": cores < FEW_CORES}]


@pytest.mark.parametrize(
    ("device", "hip", "layout"),
    [
        ("cuda", None, torch.channels_last),
        ("cuda", "7.0", torch.contiguous_format),
        ("mps", None, torch.contiguous_format),
        ("cpu", "7.0", torch.channels_last),
    ],
)
def test_weights_lie_as_the_devices_kernels_want_them(
    device: str, hip: str | None, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)

    assert layout_on(torch.device(device)) is layout


@pytest.mark.parametrize("setting", ["attention", "benchmark", "tf32", "precision"])
def test_packages_of_other_kernels_have_another_key(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    before = aoti.machine_of(CUDA)
    cudnn = torch.backends.cudnn
    match setting:
        case "attention":
            was = torch.backends.cuda.cudnn_sdp_enabled()
            monkeypatch.setattr(torch.backends.cuda, "cudnn_sdp_enabled", lambda: not was)
        case "benchmark":
            monkeypatch.setattr(cudnn, "benchmark", not cudnn.benchmark)
        case "tf32":
            monkeypatch.setattr(cudnn, "allow_tf32", not cudnn.allow_tf32)
        case _:
            monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "another")

    assert aoti.machine_of(CUDA) != before

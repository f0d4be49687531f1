"""benchmarks.engine: real shapes have the published sizes, tiny ones run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from benchmarks.engine import bench, likeness, models, tapped
from benchmarks.engine import machine as machines
from benchmarks.engine.bench import Trial
from realtime.bench import engine_under_test
from realtime.bench.errors import BenchError
from realtime.config import Device


@pytest.mark.parametrize(("name", "millions"), [("sd-turbo", 865.9), ("lcm", 859.6), ("sdxl-turbo", 2567.5)])
def test_shapes_have_as_many_weights_as_the_published_models(name: str, millions: float) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**models.SHAPES[name].unet)
    assert sum(weights.numel() for weights in unet.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("name", list(models.SHAPES))
def test_a_tiny_folder_is_loaded_and_its_pictures_follow_the_input(name: str, tmp_path: Path) -> None:
    machine = machines.Machine(torch.device("cpu"), torch.float32, 64, small=True)
    folder = models.save_folder(name, tmp_path / name, dtype=torch.float32, device=machine.device, small=True)
    ours = tapped.TappedEngine(folder, "off", machine)

    (first, second), latents = ours.made(2, 1)

    assert first.shape == (64, 64, 3)
    assert likeness.difference([first], [second])["relative"] > 0.1
    pictures, again = ours.made(2, 1)
    assert likeness.difference(pictures, [first, second]) == {"relative": 0.0, "largest_levels": 0.0}
    assert [one.shape for one in latents] == [(1, 4, 8, 8)] * 2
    assert likeness.relative(again, latents) == 0
    assert ours.pipelined(2, 2, 2) > 0
    assert ours.host_ms(2, 2, 1) > 0
    assert ours.told().keys() == {"what", "rung", "load_s", "first_frame_s", "settled_s"}
    ours.close()


def test_a_difference_is_relative_to_what_the_picture_shows() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    picture, other = grey.copy(), grey.copy()
    picture[:4], other[:4] = 120, 119
    found = likeness.difference([other], [picture])
    assert found["largest_levels"] == 1
    assert found["relative"] == pytest.approx(1 / (20 * 0.5 * 2**0.5), rel=1e-3)


def test_latents_differ_by_their_norm() -> None:
    reference = [np.ones((4, 8, 8), np.float32)]
    assert likeness.relative([reference[0] * np.float32(1.01)], reference) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("trial", "word"),
    [
        (Trial(shapes=["sd9"]), "sd9"),
        (Trial(rungs=["warp"]), "warp"),
        (Trial(steps=[9]), "8"),
        (Trial(batches=[0]), "16"),
    ],
)
def test_what_can_not_be_tried_is_refused(trial: Trial, word: str) -> None:
    with pytest.raises(BenchError, match=word):
        bench.engine_bench(trial, tiny_shapes=True)


@pytest.fixture
def _nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO runs every call as soon as it is loaded."""
    monkeypatch.setattr(engine_under_test, "QUIET_S", 0.0)


def test_a_short_bench_compares_us_with_pipelines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = Trial(steps=[1], batches=[1, 2], seconds=0.02, repetitions=1)

    bench.engine_bench(trial, device=Device.CPU, tiny_shapes=True, keep=tmp_path, output=tmp_path / "engine.json")

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer == json.loads((tmp_path / "engine.json").read_text())
    arms = answer["scenarios"]["sd-turbo_1_step"]
    assert {"ours off, batch 1", "ours off, batch 2", "diffusers", "diffusers, TAESD"} <= arms.keys()
    assert "sd-turbo_1_step: ours off, batch 2 / diffusers, TAESD" in answer["scenarios"]["ratios"]
    assert answer["rungs"]["sd-turbo"]["exactness"]["off"] == {
        "relative": 0.0,
        "largest_levels": 0.0,
        "latents_relative": 0.0,
        "repeats_bit_for_bit": True,
    }
    assert answer["floors"]["matmul_tflops"] > 0


@pytest.mark.usefixtures("_nothing_is_waited_for")
def test_the_embedded_model_is_measured_region_by_region_on_each_rung(capsys: pytest.CaptureFixture[str]) -> None:
    rungs = ["openvino", "openvino:float32"]
    trial = Trial(shapes=["tiny"], rungs=rungs, steps=[2], batches=[2], seconds=0.02, repetitions=1)

    bench.engine_bench(trial, device=Device.CPU, tiny_shapes=True)

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["settings"]["side_px"] == {"tiny": 64}
    arms = answer["scenarios"]["tiny_2_step"]
    assert arms.keys() == {f"ours {rung}, batch 2" for rung in ("off", *rungs)}
    for arm in arms.values():
        assert all(arm[number]["median"] > 0 for number in ("encode_ms", "step_ms", "decode_ms"))
    assert "float32 as asked for" in answer["rungs"]["tiny"]["rungs"]["openvino:float32"]["what"]
    assert answer["targets"]["tiny openvino:float32: latents' relative difference to eager"]["ok"]

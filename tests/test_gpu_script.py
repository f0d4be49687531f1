"""benchmarks/gpu.py: a part of it run dry, and what it says of numbers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def gpu() -> Any:
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_goals_stand_beside_what_was_measured(gpu: Any) -> None:
    def arms(**ms: float) -> dict[str, Any]:
        return {name.replace("_", " "): {"ms_per_frame": {"median": value}} for name, value in ms.items()}

    ours = arms(diffusers=60.0) | {
        "ours graphs, batch 1": {"ms_per_frame": {"median": 5.0}},
        "ours off, batch 1": {"ms_per_frame": {"median": 15.0}},
        "ours graphs, batch 16": {"ms_per_frame": {"median": 2.0}},
        "diffusers, TAESD": {"ms_per_frame": {"median": 30.0}},
    }
    carried = {str(n): {"clients": n, "carried": {"66": n < 9}} for n in (4, 8, 10)}
    parts = {
        "sd_turbo": {"scenarios": {"sd-turbo_1_step": ours}},
        "streams": {"scenarios": carried},
        "lcm": {"note": ""},
    }

    goals = gpu.goals(parts)

    assert goals["B1 SD-Turbo 512, batch 1, ms"]["measured"] == 5.0
    assert goals["B1 ... to diffusers with KL-VAE and a prompt a frame"]["measured"] == round(5 / 60, 4)
    assert goals["B1 ... to StreamDiffusion"] | {"predicted": ""} == {
        "predicted": "",
        "wanted": "at most 0.3",
        "measured": None,
        "ok": None,
    }
    assert goals["B3 streams of 30 fps with p95 below 66 ms"]["measured"] == 8
    assert goals["B3 streams of 30 fps with p95 below 66 ms"]["ok"] is True
    assert goals["B5 four steps (LCM), ms"]["ok"] is None


def test_only_wheels_of_what_is_not_installed_are_wanted(gpu: Any, tmp_path: Path) -> None:
    for name in ("torch-9.9-py3-none-any.whl", "no_such_distribution-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    assert [wheel.name for wheel in gpu.missing_wheels(tmp_path)] == ["no_such_distribution-1.0-py3-none-any.whl"]


def test_a_part_runs_dry_and_one_without_time_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--output", str(tmp_path), "--dry-run"]

    subprocess.run([*command, "--only", "floors", "--only", "sdxl"], check=True, capture_output=True, timeout=110)

    answer = json.loads((tmp_path / "gpu.json").read_text())
    assert answer["bench"] == "gpu" and answer["dry_run"]
    assert answer["parts"]["floors"]["floors"]["matmul_tflops"] > 0
    assert "ours off, batch 2" in answer["parts"]["sdxl"]["scenarios"]["sdxl-turbo_1_step"]
    assert answer["goals"]["B8 replays bit for bit"]["ok"] is True

    subprocess.run([*command, "--only", "floors", "--budget-s", "1"], check=True, capture_output=True, timeout=60)
    assert json.loads((tmp_path / "gpu.json").read_text())["parts"]["floors"]["note"].startswith("left out")

"""benchmarks.gpu: a part of it run dry, and what it says of numbers."""

from __future__ import annotations

import importlib.metadata
import json
import os
import runpy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import goals, parts

ROOT = Path(__file__).parents[2]


def test_goals_stand_beside_what_was_measured() -> None:
    def arms(**ms: float) -> dict[str, Any]:
        return {name.replace("_", " "): {"ms_per_frame": {"median": value}} for name, value in ms.items()}

    def host(ms: float) -> dict[str, Any]:
        return {"host_ms_per_frame": {"median": ms}}

    ours = arms(diffusers=60.0) | {
        "ours graphs, batch 1": {"ms_per_frame": {"median": 5.0}} | host(0.5),
        "ours off, batch 1": {"ms_per_frame": {"median": 15.0}} | host(10.0),
        "ours graphs, batch 16": {"ms_per_frame": {"median": 2.0}},
        "diffusers, TAESD": {"ms_per_frame": {"median": 30.0}},
    }

    def exact(relative: float) -> dict[str, Any]:
        return {"latents_relative": relative, "relative": relative, "repeats_bit_for_bit": True}

    carried = {str(n): {"clients": n, "carried": {"66": n < 9}} for n in (4, 8, 10)}
    parts = {
        "sd_turbo": {"scenarios": {"sd-turbo_1_step": ours}},
        "streams": {"scenarios": carried, "prompts": {"new": {"frames": {"p95": 3}}}},
        "lcm": {"note": ""},
        "aoti": {
            "cold_start": {"empty": {"first_frame_s": 8.0}, "warm": {"settled_s": 9.0}},
            "rungs": {"exactness": {"aoti, up to 1": exact(3e-3), "off, up to 1": exact(0.0)}},
        },
        "compile": {"cold_start": {"empty": {"first_frame_s": 100.0}}},
    }

    held = goals.goals(parts)

    assert held["B1 SD-Turbo 512, batch 1, ms"]["measured"] == 5.0
    assert held["B1 ... to diffusers with KL-VAE and a prompt a frame"]["measured"] == round(5 / 60, 4)
    assert held["B1 ... to StreamDiffusion"] | {"predicted": ""} == {
        "predicted": "",
        "wanted": "at most 0.3",
        "measured": None,
        "ok": None,
    }
    assert next(iter(held)).startswith("B1 SD-Turbo") and list(held)[-1].startswith("B9")
    assert held["B4 engine's thread, graphs to eager"]["measured"] == 0.05
    assert held["B6 new prompt, frames until it shows, p95"]["ok"] is False
    assert held["B7 first frame, empty cache, aoti to torch.compile"]["measured"] == 0.08
    assert held["B7 compiled frames, warm cache, aoti to torch.compile"]["measured"] is None
    assert held["B8 largest difference of latents to eager, relative"]["measured"] == 3e-3
    assert held["B3 streams of 30 fps with p95 below 66 ms"]["measured"] == 8
    assert held["B3 streams of 30 fps with p95 below 66 ms"]["ok"] is True
    assert held["B5 four steps (LCM), ms"]["ok"] is None


def test_limits_of_all_parts_but_the_last_fit_into_the_budget() -> None:
    *limited, last = gpu.PARTS
    assert sum(part.limit_s for part in limited) <= gpu.BUDGET_S - gpu.MARGIN_S < 8 * 60
    growing = {part.name: gpu.limit_of(part, gpu.BUDGET_S + 100) - part.limit_s for part in limited}
    assert {name: more for name, more in growing.items() if more} == {"aoti": 100}
    assert last.name == "compile" and last.needs_s < sum(part.limit_s - part.needs_s for part in limited)


@pytest.mark.parametrize(
    ("packaged", "on_cuda", "rung"),
    [
        ([1, 2, 4, 8], True, ("aoti", 8)),
        ([1], True, ("graphs", 16)),
        (None, True, ("graphs", 16)),
        ([1], False, ("aoti", 1)),
        (None, False, ("off", 16)),
    ],
)
def test_streams_run_on_packages_only_where_none_would_have_to_be_built(
    tmp_path: Path, packaged: list[int] | None, on_cuda: bool, rung: tuple[str, int]
) -> None:
    device = SimpleNamespace(type="cuda" if on_cuda else "cpu")
    setting = SimpleNamespace(output=tmp_path, machine=lambda: SimpleNamespace(device=device))
    if packaged is not None:
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts" / "aoti.json").write_text(json.dumps({"packaged": packaged}))

    assert parts.best_rung(setting) == rung


def test_a_part_that_is_ended_keeps_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "part.py"
    script.write_text(
        "import pathlib, sys, time\n"
        "output = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
        "(output / 'parts' / 'slow.json').write_text('{\"found\": 1}')\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(gpu, "COMMAND", (sys.executable, str(script)))
    arguments = SimpleNamespace(output=tmp_path, models=tmp_path, dry_run=True)

    found = gpu.run_part(gpu.Part("slow", lambda setting, found: None, 2, 1), arguments, dict(os.environ), 5.0)

    assert found["found"] == 1
    assert found["note"] == "ended after 5 s"


def requirements(name: str) -> set[str]:
    """What a distribution that is installed here needs, without its extras."""
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return set()
    found = (Requirement(line) for line in lines)
    return {canonicalize_name(need.name) for need in found if need.marker is None or need.marker.evaluate()}


def with_all_they_need(names: Iterable[str]) -> set[str]:
    """Distributions, what they need, what that needs, and so on."""
    closed, waiting = set[str](), set(names)
    while waiting:
        closed |= waiting
        waiting = {need for name in waiting for need in requirements(name)} - closed
    return closed


def test_the_wheels_bring_all_that_they_need_to_a_machine_with_torch_and_transformers() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "gpu-wheels"))
    wheels = {canonicalize_name(wheel.partition("==")[0]) for wheel in script["WHEELS"]}
    there = with_all_they_need(["torch", "transformers", "accelerate"])

    # StreamDiffusion asks for versions of its year, and runs without them.
    missing = with_all_they_need(wheels - {"streamdiffusion"}) - wheels - there

    assert not missing


def test_only_wheels_of_what_is_not_installed_are_wanted(tmp_path: Path) -> None:
    for name in ("torch-9.9-py3-none-any.whl", "no_such_distribution-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    assert [wheel.name for wheel in gpu.missing_wheels(tmp_path)] == ["no_such_distribution-1.0-py3-none-any.whl"]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs it dry, in this process but for its parts; returns what the file then says."""

    def run(*options: str, file: str = "gpu.json") -> Any:
        monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(tmp_path), "--dry-run", *options])
        gpu.main()
        return json.loads((tmp_path / file).read_text())

    return run


def test_a_part_runs_dry_in_a_process_of_its_own(bench: Callable[..., Any]) -> None:
    answer = bench("--only", "floors")

    assert answer["bench"] == "gpu" and answer["dry_run"]
    assert answer["parts"].keys() == {"floors"}
    assert answer["parts"]["floors"]["floors"]["matmul_tflops"] > 0


def test_a_part_keeps_arms_that_goals_are_read_from(bench: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()

    found = bench("--part", "sdxl", "--limit-s", "240", file="parts/sdxl.json")

    assert "ours off, batch 2" in found["scenarios"]["sdxl-turbo_1_step"]
    assert goals.goals({"sdxl": found})["B8 replays bit for bit"]["ok"] is True


def test_a_part_without_time_says_so(bench: Callable[..., Any]) -> None:
    answer = bench("--only", "floors", "--budget-s", "1")

    assert answer["parts"]["floors"]["note"].startswith("left out")

"""benchmarks.gpu: its runs held to their limits, parts of it run dry, and what it says of numbers."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.drawing.tables import machine_line
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import goals, plan
from benchmarks.gpu.plan import MARGIN_S, RUNS, Part
from benchmarks.gpu.running import Running, Worker

ROOT = Path(__file__).parents[2]
ALL_PARTS = [part for run in RUNS.values() for part in run.parts]


def test_goals_stand_beside_what_was_measured() -> None:
    def ms(value: float, **more: float) -> dict[str, Any]:
        return {name: {"median": median} for name, median in {"ms_per_frame": value, **more}.items()}

    def exact(relative: float) -> dict[str, Any]:
        return {"latents_relative": relative, "relative": relative, "repeats_bit_for_bit": True}

    ours = {
        "diffusers": ms(60.0),
        "diffusers, TAESD": ms(30.0),
        "ours graphs, batch 1": ms(8.0, host_ms_per_frame=0.5),
        "ours graphs, batch 8": ms(4.0),
        "ours off, batch 1": ms(15.0, host_ms_per_frame=10.0),
    }
    carried = {str(n): {"clients": n, "carried": {"50": n < 9}} for n in (4, 8, 10)}
    parts = {
        "engine": {"scenarios": {goals.SD_TURBO: ours}, "exactness": {"graphs, batch 1": exact(0.0)}},
        "streams": {"scenarios": carried, "prompts": {"new": {"frames": {"p95": 3}}}},
        "aoti": {
            "rungs": {"aoti": {"first_frame_s": 8.0, "settled_s": 9.0}},
            "exactness": {"aoti, batch 1": exact(3e-3), "off, batch 1": exact(0.0)},
            "scenarios": {goals.SD_TURBO: {"ours aoti, batch 1": ms(6.0)}},
        },
        "compile": {"cold_start": {"empty": {"first_frame_s": 100.0}}},
        "hazards": {"hazards": {"wrong": 1, "failures": 2}},
        "tests": {"failed": {"one": "E assert", "other": ""}},
        "sizes": {"first_calls": {"448×448, batch 1": [9, 120, 7], "448×448, batch 8": [30, 40]}},
        "build_1": {"packages": {"step": {"seconds": 110.0}}},
        "profile": {"note": ""},
        "nets": {"nets_to_plain": {"controlnet, 8 of 8": 1.3, "controlnet, 1 of 8": 1.2, "adapter, 8 of 8": 1.05}},
        "contexts": {"contexts_to_plain": {"negative, 8 of 8": 1.08}},
    }

    held = goals.goals(parts)

    assert held["B1 SD-Turbo 512, batch 1, ms"]["measured"] == 6.0
    assert held["B1 ... to diffusers with KL-VAE and a prompt a frame"]["measured"] == 0.1
    assert held["B1 ... to StreamDiffusion"] == {
        "predicted": "graphs 0.5, packages 0.4",
        "wanted": "at most 0.45",
        "measured": None,
        "ok": None,
    }
    assert next(iter(held)).startswith("B1 SD-Turbo") and list(held)[-1].startswith("D6")
    assert held["B2 batch 8, ms a frame"]["ok"] is True and held["B2 ... next, ms a frame"]["ok"] is False
    assert held["B3 streams of 30 fps with p95 below 50 ms"]["measured"] == 8
    assert held["B3 ... next"]["ok"] is False
    assert held["B4 engine's thread, graphs to eager"]["measured"] == 0.05
    assert held["B6 new prompt, frames until it shows, p95"]["ok"] is False
    assert held["B7 first frame, aoti to torch.compile"]["measured"] == 0.08
    assert held["B7 compiled frames, warm cache, aoti to torch.compile"]["measured"] is None
    assert held["B7 building the longest package, s"]["measured"] == 110.0
    assert held["B8 largest difference of latents to eager, relative"]["measured"] == 3e-3
    assert held["C1 hazards: pictures that are mixed up or broken"]["measured"] == 3
    assert held["C2 tests on the device that fail"]["ok"] is False
    assert held["C3 longest call at a new size, ms"]["measured"] == 120
    assert held["D1 tick with a ControlNet on 8 of 8 rows, to plain"] == {
        "predicted": "1.27",
        "wanted": "at most 1.35",
        "measured": 1.3,
        "ok": True,
    }
    assert held["D1 ... on 1 of 8"]["ok"] is False and held["D1 ... on 4 of 8"]["measured"] is None
    assert held["D4 tick with a negative prompt on 8 of 8 rows, to plain"]["measured"] == 1.08


def test_nothing_is_measured_and_nothing_met_where_nothing_was_found() -> None:
    assert {goal["ok"] for goal in goals.goals({}).values()} == {None}


@pytest.mark.parametrize("run", list(RUNS))
def test_what_all_parts_need_fits_into_a_run_and_no_limit_is_short(run: int) -> None:
    ahead = [part for part in RUNS[run].parts if not part.is_beside]

    assert plan.kept_for(ahead, dry=False) <= RUNS[run].budget_s - MARGIN_S < 8 * 60
    assert plan.kept_for(ahead, dry=True) <= plan.DRY_BUDGET_S - MARGIN_S
    assert all(part.limit_s >= max(plan.LEAST_S, part.needs_s) for part in RUNS[run].parts)
    assert len({part.name for part in RUNS[run].parts}) == len(RUNS[run].parts)


@pytest.mark.parametrize("part", ALL_PARTS, ids=lambda part: part.name)
def test_each_part_has_something_that_measures_it(part: Part) -> None:
    module, _, function = part.measures.partition(":")

    assert callable(getattr(importlib.import_module(f"benchmarks.gpu.{module}"), function))
    assert set(part.after) <= {other.name for other in ALL_PARTS if other.is_beside}


FAKES = """
import os, signal, sys, time, types
from pathlib import Path
from benchmarks.gpu import working

class OutOfMemoryError(RuntimeError):
    pass

def fine(setting, found):
    found["pid"] = os.getpid()

def hang(setting, found):
    found["found"] = 1
    setting.keep(found)
    time.sleep(600)

def die(setting, found):
    found["found"] = 1
    setting.keep(found)
    os.kill(os.getpid(), signal.SIGKILL)

def short(setting, found):
    found["found"] = 1
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\\nmore")

fakes = types.ModuleType("benchmarks.gpu.fakes")
vars(fakes).update(fine=fine, hang=hang, die=die, short=short)
sys.modules[fakes.__name__] = fakes
working.serve(sys.stdin, sys.stdout, Path("models"), Path(sys.argv[1]), True)
"""


def a_part(name: str, does: str, process: str = "one", limit_s: float = 60, **more: Any) -> Part:
    return Part(name, f"fakes:{does}", process, limit_s, **{"needs_s": 1, "dry_needs_s": 1, **more})


def run(parts: Sequence[Part], output: Path, budget_s: float = 120, dry: bool = False) -> Any:
    """Run parts that only pretend to measure; what is found, of which every state was JSON."""
    script = output / "fakes.py"
    script.write_text(FAKES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REALTIME_CACHE": str(output)}
    told: list[str] = []
    running = Running(
        parts,
        output,
        dry=dry,
        budget_s=budget_s,
        start=lambda: Worker([sys.executable, str(script), str(output)], environment),
        on_measured=lambda measured: told.append(json.dumps(measured)),
    )
    found = running.run()
    assert json.loads(told[-1]) == found
    return found


def test_parts_of_one_process_share_it_and_others_have_their_own(tmp_path: Path) -> None:
    found = run([a_part("a", "fine"), a_part("b", "fine"), a_part("c", "fine", "other")], tmp_path)

    assert found["a"]["pid"] == found["b"]["pid"] != found["c"]["pid"]
    assert not any("note" in part for part in found.values())


def test_a_part_that_hangs_is_ended_keeps_what_it_had_and_costs_no_other(tmp_path: Path) -> None:
    parts = [a_part("a", "fine"), a_part("b", "hang", limit_s=5), a_part("c", "fine")]

    found = run(parts, tmp_path)

    assert found["b"]["found"] == 1 and found["b"]["note"].startswith("ended after")
    assert found["c"]["pid"] != found["a"]["pid"]


def test_a_part_whose_process_is_killed_costs_no_other(tmp_path: Path) -> None:
    found = run([a_part("a", "die"), a_part("b", "fine")], tmp_path)

    assert found["a"]["found"] == 1 and "SIGKILL" in found["a"]["note"]
    assert "note" not in found["b"]


def test_a_device_without_memory_ends_a_part_with_the_reason_and_what_it_had(tmp_path: Path) -> None:
    found = run([a_part("a", "short"), a_part("b", "fine")], tmp_path)

    assert found["a"]["found"] == 1
    assert found["a"]["note"] == "ended by OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    assert "note" not in found["b"]


@pytest.mark.parametrize("does", ["die", "hang", "short"])
def test_a_part_beside_that_is_killed_or_hangs_is_waited_for_only_so_long(tmp_path: Path, does: str) -> None:
    beside = a_part("built", does, "two", limit_s=10, is_beside=True)
    parts = [beside, a_part("a", "fine"), a_part("b", "fine", "three", after=("built",))]

    found = run(parts, tmp_path)

    assert found["built"]["found"] == 1 and found["built"]["note"].startswith(("ended", "its process ended"))
    assert "note" not in found["a"] and "note" not in found["b"]


def test_a_run_has_a_deadline_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    parts = [a_part("a", "fine", needs_s=30), a_part("b", "fine", cores=10_000, is_beside=True)]

    found = run(parts, tmp_path, MARGIN_S + 20)

    assert found["a"]["note"].startswith("left out: ") and found["a"]["note"].endswith("and it needs 30")
    assert "10000 cores" in found["b"]["note"]


def test_a_part_leaves_the_later_ones_what_they_need(tmp_path: Path) -> None:
    parts = [a_part("a", "hang", limit_s=600), a_part("b", "fine", needs_s=60)]

    found = run(parts, tmp_path, MARGIN_S + 60 + 5)

    assert found["a"]["note"].startswith("ended after")
    assert "pid" in found["b"] or found["b"]["note"].startswith("left out"), "ending the first took its time"


def test_the_answer_keeps_what_the_other_run_has_found(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    machine = {"accelerator": "H200, torch"}
    begins = {"commit": "abc", "device": "CPU", "accelerator": "H200", "packages": {"torch": "2.11"}}
    gpu.Answer(file, False, begins).put(1, {"machine": machine, "streams": {"note": "left out"}}, 9.0)

    gpu.Answer(file, False, begins | {"commit": "def"}).put(2, {"machine": machine, "variants": {}}, 8.0)

    answer = json.loads(file.read_text())
    assert answer["parts"].keys() == {"machine", "streams", "variants"}
    assert answer["runs"]["1"]["without"] == {"streams": "left out"}
    assert (answer["accelerator"], answer["commit"], answer["bench"]) == ("H200, torch", "def", "gpu")
    assert [run["commit"] for run in answer["runs"].values()] == ["abc", "def"]
    gpu.Answer(file, True, begins).put(1, {}, 1.0)
    assert json.loads(file.read_text())["parts"] == {}, "what was rehearsed is not mixed with it"


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

    def run(*options: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(tmp_path), "--dry-run", *options])
        gpu.main()
        return json.loads((tmp_path / "gpu.json").read_text())

    return run


def test_a_part_runs_dry_in_a_process_of_its_own(bench: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    answer = bench("--run", "1", "--only", "machine")

    assert answer["bench"] == "gpu" and answer["dry_run"]
    assert answer["parts"].keys() == {"machine"} and answer["runs"]["1"]["without"] == {}
    assert answer["parts"]["machine"]["floors"]["matmul_tflops"] > 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == answer


def test_a_run_without_time_says_so_and_of_what_it_was_and_is_json(bench: Callable[..., Any]) -> None:
    answer = bench("--budget-s", "1", "--commit", "abc")

    assert answer["parts"].keys() == {part.name for part in ALL_PARTS}
    assert all(part["note"].startswith("left out") for part in answer["parts"].values())

    # Though no part had its turn: what the drawn page begins with, and what numbers would depend on.
    assert answer["commit"] == "abc" == answer["runs"]["2"]["commit"]
    assert answer["packages"]["torch"] == importlib.metadata.version("torch")
    assert f"({answer['commit']}) on {answer['device']}" in machine_line(answer)


WORKS = """
import os, subprocess, sys, time
from benchmarks.gpu.working import watch_parent
watch_parent()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), child.pid, sep=chr(10), file=sys.stderr, flush=True)
time.sleep(300)
"""
ASKS = """
import os, sys, time
from benchmarks.gpu.running import Worker
os.dup2(1, 2)
Worker([sys.executable, "-c", sys.argv[1]], os.environ)
time.sleep(300)
"""


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_bench_that_is_killed_leaves_no_process_behind() -> None:
    """Its processes lead sessions of their own, so that nobody else ends them."""
    asks = subprocess.Popen([sys.executable, "-c", ASKS, WORKS], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert asks.stdout is not None
    with asks.stdout:
        pids = [int(asks.stdout.readline()) for _ in range(2)]  # of the part's process, and of what it has started
        asks.kill()
        asks.wait()
    end_s = time.monotonic() + 60
    while (there := [pid for pid in pids if is_running(pid)]) and time.monotonic() < end_s:
        time.sleep(0.1)
    for pid in there:
        os.kill(pid, signal.SIGKILL)

    assert not there

"""All that is to be measured on a GPU: two runs, each under eight minutes, and one under four.

    python -m benchmarks.gpu --output DIR [--run 1|2|3] [--wheels DIR] [--dry-run]

Run 1 asks whether everything works and where the time goes, run 2 measures packages and variants, run 3 what looks
cost: nets, contexts, and another model while frames flow (`plan.py`). Each has its own deadline: a part that would pass
it is left out and named. DIR/gpu.json is whole from the first second on, and is written anew whenever there is more;
what it has of the other runs stays. Parts run in processes with limits, so
that one that hangs, breaks or has too little memory costs only itself. What was predicted and what is wanted stands
beside what was measured (`goals.py`). Random weights of the real shapes, made on the spot; nothing is fetched. Models
(ten GB) and what is compiled lie in DIR/models and DIR/cache, or where `--models` and `--cache` say.

`--dry-run` rehearses all with tiny shapes on any machine, in a few minutes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from realtime.bench import report

from .checks import smi_facts
from .goals import goals
from .plan import BUILDS, DRY_BUDGET_S, RUNS, Part, parts_of
from .running import COMMAND, Measured, Running, Worker
from .working import work

ROOT = Path(__file__).resolve().parents[2]
FILE = "gpu.json"
H100_FLOOR_MS = {"sd-turbo": 1.33, "sdxl-turbo": 2.32}
"""A frame's arithmetic at 800 TFLOP/s, with TAESD, 512x512, one step."""
PACKAGES = ("torch", "triton", "diffusers", "transformers", "accelerate", "safetensors", "numpy", "streamdiffusion")
"""Whose versions numbers may depend on."""


def missing_wheels(wheels: Path) -> list[Path]:
    """Wheels of distributions that are not installed here."""
    found: list[Path] = []
    for wheel in sorted(wheels.glob("*.whl")):
        name = wheel.name.split("-")[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found.append(wheel)
    return found


def install(wheels: Path, target: Path) -> None:
    """Install what is missing beside what is there, without touching that and without a network."""
    wanted = missing_wheels(wheels)
    if wanted:
        options = ("install", "--quiet", "--no-index", "--no-deps", "--target", str(target))
        subprocess.run([sys.executable, "-m", "pip", *options, *map(str, wanted)], check=True)


def environment_of(arguments: argparse.Namespace) -> dict[str, str]:
    """What parts see: our code, the wheels, and a cache that is not the user's."""
    cache = arguments.cache
    paths = [str(ROOT), str(arguments.output / "site"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "REALTIME_CACHE": str(cache),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
    }
    environment.setdefault("HF_HUB_OFFLINE", "1")
    if arguments.dry_run:
        environment["OMP_NUM_THREADS"] = "1"  # small operations on threads that wait for each other take for ever
    return environment


def head(arguments: argparse.Namespace) -> dict[str, Any]:
    """Version, commit, machine, packages and driver: known before any part runs, which may take its process down."""
    site = str(arguments.output / "site")
    versions = {
        name: found.version
        for name in PACKAGES
        for found in list(importlib.metadata.distributions(name=name, path=[*sys.path, site]))[:1]
    }
    begun = report.header("gpu")
    driver = smi_facts()
    return {
        **begun,
        "commit": arguments.commit or begun["commit"],
        "packages": versions,
        "driver": driver,
        "accelerator": driver.get("name"),
    }


class Answer:
    """The JSON object of all runs, in its file from the beginning on.

    Args:
        file: where it lies; what it has of other runs of the same kind is kept.
        dry_run: its numbers mean nothing.
        begins: of what is run now, see `head`.
    """

    def __init__(self, file: Path, dry_run: bool, begins: Mapping[str, Any]) -> None:
        self._file = file
        before: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        same = before.get("dry_run") is dry_run
        self.whole: dict[str, Any] = {
            **(before if same else {}),
            **begins,
            "bench": "gpu",
            "dry_run": dry_run,
            "floor_ms_at_800_tflops": H100_FLOOR_MS,
        }
        self.whole.setdefault("parts", {})
        self.whole.setdefault("runs", {})

    def put(self, run: int, measured: Measured, took_s: float) -> None:
        """Add what a run has found by now."""
        if told := measured.get("machine", {}).get("accelerator"):
            self.whole["accelerator"] = told
        names = list(measured)
        self.whole["runs"][str(run)] = {
            "answers": RUNS[run].answers,
            "took_s": round(took_s, 1),
            "parts": names,
            **{name: self.whole.get(name) for name in ("accelerator", "commit", "packages")},
            "without": {name: found["note"] for name, found in measured.items() if found.get("note")},
        }
        self.whole["parts"] |= measured
        self.whole["goals"] = goals(self.whole["parts"])
        self.write()

    def write(self) -> None:
        """Whole or not at all."""
        whole = self._file.with_suffix(".json.part")
        whole.write_text(json.dumps(self.whole, indent=1) + "\n")
        whole.replace(self._file)


def chosen_parts(run: int, arguments: argparse.Namespace) -> list[Part]:
    """The parts of a run that are asked for."""
    return [
        part
        for part in RUNS[run].parts
        if (not arguments.only or part.name in arguments.only) and part.name not in arguments.without
    ]


def run_one(run: int, arguments: argparse.Namespace, answer: Answer, budget_s: float) -> None:
    """One run, held to its deadline."""
    begin_s = time.monotonic()
    environment = environment_of(arguments)
    options = ["--output", str(arguments.output), "--models", str(arguments.models)]
    command = [*COMMAND, *options, *(["--dry-run"] if arguments.dry_run else [])]
    running = Running(
        chosen_parts(run, arguments),
        arguments.output,
        dry=arguments.dry_run,
        budget_s=budget_s,
        start=lambda: Worker(command, environment),
        on_measured=lambda measured: answer.put(run, measured, time.monotonic() - begin_s),
    )
    print(f"=== run {run}: {RUNS[run].answers}, {budget_s:.0f} s", file=sys.stderr, flush=True)
    running.run()
    answer.put(run, running.measured, time.monotonic() - begin_s)


def run_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """The runs that are asked for; the answer of all."""
    begin_s = time.monotonic()
    arguments.output.mkdir(parents=True, exist_ok=True)
    answer = Answer(arguments.output / FILE, arguments.dry_run, head(arguments))
    answer.whole["goals"] = goals(answer.whole["parts"])
    answer.write()
    if arguments.wheels:
        install(arguments.wheels, arguments.output / "site")
        answer.whole |= head(arguments)
    if any(part.name in BUILDS for run in arguments.run for part in chosen_parts(run, arguments)):
        # Else it would find packages of an earlier call.
        for kind in ("aoti", "inductor"):
            shutil.rmtree(arguments.cache / kind, ignore_errors=True)
    for run in arguments.run:
        # What installing took is the first run's.
        spent_s = time.monotonic() - begin_s if run == arguments.run[0] else 0.0
        budget_s = arguments.budget_s or (DRY_BUDGET_S if arguments.dry_run else RUNS[run].budget_s)
        run_one(run, arguments, answer, budget_s - spent_s)
    return answer.whole


def show(answer: dict[str, Any]) -> None:
    """Goals, what there is no time or memory for, and the JSON object as the last line."""
    for name, goal in answer["goals"].items():
        verdict = {None: "-", True: "ok", False: "miss"}[goal["ok"]]
        print(f"{name:<60} predicted {goal['predicted']:<28} {goal['wanted']:<16} {goal['measured']!s:<10} {verdict}")
    for run in answer["runs"].values():
        for name, note in run["without"].items():
            print(f"{name}: {note}")
    print(json.dumps(answer), flush=True)


def parsed(options: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with what they are by default."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="a folder for the JSON object and all else")
    parser.add_argument("--run", type=int, action="append", choices=sorted(RUNS), help="one of them; default: all")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels; what is missing is installed from it")
    parser.add_argument("--models", type=Path, help="a folder that keeps the random models")
    parser.add_argument("--cache", type=Path, help="a folder for what is compiled")
    parser.add_argument("--budget-s", type=float, help="seconds for each run; default: 470, and 236 for the third")
    parser.add_argument("--commit", help="of this checkout, where it lies without its .git")
    names = parts_of(tuple(RUNS))
    parser.add_argument("--only", action="append", choices=names, help="a part; give it again for more")
    parser.add_argument("--without", action="append", default=[], choices=names, help="a part to leave out")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes: only to see that all of it runs")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(options)
    arguments.run = sorted(set(arguments.run or RUNS))
    arguments.output = arguments.output.resolve()
    arguments.models = (arguments.models or arguments.output / "models").resolve()
    arguments.cache = (arguments.cache or arguments.output / "cache").resolve()
    return arguments


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Measure, or work for who measures."""
    arguments = parsed()
    if arguments.work:
        return work(arguments.models, arguments.output, arguments.dry_run)
    # Else its processes would outlive it: they lead sessions of their own.
    signal.signal(signal.SIGTERM, _leave)
    show(run_all(arguments))
    return None


if __name__ == "__main__":
    main()

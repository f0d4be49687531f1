"""All that is to be measured on a GPU, in one call and under eight minutes.

    python -m benchmarks.gpu --output DIR [--wheels DIR] [--dry-run]

Each part (`parts.py`) runs in a process of its own with a time limit, so that one that hangs or breaks costs only
itself, and keeps what it had found; after each part DIR/gpu.json is written anew. What was predicted and what is wanted
stands beside what was measured (`goals.py`), and where a goal is missed the kernels that take the time. Random
weights of the real shapes, made on the spot; nothing is fetched, and what is compiled goes to DIR/cache.

The limits of all parts but the last add up to what `--budget-s` gives by default; what it gives beyond that is for the
packages, and the last part has what the others leave.
`--dry-run` does the same with tiny shapes, on any machine: about a minute `--without aoti --without compile`, and as
long as the compilers take with them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import parts
from .goals import goals
from .parts import Found, Setting

COMMAND = (sys.executable, "-m", "benchmarks.gpu")
ROOT = Path(__file__).resolve().parents[2]
BUDGET_S, MARGIN_S = 470.0, 5.0
DRY_BUDGET_S = 1200.0
"""Without limits for parts: compilers take their time on two cores."""
H100_FLOOR_MS = {"sd-turbo": 1.33, "lcm": 4.35, "sdxl-turbo": 2.32}
"""A frame's arithmetic at 800 TFLOP/s, with TAESD, 512x512: of one step, and of four for LCM."""


@dataclass(frozen=True)
class Part:
    """One process's worth of measuring.

    Attributes:
        limit_s: it is ended after that.
        needs_s: it is left out where less is left.
        misses_only: it explains goals that are missed.
        grows: its limit grows with the budget.
    """

    name: str
    measure: Callable[[Setting, Found], None]
    limit_s: float
    needs_s: float
    misses_only: bool = False
    grows: bool = False


PARTS = (
    Part("floors", parts.floors, 20, 5),
    Part("sd_turbo", parts.eager_and_graphs, 100, 30),
    Part("aoti", parts.packaged, 140, 60, grows=True),
    Part("streams", parts.streams, 70, 30),
    Part("steps", parts.more_steps, 35, 20),
    Part("lcm", parts.lcm, 30, 20),
    Part("sdxl", parts.sdxl, 55, 30),
    Part("profile", parts.profile, 15, 10, misses_only=True),
    Part("compile", parts.compiled, math.inf, 60),
)


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
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--target",
            str(target),
        ]
        subprocess.run([*command, *map(str, wanted)], check=True)


def run_part(part: Part, arguments: argparse.Namespace, environment: dict[str, str], limit_s: float) -> dict[str, Any]:
    """A part's numbers, and why there are no more of them."""
    answer = parts.part_file(arguments.output, part.name)
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    command = [*COMMAND, "--part", part.name, "--output", str(arguments.output)]
    command += ["--models", str(arguments.models), *(["--dry-run"] if arguments.dry_run else [])]
    begin_s = time.monotonic()
    process = subprocess.Popen([*command, "--limit-s", str(limit_s)], env=environment, start_new_session=True)
    try:
        code = process.wait(limit_s)
        note = "" if code == 0 else f"ended with code {code}; what it said stands in the log"
    except subprocess.TimeoutExpired:
        note = f"ended after {limit_s:.0f} s"
        end_session(process)
    found: dict[str, Any] = json.loads(answer.read_text()) if answer.exists() else {}
    return found | {"took_s": round(time.monotonic() - begin_s, 1), **({"note": note} if note else {})}


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a part with the server or the compiler that it started: it leads a session of its own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment_of(arguments: argparse.Namespace, site: Path) -> dict[str, str]:
    """What parts see: our code, the wheels, and a cache that is neither the user's nor an older run's."""
    cache = arguments.output / "cache"
    for part, kind in {"aoti": "aoti", "compile": "inductor"}.items():
        if is_wanted(part, arguments):  # else `streams` may go on with the packages of the call before
            shutil.rmtree(cache / kind, ignore_errors=True)
    paths = [str(ROOT), str(site), os.environ.get("PYTHONPATH", "")]
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


def is_wanted(name: str, arguments: argparse.Namespace) -> bool:
    """Whether a part was asked for."""
    return name in (arguments.only or [part.name for part in PARTS]) and name not in arguments.without


def run_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every part that there is time for; the file is whole after each."""
    begin_s = time.monotonic()
    arguments.output.mkdir(parents=True, exist_ok=True)
    site = arguments.output / "site"
    if arguments.wheels:
        install(arguments.wheels, site)
    environment = environment_of(arguments, site)
    measured: dict[str, Any] = {}
    for part in PARTS:
        if not is_wanted(part.name, arguments):
            continue
        rest_s = arguments.budget_s - (time.monotonic() - begin_s) - MARGIN_S
        if part.misses_only and not any(goal["ok"] is False for goal in goals(measured).values()):
            measured[part.name] = {"note": "left out: every goal is met"}
        elif rest_s < part.needs_s:
            measured[part.name] = {"note": f"left out: {rest_s:.0f} s were left and it needs {part.needs_s:.0f}"}
        else:
            print(f"== {part.name}", file=sys.stderr, flush=True)
            limit_s = rest_s if arguments.dry_run else min(limit_of(part, arguments.budget_s), rest_s)
            measured[part.name] = run_part(part, arguments, environment, limit_s)
        write(arguments, measured, time.monotonic() - begin_s)
    return write(arguments, measured, time.monotonic() - begin_s)


def limit_of(part: Part, budget_s: float) -> float:
    """Seconds that a part may take."""
    return part.limit_s + (max(0.0, budget_s - BUDGET_S) if part.grows else 0.0)


def write(arguments: argparse.Namespace, measured: dict[str, Any], took_s: float) -> dict[str, Any]:
    """The JSON object so far."""
    header = measured.get("floors", {}).get("header", {"bench": "gpu"})
    answer = {
        **header,
        "accelerator": measured.get("floors", {}).get("accelerator"),
        "dry_run": arguments.dry_run,
        "took_s": round(took_s, 1),
        "floor_ms_at_800_tflops": H100_FLOOR_MS,
        "goals": goals(measured),
        "parts": measured,
    }
    whole = arguments.output / "gpu.json.part"
    whole.write_text(json.dumps(answer, indent=1) + "\n")
    whole.replace(arguments.output / "gpu.json")
    return answer


def measure_here(arguments: argparse.Namespace) -> None:
    """The part's own process."""
    part = next(part for part in PARTS if part.name == arguments.part)
    cache = Path(os.environ["REALTIME_CACHE"])
    setting = Setting(
        part.name, arguments.models, arguments.output, cache, dry=arguments.dry_run, limit_s=arguments.limit_s
    )
    found: Found = {}
    part.measure(setting, found)
    setting.keep(found)


def main() -> None:
    """Run a part, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="a folder for the JSON object and all else")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels; what is missing is installed from it")
    parser.add_argument("--models", type=Path, help="a folder that keeps the random models")
    parser.add_argument("--budget-s", type=float, help=f"seconds for all of it; default: {BUDGET_S:g}")
    names = [part.name for part in PARTS]
    parser.add_argument("--only", action="append", choices=names, help="a part; give it again for more")
    parser.add_argument("--without", action="append", default=[], choices=names, help="a part to leave out")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes: only to see that all of it runs")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--limit-s", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.budget_s = arguments.budget_s or (DRY_BUDGET_S if arguments.dry_run else BUDGET_S)
    arguments.output = arguments.output.resolve()
    arguments.models = (arguments.models or arguments.output / "models").resolve()
    if arguments.part:
        measure_here(arguments)
        return
    answer = run_all(arguments)
    for name, goal in answer["goals"].items():
        verdict = {None: "-", True: "ok", False: "miss"}[goal["ok"]]
        print(f"{name:<55} predicted {goal['predicted']:<28} {goal['wanted']:<16} {goal['measured']!s:<10} {verdict}")
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""All that is to be measured on a GPU, in one call and under eight minutes.

    python benchmarks/gpu.py --output DIR [--wheels DIR] [--dry-run]

Each part runs in a process of its own with a time limit, so that one that hangs or breaks costs only itself; after each
part DIR/gpu.json is written anew. What was predicted and what is wanted stands beside what was measured, and where a
goal is missed the kernels that take the time. Random weights of the real shapes, made on the spot; nothing is fetched.
`--dry-run` does the same with tiny shapes in about a minute, on any machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MARGIN_S = 5.0
BATCHES = (1, 2, 4, 8, 16)
STREAMS = (1, 4, 8, 10, 12)
H100_FLOOR_MS = {"sd-turbo": 1.33, "lcm": 4.35, "sdxl-turbo": 2.32}
"""A frame's arithmetic at 800 TFLOP/s, with TAESD, 512x512: of one step, and of four for LCM."""


@dataclass(frozen=True)
class Part:
    """One process's worth of measuring.

    Attributes:
        limit_s: it is ended after that.
        needs_s: it is left out where less is left.
        rung: of `--accelerate`, without which there is nothing to measure.
    """

    name: str
    measure: Callable[[Setting], dict[str, Any]]
    limit_s: float
    needs_s: float
    rung: str | None = None


@dataclass(frozen=True)
class Setting:
    """What all parts share."""

    models: Path
    output: Path
    dry: bool

    @property
    def seconds(self) -> float:
        return 0.05 if self.dry else 1.0

    @property
    def batches(self) -> tuple[int, ...]:
        return (1, 2) if self.dry else BATCHES

    def machine(self) -> Any:
        from realtime.bench.engine_bench import find_machine

        return find_machine("auto", "auto", self.dry)

    def model(self, shape: str) -> Path:
        from realtime.bench.engine_bench import make_model

        return make_model(shape, self.machine(), self.models)


def trial(setting: Setting, shape: str, **fields: Any) -> dict[str, Any]:
    """A part of `realtime bench engine`."""
    from realtime.bench.comparison import Comparison
    from realtime.bench.engine_bench import Trial, measure_shape

    plan = Trial(shapes=[shape], seconds=setting.seconds, **{"repetitions": 1 if setting.dry else 3} | fields)
    comparison = Comparison(plan.repetitions)
    found = measure_shape(comparison, plan, shape, setting.machine(), setting.models)
    targets = {name: target.wire() for name, target in comparison.targets.items()}
    return {"rungs": found, "scenarios": comparison.measured, "targets": targets}


def rungs(*wanted: str) -> list[str]:
    """Those of them that this version has."""
    from realtime.config import Accelerate

    return [rung for rung in wanted if rung in list(Accelerate)]


def floors(setting: Setting) -> dict[str, Any]:
    from realtime.bench import report
    from realtime.bench.engine_bench import machine_name, measure_floors

    machine = setting.machine()
    return {
        "accelerator": machine_name(machine),
        "dtype": str(machine.dtype).removeprefix("torch."),
        "floors": measure_floors(machine, setting.seconds),
        "header": report.header("gpu"),
    }


def eager_and_graphs(setting: Setting) -> dict[str, Any]:
    return trial(setting, "sd-turbo", rungs=rungs("graphs"), batches=setting.batches)


def compiled(setting: Setting) -> dict[str, Any]:
    return climbed(setting, "compile", (1,))  # it is made for one frame of the model's own size


def packaged(setting: Setting) -> dict[str, Any]:
    return climbed(setting, "aoti", (1,) if setting.dry else (1, 8))


def climbed(setting: Setting, rung: str, batches: tuple[int, ...]) -> dict[str, Any]:
    return trial(
        setting, "sd-turbo", rungs=rungs(rung), batches=setting.batches, baselines=False, climb_timeout_s=100.0
    )


def more_steps(setting: Setting) -> dict[str, Any]:
    return trial(setting, "sd-turbo", rungs=rungs("graphs"), steps=(2, 4), repetitions=1 if setting.dry else 2)


def lcm(setting: Setting) -> dict[str, Any]:
    return trial(setting, "lcm", rungs=rungs("graphs"), steps=(4,), repetitions=1 if setting.dry else 2)


def sdxl(setting: Setting) -> dict[str, Any]:
    return trial(setting, "sdxl-turbo", rungs=rungs("graphs"), batches=setting.batches[:2], repetitions=2)


def streams(setting: Setting) -> dict[str, Any]:
    """Real sockets, a server of its own with the best rung that is ready at once."""
    from realtime.bench.capacity import Steps, serving

    machine = setting.machine()
    side = machine.side_px
    rung = (rungs("graphs") or ["off"])[0]
    options = ("--accelerate", rung, "--vae", "full", "--max-sessions", "16", "--max-rows", "16")
    found: dict[str, Any] = {}
    with serving(str(setting.model("sd-turbo")), *options) as process:
        steps = Steps(process, 0.5 if setting.dry else 6.0, side, setting.output / "streams.csv")
        for count in STREAMS[: 1 if setting.dry else None]:
            found[f"{count}_streams"] = steps.run(count)
    return {"rung": rung, "scenarios": found}


def profile(setting: Setting) -> dict[str, Any]:
    """Which kernels a frame's time goes to, on the best rung that is ready at once."""
    from realtime.engine.trials.contenders import Ours
    from realtime.engine.trials.profile import top_kernels

    machine = setting.machine()
    found: dict[str, Any] = {}
    for batch in (1, 8):
        ours = Ours(setting.model("sd-turbo"), (rungs("graphs") or ["off"])[0], machine)
        found[f"batch_{batch}"] = top_kernels(machine, lambda ours=ours, batch=batch: ours.frames(batch, 1))
        ours.close()
    return {"kernels": found}


PARTS = (
    Part("floors", floors, 60, 5),
    Part("sd_turbo", eager_and_graphs, 180, 30),
    Part("streams", streams, 100, 30),
    Part("aoti", packaged, 170, 60, "aoti"),
    Part("steps", more_steps, 60, 25),
    Part("lcm", lcm, 60, 25),
    Part("sdxl", sdxl, 90, 40),
    Part("compile", compiled, 170, 60, "compile"),
)
PROFILE = Part("profile", profile, 40, 15)


def arm(parts: dict[str, Any], part: str, scenario: str, starts: str, number: str = "ms_per_frame") -> float | None:
    """The best of the arms of a comparison whose names start so."""
    arms = parts.get(part, {}).get("scenarios", {}).get(scenario, {})
    values = [found[number]["median"] for name, found in arms.items() if name.startswith(starts) and number in found]
    return min(values, default=None)


def best(parts: dict[str, Any], batch: int) -> float | None:
    """Our best time of a frame of SD-Turbo at this batch, whatever the rung."""
    found: list[float] = []
    for part in ("sd_turbo", "aoti", "compile"):
        arms = parts.get(part, {}).get("scenarios", {}).get("sd-turbo_1_step", {})
        found += [
            numbers["ms_per_frame"]["median"]
            for name, numbers in arms.items()
            if name.startswith("ours ") and name.endswith(f"batch {batch}")
        ]
    return min(found, default=None)


def over(value: float | None, other: float | None) -> float | None:
    return round(value / other, 4) if value is not None and other else None


def goals(parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was predicted, what is wanted and what was measured. Predictions were written down before any GPU run."""
    one, eight = best(parts, 1), best(parts, 8)
    stream_diffusion = arm(parts, "sd_turbo", "sd-turbo_1_step", "StreamDiffusion")
    stock = parts.get("sd_turbo", {}).get("scenarios", {}).get("sd-turbo_1_step", {}).get("diffusers")
    stock_ms = stock["ms_per_frame"]["median"] if stock else None
    runs = parts.get("streams", {}).get("scenarios", {})
    carried = [run["clients"] for run in runs.values() if run["carried"]["66"]]
    exact = [rung for part in parts.values() for rung in part.get("rungs", {}).get("exactness", {}).values()]
    farthest = max((rung["relative"] for rung in exact), default=None)
    repeats = min((int(rung["repeats_bit_for_bit"]) for rung in exact), default=None)
    xl = arm(parts, "sdxl", "sdxl-turbo_1_step", "ours")
    rows = [
        ("B1 SD-Turbo 512, batch 1, ms", "4.5 to 8", 5.3, one, False),
        ("B1 ... to StreamDiffusion", "0.22 to 0.35", 0.30, over(one, stream_diffusion), False),
        ("B1 ... to diffusers with KL-VAE and a prompt a frame", "0.05 to 0.1", 0.10, over(one, stock_ms), False),
        ("B1 ... past the goal, ms", "not before compiled graphs", 3.5, one, False),
        ("B2 batch 8, ms a frame", "2.4 to 3.2", 3.3, eight, False),
        ("B2 ... past the goal, ms a frame", "not before compiled graphs", 2.2, eight, False),
        ("B3 streams of 30 fps with p95 below 66 ms", "8 to 10", 8, max(carried, default=None), True),
        ("B5 two steps, ms", "6 to 10", 33.0, arm(parts, "steps", "sd-turbo_2_step", "ours"), False),
        ("B5 four steps (LCM), ms", "12 to 20", 33.0, arm(parts, "lcm", "lcm_4_step", "ours"), False),
        (
            "B8 largest relative difference to eager",
            "1e-3",
            1e-2,
            farthest,
            False,
        ),
        ("B8 replays bit for bit", "all", 1, repeats, True),
        (
            "B9 SDXL-Turbo 512, whole frame, ms",
            "10 to 16",
            12.0,
            xl,
            False,
        ),
    ]
    return {
        name: {
            "predicted": predicted,
            "wanted": f"at {'least' if at_least else 'most'} {limit:g}",
            "measured": value,
            "ok": None if value is None else value >= limit if at_least else value <= limit,
        }
        for name, predicted, limit, value, at_least in rows
    }


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
    """A part's numbers, or why there are none."""
    answer = arguments.output / "parts" / f"{part.name}.json"
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part.name, "--output", str(arguments.output)]
    command += ["--models", str(arguments.models), *(["--dry-run"] if arguments.dry_run else [])]
    begin_s = time.monotonic()
    process = subprocess.Popen(command, env=environment, start_new_session=True)
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
    import signal

    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every part that there is time for; the file is whole after each."""
    begin_s = time.monotonic()
    arguments.output.mkdir(parents=True, exist_ok=True)
    site = arguments.output / "site"
    if arguments.wheels:
        install(arguments.wheels, site)
    sys.path[:0] = [str(ROOT), str(site)]
    paths = [str(ROOT), str(site), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    environment.setdefault("HF_HUB_OFFLINE", "1")
    if arguments.dry_run:
        environment["OMP_NUM_THREADS"] = "1"  # small operations on threads that wait for each other take for ever
    parts: dict[str, Any] = {}
    wanted = [part for part in PARTS if not arguments.only or part.name in arguments.only]
    for part in [*wanted, *([] if arguments.only else [PROFILE])]:
        rest_s = arguments.budget_s - (time.monotonic() - begin_s) - MARGIN_S
        if part is PROFILE and not any(goal["ok"] is False for goal in goals(parts).values()):
            parts[part.name] = {"note": "left out: every goal is met"}
        elif part.rung is not None and not rungs(part.rung):
            parts[part.name] = {"note": f"left out: this version has no rung {part.rung}"}
        elif rest_s < part.needs_s:
            parts[part.name] = {"note": f"left out: {rest_s:.0f} s were left and it needs {part.needs_s:.0f}"}
        else:
            print(f"== {part.name}", file=sys.stderr, flush=True)
            parts[part.name] = run_part(part, arguments, environment, min(part.limit_s, rest_s))
        write(arguments, parts, time.monotonic() - begin_s)
    return write(arguments, parts, time.monotonic() - begin_s)


def write(arguments: argparse.Namespace, parts: dict[str, Any], took_s: float) -> dict[str, Any]:
    """The JSON object so far."""
    header = parts.get("floors", {}).get("header", {"bench": "gpu"})
    answer = {
        **header,
        "accelerator": parts.get("floors", {}).get("accelerator"),
        "dry_run": arguments.dry_run,
        "took_s": round(took_s, 1),
        "floor_ms_at_800_tflops": H100_FLOOR_MS,
        "goals": goals(parts),
        "parts": parts,
    }
    whole = arguments.output / "gpu.json.part"
    whole.write_text(json.dumps(answer, indent=1) + "\n")
    whole.replace(arguments.output / "gpu.json")
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="a folder for the JSON object and all else")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels; what is missing is installed from it")
    parser.add_argument("--models", type=Path, help="a folder that keeps the random models")
    parser.add_argument("--budget-s", type=float, default=470.0, help="seconds for all of it")
    parser.add_argument("--only", action="append", choices=[part.name for part in PARTS], help="a part")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes: only to see that all of it runs")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.output = arguments.output.resolve()
    arguments.models = (arguments.models or arguments.output / "models").resolve()
    if arguments.part:
        part = next(part for part in (*PARTS, PROFILE) if part.name == arguments.part)
        found = part.measure(Setting(arguments.models, arguments.output, arguments.dry_run))
        (arguments.output / "parts" / f"{part.name}.json").write_text(json.dumps(found, indent=1))
        return
    answer = run_all(arguments)
    for name, goal in answer["goals"].items():
        verdict = {None: "-", True: "ok", False: "miss"}[goal["ok"]]
        print(f"{name:<55} predicted {goal['predicted']:<28} {goal['wanted']:<16} {goal['measured']!s:<10} {verdict}")
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""The server on this machine: what it delivers, what it adds, and what it does when it is too much.

Must not know what is wanted of the numbers, or how they are printed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ..engine.state import RungState
from . import report
from .errors import check_names
from .measures import Measures
from .pacer import Camera
from .pictures import noisy_jpegs
from .resources import watch_memory
from .runs import Plan, Runs
from .servers import Process, serving, wait_until_climbed

CAMERA_FPS = 30.0
NOISY = 64
"""Pictures of a still scene, each with noise of its own: two seconds of a camera."""
SEED = 7
SIDES_PX = (512, 256)
FACTORS = (1.3, 2.0)
"""How many times what the engine can do is offered to it."""
SCENARIOS = ("throughput", "one_client", "four_clients", "still", "overload")
OF_MODELS = ("one_client", "four_clients", "overload")
"""What makes sense of an engine whose speed is not known before."""


def server_bench(
    tick_ms: float = 10.0,
    seconds: float = 10.0,
    overload_seconds: float = 60.0,
    *,
    model: str | None = None,
    only: Sequence[str] = (),
    raw: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Start servers, load them, and print a table and the JSON object.

    Args:
        tick_ms: of the echo engine.
        seconds: length of each run after its warm-up.
        overload_seconds: length of the overload run.
        model: measure this model and not the echo engine: at its own size, and against what it can do.
        only: names out of `SCENARIOS`, or of `OF_MODELS` where a model is measured; none means all.
        raw: a CSV file that gets every frame.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured.
    """
    known = SCENARIOS if model is None else OF_MODELS
    check_names(only, known)
    header = report.header("server")
    runs = Runs(Plan(seconds, overload_seconds), tick_ms if model is None else None, raw)
    rung = None
    if model is None:
        measure_echo(runs, only or known, tick_ms)
    else:
        rung = measure_model(runs, only or known, model)
    answer = header | told(runs, model, rung)
    report.show_runs(answer)
    report.put_out(answer, output)
    return answer


def told(runs: Runs, model: str | None, rung: RungState | None) -> Measures:
    """What the JSON object says of runs."""
    return {
        "model": model or f"echo:{runs.tick_ms:g}",
        "settings": {
            "tick_ms": runs.tick_ms,
            "seconds": runs.plan.seconds,
            "warmup_s": runs.plan.warmup_s,
        },
        "rung": str(rung) if rung is not None else None,
        "scenarios": runs.measured,
    }


def measure_echo(runs: Runs, wanted: Sequence[str], tick_ms: float) -> None:
    """The scenarios that are wanted, around an engine of known speed."""
    if not set(SCENARIOS).intersection(wanted):
        return
    with serving(f"echo:{tick_ms:g}") as process:
        if "throughput" in wanted:
            throughput(runs, process, tick_ms)
        if "one_client" in wanted:
            for side_px in SIDES_PX:
                runs.run(f"one_client_{side_px}", process, [Camera(CAMERA_FPS)], side_px=side_px)
        if "four_clients" in wanted:
            runs.run("four_clients_staggered", process, staggered(4))
            runs.run("four_clients_unsynchronised", process, unsynchronised(4))
        if "still" in wanted:
            still(runs, process)
        if "overload" in wanted:
            overload(runs, process, 2 * 1000 / tick_ms)
    if "throughput" in wanted:
        with serving(f"echo:{tick_ms / 2:g}") as process:
            throughput(runs, process, tick_ms / 2)


def measure_model(runs: Runs, wanted: Sequence[str], model: str) -> RungState:
    """The scenarios that are wanted, at the pace of a model on its highest rung; says which that is."""
    with serving(model) as process:
        rung = wait_until_climbed(process)
        # A camera faster than anything, with a window: the server sets the pace, and nothing is sent in vain.
        capacity_fps = runs.run("capacity", process, [Camera(240.0, windowed=True)])["fps"]
        if "one_client" in wanted:
            runs.run("one_client", process, [Camera(min(CAMERA_FPS, 0.8 * capacity_fps))])
        if "four_clients" in wanted:
            runs.run("four_clients", process, staggered(4))
        if "overload" in wanted:
            overload(runs, process, 2 * capacity_fps)
    return rung


def throughput(runs: Runs, process: Process, tick_ms: float) -> None:
    """One client that offers more than the engine can do, and one that keeps to its window."""
    capacity_fps = 1000 / tick_ms
    for factor in FACTORS:
        runs.run(throughput_name(factor, tick_ms), process, [Camera(factor * capacity_fps)], tick_ms=tick_ms)
    runs.run(f"window_echo_{tick_ms:g}", process, [Camera(2 * capacity_fps, windowed=True)], tick_ms=tick_ms)


def throughput_name(factor: float, tick_ms: float) -> str:
    """Of the run that offers so many times what the engine can do."""
    return f"throughput_{factor:g}x_echo_{tick_ms:g}"


def still(runs: Runs, process: Process) -> None:
    """A camera that sees the same for ever, but for its noise: with repeats, without, and a camera that moves."""
    noisy = noisy_jpegs(NOISY)
    runs.run("still", process, [Camera(CAMERA_FPS)], pictures=noisy, skip_unchanged=True)
    runs.run("still_every_frame_run", process, [Camera(CAMERA_FPS)], pictures=noisy)
    runs.run("changing", process, [Camera(CAMERA_FPS)], skip_unchanged=True)


def overload(runs: Runs, process: Process, fps: float) -> None:
    """A camera of twice the engine's rate, for long: neither latency nor memory may grow."""
    with watch_memory(process.pid) as memory:
        measures = runs.run("overload", process, [Camera(fps)], seconds=runs.plan.overload_seconds)
    growth_mb = memory.growth_mb()
    measures["memory_mb"] = {
        "first": round(memory.mb[0], 1) if memory.mb else None,
        "last": round(memory.mb[-1], 1) if memory.mb else None,
        "growth": round(growth_mb, 2) if growth_mb is not None else None,
    }
    if not memory.mb:
        report.progress("memory was not measured: no /proc here; install psutil for it")


def staggered(clients: int) -> list[Camera]:
    """Cameras whose frames come one after another, evenly."""
    return [Camera(CAMERA_FPS, phase=index / clients) for index in range(clients)]


def unsynchronised(clients: int) -> list[Camera]:
    """Cameras as they are: any phase, and clocks that differ by up to 1 %, so that the phases drift all the while."""
    rng = random.Random(SEED)
    return [Camera(CAMERA_FPS * rng.uniform(0.99, 1.01), phase=rng.random()) for _ in range(clients)]

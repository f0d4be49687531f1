"""`realtime bench server`: throughput, latency and behaviour under overload of the server around an engine.

Must not know targets, or how numbers are printed.
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
"""Number of pictures of a still scene, each with noise of its own: two seconds of a camera."""
SEED = 7
SIDES_PX = (512, 256)
"""Sides of the results of scenario `one_client`."""
FACTORS = (1.3, 2.0)
"""Offered frame rates of scenario `throughput`, as multiples of the engine's."""
SCENARIOS = ("throughput", "one_client", "four_clients", "still", "overload")
OF_MODELS = ("one_client", "four_clients", "overload")
"""The scenarios for a model, whose speed is not known before."""


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
        overload_seconds: length of the overload run after its warm-up.
        model: what to measure instead of the echo engine, with results of its own size, at rates relative to its speed.
        only: names in `SCENARIOS`, or in `OF_MODELS` with a model; empty for all.
        raw: a CSV file to which every frame is appended.
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
    """The JSON object's fields about runs.

    Args:
        rung: of the model at its runs; None for the echo engine.
    """
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
    """Run the wanted of `SCENARIOS`, with the echo engine."""
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
    """Run the wanted of `OF_MODELS`, with a model that has finished its upgrade, after measuring its frame rate.

    Returns:
        The rung that it ran on.
    """
    with serving(model) as process:
        rung = wait_until_climbed(process)
        # A windowed camera that is faster than the server is paced by it, and no frame is superseded.
        capacity_fps = runs.run("capacity", process, [Camera(240.0, windowed=True)])["fps"]
        if "one_client" in wanted:
            runs.run("one_client", process, [Camera(min(CAMERA_FPS, 0.8 * capacity_fps))])
        if "four_clients" in wanted:
            runs.run("four_clients", process, staggered(4))
        if "overload" in wanted:
            overload(runs, process, 2 * capacity_fps)
    return rung


def throughput(runs: Runs, process: Process, tick_ms: float) -> None:
    """Runs with one client: offered rates of `FACTORS` times the engine's, and a windowed camera."""
    capacity_fps = 1000 / tick_ms
    for factor in FACTORS:
        runs.run(throughput_name(factor, tick_ms), process, [Camera(factor * capacity_fps)], tick_ms=tick_ms)
    runs.run(f"window_echo_{tick_ms:g}", process, [Camera(2 * capacity_fps, windowed=True)], tick_ms=tick_ms)


def throughput_name(factor: float, tick_ms: float) -> str:
    """Name of the run with an offered rate of `factor` times the engine's."""
    return f"throughput_{factor:g}x_echo_{tick_ms:g}"


def still(runs: Runs, process: Process) -> None:
    """Runs with a still scene under camera noise, with repeats and without, and with changing pictures."""
    noisy = noisy_jpegs(NOISY)
    runs.run("still", process, [Camera(CAMERA_FPS)], pictures=noisy, skip_unchanged=True)
    runs.run("still_every_frame_run", process, [Camera(CAMERA_FPS)], pictures=noisy)
    runs.run("changing", process, [Camera(CAMERA_FPS)], skip_unchanged=True)


def overload(runs: Runs, process: Process, fps: float) -> None:
    """The long run with a camera of `fps`, twice the engine's rate, and the growth of the server's memory."""
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
    """Cameras of one rate whose phases are evenly spread."""
    return [Camera(CAMERA_FPS, phase=index / clients) for index in range(clients)]


def unsynchronised(clients: int) -> list[Camera]:
    """Cameras with random phases and rates that differ by up to 1 %, so that phases drift."""
    rng = random.Random(SEED)
    return [Camera(CAMERA_FPS * rng.uniform(0.99, 1.01), phase=rng.random()) for _ in range(clients)]

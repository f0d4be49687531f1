"""What is measured of a server, under which load, and what is wanted of it.

Must not know how numbers are printed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from . import report
from .busy import busy_cores
from .comparison import Comparison, Target
from .load import BenchError, check_names, drive
from .measures import Measures, Usage, measure
from .pacer import Camera
from .pictures import noisy_jpegs, photo_jpegs
from .rungs import measure_rungs, wait_until_climbed
from .servers import Process, floor_command, serve_command, start, watch_memory
from .side_by_side import check_checkout, measure_codec, measure_demo, measure_websocket

PICTURES = 8
CAMERA_FPS = 30.0
EMBEDDED_MODEL = "tiny"
OWN_SIZE_PX = 256
"""Of the embedded model's pictures: the page sends them in the size that comes back."""
SEED = 7
RUNS_CUT, REPEAT_MS = 10.0, 2.0
"""How many times fewer frames of a still scene the engine runs, and how long a repeat may take, p50."""
NOISY = 64
"""Pictures of a still scene, each with noise of its own: two seconds of a camera."""
SCENARIOS = ("throughput", "one_client", "four_clients", "still", "overload", "floor", "websocket", "codec", "demo")
OF_MODELS = ("one_client", "four_clients", "overload", "rungs")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each run takes."""

    seconds: float
    overload_seconds: float
    warmup_s: float


def server_bench(
    tick_ms: float = 10.0,
    seconds: float = 10.0,
    overload_seconds: float = 60.0,
    *,
    model: str | None = None,
    repetitions: int = 3,
    streamdiffusion: Path | None = None,
    only: Sequence[str] = (),
    busy: bool = False,
    raw: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Start servers, load them, and print a table and the JSON object.

    Args:
        tick_ms: of the echo engine.
        seconds: length of each run after its warm-up.
        overload_seconds: length of the overload run.
        model: measure this model and not the echo engine: at its own size, and against what it can do.
        repetitions: of what is compared with others.
        streamdiffusion: a checkout of it, whose demo server is run beside ours; None leaves that out.
        only: names out of `SCENARIOS`, or of `OF_MODELS` where a model is measured; none means all.
        busy: keep every core busy with other work meanwhile.
        raw: a CSV file that gets every frame of every run that is not a comparison.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured. (A missed target is no error.)
    """
    check_names(only, SCENARIOS if model is None else OF_MODELS)
    if streamdiffusion is not None:
        check_checkout(streamdiffusion)
    elif "demo" in only:
        raise BenchError("the scenario demo needs --streamdiffusion with a checkout of StreamDiffusion")
    plan = Plan(seconds, overload_seconds, min(2.0, seconds / 2))
    pictures = photo_jpegs(PICTURES)
    bench = _Bench(plan, pictures, tick_ms if model is None else None, raw)
    comparison = Comparison(repetitions)
    wanted = only or (SCENARIOS if model is None else OF_MODELS)
    rung = None
    header = report.header("server")
    with busy_cores() if busy else nullcontext(0) as busy_with:
        if model is None:
            _measure_echo(bench, wanted, tick_ms)
            _compare(comparison, wanted, streamdiffusion, plan, pictures)
        else:
            rung = _measure_model(bench, comparison, wanted, model)
    answer = header | {
        "model": model or f"echo:{tick_ms:g}",
        "settings": {
            "tick_ms": tick_ms if model is None else None,
            "seconds": seconds,
            "warmup_s": plan.warmup_s,
            "repetitions": repetitions,
            "busy": busy_with,
        },
        "rung": rung,
        "scenarios": bench.measured,
        "comparisons": comparison.measured,
        "targets": {name: target.wire() for name, target in (bench.targets | comparison.targets).items()},
    }
    report.show(answer)
    report.put_out(answer, output)
    return answer


def _measure_echo(bench: _Bench, wanted: Sequence[str], tick_ms: float) -> None:
    with _server(f"echo:{tick_ms:g}") as process:
        if "throughput" in wanted:
            bench.throughput(process, tick_ms, limit=0.95)
        if "one_client" in wanted:
            bench.one_client(process, tick_ms)
        if "four_clients" in wanted:
            bench.four_clients(process)
        if "still" in wanted:
            bench.still(process)
        if "overload" in wanted:
            bench.overload(process, 2 * 1000 / tick_ms)
    if "throughput" in wanted:
        with _server(f"echo:{tick_ms / 2:g}") as process:
            bench.throughput(process, tick_ms / 2, limit=0.90)
    if "floor" in wanted:
        for name, with_codec in {"floor": False, "floor_with_codec": True}.items():
            with start(*floor_command(tick_ms, with_codec=with_codec)) as process:
                bench.run(name, process, [Camera(CAMERA_FPS)])


def _compare(
    comparison: Comparison, wanted: Sequence[str], checkout: Path | None, plan: Plan, pictures: Sequence[bytes]
) -> None:
    """What others ship, beside ours."""
    if "websocket" in wanted:
        measure_websocket(comparison, pictures[0], plan.seconds / 2)
    if "codec" in wanted:
        measure_codec(comparison, pictures, plan.seconds / 4)
    if "demo" in wanted and checkout is not None:
        measure_demo(comparison, checkout, pictures, plan.warmup_s, plan.seconds / 2)
    elif "demo" in wanted:
        report.progress("demo: left out; --streamdiffusion with a checkout of StreamDiffusion runs its server beside")


def _measure_model(bench: _Bench, comparison: Comparison, wanted: Sequence[str], model: str) -> str:
    """Says which rung it was."""
    with _server(model) as process:
        rung = wait_until_climbed(process)
        # A camera faster than anything, with a window: the server sets the pace, and nothing is sent in vain.
        measures = bench.run("capacity", process, [Camera(240.0, windowed=True)])
        capacity_fps = measures["fps"]
        if "one_client" in wanted:
            bench.run("one_client", process, [Camera(min(CAMERA_FPS, 0.8 * capacity_fps))])
        if "four_clients" in wanted:
            bench.run("four_clients", process, _staggered(4))
        if "overload" in wanted:
            bench.overload(process, 2 * capacity_fps)
        if "rungs" in wanted:
            with _server(model, "--accelerate", "off") as eager:
                wait_until_climbed(eager)
                plan = bench.plan
                pictures = photo_jpegs(PICTURES, OWN_SIZE_PX, OWN_SIZE_PX)
                measure_rungs(
                    comparison,
                    process,
                    eager,
                    pictures,
                    plan.warmup_s,
                    plan.seconds / 2,
                    is_embedded=model == EMBEDDED_MODEL,
                )
    return rung


@contextmanager
def _server(model: str, *options: str) -> Generator[Process]:
    report.progress(f"starting a server with --model {model} {' '.join(options)}".rstrip())
    with start(*serve_command(model), *options) as process:
        yield process


def _staggered(clients: int) -> list[Camera]:
    """Cameras whose frames come one after another, evenly."""
    return [Camera(CAMERA_FPS, phase=index / clients) for index in range(clients)]


def _unsynchronised(clients: int) -> list[Camera]:
    """Cameras as they are: any phase, and clocks that differ by up to 1 %, so that the phases drift all the while."""
    rng = random.Random(SEED)
    return [Camera(CAMERA_FPS * rng.uniform(0.99, 1.01), phase=rng.random()) for _ in range(clients)]


class _Bench:
    """The runs made so far and the targets that they were held to.

    Args:
        plan: lengths.
        pictures: what cameras send.
        tick_ms: of the echo engine; None where another model is measured, whose numbers have no targets but flatness.
        raw: a CSV file of every frame.
    """

    def __init__(self, plan: Plan, pictures: Sequence[bytes], tick_ms: float | None, raw: Path | None = None) -> None:
        self.measured: dict[str, Measures] = {}
        self.targets: dict[str, Target] = {}
        self.plan = plan
        self._pictures = pictures
        self._tick_ms = tick_ms
        self._raw = raw

    def throughput(self, process: Process, tick_ms: float, limit: float) -> None:
        """One client that offers more than the engine can do, and one that keeps to its window."""
        capacity_fps = 1000 / tick_ms
        for factor in (1.3, 2.0):
            name = f"throughput_{factor:g}x_echo_{tick_ms:g}"
            measures = self.run(name, process, [Camera(factor * capacity_fps)], tick_ms=tick_ms)
            self._want(f"{name}_of_capacity", measures["fps"] / capacity_fps, limit, at_least=True)
            self._want_short_queue(name, measures, tick_ms)
        self.run(f"window_echo_{tick_ms:g}", process, [Camera(2 * capacity_fps, windowed=True)], tick_ms=tick_ms)

    def one_client(self, process: Process, tick_ms: float) -> None:
        """A camera that the engine has ample time for: what the server adds."""
        for side in (512, 256):
            name = f"one_client_{side}"
            measures = self.run(name, process, [Camera(CAMERA_FPS)], size=(side, side))
            self._want(f"{name}_added_p50_ms", measures["latency_ms"]["p50"] - tick_ms, 3.5)

    def four_clients(self, process: Process) -> None:
        """More cameras than a row each would leave time for: ticks have to be shared."""
        for name, cameras in {"staggered": _staggered(4), "unsynchronised": _unsynchronised(4)}.items():
            measures = self.run(f"four_clients_{name}", process, cameras)
            self._want(f"four_clients_{name}_p50_ms", measures["latency_ms"]["p50"], 35.0)
            self._want(f"four_clients_{name}_interval_sd_ms", measures["interval_ms"]["sd"], 4.0)
            if self._tick_ms is not None:
                self._want_short_queue(f"four_clients_{name}", measures, self._tick_ms)

    def still(self, process: Process) -> None:
        """A camera that sees the same for ever, but for its noise: with repeats, without, and a camera that moves."""
        noisy = noisy_jpegs(NOISY)
        still = self.run("still", process, [Camera(CAMERA_FPS)], pictures=noisy, skip_unchanged=True)
        every = self.run("still_every_frame_run", process, [Camera(CAMERA_FPS)], pictures=noisy)
        self.run("changing", process, [Camera(CAMERA_FPS)], skip_unchanged=True)
        if "frames_run" in still and "frames_run" in every:
            # With the warm-up's, in which the noise is learned.
            cut = every["frames_run"] / max(1, still["frames_run"])
            self._want("still_runs_cut_by", cut, RUNS_CUT, at_least=True)
        if still["repeat_ms"]:
            self._want("still_repeat_p50_ms", still["repeat_ms"]["p50"], REPEAT_MS)

    def overload(self, process: Process, fps: float) -> None:
        """A camera of twice the engine's rate, for long: neither latency nor memory may grow."""
        with watch_memory(process.pid) as memory:
            measures = self.run("overload", process, [Camera(fps)], seconds=self.plan.overload_seconds)
        self._want("overload_latency_slope_ms_per_s", abs(measures["latency_slope_ms_per_s"]), 1.0)
        growth_mb = memory.growth_mb()
        measures["memory_mb"] = {
            "first": round(memory.mb[0], 1) if memory.mb else None,
            "last": round(memory.mb[-1], 1) if memory.mb else None,
            "growth": round(growth_mb, 2) if growth_mb is not None else None,
        }
        if growth_mb is None:
            report.progress("memory was not measured: no /proc here; install psutil for it")
        else:
            self._want("overload_memory_growth_mb", growth_mb, 4.0)

    def run(
        self,
        name: str,
        process: Process,
        cameras: Sequence[Camera],
        *,
        pictures: Sequence[bytes] | None = None,
        size: tuple[int, int] | None = (512, 512),
        seconds: float | None = None,
        tick_ms: float | None = None,
        skip_unchanged: bool = False,
    ) -> Measures:
        """One run, its numbers kept under this name. Models other than `echo` make pictures of their own size."""
        plan = self.plan
        seconds = plan.seconds if seconds is None else seconds
        tick_ms = self._tick_ms if tick_ms is None else tick_ms
        report.progress(f"{name}: {len(cameras)} x {cameras[0].fps:.4g} fps for {seconds:g} s")
        usage = Usage(process)
        result = asyncio.run(
            drive(
                process.websocket_url,
                cameras,
                self._pictures if pictures is None else pictures,
                size=size if self._tick_ms is not None else None,
                warmup_s=plan.warmup_s,
                seconds=seconds,
                skip_unchanged=skip_unchanged,
                on_begin=usage.begin,
            )
        )
        measures = measure(result)
        measures |= usage.end(measures["sent"], plan.warmup_s + seconds, tick_ms)
        self.measured[name] = measures
        if self._raw is not None:
            report.write_raw(self._raw, name, result)
        return measures

    def _want_short_queue(self, name: str, measures: Measures, tick_ms: float) -> None:
        """A frame waits for the running tick at most: a session has one waiting frame, the newest."""
        if measures["queue_ms"]:
            self._want(f"{name}_queue_p95_ms", measures["queue_ms"]["p95"], tick_ms)

    def _want(self, name: str, value: float, limit: float, *, at_least: bool = False) -> None:
        self.targets[name] = Target(value, limit, at_least)

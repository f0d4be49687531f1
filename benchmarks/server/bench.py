"""`realtime bench server` with what it is compared with: a bare loop, others' servers and parts, slower rungs.

Must not know how a run is made, or how numbers are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from realtime.bench import report
from realtime.bench.errors import BenchError, check_names
from realtime.bench.measures import Measures
from realtime.bench.pacer import Camera
from realtime.bench.runs import Plan, Runs
from realtime.bench.server import CAMERA_FPS, OF_MODELS, SCENARIOS, measure_echo, measure_model, told
from realtime.bench.servers import start

from .. import console
from ..comparison import Comparison
from .busy import busy_cores
from .rungs import measure_rungs
from .side_by_side import check_checkout, measure_codec, measure_demo, measure_websocket
from .targets import targets_of

OF_ECHO = (*SCENARIOS, "floor", "websocket", "codec", "demo")
OF_REAL_MODELS = (*OF_MODELS, "rungs")


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
    """Start servers, load them, and print tables and the JSON object.

    Args:
        tick_ms: of the echo engine.
        seconds: length of each run after its warm-up.
        overload_seconds: length of the overload run.
        model: measure this model and not the echo engine: at its own size, and against what it can do.
        repetitions: of what is compared with others.
        streamdiffusion: a checkout of it, whose demo server is run beside ours; None leaves that out.
        only: names out of `OF_ECHO`, or of `OF_REAL_MODELS` where a model is measured; none means all.
        busy: keep every core busy with other work meanwhile.
        raw: a CSV file that gets every frame of every run that is not a comparison.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured. (A missed target is no error.)
    """
    known = OF_ECHO if model is None else OF_REAL_MODELS
    check_names(only, known)
    if streamdiffusion is not None:
        check_checkout(streamdiffusion)
    elif "demo" in only:
        raise BenchError("the scenario demo needs --streamdiffusion with a checkout of StreamDiffusion")
    wanted = only or known
    runs = Runs(Plan(seconds, overload_seconds), tick_ms if model is None else None, raw)
    comparison = Comparison(repetitions)
    rung = None
    header = report.header("server")
    with busy_cores() if busy else nullcontext(0) as busy_with:
        if model is None:
            measure_echo(runs, wanted, tick_ms)
            _compare(comparison, runs, wanted, tick_ms, streamdiffusion)
        else:
            rung = measure_model(runs, wanted, model)
            if "rungs" in wanted:
                measure_rungs(comparison, model, runs.plan.warmup_s, seconds / 2)
    answer = header | told(runs, model, rung)
    answer["settings"] |= {"repetitions": repetitions, "busy": busy_with}
    targets = targets_of(runs.measured, runs.tick_ms) | comparison.targets
    answer |= {
        "comparisons": comparison.measured,
        "targets": {name: target.wire() for name, target in targets.items()},
    }
    console.show(answer)
    report.put_out(answer, output)
    return answer


def _compare(comparison: Comparison, runs: Runs, wanted: Sequence[str], tick_ms: float, checkout: Path | None) -> None:
    """The least that a server can be, and what others ship, beside ours."""
    plan = runs.plan
    if "floor" in wanted:
        for name, options in {"floor": (), "floor_with_codec": ("--codec",)}.items():
            with start("benchmarks.server.floor", f"{tick_ms:g}", *options) as process:
                runs.run(name, process, [Camera(CAMERA_FPS)])
    if "websocket" in wanted:
        measure_websocket(comparison, runs.pictures[0], plan.seconds / 2)
    if "codec" in wanted:
        measure_codec(comparison, runs.pictures, plan.seconds / 4)
    if "demo" in wanted and checkout is not None:
        measure_demo(comparison, checkout, runs.pictures, plan.warmup_s, plan.seconds / 2)
    elif "demo" in wanted:
        report.progress("demo: left out; --streamdiffusion with a checkout of StreamDiffusion runs its server beside")

"""`realtime bench engine`: the time of a frame in the engine alone, by rung, batch and number of steps.

Must not import torch, or know how an engine is driven.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..config import Accelerate, Config, Device, Dtype
from . import report
from .engine_under_test import EngineUnderTest
from .errors import BenchError
from .measures import Measures
from .rounds import timed

MAX_ROWS = 16
STEPS_AT_MOST = 8
CLIMB_TIMEOUT_S = 600.0
COLUMNS = ("p50_ms", "p95_ms", "ms_per_frame", "pipelined_ms_per_frame")


def engine_bench(
    model: str = "tiny",
    rungs: Sequence[Accelerate] = (Accelerate.AUTO,),
    steps: Sequence[int] = (1,),
    batches: Sequence[int] = (1,),
    *,
    device: Device = Device.AUTO,
    dtype: Dtype = Dtype.AUTO,
    side_px: int | None = None,
    seconds: float = 2.0,
    output: Path | None = None,
) -> Measures:
    """Load a model on one rung after the other, run frames, and print a table and the JSON object.

    Args:
        model, device, dtype: as in `realtime serve`.
        rungs: values of `--accelerate`.
        steps: numbers of steps of a frame, each from 1 to `STEPS_AT_MOST`.
        batches: numbers of frames at once, each from 1 to `MAX_ROWS`; upgrades for them are waited for.
        side_px: width and height of the pictures; None for the model's own.
        seconds: length of each measurement.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object. `p50_ms` and `p95_ms` are of a batch from admission to pictures, `ms_per_frame` is the median
        divided by the batch, and `pipelined_ms_per_frame` the same where each tick is launched before the one before it
        is collected.

    Raises:
        BenchError: a number is out of range.
        ConfigError: a rung can't run the model on this machine.
        ModelError: as `load_engine`.
    """
    if not all(1 <= count <= STEPS_AT_MOST for count in steps):
        raise BenchError(f"--steps: give numbers from 1 to {STEPS_AT_MOST}")
    if not all(1 <= batch <= MAX_ROWS for batch in batches):
        raise BenchError(f"--batch: give numbers from 1 to {MAX_ROWS}")
    header = report.header("engine")
    told: dict[str, Measures] = {}
    measured: dict[str, Measures] = {}
    for rung in dict.fromkeys(rungs):
        report.progress(f"{model}: loading with --accelerate {rung}")
        config = Config(model=model, accelerate=rung, device=device, dtype=dtype, max_rows=MAX_ROWS)
        engine = EngineUnderTest(config, side_px)
        if not engine.settle(batches, CLIMB_TIMEOUT_S):
            report.progress(f"still climbing after {CLIMB_TIMEOUT_S:g} s, measured as it is: {engine.rung}")
        told[rung] = engine.told()
        for count in steps:
            for batch in batches:
                measured[f"{rung}, steps {count}, batch {batch}"] = _times(engine, count, batch, seconds)
        engine.close()
    answer = header | {
        "model": model,
        "settings": {"device": device, "dtype": dtype, "side_px": side_px, "seconds": seconds},
        "rungs": told,
        "scenarios": measured,
    }
    rows = ([name, *(f"{found[column]:.4g}" for column in COLUMNS)] for name, found in measured.items())
    report.show_table(f"{model} on {answer['device']}", ("run", *COLUMNS), rows)
    report.put_out(answer, output)
    return answer


def _times(engine: EngineUnderTest, steps: int, batch: int, seconds: float) -> dict[str, float]:
    found = timed(partial(engine.frames, batch, steps), batch, seconds)
    rounds = max(2, round(seconds * 1000 / max(found["p50_ms"], 0.01)))
    return found | {"pipelined_ms_per_frame": round(engine.pipelined(batch, steps, rounds), 3)}

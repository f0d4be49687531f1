"""Who is run in a bench of the engine alone: our engine on each rung, and those that it is compared with.

Must not import torch, or know how numbers are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from realtime.bench import report
from realtime.bench.measures import Measures
from realtime.bench.rounds import timed
from realtime.config import Accelerate, Dtype
from realtime.engine.rungs.exactness import LIMITS
from realtime.errors import ConfigError

from ..comparison import Comparison
from ..repeats import Numbers

if TYPE_CHECKING:
    from .machine import Machine
    from .tapped import TappedEngine

HELD_TO_FLOAT32 = ":float32"
"""Behind a rung: it may not calculate in half precision, as OpenVINO does by itself where the CPU has it."""
PIPELINED_ROUNDS = 8
HOST_ROUNDS, HOST_ROUNDS_CUDA = 2, 15
EXACT_LEVELS = 1.0
"""How far pictures in float32 may be from eager's: what rounding to whole levels makes of the limit for latents."""
EXACT_BATCH = 2
"""At most."""
OTHERS = ("diffusers", "diffusers, TAESD", "StreamDiffusion")


@dataclass(slots=True)
class Rungs:
    """Our engine on each rung, loaded once, eager first."""

    engines: dict[str, TappedEngine] = field(default_factory=dict[str, "TappedEngine"])
    missing: dict[str, str] = field(default_factory=dict[str, str])


def load_rungs(
    model: Path | str, rungs: Sequence[str], machine: Machine, batches: Sequence[int], max_rows: int, timeout_s: float
) -> Rungs:
    """Our engine on eager and on each rung that is wanted and to be had.

    Args:
        rungs: values of `--accelerate`, with `HELD_TO_FLOAT32` behind them or without.
        batches: that the rungs are made for.
        timeout_s: how long a rung may take to be made.
    """
    from .tapped import TappedEngine

    loaded = Rungs()
    for rung in dict.fromkeys([Accelerate.OFF.value, *rungs]):
        report.progress(f"{Path(model).name}: loading with --accelerate {rung}")
        accelerate = rung.removesuffix(HELD_TO_FLOAT32)
        try:
            ours = loaded.engines[rung] = TappedEngine(
                model, accelerate, replace(machine, exact=machine.exact or accelerate != rung), max_rows
            )
            if not ours.settle(batches, timeout_s):
                report.progress(f"still climbing after {timeout_s:g} s, measured as it is: {ours.rung}")
        except ConfigError as error:
            report.progress(f"left out: {error}")
            loaded.missing[rung] = str(error)
    return loaded


def our_arms(
    rungs: Rungs, machine: Machine, batches: Sequence[int], steps: int, seconds: float
) -> dict[str, Callable[[], Numbers]]:
    """Each rung with each batch."""
    return {
        f"ours {rung}, batch {batch}": partial(our_numbers, ours, machine, batch, steps, seconds)
        for rung, ours in rungs.engines.items()
        for batch in batches
    }


def our_numbers(ours: TappedEngine, machine: Machine, batch: int, steps: int, seconds: float) -> Numbers:
    """A frame of each of so many sessions, one tick after another.

    On a GPU also one tick behind another, and what the host has to do; on a CPU, where the host does all of it, what
    each region takes instead. Shapes that are only to show that all of this runs have both.
    """
    is_cuda = machine.device.type == "cuda"
    make = machine.waited(partial(ours.frames, batch, steps))
    if is_cuda:
        found = timed(make, batch, seconds)
    else:
        with ours.watched() as spent_ms:
            found = timed(make, batch, seconds)
        rounds = min(map(len, spent_ms.values()))
        for kind, times_ms in spent_ms.items():
            found[f"{kind}_ms"] = round(median(times_ms) * (len(times_ms) // rounds) / batch, 3)
    if is_cuda or machine.small:
        found["pipelined_ms_per_frame"] = round(ours.pipelined(batch, steps, PIPELINED_ROUNDS), 3)
        rounds = HOST_ROUNDS_CUDA if is_cuda else HOST_ROUNDS
        found["host_ms_per_frame"] = round(ours.host_ms(batch, steps, rounds), 3)
    return found


def baselines(model: Path, machine: Machine, steps: int, seconds: float) -> dict[str, Callable[[], Numbers]]:
    """Those that are compared with ours; StreamDiffusion where it can be imported."""
    from . import rivals

    def arm(make: Callable[[], object]) -> Callable[[], Numbers]:
        return lambda: timed(machine.waited(make), 1, seconds)

    arms: dict[str, Callable[[], Numbers]] = {}
    if steps == 1:
        for name, with_taesd in {"diffusers": False, "diffusers, TAESD": True}.items():
            arms[name] = arm(rivals.diffusers_pipeline(model, machine, with_taesd=with_taesd))
    if steps not in rivals.T_INDICES:
        return arms
    try:
        arms["StreamDiffusion"] = arm(rivals.stream_diffusion(model, steps, machine))
    except ImportError:
        report.progress("StreamDiffusion: left out; pip install --no-deps streamdiffusion==0.1.1 adds it")
    return arms


def relate(comparison: Comparison, name: str, runs: dict[str, list[Numbers]]) -> None:
    """Each of our arms to each of the others, and to eager mode."""
    for arm, ours in runs.items():
        if not arm.startswith("ours "):
            continue
        for other in (*OTHERS, f"ours {Accelerate.OFF}, batch 1"):
            if other in runs and other != arm:
                comparison.relate(f"{name}: {arm} / {other}", ours, runs[other], "ms_per_frame")


def exactness(comparison: Comparison, shape: str, rungs: Rungs, batches: Sequence[int]) -> dict[str, Measures]:
    """How far each rung's latents and pictures are from eager's, and whether it makes the same twice.

    Args:
        batches: for which the rungs were made. Another would be answered by eager mode, and be exact.
    """
    from .likeness import difference, relative

    batch = max((batch for batch in batches if batch <= EXACT_BATCH), default=min(batches))
    pictures, latents = rungs.engines[Accelerate.OFF].made(batch, 1)
    found: dict[str, Measures] = {}
    for rung, ours in rungs.engines.items():
        first, one = ours.made(batch, 1) if rung != Accelerate.OFF else (pictures, latents)
        again, other = ours.made(batch, 1)
        same = all(bool((a == b).all()) for a, b in zip([*first, *one], [*again, *other], strict=True))
        latents_relative = relative(one, latents)
        found[rung] = difference(first, pictures) | {"latents_relative": latents_relative, "repeats_bit_for_bit": same}
        is_half = ours.rung.precision != Dtype.FLOAT32  # OpenVINO calculates in bfloat16 by itself where the CPU has it
        limit = LIMITS[ours.rung.precision]
        comparison.want(f"{shape} {rung}: latents' relative difference to eager", latents_relative, limit)
        number, limit = ("relative", limit) if is_half else ("largest_levels", EXACT_LEVELS)
        comparison.want(f"{shape} {rung}: pictures' {number} difference to eager", found[rung][number], limit)
        comparison.want(f"{shape} {rung}: the same twice", float(same), 1.0, at_least=True)
    return found

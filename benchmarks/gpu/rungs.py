"""The engine alone on each rung: times of frames and regions, beside others; packages and `torch.compile`."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .building import be_quick, built_batches
from .plan import BATCHES
from .working import Found, Setting

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..engine.tapped import TappedEngine
    from ..repeats import Numbers

    Arms = dict[str, Callable[[], Numbers]]

SCENARIO = "sd-turbo_1_step"
RELOAD_S, SETTLE_S = 25.0, 15.0
"""What is left for loading from a warm cache, and for measuring what was made."""
ROUNDS, ROUNDS_DRY = 30, 3


def ends(setting: Setting) -> tuple[int, int]:
    """The smallest batch and the largest."""
    return (1, 2) if setting.dry else (BATCHES[0], BATCHES[-1])


def engine(setting: Setting, found: Found) -> None:
    """SD-Turbo's shape in graphs and eager mode, beside StreamDiffusion and diffusers; and how exact graphs are."""
    from ..engine.arms import Rungs, exactness

    engines = setting.engines()
    small, large = ends(setting)
    comparison = _comparison(setting, found, 1 if setting.dry else 3)
    found["rungs"] = {rung: ours.told() for rung, ours in engines.by_rung.items()}
    setting.keep(found)
    rungs, found["exactness"] = Rungs(dict(engines.by_rung)), {}
    # The largest, and one between two sizes of graphs, whose empty places are filled up.
    for batch in (small, 3, large):
        found["exactness"] |= _guarded(
            found,
            f"exactness at {batch}",
            lambda batch=batch: {
                f"{rung}, batch {batch}": exact
                for rung, exact in exactness(comparison, f"batch {batch},", rungs, (batch,)).items()
            },
            {},
        )
        setting.keep(found)
    between = [batch for batch in BATCHES if small < batch < large and not setting.dry]
    wanted = [("graphs", small), ("graphs", large), ("off", small), ("off", large)]
    wanted += [("graphs", batch) for batch in between]
    arms = _our_arms(setting, found, wanted, 1)
    arms |= _others(setting, found, 1)
    runs = comparison.compare(SCENARIO, arms)
    from ..engine.arms import relate

    relate(comparison, SCENARIO, runs)
    setting.keep(found)


def more_steps(setting: Setting, found: Found) -> None:
    """SD-Turbo's shape with two and with four steps, in graphs."""
    comparison = _comparison(setting, found, 1 if setting.dry else 2)
    small, large = ends(setting)
    for steps in (2, 4):
        arms = _our_arms(setting, found, [("graphs", small), ("graphs", large)], steps)
        arms |= _others(setting, found, steps)
        comparison.compare(f"sd-turbo_{steps}_step", arms)
        setting.keep(found)


def regions(setting: Setting, found: Found) -> None:
    """Where a frame's time goes: opening, step and closing, by the stamps that results carry."""
    _regions(setting, found, setting.engines().by_rung, ends(setting))


def _regions(setting: Setting, found: Found, rungs: dict[str, TappedEngine], batches: Sequence[int]) -> None:
    told: Found = found.setdefault("regions", {})
    rounds = ROUNDS_DRY if setting.dry else ROUNDS
    for rung, ours in rungs.items():
        for batch in batches:
            numbers = _guarded(
                found, f"regions of {rung} at {batch}", lambda o=ours, b=batch: stamped(o, b, rounds), {}
            )
            told.setdefault(rung, {})[f"batch_{batch}"] = numbers
            setting.keep(found)


def stamped(ours: TappedEngine, batch: int, rounds: int) -> Numbers:
    """Medians, in milliseconds a frame, of what each region takes: `opening` from the call of `tick` on."""
    from .engines import region_by_region

    with region_by_region(ours):
        return _stamped(ours, batch, rounds)


def _stamped(ours: TappedEngine, batch: int, rounds: int) -> Numbers:
    from realtime.bench.engine_under_test import results_of

    spent: dict[str, list[float]] = {"opening_ms": [], "step_ms": [], "closing_ms": [], "tick_ms": []}
    for round_ in range(rounds + 2):
        jobs = ours.jobs(batch, 1, round_)
        begin_ns = time.monotonic_ns()
        pending = ours.engine.tick(jobs)
        stamps = results_of(pending)[0].stamps
        if round_ < 2:
            continue  # the first ones warm up
        marks = (begin_ns, stamps.encode_latents, stamps.denoise, stamps.decode_latents)
        for name, before, after in zip(spent, marks, marks[1:], strict=False):
            spent[name].append((after - before) / 1e6 / batch)
        spent["tick_ms"].append((pending.finished_ns - begin_ns) / 1e6 / batch)
    return {name: round(median(times), 4) for name, times in spent.items()}


def profile(setting: Setting, found: Found) -> None:
    """Which kernels a frame's time goes to, in graphs."""
    from ..engine.profile import top_kernels

    ours = setting.engines().graphs
    found["kernels"] = {}
    for batch in ends(setting):
        make = functools.partial(ours.frames, batch, 1)
        found["kernels"][f"batch_{batch}"] = _guarded(
            found, f"kernels at {batch}", functools.partial(top_kernels, setting.machine(), make), []
        )
        setting.keep(found)


def sdxl(setting: Setting, found: Found) -> None:
    """SDXL-Turbo's shape, with graphs for one and two frames."""
    rungs = ["graphs"] if setting.machine().device.type == "cuda" else []
    _trial(setting, found, "sdxl-turbo", rungs=rungs, batches=(1, 2), max_rows=2, repetitions=1 if setting.dry else 2)


def packaged(setting: Setting, found: Found) -> None:
    """AOTInductor's packages, as far as they were built: nothing is built while they are measured."""
    from ..engine.arms import Rungs, exactness, relate
    from ..engine.tapped import TappedEngine

    small, large = ends(setting)
    found["packaged"] = built = built_batches(setting)
    wanted = [batch for batch in (small, large) if batch in built]
    if not wanted:
        found["note"] = "no package was built for all regions of a batch"
        return
    be_quick(setting)
    machine = setting.machine()
    eager = setting.engines().eager
    ours = TappedEngine(setting.model("sd-turbo"), "aoti", machine, max_rows=max(wanted))
    try:
        ours.settle(wanted, max(5.0, setting.rest_s - SETTLE_S))
        found["rungs"] = {"aoti": ours.told()}
        setting.keep(found)
        comparison = _comparison(setting, found, 1 if setting.dry else 3)
        found["exactness"] = {}
        for batch in wanted:
            found["exactness"] |= {
                f"{rung}, batch {batch}": exact
                for rung, exact in exactness(
                    comparison, f"batch {batch},", Rungs({"off": eager, "aoti": ours}), (batch,)
                ).items()
            }
        arms = _arms_of(setting, found, {"aoti": ours}, [("aoti", batch) for batch in wanted], 1)
        relate(comparison, SCENARIO, comparison.compare(SCENARIO, arms))
        _regions(setting, found, {"aoti": ours}, wanted)
    finally:
        ours.close()


def compiled(setting: Setting, found: Found) -> None:
    """`torch.compile`, which is made for one frame of the model's own size: hence one row at a time."""
    if setting.dry:  # what is compiled in small takes as long
        found["note"] = "left out: tiny shapes take as long to compile, and packages are compiled likewise"
        return
    _trial(setting, found, "sd-turbo", rungs=["compile"], max_rows=1, baselines=False, repetitions=2)
    found["cold_start"] = {"empty": found["rungs"]["rungs"].get("compile", {})}
    setting.keep(found)
    if found["cold_start"]["empty"] and setting.rest_s > RELOAD_S:
        found["cold_start"]["warm"] = restarted(setting, "compile")


def restarted(setting: Setting, rung: str) -> Found:
    """How long a rung takes from what was compiled before, in a new process; for one frame a tick."""
    command = [sys.executable, "-m", __name__, str(setting.model("sd-turbo")), rung]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def restart(model: str, rung: str) -> None:
    """The new process of `restarted`: the last line that it prints is what it found."""
    from realtime.config import Device, Dtype

    from ..engine.bench import find_machine
    from ..engine.tapped import TappedEngine

    ours = TappedEngine(Path(model), rung, find_machine(Device.AUTO, Dtype.AUTO, False), max_rows=1)
    ours.settle((1,), RELOAD_S)
    ours.close()
    print(json.dumps(ours.told()), flush=True)


def _comparison(setting: Setting, found: Found, repetitions: int) -> Comparison:
    """A comparison whose numbers are among what was found, and kept whenever there are more."""
    from ..comparison import Comparison

    comparison = Comparison(repetitions)
    found["scenarios"] = comparison.measured

    def keep() -> None:
        found["targets"] = {name: target.wire() for name, target in comparison.targets.items()}
        setting.keep(found)

    comparison.on_measured = keep
    return comparison


def _our_arms(setting: Setting, found: Found, wanted: Sequence[tuple[str, int]], steps: int) -> Arms:
    return _arms_of(setting, found, setting.engines().by_rung, wanted, steps)


def _arms_of(
    setting: Setting, found: Found, rungs: dict[str, TappedEngine], wanted: Sequence[tuple[str, int]], steps: int
) -> Arms:
    """Each of those for which the device has the memory."""
    from ..engine.arms import our_numbers

    machine = setting.machine()
    arms: Arms = {}
    for rung, batch in wanted:
        ours, name = rungs[rung], f"ours {rung}, batch {batch}"
        if _guarded(found, name, lambda o=ours, b=batch: bool(o.frames(b, steps)), False):
            arms[name] = functools.partial(our_numbers, ours, machine, batch, steps, setting.seconds)
    return arms


def _others(setting: Setting, found: Found, steps: int) -> Arms:
    """Those beside ours that make a frame here."""
    from ..engine.arms import baselines

    notes: Found = found.setdefault("notes", {})
    arms: Arms = {}
    try:
        others = baselines(setting.model("sd-turbo"), setting.machine(), steps, setting.seconds)
    except Exception as error:  # others' code may raise any
        notes[f"others, {steps} steps"] = _in_one_line(error)
        return arms
    for name, arm in others.items():
        try:
            arm()
        except Exception as error:
            notes[f"{name}, {steps} steps"] = _in_one_line(error)
        else:
            arms[name] = arm
    return arms


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or 'without words').splitlines()[0][:200]}"


def _guarded(found: Found, what: str, make: Callable[[], Any], otherwise: Any) -> Any:
    """What is made, or something else and a note, where the device has too little memory for it."""
    import torch

    from realtime.errors import EngineError

    try:
        return make()
    except (torch.OutOfMemoryError, EngineError) as error:
        found.setdefault("notes", {})[what] = _in_one_line(error)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return otherwise


def _trial(setting: Setting, found: Found, shape: str, **fields: Any) -> None:
    """A part of `python -m benchmarks engine`; what it finds is added, and kept whenever there is more."""
    from ..engine.bench import Trial, measure_shape

    plan = replace(Trial(shapes=[shape], seconds=setting.seconds), **fields)
    comparison = _comparison(setting, found, plan.repetitions)
    found["rungs"] = {}
    measure_shape(comparison, plan, shape, setting.machine(), setting.models, found["rungs"])


if __name__ == "__main__":
    restart(*sys.argv[1:])

"""The engine alone, without any network: rungs, steps and batch sizes, beside diffusers and StreamDiffusion.

Must not import torch: whatever does is imported where it is used.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.bench import report
from realtime.bench.errors import BenchError, check_names
from realtime.bench.measures import Measures
from realtime.config import Accelerate, Device, Dtype

from .. import console
from ..comparison import Comparison
from .arms import HELD_TO_FLOAT32, baselines, exactness, load_rungs, our_arms, relate

if TYPE_CHECKING:
    from .machine import Machine

EMBEDDED, EMBEDDED_SIDE_PX = "tiny", 256
SHAPE_NAMES = (EMBEDDED, "sd-turbo", "lcm", "sdxl-turbo")
WITH_BASELINES = ("sd-turbo", "lcm")
"""Shapes that the pipelines which we are compared with have."""
CLIMB_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be run.

    Attributes:
        shapes: names out of `SHAPE_NAMES`.
        rungs: as in `load_rungs`; eager is always run as well.
        steps, batches: of every rung.
        baselines: whether diffusers' pipeline and StreamDiffusion (where it can be imported) run too.
        seconds: of each arm, in each repetition.
        climb_timeout_s: how long a rung may take to be made.
        max_rows: of the engines: graphs and packages are made for batches up to it.
    """

    shapes: Sequence[str] = ("sd-turbo",)
    rungs: Sequence[str] = ()
    steps: Sequence[int] = (1,)
    batches: Sequence[int] = (1,)
    baselines: bool = True
    seconds: float = 2.0
    repetitions: int = 3
    climb_timeout_s: float = CLIMB_TIMEOUT_S
    max_rows: int = 16


def engine_bench(
    trial: Trial,
    *,
    device: Device = Device.AUTO,
    dtype: Dtype = Dtype.AUTO,
    tiny_shapes: bool = False,
    keep: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Make random models, run everybody on them in turns, and print tables and the JSON object.

    What the rungs keep on disk lies beside the models: what ran before must not shorten what making them takes.

    Args:
        tiny_shapes: models of few channels and small pictures: to see that all of it runs.
        keep: a folder for the models, which are big, and for the rungs' cache; None makes one and removes it.
        output: a file that gets the JSON object too, whole after each arm: big models take long, and may be cut off.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured.
    """
    check_trial(trial)
    machine = find_machine(device, dtype, tiny_shapes)
    comparison = Comparison(trial.repetitions)
    found: dict[str, Any] = {}
    answer = report.header("engine") | {
        "model": "tiny shapes: these times mean nothing" if tiny_shapes else ", ".join(trial.shapes),
        "accelerator": machine_name(machine),
        "settings": {
            "dtype": str(machine.dtype).removeprefix("torch."),
            "side_px": {shape: side_px(shape, machine) for shape in trial.shapes},
            "seconds": trial.seconds,
            "repetitions": trial.repetitions,
        },
        "floors": measure_floors(machine, trial.seconds),
        "rungs": found,
        "scenarios": comparison.measured,
    }

    def keep_answer() -> None:
        answer["targets"] = {name: target.wire() for name, target in comparison.targets.items()}
        if output is not None:
            report.write(answer, output)

    comparison.on_measured = keep_answer
    with folder_for_models(keep) as folder:
        for shape in trial.shapes:
            with keeping_cache(folder / "cache"):
                measure_shape(comparison, trial, shape, machine, folder, found.setdefault(shape, {}))
    keep_answer()
    console.show(answer)
    report.put_out(answer, output)
    return answer


def check_trial(trial: Trial) -> None:
    """Refuse what does not exist.

    Raises:
        BenchError: there is no such shape or rung, or a number is out of range.
    """
    check_names(trial.shapes, SHAPE_NAMES, "shape")
    rungs = [rung.removesuffix(HELD_TO_FLOAT32) for rung in trial.rungs]
    check_names(rungs, [rung.value for rung in Accelerate], "rung")
    if not all(1 <= steps <= 8 for steps in trial.steps):
        raise BenchError("steps are from 1 to 8")
    if not all(1 <= batch <= trial.max_rows for batch in trial.batches):
        raise BenchError(f"batches are from 1 to {trial.max_rows}")


def find_machine(device: Device, dtype: Dtype, tiny_shapes: bool) -> Machine:
    """The device, as a server would choose it."""
    from realtime.engine.models.load import resolve_device, resolve_dtype

    from .machine import Machine

    found = resolve_device(device)
    is_exact = dtype is not Dtype.AUTO
    return Machine(found, resolve_dtype(dtype, found), 64 if tiny_shapes else 512, tiny_shapes, is_exact)


def side_px(shape: str, machine: Machine) -> int:
    """Of the pictures of a shape: the embedded model's own, and that of the published ones' measurements."""
    return EMBEDDED_SIDE_PX if shape == EMBEDDED and not machine.small else machine.side_px


def machine_name(machine: Machine) -> str:
    """The device in words."""
    from .floors import device_name

    return device_name(machine.device)


def measure_floors(machine: Machine, seconds: float) -> dict[str, float]:
    """See `floors`."""
    from . import floors

    report.progress("floors: arithmetic, memory, launches")
    return floors.measure_floors(machine, min(seconds, 1.0))


@contextlib.contextmanager
def folder_for_models(keep: Path | None) -> Generator[Path]:
    """Where models lie while they are measured."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="realtime-bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def keeping_cache(folder: Path) -> Generator[None]:
    """Rungs keep what they make in this folder."""
    settings = {"REALTIME_CACHE": str(folder), "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
    before = {name: os.environ[name] for name in settings if name in os.environ}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in settings:
            del os.environ[name]
        os.environ.update(before)


def make_model(shape: str, machine: Machine, folder: Path) -> Path:
    """The folder of a random model of this shape."""
    from .models import save_folder

    name = f"{shape}-{'tiny' if machine.small else 'random'}"
    report.progress(f"{name}: drawing weights")
    return save_folder(shape, folder / name, dtype=machine.dtype, device=machine.device, small=machine.small)


def measure_shape(
    comparison: Comparison, trial: Trial, shape: str, machine: Machine, folder: Path, told: Measures
) -> None:
    """Everybody on one model.

    Args:
        told: gets what the rungs are, how long each took to load, and how exact each is, before anything is timed.
    """
    machine = replace(machine, side_px=side_px(shape, machine))
    folder = folder if shape == EMBEDDED else make_model(shape, machine, folder)
    model = EMBEDDED if shape == EMBEDDED else folder
    rungs = load_rungs(model, trial.rungs, machine, trial.batches, trial.max_rows, trial.climb_timeout_s)
    try:
        told["rungs"] = {name: ours.told() for name, ours in rungs.engines.items()}
        told["missing"] = rungs.missing
        told["exactness"] = exactness(comparison, shape, rungs, trial.batches)
        comparison.on_measured()
        for steps in trial.steps:
            name = f"{shape}_{steps}_step"
            arms = our_arms(rungs, machine, trial.batches, steps, trial.seconds)
            if trial.baselines and shape in WITH_BASELINES:
                arms |= baselines(folder, machine, steps, trial.seconds)
            relate(comparison, name, comparison.compare(name, arms))
    finally:
        for ours in rungs.engines.values():
            ours.close()

"""The engine alone, without any network: rungs, steps and batch sizes, beside diffusers and StreamDiffusion.

Must not import torch: what runs is in `engine/trials`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Accelerate
from ..errors import ConfigError
from . import report
from .comparison import Comparison
from .load import BenchError
from .measures import Measures
from .repeats import Numbers

if TYPE_CHECKING:
    from ..engine.trials.machine import Machine
    from ..engine.trials.ours import Ours

SHAPE_NAMES = ("sd-turbo", "lcm", "sdxl-turbo")
PIPELINED_ROUNDS = 8
HOST_ROUNDS, HOST_ROUNDS_CUDA = 2, 15
"""Without a GPU to launch for, the host's time is all there is and says nothing more."""
CLIMB_TIMEOUT_S = 600.0
EXACT_HALF, EXACT_FLOAT32 = 1e-2, 1e-4
"""How far a rung's latents may be from eager's by its precision, relative; in half precision its pictures as well."""
EXACT_LEVELS = 1.0
"""Pictures in float32: what rounding to whole levels makes of 1e-4."""
EXACT_BATCH = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be run.

    Attributes:
        shapes: names out of `SHAPE_NAMES`.
        rungs: values of `--accelerate`; eager is always run as well.
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


@dataclass(slots=True)
class Rungs:
    """Our engine on each rung, loaded once, eager first."""

    engines: dict[str, Ours] = field(default_factory=dict[str, "Ours"])
    missing: dict[str, str] = field(default_factory=dict[str, str])


def engine_bench(
    trial: Trial,
    *,
    device: str = "auto",
    dtype: str = "auto",
    tiny_shapes: bool = False,
    keep: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Make random models, run everybody on them in turns, and print tables and the JSON object.

    Args:
        tiny_shapes: models of few channels and small pictures: to see that all of it runs.
        keep: a folder for the models, which are big; None makes one and removes it.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured.
    """
    check_trial(trial)
    machine = find_machine(device, dtype, tiny_shapes)
    comparison = Comparison(trial.repetitions)
    found: dict[str, Any] = {}
    with folder_for_models(keep) as folder:
        for shape in trial.shapes:
            measure_shape(comparison, trial, shape, machine, folder, found.setdefault(shape, {}))
    answer = report.header("engine") | {
        "model": "random weights of the real shapes" if not tiny_shapes else "tiny shapes: these times mean nothing",
        "accelerator": machine_name(machine),
        "settings": {
            "dtype": str(machine.dtype).removeprefix("torch."),
            "side_px": machine.side_px,
            "seconds": trial.seconds,
            "repetitions": trial.repetitions,
        },
        "floors": measure_floors(machine, trial.seconds),
        "rungs": found,
        "scenarios": comparison.measured,
        "targets": {name: target.wire() for name, target in comparison.targets.items()},
    }
    report.show_arms(answer)
    report.put_out(answer, output)
    return answer


def check_trial(trial: Trial) -> None:
    """Refuse what does not exist.

    Raises:
        BenchError: there is no such shape or rung, or a number is out of range.
    """
    for what, wanted, known in (
        ("shape", trial.shapes, SHAPE_NAMES),
        ("rung", trial.rungs, [rung.value for rung in Accelerate]),
    ):
        for name in wanted:
            if name not in known:
                raise BenchError(f"there is no {what} {name!r}; there are {', '.join(known)}")
    if not all(1 <= steps <= 8 for steps in trial.steps):
        raise BenchError("steps are from 1 to 8")
    if not all(1 <= batch <= trial.max_rows for batch in trial.batches):
        raise BenchError(f"batches are from 1 to {trial.max_rows}")


def find_machine(device: str, dtype: str, tiny_shapes: bool) -> Machine:
    """The device, as a server would choose it."""
    from ..config import Device, Dtype
    from ..engine.models import resolve_device, resolve_dtype
    from ..engine.trials.machine import Machine

    found = resolve_device(Device(device))
    return Machine(found, resolve_dtype(Dtype(dtype), found), 64 if tiny_shapes else 512, tiny_shapes)


def machine_name(machine: Machine) -> str:
    """The device in words."""
    from ..engine.trials.floors import device_name

    return device_name(machine.device)


def measure_floors(machine: Machine, seconds: float) -> dict[str, float]:
    """See `engine.trials.floors`."""
    from ..engine.trials import floors

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


def make_model(shape: str, machine: Machine, folder: Path) -> Path:
    """The folder of a random model of this shape."""
    from ..engine.trials.shapes import save_folder

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
    model = make_model(shape, machine, folder)
    rungs = load_rungs(model, trial, machine)
    try:
        told["rungs"] = {name: ours.told() for name, ours in rungs.engines.items()}
        told["missing"] = rungs.missing
        told["exactness"] = exactness(comparison, shape, rungs, machine, min(EXACT_BATCH, trial.max_rows))
        comparison.on_measured()
        for steps in trial.steps:
            arms = _our_arms(rungs, machine, trial, steps)
            if trial.baselines and shape != "sdxl-turbo":
                arms |= baselines(model, machine, steps, trial.seconds)
            runs = comparison.compare(f"{shape}_{steps}_step", arms)
            _relate(comparison, f"{shape}_{steps}_step", runs)
    finally:
        for ours in rungs.engines.values():
            ours.close()


def load_rungs(model: Path, trial: Trial, machine: Machine) -> Rungs:
    """Our engine on eager and on each rung that is wanted and to be had."""
    from ..engine.trials.ours import Ours

    rungs = Rungs()
    for rung in dict.fromkeys([Accelerate.OFF.value, *trial.rungs]):
        report.progress(f"{model.name}: loading with --accelerate {rung}")
        try:
            ours = rungs.engines[rung] = Ours(model, rung, machine, trial.max_rows)
            if not ours.settle(trial.batches, trial.climb_timeout_s):
                report.progress(f"still climbing after {trial.climb_timeout_s:g} s, measured as it is: {ours.rung}")
        except ConfigError as error:
            report.progress(f"left out: {error}")
            rungs.missing[rung] = str(error)
    return rungs


def _our_arms(rungs: Rungs, machine: Machine, trial: Trial, steps: int) -> dict[str, Callable[[], Numbers]]:
    return {
        f"ours {rung}, batch {batch}": partial(our_numbers, ours, machine, batch, steps, trial.seconds)
        for rung, ours in rungs.engines.items()
        for batch in trial.batches
    }


def our_numbers(ours: Ours, machine: Machine, batch: int, steps: int, seconds: float) -> Numbers:
    """A frame of each of so many sessions, one tick after another and one tick behind another."""
    from ..engine.trials.machine import timed

    found = timed(machine, lambda: ours.frames(batch, steps), batch, seconds)
    found["pipelined_ms_per_frame"] = round(ours.pipelined(batch, steps, PIPELINED_ROUNDS), 3)
    rounds = HOST_ROUNDS_CUDA if machine.device.type == "cuda" else HOST_ROUNDS
    found["host_ms_per_frame"] = round(ours.host_ms(batch, steps, rounds), 3)
    return found


def baselines(model: Path, machine: Machine, steps: int, seconds: float) -> dict[str, Callable[[], Numbers]]:
    """Those that are compared with ours; StreamDiffusion where it can be imported."""
    from ..engine.trials import contenders
    from ..engine.trials.machine import timed

    def arm(make: Callable[[], object]) -> Callable[[], Numbers]:
        return lambda: timed(machine, make, 1, seconds)

    arms: dict[str, Callable[[], Numbers]] = {}
    if steps == 1:
        for name, with_taesd in {"diffusers": False, "diffusers, TAESD": True}.items():
            arms[name] = arm(contenders.diffusers_pipeline(model, machine, with_taesd=with_taesd))
    if steps not in contenders.T_INDICES:
        return arms
    try:
        arms["StreamDiffusion"] = arm(contenders.stream_diffusion(model, steps, machine))
    except ImportError:
        report.progress("StreamDiffusion: left out; pip install --no-deps streamdiffusion==0.1.1 adds it")
    return arms


def _relate(comparison: Comparison, name: str, runs: dict[str, list[Numbers]]) -> None:
    for arm, ours in runs.items():
        if not arm.startswith("ours "):
            continue
        for other in ("diffusers", "StreamDiffusion", "ours off, batch 1"):
            if other in runs and other != arm:
                comparison.relate(f"{name}: {arm} / {other}", ours, runs[other], "ms_per_frame")


def exactness(comparison: Comparison, shape: str, rungs: Rungs, machine: Machine, batch: int) -> Measures:
    """How far each rung's latents and pictures are from eager's, and whether it makes the same twice."""
    from ..engine.trials.ours import difference, relative

    eager = rungs.engines[Accelerate.OFF.value]
    pictures, latents = eager.pictures(batch, 1), eager.latents(batch, 1)
    found: Measures = {}
    for rung, ours in rungs.engines.items():
        first, again = ours.pictures(batch, 1), ours.pictures(batch, 1)
        one, other = ours.latents(batch, 1), ours.latents(batch, 1)
        same = all(bool((a == b).all()) for a, b in zip([*first, *one], [*again, *other], strict=True))
        latents_relative = relative(one, latents)
        found[rung] = difference(first, pictures) | {"latents_relative": latents_relative, "repeats_bit_for_bit": same}
        # OpenVINO calculates in bfloat16 by itself where the CPU has it, and says so.
        is_half = str(machine.dtype) != "torch.float32" or "bfloat16" in ours.rung
        limit = EXACT_HALF if is_half else EXACT_FLOAT32
        comparison.want(f"{shape} {rung}: latents' relative difference to eager", latents_relative, limit)
        number, limit = ("relative", EXACT_HALF) if is_half else ("largest_levels", EXACT_LEVELS)
        comparison.want(f"{shape} {rung}: pictures' {number} difference to eager", found[rung][number], limit)
        comparison.want(f"{shape} {rung}: the same twice", float(same), 1.0, at_least=True)
    return found

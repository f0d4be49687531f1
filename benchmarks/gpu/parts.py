"""What is measured on a GPU, part by part; `python -m benchmarks.gpu` runs each in a process of its own.

Whatever a part has found so far it keeps in a file, so that one that is cut off has not run in vain. Must not know how
much time there is for all.
"""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.bench.servers import Process
    from realtime.engine.state import RungState

    from ..engine.machine import Machine

BATCHES = (1, 2, 4, 8, 16)
STREAMS = (1, 4, 8, 10, 12)
PACKAGED = (1, 2, 4, 8)
"""Batches that get packages: CUDA graphs are captured over as many."""
RELOAD_S, MEASURE_S = 25.0, 15.0
"""What is left for loading from a warm cache, and for measuring what has been made."""

Found = dict[str, Any]


@dataclass
class Setting:
    """What a part gets.

    Attributes:
        models: keeps the random models.
        output: gets files.
        cache: of what is compiled.
        limit_s: the part is ended after that.
    """

    name: str
    models: Path
    output: Path
    cache: Path
    dry: bool
    limit_s: float
    begin_s: float = field(default_factory=time.monotonic)

    @property
    def rest_s(self) -> float:
        """Seconds until the part is ended."""
        return self.limit_s - (time.monotonic() - self.begin_s)

    @property
    def seconds(self) -> float:
        """Of each arm, in each repetition."""
        return 0.05 if self.dry else 0.7

    @property
    def batches(self) -> tuple[int, ...]:
        """Frames a tick."""
        return (1, 2) if self.dry else BATCHES

    def keep(self, found: Found) -> None:
        """Write down what has been found so far, whole or not at all."""
        file = part_file(self.output, self.name)
        whole = file.with_suffix(".part")
        whole.write_text(json.dumps(found, indent=1))
        whole.replace(file)

    def machine(self) -> Machine:
        """The one that this is run on."""
        from realtime.config import Device, Dtype

        from ..engine.bench import find_machine

        return find_machine(Device.AUTO, Dtype.AUTO, self.dry)

    def model(self, shape: str) -> Path:
        """The folder of a random model of this shape."""
        from ..engine.bench import make_model

        return make_model(shape, self.machine(), self.models)


def part_file(output: Path, name: str) -> Path:
    """Where a part keeps what it finds."""
    return output / "parts" / f"{name}.json"


def trial(setting: Setting, found: Found, shape: str, **fields: Any) -> None:
    """A part of `python -m benchmarks engine`; what it finds is added, and kept whenever there is more."""
    from ..comparison import Comparison
    from ..engine.bench import Trial, measure_shape

    repetitions = 1 if setting.dry else 3
    plan = replace(Trial(shapes=[shape], seconds=setting.seconds, repetitions=repetitions), **fields)
    comparison = Comparison(plan.repetitions)
    told: Found = {}

    def keep() -> None:
        for name, arms in comparison.measured.items():
            found.setdefault("scenarios", {}).setdefault(name, {}).update(arms)
        for name, facts in told.items():
            of_rungs = {told_name(rung, plan.max_rows): fact for rung, fact in facts.items()}
            found.setdefault("rungs", {}).setdefault(name, {}).update(of_rungs)
        targets = {name: target.wire() for name, target in comparison.targets.items()}
        found.setdefault("targets", {}).update(targets)
        setting.keep(found)

    comparison.on_measured = keep
    measure_shape(comparison, plan, shape, setting.machine(), setting.models, told)
    keep()


def told_name(rung: str, max_rows: int) -> str:
    """An engine of a trial: a rung may be run with ladders of different length."""
    return f"{rung}, up to {max_rows}"


def floors(setting: Setting, found: Found) -> None:
    """Arithmetic, memory and launches; and the header of all that is found."""
    from realtime.bench import report

    from ..engine.bench import machine_name, measure_floors

    machine = setting.machine()
    found["accelerator"] = machine_name(machine)
    found["dtype"] = str(machine.dtype).removeprefix("torch.")
    found["header"] = report.header("gpu")
    found["floors"] = measure_floors(machine, setting.seconds)


def eager_and_graphs(setting: Setting, found: Found) -> None:
    """SD-Turbo's shape in eager mode and in CUDA graphs, with each batch."""
    trial(setting, found, "sd-turbo", rungs=["graphs"], batches=setting.batches)


def packaged(setting: Setting, found: Found) -> None:
    """AOTInductor's packages. First for a batch of 1 alone, so that nothing is built while that is measured.

    Then the ladder up to 8, in order, as far as the time goes; what was built stays in the cache.
    """
    from realtime.engine.state import RungState

    climb_s = setting.rest_s - RELOAD_S - MEASURE_S
    trial(setting, found, "sd-turbo", rungs=["aoti"], max_rows=1, climb_timeout_s=climb_s, baselines=False)
    found["cold_start"] = {"empty": found["rungs"]["rungs"].get(told_name("aoti", 1), {})}
    if "settled_s" not in found["cold_start"]["empty"]:
        return
    found["packaged"] = [1]
    found["cold_start"]["warm"] = restarted(setting, "aoti")
    setting.keep(found)
    largest = 2 if setting.dry else max(PACKAGED)
    if (climb_s := setting.rest_s - MEASURE_S) > 0:
        fields: Found = {"max_rows": largest, "batches": (largest,), "climb_timeout_s": climb_s, "baselines": False}
        trial(setting, found, "sd-turbo", rungs=["aoti"], **fields)
        told = found["rungs"]["rungs"][told_name("aoti", largest)]
        found["packaged"] = compiled_batches(RungState.parse(told["rung"]), setting)


def restarted(setting: Setting, rung: str) -> Found:
    """How long a rung takes from what was compiled before, in a new process; for one frame a tick."""
    command = [sys.executable, "-m", __name__, str(setting.model("sd-turbo")), rung]
    command += ["--dry-run"] if setting.dry else []
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def restart(model: str, rung: str, *options: str) -> None:
    """The new process of `restarted`: the last line that it prints is what it found."""
    from realtime.config import Device, Dtype

    from ..engine.bench import find_machine
    from ..engine.tapped import TappedEngine

    ours = TappedEngine(Path(model), rung, find_machine(Device.AUTO, Dtype.AUTO, "--dry-run" in options), max_rows=1)
    ours.settle((1,), RELOAD_S)
    ours.close()
    print(json.dumps(ours.told()), flush=True)


def compiled_batches(rung: RungState | None, setting: Setting) -> list[int]:
    """Those of `PACKAGED` for which all regions are compiled; none while the model is loaded."""
    from realtime.bench.engine_under_test import is_made_for

    side_px = setting.machine().side_px
    return [batch for batch in PACKAGED if rung is not None and is_made_for(rung, batch, side_px)]


def compiled(setting: Setting, found: Found) -> None:
    """`torch.compile`, which is made for one frame of the model's own size: hence one row at a time."""
    trial(setting, found, "sd-turbo", rungs=["compile"], max_rows=1, baselines=False)
    found["cold_start"] = {"empty": found["rungs"]["rungs"].get(told_name("compile", 1), {})}
    setting.keep(found)
    if found["cold_start"]["empty"] and setting.rest_s > RELOAD_S:
        found["cold_start"]["warm"] = restarted(setting, "compile")


def more_steps(setting: Setting, found: Found) -> None:
    """SD-Turbo's shape with two and with four steps."""
    trial(setting, found, "sd-turbo", rungs=["graphs"], steps=(2, 4), repetitions=1 if setting.dry else 2)


def lcm(setting: Setting, found: Found) -> None:
    """Stable Diffusion's shape with four steps."""
    trial(setting, found, "lcm", rungs=["graphs"], steps=(4,), repetitions=1 if setting.dry else 2)


def sdxl(setting: Setting, found: Found) -> None:
    """SDXL-Turbo's shape."""
    trial(setting, found, "sdxl-turbo", rungs=["graphs"], batches=setting.batches[:2], repetitions=2)


def best_rung(setting: Setting) -> tuple[str, int]:
    """The fastest that needs nothing built, and the largest batch that it has.

    With packages for a part of the ladder only, the others would be built while frames are measured.
    """
    file = part_file(setting.output, "aoti")
    batches = set(json.loads(file.read_text()).get("packaged", ())) if file.exists() else set[int]()
    if setting.machine().device.type != "cuda":  # what is in use there is one frame a tick
        return ("aoti", 1) if 1 in batches else ("off", 16)
    return ("aoti", max(PACKAGED)) if batches.issuperset(PACKAGED) else ("graphs", 16)


def streams(setting: Setting, found: Found) -> None:
    """Real sockets and a server of its own: streams of 30 fps, more and more of them, and prompts that change."""
    from realtime.bench.capacity import FPS, Steps
    from realtime.bench.pictures import photo_jpegs
    from realtime.bench.servers import serving

    from .prompts import prompt_changes

    side = setting.machine().side_px
    rung, rows = best_rung(setting)
    options = ("--accelerate", rung, "--vae", "full", "--max-sessions", "16", "--max-rows", str(rows))
    raw = setting.output / "streams.csv"
    raw.unlink(missing_ok=True)
    with serving(str(setting.model("sd-turbo")), *options, settings={"REALTIME_CACHE": str(setting.cache)}) as process:
        found["rung"] = wait_for_packages(process, setting) if rung == "aoti" else str(process.rung())
        steps = Steps(process, 0.5 if setting.dry else 6.0, side, raw)
        found["scenarios"] = {}
        for count in STREAMS[: 1 if setting.dry else None]:
            found["scenarios"][f"{count}_streams"] = steps.run(count)
            setting.keep(found)
        patch: Found = {"width": side, "height": side, "skip_unchanged": False}
        changes, every_s = (2, 0.1) if setting.dry else (10, 0.25)
        changing = prompt_changes(
            process.websocket_url, photo_jpegs(8, side, side), patch, fps=FPS, changes=changes, every_s=every_s
        )
        found["prompts"] = asyncio.run(changing)


def wait_for_packages(process: Process, setting: Setting) -> str:
    """Until a server has taken from the cache what is there for it; what it runs on then."""
    wanted = (1,) if setting.machine().device.type != "cuda" else PACKAGED
    end_s = time.monotonic() + RELOAD_S
    while not set(compiled_batches(process.rung(), setting)).issuperset(wanted) and time.monotonic() < end_s:
        time.sleep(0.25)
    return str(process.rung())


def profile(setting: Setting, found: Found) -> None:
    """Which kernels a frame's time goes to, on the best rung."""
    from ..engine.profile import top_kernels
    from ..engine.tapped import TappedEngine

    machine = setting.machine()
    rung, rows = best_rung(setting)
    ours = TappedEngine(setting.model("sd-turbo"), rung, machine, rows)
    batches = tuple(batch for batch in (1, 8) if batch <= rows)
    ours.settle(batches, RELOAD_S)
    found["rung"], found["kernels"] = str(ours.rung), {}
    for batch in batches:
        found["kernels"][f"batch_{batch}"] = top_kernels(machine, functools.partial(ours.frames, batch, 1))
        setting.keep(found)
    ours.close()


if __name__ == "__main__":
    restart(*sys.argv[1:])

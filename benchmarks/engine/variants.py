"""Variants of the regions beside the plain ones, each alone, in turns on this device: what trials decide on.

Must not know what a variant changes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.bench import report
from realtime.bench.errors import BenchError, check_names
from realtime.bench.measures import Measures
from realtime.config import VARIANT_NAMES, Device, Dtype

from .bench import EMBEDDED, SHAPE_NAMES, find_machine, folder_for_models, machine_name, make_model, side_px

if TYPE_CHECKING:
    from realtime.engine.models.load import Model

    from .machine import Machine

LONGEST_S = 60.0
"""A frame may take so long here, where nobody waits for a first one."""


def variants_bench(
    shapes: Sequence[str] = ("sd-turbo",),
    *,
    names: Sequence[str] = (),
    batches: Sequence[int] = (1,),
    side: int | None = None,
    device: Device = Device.AUTO,
    dtype: Dtype = Dtype.AUTO,
    seconds: float = 4.0,
    tiny_shapes: bool = False,
    keep: Path | None = None,
    output: Path | None = None,
) -> Measures:
    """Time each variant against the plain regions, and print a table and the JSON object.

    Args:
        shapes: names out of `SHAPE_NAMES`; random weights but for the embedded model.
        names: variants; none for all.
        batches: frames a tick.
        side: of the pictures; None for that of a shape's other measurements.
        seconds: of each variant and batch, at least five turns.
        tiny_shapes: models of few channels: only to see that all of it runs.
        keep: a folder for the models; None makes one and removes it.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: there is no such shape or variant.
    """
    check_names(shapes, SHAPE_NAMES, "shape")
    check_names(names, VARIANT_NAMES, "variant")
    if side is not None and side % 64:
        raise BenchError("sides are multiples of 64")
    machine = find_machine(device, dtype, tiny_shapes)
    scenarios: dict[str, Any] = {}
    rows: list[list[str]] = []
    with folder_for_models(keep) as folder:
        for shape in shapes:
            of_shape = replace(machine, side_px=side or side_px(shape, machine))
            model = _load(shape, of_shape, folder)
            for name in names or VARIANT_NAMES:
                for batch in batches:
                    report.progress(f"{shape}, {of_shape.side_px} px, batch {batch}: {name}")
                    told = _measured(model, name, batch, seconds)
                    scenarios.setdefault(f"{shape}_{of_shape.side_px}", {})[f"{name}, batch {batch}"] = told
                    ratio = "" if told["ratio"] is None else f"{told['ratio']:.3f}"
                    rows.append([shape, f"{of_shape.side_px}", f"{batch}", name, ratio, told["why"]])
    answer = report.header("variants") | {
        "accelerator": machine_name(machine),
        "dtype": str(machine.dtype).removeprefix("torch."),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "scenarios": scenarios,
    }
    report.show_table("its regions' time to theirs without it", ("model", "px", "batch", "variant", "", "why"), rows)
    report.put_out(answer, output)
    return answer


def _load(shape: str, machine: Machine, folder: Path) -> Model:
    from realtime.config import ModelConfig
    from realtime.engine.models.load import load_model

    name = EMBEDDED if shape == EMBEDDED else str(make_model(shape, machine, folder))
    dtype = Dtype(str(machine.dtype).removeprefix("torch."))
    vae = None if shape == EMBEDDED else "full"
    model = load_model(ModelConfig(model=name, vae=vae, device=Device(machine.device.type), dtype=dtype))
    sides = {"width": machine.side_px, "height": machine.side_px, "num_inference_steps": 1}
    return replace(model, defaults={**model.defaults, **sides})


def _measured(model: Model, name: str, batch: int, seconds: float) -> dict[str, Any]:
    from realtime.engine.rungs.trial import Timing, VariantTrial
    from realtime.engine.rungs.trials import obstacle
    from realtime.engine.variants.table import named

    (variant,) = named([name])
    if why := obstacle(variant, model):
        return {"ratio": None, "is_on": False, "why": why}
    timing = Timing.on(model.device, in_graphs=True)
    trial = VariantTrial(model, (batch,), timing, tried_s=seconds, longest_s=LONGEST_S)
    (found,) = trial.run([variant], (), lambda states: None)
    return {"ratio": found.ratio, "is_on": found.is_on, "why": found.why}

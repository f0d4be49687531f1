"""Ways that the regions could be run otherwise, each captured and replayed alone beside what is there: what would win.

Each is a flag, a memory layout or a module in the place of another. Where a device does not have one it says so. Must
not know how the regions are served.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from realtime.bench.rounds import timed
from realtime.config import VARIANT_NAMES
from realtime.engine.models.load import Model
from realtime.engine.regions import Kind, Outputs, Regions
from realtime.engine.rungs.capture import Capture, CudaCapture, Rerun
from realtime.engine.rungs.exactness import relative_l2
from realtime.engine.rungs.trials import obstacle
from realtime.engine.state import VariantState
from realtime.engine.variants import table
from realtime.engine.variants.table import named

from .engines import Engines, model_of, now_ms
from .plan import BATCHES
from .working import Found, Setting

if TYPE_CHECKING:
    from ..engine.machine import Machine

KINDS = (Kind.ENCODE, Kind.STEP, Kind.DECODE)
AUTOTUNE_S = 60.0
"""How long trying out products takes at most."""
BASE = "as served"

Tensors = dict[str, torch.Tensor]
Inputs = dict[tuple[Kind, int], Tensors]


@dataclass(frozen=True)
class Variant:
    """Another way.

    Attributes:
        around: in force while its regions are made, captured and replayed.
        change: makes regions of a model; None takes those that are there.
        kinds: the regions that it changes.
        on_cpu: whether a CPU has it.
        needs_s: it is left out where less is left.
        batches: None for all.
    """

    around: Callable[[], AbstractContextManager[object]] = nullcontext
    change: Callable[[Model], Regions] | None = None
    kinds: tuple[Kind, ...] = KINDS
    on_cpu: bool = True
    needs_s: float = 6.0
    batches: tuple[int, ...] | None = None
    wrap: Callable[[nn.Module], Callable[..., Outputs]] = lambda region: region


@contextmanager
def cudnn_attention() -> Generator[None]:
    """cuDNN's kernels for attention alone, which make a plan for each new shape."""
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        yield


@contextmanager
def cudnn_benchmark() -> Generator[None]:
    """Have cuDNN try out its kernels at each new shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def contiguous(model: Model) -> Regions:
    """Everything NCHW."""
    regions = Regions.of_model(_copied(model))
    for kind in KINDS:
        region: Any = regions.region(kind)
        region.to(memory_format=torch.contiguous_format)
        for module in region.modules():
            if hasattr(module, "_layout"):
                setattr(module, "_layout", torch.contiguous_format)  # noqa: B010
    return regions


def of_ours(name: str) -> Variant:
    """One of the engine's own variants, which trials decide on."""
    (ours,) = named([name])

    def changed(model: Model) -> Regions:
        # Not of a model that others serve: some variants move its weights.
        copied = _copied(model)
        if why := obstacle(ours, copied):
            raise RuntimeError(f"not here: {why}")
        return Regions.of_model(replace(copied, variants=(VariantState(name, is_on=True),)))

    return Variant(
        change=changed,
        kinds=tuple(kind for kind in KINDS if kind in ours.kinds),
        around=functools.partial(_switched, ours),
    )


@contextmanager
def _switched(ours: table.Variant) -> Generator[None]:
    if ours.switch is None:
        yield
        return
    ours.switch(True)
    try:
        yield
    finally:
        ours.switch(False)


def autotuned(region: nn.Module) -> Callable[..., Outputs]:
    """Products by the fastest of cuBLAS's and Triton's kernels, as tried out here."""
    options: dict[str, Any] = {"max_autotune_gemm": True, "conv_1x1_as_mm": True, "triton.cudagraphs": False}
    return torch.compile(region, dynamic=False, options=options)


VARIANTS: dict[str, Variant] = {
    BASE: Variant(),
    "cuDNN's attention": Variant(cudnn_attention, kinds=(Kind.STEP,), on_cpu=False),
    "cudnn.benchmark": Variant(cudnn_benchmark, needs_s=15),
    "contiguous": Variant(change=contiguous),
    **{name: of_ours(name) for name in VARIANT_NAMES},
    "products, tuned": Variant(kinds=(Kind.STEP,), on_cpu=False, needs_s=AUTOTUNE_S, batches=(1,), wrap=autotuned),
}


def variants(setting: Setting, found: Found) -> None:
    """See the module."""
    engines, machine = setting.engines(), setting.machine()
    model, batches = model_of(engines.eager), (1, 2) if setting.dry else (1, BATCHES[-1])
    inputs = {batch: inputs_of(engines, batch) for batch in batches}
    told: Found = found.setdefault("variants", {})
    base: dict[tuple[Kind, int], Tensors] = {}
    for name, variant in VARIANTS.items():
        if machine.device.type != "cuda" and not variant.on_cpu:
            told[name] = {"note": f"not on {machine.device.type}"}
        elif setting.rest_s < variant.needs_s and not setting.dry:
            told[name] = {"note": f"left out: {setting.rest_s:.0f} s were left"}
        else:
            told[name] = {}
            try:
                _measure(setting, variant, model, inputs, base, told[name], functools.partial(setting.keep, found))
            except (RuntimeError, AssertionError) as error:  # a kernel that this device or version lacks
                told[name]["note"] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        setting.keep(found)


def _measure(
    setting: Setting,
    variant: Variant,
    model: Model,
    inputs: dict[int, Inputs],
    base: dict[tuple[Kind, int], Tensors],
    told: Found,
    keep: Callable[[], None],
) -> None:
    machine = setting.machine()
    with variant.around(), torch.inference_mode():
        regions = variant.change(model) if variant.change else Regions.of_model(model)
        for batch in variant.batches or tuple(inputs):
            numbers: Found = told.setdefault(f"batch_{batch}", {})
            for kind in variant.kinds:
                columns = inputs[batch][kind, batch]
                region = variant.wrap(regions.region(kind, 0, tuple(sorted(columns))))
                outputs = captured_numbers(region, columns, machine, setting.seconds, batch, f"{kind}", numbers)
                expected = base.setdefault((kind, batch), outputs)
                numbers[f"{kind}_difference"] = _furthest(outputs, expected)
                keep()


def captured_numbers(
    region: Callable[..., Outputs], inputs: Tensors, machine: Machine, seconds: float, batch: int, kind: str, to: Found
) -> Tensors:
    """Put down how long a region's first call takes, its capture, and its replay a frame; what it gives."""
    capture: Capture = CudaCapture(machine.device) if machine.device.type == "cuda" else Rerun()
    begin_ms = now_ms()
    region(**inputs)
    machine.wait()
    first_ms, begin_ms = now_ms() - begin_ms, now_ms()
    replay = capture.capture(lambda: region(**inputs))
    machine.wait()
    to[f"{kind}_first_call_ms"], to[f"{kind}_capture_ms"] = round(first_ms, 2), round(now_ms() - begin_ms, 2)
    to[f"{kind}_ms"] = timed(machine.waited(replay), batch, seconds)["ms_per_frame"]
    outputs = {name: output.clone() for name, output in replay().items()}
    machine.wait()
    return outputs


def inputs_of(engines: Engines, batch: int) -> Inputs:
    """What the regions are called with for a frame of each of so many sessions: tensors [B, …] on the device."""
    from realtime.engine.staging import join

    kept: Inputs = {}

    def keep(run: Any, call: Any) -> Any:
        kept[call.kind, batch] = {name: join(column, engines.machine.device) for name, column in call.columns.items()}
        return run(call)

    with engines.eager.tapped(keep):
        engines.eager.frames(batch, 1)
    return kept


def _copied(model: Model) -> Model:
    return replace(model, unet=copy.deepcopy(model.unet), vae=copy.deepcopy(model.vae))


def _furthest(ours: Tensors, theirs: Tensors) -> float:
    """The largest relative difference of outputs that are numbers, pictures as floats."""
    return max(
        round(relative_l2(ours[name].float(), their.float()), 6) for name, their in theirs.items() if name != "finite"
    )

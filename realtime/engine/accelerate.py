"""The rungs of speed, and which one answers the calls of a model's regions.

Must not know rows, recipes or sessions, or how a rung works.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from ..config import Accelerate
from ..errors import ConfigError
from .regions import Call, Kind, Outputs, Regions
from .staging import join
from .state import RungState

if TYPE_CHECKING:
    from . import Progress
    from .models import Model

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """Runs the regions of one model on one rung. Called by the engine's thread under `torch.inference_mode`.

    Attributes:
        regions: what it runs; whoever makes a call asks them what a row's UNet must be told.
        warm_up_batches: batch sizes to run in turn before the first user comes, so that he does not pay for what is
            done once.
    """

    @property
    def rung(self) -> RungState:
        """What runs and why. Any thread."""
        ...

    regions: Regions
    warm_up_batches: tuple[int, ...]

    def run(self, call: Call) -> Outputs:
        """Join the rows of a call to a batch and run its region.

        Returns:
            What the region returns, in memory that no later call writes into.
        """
        ...

    def answer(self, kind: Kind, guided: int, inputs: Sequence[torch.Tensor]) -> Callable[..., Outputs]:
        """What runs a region on inputs of this form now: the same object until something faster takes its place."""
        ...

    def close(self) -> None:
        """Give memory back that only this rung needs."""
        ...


class PlainBackend:
    """Runs the regions one call after the other, as they are."""

    warm_up_batches: tuple[int, ...] = (1,)

    def __init__(self, regions: Regions, device: torch.device, rung: RungState) -> None:
        self.regions = regions
        self._rung = rung
        self._device = device

    @property
    def rung(self) -> RungState:
        """See `Backend`."""
        return self._rung

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        inputs = [join(column, self._device) for column in call.columns.values()]
        return self.answer(call.kind, call.guided, inputs)(*inputs)

    def answer(self, kind: Kind, guided: int, inputs: Sequence[torch.Tensor]) -> Callable[..., Outputs]:
        """See `Backend`."""
        return self.regions.region(kind, guided)

    def close(self) -> None:
        """See `Backend`: there is none."""


class EagerBackend(PlainBackend):
    """PyTorch as it is.

    Args:
        why: nothing faster runs.
    """

    def __init__(self, model: Model, why: str = "") -> None:
        threads = f", {torch.get_num_threads()} threads" if model.device.type == "cpu" else ""
        what = f"eager: torch on {model.device.type}{threads}"
        rung = RungState("eager", what, name_of(model.dtype), why=why)
        super().__init__(Regions.of_model(model), model.device, rung)


def name_of(dtype: torch.dtype) -> str:
    """A number format as `RungState.precision` has it."""
    return str(dtype).removeprefix("torch.")


class Rung(NamedTuple):
    """A way to be faster than eager.

    Attributes:
        device: the type of device it is made for.
        obstacle: why it can't run this model here; empty where it can.
        build: makes its backend for up to so many rows. May raise whatever a converter of foreign graphs may.
    """

    accelerate: Accelerate
    device: str
    obstacle: Callable[[Model], str]
    build: Callable[[Model, int, Progress], Backend]


def choose_backend(accelerate: Accelerate, model: Model, progress: Progress, max_rows: int = 8) -> Backend:
    """The rung that was asked for, or with `auto` the fastest that this machine has for this model.

    Raises:
        ConfigError: the rung that was asked for is not to be had.
    """
    if accelerate is Accelerate.OFF:
        return EagerBackend(model)
    why = ""
    for rung in RUNGS:
        if accelerate not in (Accelerate.AUTO, rung.accelerate):
            continue
        if accelerate is Accelerate.AUTO and rung.device != model.device.type:
            continue
        obstacle, cause = _device_obstacle(rung, model) or rung.obstacle(model), None
        if not obstacle:
            try:
                return rung.build(model, max_rows, progress)
            except Exception as error:  # whatever a converter of foreign graphs may raise: there is a rung below
                _log.warning("%s can't run this model", rung.accelerate, exc_info=error)
                obstacle, cause = f"{rung.accelerate} can't run this model: {error}", error
        if accelerate is rung.accelerate:
            raise ConfigError(f"accelerate {accelerate}: {obstacle}") from cause
        why = why or obstacle
    return EagerBackend(model, why)


def _device_obstacle(rung: Rung, model: Model) -> str:
    if rung.device == model.device.type:
        return ""
    return f"it runs on {rung.device}, the model is on {model.device.type}"


def _no_obstacle(model: Model) -> str:
    return ""


def openvino_obstacle(model: Model) -> str:
    """Why OpenVINO can't run a model that is on the CPU; empty where it can."""
    if model.dtype is not torch.float32:
        return "openvino reads float32 models, and takes bfloat16 by itself where the CPU has it; leave --dtype out"
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed: pip install 'realtime[openvino]' makes it about twice as fast"
    return ""


def _openvino(model: Model, max_rows: int, progress: Progress) -> Backend:
    from .openvino_backend import OpenVinoBackend

    return OpenVinoBackend(model, progress)


def _graphs(model: Model, max_rows: int, progress: Progress) -> Backend:
    from .graphs import CudaCapture, GraphBackend

    return GraphBackend(EagerBackend(model), CudaCapture(model.device), max_rows, model.device)


#: The fastest of a device first.
RUNGS = (
    Rung(Accelerate.OPENVINO, "cpu", openvino_obstacle, _openvino),
    Rung(Accelerate.GRAPHS, "cuda", _no_obstacle, _graphs),
)

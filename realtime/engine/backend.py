"""What runs a model's regions, and PyTorch's eager mode: the way that is always there.

Must not know rows, recipes or sessions, or which faster ways there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from .regions import Call, Inputs, Kind, Outputs, Regions, Run
from .staging import join
from .state import CallShape, RungState

if TYPE_CHECKING:
    from .models.load import Model


class Backend(Protocol):
    """Runs the regions of one model on one rung. Called by the engine's thread under `torch.inference_mode`.

    Attributes:
        regions: what it runs; whoever makes a call asks them what a row's UNet must be told.
    """

    @property
    def rung(self) -> RungState:
        """What runs and why. Any thread."""
        ...

    regions: Regions

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """Be told that pictures of this size will come.

        Returns:
            Batch sizes to run in turn before the first user comes, so that he does not pay for what is done once.
        """
        ...

    def run(self, call: Call) -> Outputs:
        """Join the rows of a call to a batch and run its region.

        Returns:
            What the region returns, in memory that no later call writes into.
        """
        ...

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """What runs a call on inputs of this form now: the same object until something faster takes its place."""
        ...

    def close(self) -> None:
        """Give memory back that only this rung needs."""
        ...


class PlainBackend:
    """Runs the regions one call after the other, as they are."""

    def __init__(self, regions: Regions, device: torch.device, rung: RungState) -> None:
        self.regions = regions
        self._rung = rung
        self._device = device

    @property
    def rung(self) -> RungState:
        """See `Backend`."""
        return self._rung

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`."""
        return (1,)

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        inputs = {name: join(column, self._device) for name, column in call.columns.items()}
        return self.answer(call.shape, inputs)(**inputs)

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self.regions.region(Kind(call.kind), call.guided)

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

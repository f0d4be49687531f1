"""The interface of what runs a model's regions (`Backend`), and its implementation by PyTorch's eager mode.

Must not know rows, recipes or sessions, or which rungs there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from . import Batches
from .forms import Forms
from .regions import Call, Inputs, Outputs, Regions, Run
from .staging import join, to_host
from .state import CallShape, RungState

if TYPE_CHECKING:
    from .models.load import Model


FRAME = "frame"
"""The kind of a call of ENCODE, STEP and DECODE as one, for frames of one step without nets. Its inputs are those of
the first two, without what goes between the three, and its outputs the last one's.
"""


class Backend(Protocol):
    """Runs the regions of one model on one rung. Called by the engine's thread under `torch.inference_mode`.

    Attributes:
        regions: the regions that it runs; their denoiser says which conditions a call has.
        forms: for how long calls keep a form that something may have been made for.
    """

    @property
    def rung(self) -> RungState:
        """The rung's state at this moment. Any thread."""
        ...

    @property
    def batches(self) -> Batches:
        """How many rows it runs well in one call, with work as `work.RowWork` counts it. Any thread."""
        ...

    regions: Regions
    forms: Forms

    @property
    def takes_frames(self) -> bool:
        """Whether `run_frames` may have an answer."""
        ...

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """Announce pictures of this size, in pixels.

        Returns:
            Batch sizes to run once each before the first frame: their first run prepares what later ones use.
        """
        ...

    def prepared(self) -> None:
        """They have run. From now on frames flow, and what is prepared is so beside them."""
        ...

    def run(self, call: Call) -> Outputs:
        """Join the rows of a call to a batch and run its region.

        Returns:
            The region's outputs, in memory that no later call writes into: of the device, or of the host where the
            call says so.
        """
        ...

    def run_frames(self, call: Call) -> Outputs | None:
        """Run a call of the kind `FRAME`, as `run` does; None: nothing is done, as three calls are to do it."""
        ...

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """The callable that runs calls of this form at present: the same object until a faster one replaces it.

        Args:
            inputs: [B, …]; only their shapes and dtypes matter.
        """
        ...

    def close(self) -> None:
        """Free what only this rung holds, such as graphs. The model stays usable."""
        ...


class PlainBackend:
    """Runs the regions as PyTorch modules. A base class for rungs.

    Args:
        rung: its state, where the subclass does not compute it.
    """

    def __init__(self, regions: Regions, device: torch.device, rung: RungState) -> None:
        self.regions = regions
        self.forms = Forms()
        self._rung = rung
        self._device = device

    @property
    def rung(self) -> RungState:
        """See `Backend`."""
        return self._rung

    @property
    def batches(self) -> Batches:
        """See `Backend`: all numbers of rows are alike."""
        return Batches()

    @property
    def takes_frames(self) -> bool:
        """See `Backend`."""
        return False

    def run_frames(self, call: Call) -> Outputs | None:
        """See `Backend`: three calls take as long."""
        return None

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`."""
        return (1,)

    def prepared(self) -> None:
        """See `Backend`: there is nothing to do."""

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        inputs = {name: join(column, self._device) for name, column in call.columns.items()}
        outputs = self.answer(call.shape, inputs)(**inputs)
        return {name: to_host(output) for name, output in outputs.items()} if call.to_host else outputs

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self.regions.region_for(call)

    def close(self) -> None:
        """See `Backend`: there is nothing to free."""


class EagerBackend(PlainBackend):
    """PyTorch's eager mode.

    Args:
        why: why no faster rung runs, for people; may be empty.
    """

    def __init__(self, model: Model, why: str = "") -> None:
        threads = f", {torch.get_num_threads()} threads" if model.device.type == "cpu" else ""
        what = f"eager: torch on {model.device.type}{threads}"
        rung = RungState("eager", what, name_of(model.dtype), why=why, variants=model.variants)
        super().__init__(Regions.of_model(model), model.device, rung)


def name_of(dtype: torch.dtype) -> str:
    """A dtype's name as in `RungState.precision`, for example `bfloat16`."""
    return str(dtype).removeprefix("torch.")

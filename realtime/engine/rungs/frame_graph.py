"""One graph for all that is done to frames of one step: ENCODE, STEP and DECODE, one launch where there were three, and
nothing copied between them.

Must not know which frames those are, or when a graph is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..backend import FRAME, Backend
from ..regions import Inputs, Kind, Outputs, Run
from ..state import CallShape
from .graph import RegionGraph

ENCODE_INPUTS = ("noise", "pictures", "start")


@dataclass(frozen=True)
class FrameRun:
    """Implements `Run` of `FRAME` by what runs the three regions: equal where these are the same."""

    encode: Run
    step: Run
    decode: Run

    @classmethod
    def over(cls, under: Backend, shape: CallShape, inputs: Inputs) -> FrameRun:
        """By what a backend has for the three at present.

        Args:
            shape: of the call, of kind `FRAME`.
            inputs: see `Backend.answer`.
        """
        conditions = {name: tensor for name, tensor in inputs.items() if name not in (*ENCODE_INPUTS, "steps")}
        latents = inputs["noise"]  # of the form of `x` and `source`
        of_step = {"x": latents, "noise": latents, "source": latents, "steps": inputs["steps"], **conditions}
        of_encode = {name: inputs[name] for name in ENCODE_INPUTS}

        def answer(kind: Kind, guided: int, inputs: Inputs) -> Run:
            names = tuple(sorted(inputs))
            return under.answer(replace(shape, kind=kind.value, guided=guided, names=names), inputs)

        return cls(
            answer(Kind.ENCODE, 0, of_encode),
            answer(Kind.STEP, shape.guided, of_step),
            answer(Kind.DECODE, 0, {"x": latents}),
        )

    def __call__(
        self,
        pictures: torch.Tensor,
        start: torch.Tensor,
        noise: torch.Tensor,
        steps: torch.Tensor,
        **conditions: torch.Tensor,
    ) -> Outputs:
        """See `EncodeRegion`, `StepRegion` and `DecodeRegion`, whose outputs these are."""
        begun = self.encode(pictures=pictures, start=start, noise=noise)
        after = self.step(x=begun["x"], source=begun["source"], noise=noise, steps=steps, **conditions)
        return self.decode(x=after["x"])


class FrameGraph(RegionGraph):
    """The graph of such a call. Its inputs' buffers are those of the regions' graphs."""

    def answered_by(self, under: Backend) -> Run:
        """See `RegionGraph`."""
        return FrameRun.over(under, self.shape, self.inputs())


def graph_class(kind: str) -> type[RegionGraph]:
    """What makes the graph of calls of a kind."""
    return FrameGraph if kind == FRAME else RegionGraph

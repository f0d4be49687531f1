"""What a job costs the diffusion engine, from its params alone.

Must not know tensors or models: whoever schedules jobs asks for each of them, in any process.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..params import GuidanceMode, Params
from . import Guidance, RowCost, sampler

MATTE_WORK = 2913
"""What finding people adds to a tick, as pixels of a UNet row: 0.12 GFLOP at any size, where the embedded model's UNet
takes 2.7 for 256×256. The share of larger models is less, and so small that it need not be known.
"""


@dataclass(frozen=True, slots=True)
class RowWork:
    """A model's costs. Plain data, that another process may have.

    Attributes:
        guidance: of the model.
    """

    guidance: Guidance

    def mode(self, params: Params) -> GuidanceMode | None:
        """How these params are guided without classifiers; None where they are not."""
        return params.guidance if self.guidance is Guidance.CFG and params.guidance_scale > 1 else None

    def __call__(self, params: Params) -> RowCost:
        """The cost of a job: a tick for each UNet call, whose work is its pixels times its UNet rows (2 with guidance).

        A further network adds its share of a UNet row to the ticks that it is in: that of the matte is in the last.
        """
        steps = len(sampler.timesteps(params.strength, params.num_inference_steps))
        mode = self.mode(params)
        rows = [2 if mode is GuidanceMode.FULL or (mode is GuidanceMode.ONCE and i == 0) else 1 for i in range(steps)]
        works = [params.width * params.height * row for row in rows] or [0]
        if params.matte.finds_people:
            works[-1] += MATTE_WORK
        return RowCost(tuple(works))

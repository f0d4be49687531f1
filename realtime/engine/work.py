"""What a job costs the diffusion engine, from its params alone.

Must not know tensors or models: whoever schedules jobs asks for each of them, in any process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..control import Control
from ..params import GuidanceMode, Params
from . import Guidance, RowCost, sampler

MATTE_WORK = 2913
"""What finding people adds to a tick, as pixels of a UNet row: 0.12 GFLOP at any size, where the embedded model's UNet
takes 2.7 for 256×256. The share of larger models is less, and so small that it need not be known.
"""
DEPTH_WORK = 11_000
"""Likewise, of what is done in the tick that admits a frame: 34 GFLOP for a square, where Stable Diffusion's UNet takes
803 for 512×512.
"""
CHECK_WORK = 11_400
"""Likewise, of a picture that a checker looks at: 35 GFLOP for a ViT-B/16 at 224 pixels."""

POSE_WORK = 11_500
"""Likewise, of one person's pose: 35 GFLOP."""
PEOPLE_WORK = 4 * POSE_WORK + 20_000
"""Likewise, of the poses of several, who are found first, by 61 GFLOP: as many are looked at, whoever is there."""


def weights_by_step(control: Control, steps: int) -> tuple[float, ...]:
    """A net's weight in each step: 0 where it is not called.

    Source: diffusers' `pipeline_controlnet_img2img.py` (`controlnet_keep`).
    """
    return tuple(
        control.weight if i / steps >= control.start and (i + 1) / steps <= control.end else 0.0 for i in range(steps)
    )


class NetWork(NamedTuple):
    """What a net costs for a row.

    Attributes:
        share: of a UNet row's work.
        is_once: whether that is once a frame, and not in each step.
        before: of the hint that is made for it, once a frame, as pixels of a UNet row.
    """

    share: float
    is_once: bool
    before: int = 0


@dataclass(frozen=True)
class RowWork:
    """A model's costs. Plain data, that another process may have.

    Attributes:
        guidance: of the model.
        nets: by the names that params have for them.
        checks: whether its pictures are checked.
    """

    guidance: Guidance
    nets: Mapping[str, NetWork] = field(default_factory=dict[str, NetWork])
    checks: bool = False

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
        for control in params.control:
            self._add(control, works, rows, params.width * params.height)
        if params.matte.finds_people:
            works[-1] += MATTE_WORK
        if self.checks:
            works[-1] += CHECK_WORK
        return RowCost(tuple(works))

    def _add(self, control: Control, works: list[int], rows: list[int], pixels: int) -> None:
        net, weights = self.nets.get(control.net), weights_by_step(control, len(rows))
        if net is None or not any(weights):
            return
        works[0] += net.before
        if net.is_once:
            works[0] += round(net.share * pixels)
            return
        for i, weight in enumerate(weights):
            works[i] += round(net.share * pixels * rows[i]) if weight else 0

"""The painter's UNet as the step region calls it: told the source's latents, modulation and preconditioning.

Must not know rows, regions, or how it is made fast.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from ..models.painter.preconditioning import Preconditioning
from ..sampler import T
from .denoiser import Conditions, Denoiser

if TYPE_CHECKING:
    from ..models.load import Model
    from ..recipe import Recipe

MODULATIONS_KEPT = 64
"""Recipes whose modulation is kept: 8 KB a step."""


class PainterDenoiser(Denoiser):
    """Modulates once a recipe, and answers with a v-prediction.

    Args:
        model: of the painter's family.
        layout: of the samples, as the convolutions want them.
    """

    takes_source = True

    def __init__(self, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        self.unet: Any = model.unet
        self._dtype, self._layout = model.dtype, layout
        self._levels = torch.from_numpy(model.schedule.alphas_cumprod).to(model.device)
        self._told = lru_cache(MODULATIONS_KEPT)(self._tell)

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`: `modulation` [1, M] in the model's dtype, and `preconditioning`, float32 [1, 3]."""
        return self._told(recipe)[step]

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`; `timestep` is in the conditions already. All but the UNet calculates in float32."""
        source = conditions["source"]
        level = Preconditioning.unpack(conditions["preconditioning"])
        noise, latents = (
            one.to(self._dtype, memory_format=self._layout) for one in (level.noise(sample, source), source)
        )
        change = self.unet(noise, latents, conditions["modulation"]).float()
        return level.v_prediction(sample, source, change)

    def _tell(self, recipe: Recipe) -> tuple[Conditions, ...]:
        timesteps = torch.cat(recipe.steps)[:, T].round().long()
        style = recipe.prompt.prompt_embeds[:, 0].expand(len(timesteps), -1)
        modulation = self.unet.modulation(timesteps, style).split(1)
        level = Preconditioning.at(timesteps, self._levels, float(self.unet.config["full_share"])).pack().split(1)
        return tuple(
            {"modulation": one, "preconditioning": other} for one, other in zip(modulation, level, strict=True)
        )

"""A UNet as the step region calls it, and what it is told of each row.

Must not know rows, regions, or how a UNet is made fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from .recipe import of

if TYPE_CHECKING:
    from .recipe import Recipe


class UnetCall(Protocol):
    """One call of a UNet."""

    def __call__(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
        /,
    ) -> torch.Tensor:
        """One prediction for each row.

        Args:
            sample: float32 [B, in_channels, h, w].
            timestep: float32 [B].
            prompt_embeds: [B, L, D] in the model's dtype.
            timestep_cond: [B, time_cond_proj_dim] in the model's dtype, where the UNet takes it.
            added: SDXL's `text_embeds` [B, P] and `time_ids` [B, 6] in the model's dtype.

        Returns:
            [B, C, h, w].
        """
        ...


class Denoiser(nn.Module):
    """A UNet as the step region calls it: `forward(sample, timestep, *conditions)`."""

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> dict[str, torch.Tensor]:
        """What the UNet is told of a row, or of its second row, beside sample and timestep: tensors [1, …]."""
        raise NotImplementedError


class PlainDenoiser(Denoiser):
    """Tells the UNet all it may want to know, on each call.

    Args:
        unet: answers the calls.
        has_timestep_cond: whether the UNet takes the guidance scale's embedding.
    """

    def __init__(self, unet: UnetCall, has_timestep_cond: bool) -> None:
        super().__init__()
        self.unet = unet
        self._timestep_conds = int(has_timestep_cond)

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> dict[str, torch.Tensor]:
        """See `Denoiser`."""
        prompt = of(recipe.negative) if is_second else recipe.prompt
        told = {"prompt_embeds": prompt.prompt_embeds}
        if recipe.timestep_cond is not None:
            told["timestep_cond"] = recipe.timestep_cond
        if recipe.time_ids is not None:
            told |= {"text_embeds": of(prompt.pooled), "time_ids": recipe.time_ids}
        return told

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, prompt_embeds: torch.Tensor, *extra: torch.Tensor
    ) -> torch.Tensor:
        """See `UnetCall`; `extra` are timestep_cond, text_embeds, time_ids, those that there are."""
        conds, added = extra[: self._timestep_conds], extra[self._timestep_conds :]
        return self.unet(
            sample,
            timestep,
            prompt_embeds,
            conds[0] if conds else None,
            {"text_embeds": added[0], "time_ids": added[1]} if added else None,
        )

"""The UNet as the step region calls it, and its conditions: the inputs beside sample and timestep, as tensors by name.

A row's conditions come from its recipe (`Denoiser.conditions`); a UNet may take its picture's latents beside them.

Must not know rows, regions, or how a UNet is made fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from ..recipe import Recipe

Conditions = Mapping[str, torch.Tensor]
"""A UNet's inputs beside sample and timestep, by name: [1, …] of one row, [B, …] of a batch."""


class UnetCall(Protocol):
    """One call of a UNet."""

    def __call__(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions, /) -> torch.Tensor:
        """Predict epsilon, v or x0, as the model was trained to.

        Args:
            sample: noisy latents, float32 [B, in_channels, h, w].
            timestep: float32 [B].
            conditions: in the model's dtype, under diffusers' names: `prompt_embeds` [B, L, D]; where the UNet has
                such inputs `timestep_cond` [B, time_cond_proj_dim], SDXL's `text_embeds` [B, P] and `time_ids` [B, 6].

        Returns:
            [B, C, h, w].
        """
        ...


class Contexts(NamedTuple):
    """What a call's cross-attention hears beside the prompts (see `contexts`).

    Attributes:
        has_negative: whether there is a negative prompt.
        pictures: number of places for pictures.
    """

    has_negative: bool = False
    pictures: int = 0


class Denoiser(nn.Module):
    """A UNet as the step region calls it, and what makes its conditions.

    Attributes:
        takes_source: whether its conditions include `source`, the latents of the row's picture.
        hears_contexts: whether there may be contexts beside the conditions.
    """

    takes_source: bool = False
    hears_contexts: bool = False

    def forget(self) -> None:
        """Compute all conditions anew from now on: the UNet's weights have changed."""

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """The conditions of one row that depend on its recipe.

        Args:
            step: index of the step, from 0.
            is_second: whether they are for the second row, the one with the negative prompt.

        Returns:
            Tensors [1, …] by name: for equal arguments the same objects, so that unchanged ones need no copy.
        """
        raise NotImplementedError

    def contexts(self, recipe: Recipe, step: int, is_second: bool, contexts: Contexts) -> Conditions:
        """The conditions more that one row has in a call with these contexts: neutral ones, where it wants less.

        Only where it `hears_contexts`; see `conditions`.
        """
        raise NotImplementedError

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """Predict epsilon, v or x0, as the model was trained to.

        Args:
            sample: noisy latents, float32 [B, C, h, w].
            timestep: float32 [B].
            conditions: those of `conditions`, [B, …], and `source`, float32 [B, C, h, w], where it `takes_source`.

        Returns:
            [B, C, h, w].
        """
        raise NotImplementedError


class PlainDenoiser(Denoiser):
    """Passes all conditions to the UNet at each call, where it is not folded.

    Args:
        unet: called once a step.
    """

    def __init__(self, unet: UnetCall) -> None:
        super().__init__()
        self.unet = unet

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`; the names are those of `UnetCall`."""
        prompt = recipe.prompt_of(is_second)
        told = {
            "prompt_embeds": prompt.prompt_embeds,
            "timestep_cond": recipe.timestep_cond,
            "text_embeds": prompt.pooled,
            "time_ids": recipe.time_ids,
        }
        return {name: condition for name, condition in told.items() if condition is not None}

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`."""
        return self.unet(sample, timestep, conditions)


class ConcatDenoiser(Denoiser):
    """Appends the picture's latents to the noisy ones as further channels of the sample.

    Source: Brooks et al. 2023, "InstructPix2Pix", section 3.2; diffusers'
    `pipeline_stable_diffusion_instruct_pix2pix.py`, whose name for them is `image_latents`.

    Args:
        denoiser: takes samples [B, 2 · C, h, w].
    """

    takes_source = True

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.hears_contexts = denoiser.hears_contexts

    def contexts(self, recipe: Recipe, step: int, is_second: bool, contexts: Contexts) -> Conditions:
        """See `Denoiser`."""
        return self.denoiser.contexts(recipe, step, is_second, contexts)

    def forget(self) -> None:
        """See `Denoiser`."""
        self.denoiser.forget()

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`."""
        return self.denoiser.conditions(recipe, step, is_second)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`."""
        return self.denoiser(torch.cat([sample, conditions["source"]], 1), timestep, conditions)

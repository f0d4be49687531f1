"""A UNet as the step region calls it, and the conditions that it is told of each row.

What a UNet is told beside sample and timestep has one form everywhere: tensors by name. Those that follow from a
recipe are made by `Denoiser.conditions`, those that follow from the row's picture by its `RowEncoder`.

Must not know rows, regions, or how a UNet is made fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from .recipe import Recipe

Conditions = Mapping[str, torch.Tensor]
"""What a UNet is told beside sample and timestep: [1, …] of one row, [B, …] of a batch."""


class UnetCall(Protocol):
    """One call of a UNet."""

    def __call__(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions, /) -> torch.Tensor:
        """One prediction for each row.

        Args:
            sample: float32 [B, in_channels, h, w].
            timestep: float32 [B].
            conditions: in the model's dtype, under diffusers' names: `prompt_embeds` [B, L, D]; where the UNet wants
                them `timestep_cond` [B, time_cond_proj_dim], and SDXL's `text_embeds` [B, P] and `time_ids` [B, 6].

        Returns:
            [B, C, h, w].
        """
        ...


class RowEncoder(nn.Module):
    """Makes conditions of a row's picture, once a frame, as a part of the encode region. This one makes none."""

    def forward(self, pixels: torch.Tensor, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """Conditions by name.

        Args:
            pixels: the pictures, float32 [B, 3, H, W] in [-1, 1].
            latents: of the pictures, float32 [B, C, h, w].

        Returns:
            Tensors [B, …], which stay with the rows until they leave.
        """
        return {}


class Denoiser(nn.Module):
    """A UNet as the step region calls it, with all that decides what it is told."""

    def row_encoder(self) -> RowEncoder:
        """What makes the conditions that follow from a row's picture: a new module that no step needs."""
        return RowEncoder()

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """The conditions that follow from a row's recipe, or of its second row: tensors [1, …].

        Each is the same object every time it is asked for.
        """
        raise NotImplementedError

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """One prediction for each row.

        Args:
            sample: float32 [B, C, h, w].
            timestep: float32 [B].
            conditions: those of `conditions` and of `row_encoder`, [B, …].

        Returns:
            [B, C, h, w].
        """
        raise NotImplementedError


class PlainDenoiser(Denoiser):
    """Tells the UNet all it may want to know, on each call.

    Args:
        unet: answers the calls.
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
    """Shows a UNet the picture's latents beside the noisy ones, as further channels.

    Source: Brooks et al. 2023, "InstructPix2Pix", section 3.2; diffusers'
    `pipeline_stable_diffusion_instruct_pix2pix.py`, whose name for them is `image_latents`.

    Args:
        denoiser: takes samples of [B, 2 · C, h, w].
    """

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def row_encoder(self) -> RowEncoder:
        """See `Denoiser`: `image_latents`."""
        return ImageLatents()

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`."""
        return self.denoiser.conditions(recipe, step, is_second)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`."""
        return self.denoiser(torch.cat([sample, conditions["image_latents"]], 1), timestep, conditions)


class ImageLatents(RowEncoder):
    """Keeps the picture's latents beside the noisy ones."""

    def forward(self, pixels: torch.Tensor, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """See `RowEncoder`: `image_latents`, float32 [B, C, h, w]."""
        return {"image_latents": latents}

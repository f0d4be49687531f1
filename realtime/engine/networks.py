"""A model's networks in PyTorch as functions of float32 tensors, which they convert to the model's dtype and layout;
and the matte's, which is the same beside every model.

Must not know rows or regions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .denoisers.control import Adapter, FoldedControl, beside
from .denoisers.residuals import Places
from .models.matte.load import load_matte

if TYPE_CHECKING:
    from .denoisers.denoiser import Conditions
    from .models.load import Model

ADDED_CONDITIONS = ("text_embeds", "time_ids")
"""Conditions that diffusers' UNets take in `added_cond_kwargs`."""


class Networks:
    """A model's autoencoder and UNet, as modules.

    Args:
        model: its weights are converted to `layout`, in place.

    Attributes:
        layout: memory layout of weights and samples.
        encode_latents: float32 [B, 3, H, W] in [-1, 1] to latents [B, C, h, w], times the autoencoder's scaling factor.
        unet: see `denoiser.UnetCall`.
        decode_latents: float32 latents [B, C, h, w] to pixels [B, 3, H, W], nominally in [-1, 1].
        find_people: see `MatteNetwork`.
        nets: what steers the UNet, by name.
        estimators: what makes hints for them.
        checker: see `Checker`; None where pictures are not checked, or on the host.
    """

    def __init__(self, model: Model) -> None:
        layout = layout_on(model.device)
        networks: list[Any] = [model.unet, model.vae]
        for network in networks:
            network.to(memory_format=layout)
        self.layout = layout
        self.encode_latents = _Half(model, model.encode_latents, layout)
        self.unet = _Unet(model, layout)
        self.decode_latents = _Half(model, model.decode_latents, layout)
        self.find_people = load_matte(model.device)
        self.nets: Mapping[str, FoldedControl | Adapter] = beside(model, layout)
        self.estimators = model.estimators
        self.checker = model.device_checker


def layout_on(device: torch.device) -> torch.memory_format:
    """Channels last: on two CPU cores the autoencoder takes 15 ms of 60 a frame less. MPS gains nothing by it, and on
    AMD's GPUs MIOpen copies the weights at each call, unless it is told otherwise.
    """
    is_contiguous = device.type == "mps" or (device.type == "cuda" and torch.version.hip is not None)
    return torch.contiguous_format if is_contiguous else torch.channels_last


class _Half(nn.Module):
    """The autoencoder's encoder or decoder.

    Args:
        convert: `Model.encode_latents` or `Model.decode_latents`.
    """

    def __init__(
        self, model: Model, convert: Callable[[torch.Tensor], torch.Tensor], layout: torch.memory_format
    ) -> None:
        super().__init__()
        self.vae = model.vae
        self._convert, self._dtype, self._layout = convert, model.dtype, layout

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self._convert(batch.to(self._dtype, memory_format=self._layout))


class _Unet(nn.Module):
    """Implements `denoiser.UnetCall`."""

    def __init__(self, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        self.unet = model.unet
        self._dtype, self._layout = model.dtype, layout
        self._places = Places(model.unet) if model.nets else None

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        unet: Any = self.unet
        steered = self._places.told(conditions, sample) if self._places is not None else {}
        return unet(
            sample.to(self._dtype, memory_format=self._layout),
            timestep,
            encoder_hidden_states=conditions["prompt_embeds"],
            timestep_cond=conditions.get("timestep_cond"),
            added_cond_kwargs={name: conditions[name] for name in ADDED_CONDITIONS if name in conditions},
            return_dict=False,
            **steered,
        )[0]

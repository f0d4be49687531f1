"""Base classes of a family's own networks: modules of diffusers' kind, which brings saving, loading and configuration.

Must not know which networks there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .quiet import quiet

with quiet():  # its import alone logs
    from diffusers import ConfigMixin, ModelMixin  # pyright: ignore[reportPrivateImportUsage]

if TYPE_CHECKING:
    from ...pixels import Pixels


class OwnUnet(ModelMixin, ConfigMixin):
    """A UNet with `in_channels` and `out_channels` in its configuration.

    Called by its family's denoiser; where the family has none, with UNet2DConditionModel's arguments.
    """


class OwnImageEncoder(ModelMixin, ConfigMixin):
    """Encodes a picture to what a prompt in its style is encoded to."""

    def encode(self, picture: Pixels) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Encode a picture, uint8 [H, W, 3], RGB, to hidden states [1, L, D] and a pooled embedding, if any."""
        raise NotImplementedError


class OwnAutoencoder(ModelMixin, ConfigMixin):
    """An autoencoder with `latent_channels` and `scaling_factor` in its configuration, called as AutoencoderTiny is."""

    @property
    def spatial_compression_ratio(self) -> int:
        """Pixels per latent, along a side."""
        raise NotImplementedError

    def encode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Encode pictures [B, 3, H, W] in [-1, 1] to latents [B, C, h, w]."""
        raise NotImplementedError

    def decode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Decode latents [B, C, h, w] to pictures [B, 3, H, W], nominally in [-1, 1]."""
        raise NotImplementedError

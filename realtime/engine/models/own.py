"""What a family's own networks must be: diffusers' kind of module, so that saving, loading and configuration are its.

Must not know which there are.
"""

from __future__ import annotations

import torch

from .quiet import quiet

with quiet():  # its import alone logs
    from diffusers import ConfigMixin, ModelMixin  # pyright: ignore[reportPrivateImportUsage]


class OwnUnet(ModelMixin, ConfigMixin):
    """A UNet with `in_channels` and `out_channels` in its configuration.

    Called as its family's denoiser does; where that has none, as UNet2DConditionModel is.
    """


class OwnAutoencoder(ModelMixin, ConfigMixin):
    """An autoencoder with `latent_channels` and `scaling_factor` in its configuration, called as AutoencoderTiny is."""

    @property
    def spatial_compression_ratio(self) -> int:
        """Pixels to a latent's side."""
        raise NotImplementedError

    def encode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Pictures [B, 3, H, W] in [-1, 1] to latents [B, C, h, w]."""
        raise NotImplementedError

    def decode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Latents [B, C, h, w] to pictures [B, 3, H, W], nominally in [-1, 1]."""
        raise NotImplementedError

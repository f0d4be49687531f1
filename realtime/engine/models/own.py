"""What a family's own networks must be: diffusers' kind of module, so that saving, loading and configuration are its.

Must not know which there are.
"""

from __future__ import annotations

import torch

from ..quiet import quiet

with quiet():  # its import alone logs
    from diffusers import ConfigMixin, ModelMixin  # pyright: ignore[reportPrivateImportUsage]


class OwnUnet(ModelMixin, ConfigMixin):
    """A UNet with `in_channels` and `out_channels` in its configuration, called as UNet2DConditionModel is."""

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        timestep_cond: torch.Tensor | None = None,
        added_cond_kwargs: dict[str, torch.Tensor] | None = None,
        return_dict: bool = False,
    ) -> tuple[torch.Tensor]:
        """One prediction for each row.

        Args:
            sample: [B, in_channels, h, w].
            timestep: [B].
            encoder_hidden_states: what the family's `encode_prompt` gives, of B rows.
            timestep_cond: None where the family's conditions don't name it.
            added_cond_kwargs: further conditions by name.
            return_dict: False.

        Returns:
            [B, out_channels, h, w].
        """
        raise NotImplementedError


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

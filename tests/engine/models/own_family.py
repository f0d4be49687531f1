"""A family of networks of its own, as small as one can be: what `test_family` adds to those that there are.

Its UNet takes the source latents beside the noisy ones, and is told what style and time come to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers.configuration_utils import register_to_config
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from realtime.engine.denoisers.denoiser import Conditions, Denoiser
from realtime.engine.models.clip import Encoded, Pairs
from realtime.engine.models.family import Family, FolderFacts
from realtime.engine.models.load import Model
from realtime.engine.models.own import OwnAutoencoder, OwnUnet
from realtime.engine.models.prompt_weights import Pieces
from realtime.engine.recipe import Recipe
from realtime.engine.sampler import T
from tests import checkpoints

CHANNELS, STYLE = 6, 5


class StyleUnet(OwnUnet):
    """One convolution, scaled and shifted by what `modulation` makes of style and time."""

    @register_to_config
    def __init__(self, in_channels: int = 2 * CHANNELS, out_channels: int = CHANNELS, style: int = STYLE) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.modulation = nn.Linear(style + 1, 2 * out_channels)

    def modulate(self, timestep: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return self.modulation(torch.cat([style, timestep[:, None] / 1000], 1))

    def forward(self, sample: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        scale, shift = modulation[:, :, None, None].chunk(2, 1)
        return self.convolution(sample) * scale + shift


class StyleDenoiser(Denoiser):
    """Modulates once a recipe."""

    def __init__(self, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        self.unet: Any = model.unet
        self._layout = layout
        self._modulation = lru_cache(self._modulate)

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        return {"modulation": self._modulation(recipe, step)}

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        return self.unet(sample.to(memory_format=self._layout), conditions["modulation"])

    def _modulate(self, recipe: Recipe, step: int) -> torch.Tensor:
        return self.unet.modulate(recipe.steps[step][:, T], recipe.prompt.prompt_embeds)


class PatchAutoencoder(OwnAutoencoder):
    """One patch, one latent."""

    @register_to_config
    def __init__(self, latent_channels: int = CHANNELS, patch_px: int = 4, scaling_factor: float = 2.0) -> None:
        super().__init__()
        self.patch_px = patch_px
        self.encoder = nn.Conv2d(3, latent_channels, patch_px, patch_px)
        self.decoder = nn.ConvTranspose2d(latent_channels, 3, patch_px, patch_px)

    @property
    def spatial_compression_ratio(self) -> int:
        return self.patch_px

    def encode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        return (self.encoder(x),)

    def decode(self, x: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        return (self.decoder(x),)


class StyleTableConfig(PretrainedConfig):
    model_type = "style_table"


class StyleTable(PreTrainedModel):
    """A style vector for each token."""

    config_class = StyleTableConfig

    def __init__(self, config: StyleTableConfig) -> None:
        super().__init__(config)
        self.styles = nn.Embedding(checkpoints.VOCABULARY, STYLE)
        self.post_init()


def encode_style(pairs: Pairs, sections: Sequence[Pieces], max_chunks: int) -> Encoded:
    """The weighted mean of the tokens' styles."""
    ((tokenizer, table),) = pairs
    total, vectors = 0.0, torch.zeros(1, STYLE)
    for text, weight in sections[0]:
        styles: Any = table.styles(torch.tensor(tokenizer(text)["input_ids"]))
        total, vectors = total + weight * len(styles), vectors + weight * styles.sum(0)
    return vectors / (total or 1), None


def is_styled(facts: FolderFacts) -> bool:
    return facts.unet.get("_class_name") == "StyleUnet"


STYLED = Family(
    name="styled",
    matches=is_styled,
    encode_prompt=encode_style,
    conditions=("modulation",),
    unet=f"{__name__}:StyleUnet",
    denoiser=f"{__name__}:StyleDenoiser",
    autoencoders=(f"{__name__}:PatchAutoencoder",),
    text_encoders=(f"{__name__}:StyleTable",),
    has_guidance=False,
)


def build_styled(folder: Path) -> Path:
    """A model of the family, in diffusers' layout."""
    parts = {"unet": StyleUnet(), "vae": PatchAutoencoder(), "text_encoder": StyleTable(StyleTableConfig())}
    for seed, (name, network) in enumerate(parts.items()):
        checkpoints.fill(network, seed).save_pretrained(folder / name)  # type: ignore[operator]
    checkpoints.save_tokenizer(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(checkpoints.TINY))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StyledPipeline"}))
    return folder

"""An IP-Adapter in use: pictures to tokens, which are kept, and the layers that make keys and values of them.

Must not know params, files, or how the keys and values are heard. Engine's thread only, but for what is encoded beside
the ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ....errors import ParamsError
from ....prompts import Layers
from ...beside import Making
from ...staging import join
from ..encodings import Encodings
from .projection import ImageProjection, Projection

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

    from ....pixels import Pixels
    from ....prompts import Reference

PICTURES_KEPT = 128
"""Pictures whose tokens are kept: some tens of KB each."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the channels, as CLIP's image encoders were trained."""


@dataclass(frozen=True, eq=False)
class PictureTokens:
    """What a UNet is told of a picture.

    Attributes:
        tokens: [1, T, D], the model's dtype and device.
    """

    tokens: torch.Tensor


class ShownPicture(NamedTuple):
    """A picture as a row is told of it."""

    tokens: PictureTokens
    weight: float
    layers: Layers


class IpAdapter:
    """An adapter that fits a model's UNet.

    Args:
        encoder: what the adapter was trained with; where it visits the device, called with its arguments there.
        projection: on the device.
        to_keys_values: for each of the UNet's cross-attentions, in `modules`' order, the layers that make keys and
            values of tokens; on the device.
        layers: for each choice of layers that acts, the factor of each cross-attention.

    Attributes:
        tokens: number of tokens of a picture.
    """

    def __init__(
        self,
        encoder: CLIPVisionModelWithProjection,
        projection: Projection,
        to_keys_values: Sequence[nn.Linear],
        layers: Mapping[Layers, Sequence[float]],
    ) -> None:
        self.encoder = encoder
        self.projection = projection
        self.to_keys_values = list(to_keys_values)
        self.layers = layers
        self._seen: Encodings[PictureTokens] = Encodings(PICTURES_KEPT, lambda one: (one.tokens,))
        self._nothing: Encodings[PictureTokens] = Encodings(1, lambda one: (one.tokens,))
        self._nothing.in_use = self._seen.in_use
        self.tokens = projection.tokens

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """All that must be on the device, without the encoder."""
        return (self.projection, nn.ModuleList(self.to_keys_values))

    @property
    def nothing(self) -> PictureTokens:
        """Of no picture, for rows with a negative prompt, as in diffusers' pipelines: of an embedding of zeros, or of a
        picture of zeros where patches are looked at.
        """
        return self._nothing.get("", partial(self._tokens, None))

    @property
    def pictures_encoded(self) -> int:
        """Number of pictures that were encoded, and not found in the cache."""
        return self._seen.encoded

    def look(self, references: Mapping[str, Pixels]) -> None:
        """Encode those of some pictures that were not seen yet, or long ago; `shown` may name them from now on."""
        if references:
            self._nothing.get("", partial(self._tokens, None))  # now, as no tick is to wait for it
        for reference, picture in references.items():
            self._seen.get(reference, partial(self._tokens, picture))

    def lacks(self, references: Iterable[str]) -> bool:
        """Whether pictures of these ids would have to be encoded."""
        return any(one not in self._seen for one in references)

    def beside(self, references: Mapping[str, Pixels]) -> list[Making]:
        """What encodes beside the ticks what these lack. It is kept from when it is made on."""
        made = self._nothing.beside("", partial(self._tokens, None)) if references else []
        for reference, picture in references.items():
            made += self._seen.beside(reference, partial(self._tokens, picture))
        return made

    def shown(self, reference: Reference) -> ShownPicture:
        """A picture as params want it. Raises ParamsError where it was not looked at, or its layers don't act."""
        if (tokens := self._seen.find(reference.picture)) is None:
            raise ParamsError(
                f"references: the picture {reference.picture} is not here any more: send it again", "references"
            )
        if reference.layers not in self.layers:
            raise ParamsError(f"references: this adapter has no layers {reference.layers}", "references")
        return ShownPicture(tokens, reference.weight, reference.layers)

    @torch.no_grad()
    def _tokens(self, picture: Pixels | None) -> PictureTokens:
        """Tokens of a picture, uint8 [H, W, 3]; None: of nothing."""
        weight = next(self.projection.parameters())
        config: Any = self.encoder.config
        side = int(config.image_size)
        pixels = torch.zeros(1, 3, side, side) if picture is None else clip_pixels(picture, side)
        pixels = join([pixels.to(weight.dtype)], weight.device)
        if not isinstance(self.projection, ImageProjection):
            states = self.encoder(pixels, output_hidden_states=True).hidden_states
            assert states is not None
            seen = states[-2]
        elif picture is None:
            seen = weight.new_zeros(1, self.projection.proj.in_features)
        else:
            seen = self.encoder(pixels).image_embeds
        return PictureTokens(self.projection(seen.to(weight)))


def clip_pixels(picture: Pixels, side: int) -> torch.Tensor:
    """The middle square of a picture as CLIP sees it, float32 [1, 3, side, side].

    Args:
        picture: uint8 [H, W, 3], RGB.
        side: of the encoder's input, in pixels.

    Source: transformers' `CLIPImageProcessor` with its defaults: the shorter side to `side`, bicubic; the middle cut.
    """
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[2:]
    scale = side / min(height, width)
    size = max(side, int(height * scale)), max(side, int(width * scale))
    if size != (height, width):
        pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True).round().clamp(0, 255)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    square = pixels[:, :, top : top + side, left : left + side] / 255
    mean, std = (torch.tensor(one)[None, :, None, None] for one in (CLIP_MEAN, CLIP_STD))
    return (square - mean) / std

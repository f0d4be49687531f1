"""The three regions of a model, as modules of tensors: what each rung runs, captures, compiles or exports.

    encode: pictures, start, noise       → x (noisy latents), conditions of the picture…
    step:   x, steps, noise, conditions… → x (after one step)
    decode: x                            → pictures, finite

Inputs and outputs are passed by name. Pictures are uint8 and latents float32 on all rungs, so that rows in flight may
change rungs between two steps.

Must not know rows, sessions, or rungs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import torch
from torch import nn

from .denoisers.denoiser import ConcatDenoiser, Denoiser, PlainDenoiser, RowEncoder
from .denoisers.folding import FoldedDenoiser, is_foldable
from .networks import Networks
from .recipe import GUIDANCE, KIN, KM, KX, KZ, T
from .state import CallShape

if TYPE_CHECKING:
    from .models.load import Model

Inputs = Mapping[str, torch.Tensor]
"""A region's inputs by name: tensors [B, …]."""
Outputs = Mapping[str, torch.Tensor]
"""A region's outputs by name: tensors [B, …]."""
Run = Callable[..., Outputs]
"""Runs a region: called with its inputs as keywords, it returns its outputs."""


class Kind(StrEnum):
    """The regions' names, as in `CallShape.kind`."""

    ENCODE = "encode"
    STEP = "step"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a region with rows that are not joined to a batch yet.

    Attributes:
        width, height: of the pictures, in pixels.
        plain: number of rows without a second row; they come first.
        guided: number of rows with a second row (classifier-free guidance); they come next.
        columns: the region's inputs by name: a tensor [1, …] for each row. Conditions have one more for each second
            row, in the order [plain, guided, second rows].
    """

    kind: Kind
    width: int
    height: int
    plain: int
    guided: int
    columns: Mapping[str, Sequence[torch.Tensor]]

    @property
    def shape(self) -> CallShape:
        """The call's form, which decides what compiled code can run it."""
        return CallShape(self.kind.value, self.plain + self.guided, self.guided, self.width, self.height)


class EncodeRegion(nn.Module):
    """Pictures to noisy latents and to the conditions that depend on a picture.

    Args:
        encode_latents: see `Networks`.
        row_encoder: computes those conditions.
    """

    def __init__(self, encode_latents: Callable[[torch.Tensor], torch.Tensor], row_encoder: RowEncoder) -> None:
        super().__init__()
        self.encode_latents = encode_latents
        self.row_encoder = row_encoder

    def forward(self, pictures: torch.Tensor, start: torch.Tensor, noise: torch.Tensor) -> Outputs:
        """`x0 = ka·latents + kb·noise`.

        Args:
            pictures: uint8 [B, H, W, 3].
            start: float32 [B, 2]: ka and kb.
            noise: float32 [B, C, h, w].

        Returns:
            `x`: x0, float32 [B, C, h, w]; and the row encoder's conditions.
        """
        pixels = to_pixels(pictures)
        latents = self.encode_latents(pixels).float()
        k = start[:, :, None, None, None]
        return {"x": k[:, 0] * latents + k[:, 1] * noise, **self.row_encoder(pixels, latents)}


class StepRegion(nn.Module):
    """One step of every row, in one UNet call.

    Args:
        denoiser: the UNet.
        guided: number of rows that have a second row. They are the last of B; their second rows follow in `conditions`.
    """

    def __init__(self, denoiser: Denoiser, guided: int) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.guided = guided

    def forward(self, x: torch.Tensor, steps: torch.Tensor, noise: torch.Tensor, **conditions: torch.Tensor) -> Outputs:
        """`x' = kx·x + km·m + kz·noise`, with m the UNet's prediction for kin·x.

        For a guided row, m = m_second + guidance_scale · (m_first − m_second).
        Source: Ho and Salimans 2022, "Classifier-Free Diffusion Guidance", formula 6, with w = guidance_scale − 1.

        Args:
            x: float32 [B, C, h, w].
            steps: float32 [B, 6], columns as in `Recipe.steps`.
            noise: float32 [B, C, h, w].
            conditions: the denoiser's, each [B + guided, …].

        Returns:
            `x`: x', float32 [B, C, h, w].
        """
        k = steps[:, :, None, None, None]
        sample, timestep = k[:, KIN] * x, steps[:, T]
        if not self.guided:
            m = self.denoiser(sample, timestep, conditions).float()
        else:
            rows, plain = len(x), len(x) - self.guided
            sample, timestep = torch.cat([sample, sample[plain:]]), torch.cat([timestep, timestep[plain:]])
            m = self.denoiser(sample, timestep, conditions).float()
            first, second = m[:rows], torch.cat([m[:plain], m[rows:]])
            m = second + k[:, GUIDANCE] * (first - second)
        return {"x": k[:, KX] * x + k[:, KM] * m + k[:, KZ] * noise}


class DecodeRegion(nn.Module):
    """Latents to pictures.

    Args:
        decode_latents: see `Networks`.
    """

    def __init__(self, decode_latents: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.decode_latents = decode_latents

    def forward(self, x: torch.Tensor) -> Outputs:
        """Decode, and check for not-a-number, which the cast to uint8 would hide.

        Args:
            x: float32 [B, C, h, w].

        Returns:
            `pictures`: uint8 [B, H, W, 3]; `finite`: bool [B], whether all of a row's latents and pixels are finite.
        """
        pixels = self.decode_latents(x).float()
        finite = torch.isfinite(x).flatten(1).all(1) & torch.isfinite(pixels).flatten(1).all(1)
        return {"pictures": to_pictures(pixels), "finite": finite}


class Regions:
    """The regions of one model.

    Args:
        networks: the autoencoder's two halves.
        denoiser: the UNet.
    """

    def __init__(self, networks: Networks, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self._encode = EncodeRegion(networks.encode_latents, denoiser.row_encoder()).eval()
        self._decode = DecodeRegion(networks.decode_latents).eval()
        self._steps: dict[int, StepRegion] = {}

    @classmethod
    def of_model(cls, model: Model, *, fold: bool = True) -> Regions:
        """The regions in PyTorch.

        Args:
            fold: whether to fold the UNet (see `folding`) where it can be.
        """
        networks = Networks(model)
        denoiser = _denoiser(model, networks, fold)
        return cls(networks, ConcatDenoiser(denoiser) if model.concat_source else denoiser)

    def region(self, kind: Kind, guided: int = 0) -> nn.Module:
        """A region: the same object for the same arguments. `guided` is that of `StepRegion`; the others ignore it."""
        if kind is Kind.ENCODE:
            return self._encode
        if kind is Kind.DECODE:
            return self._decode
        if guided not in self._steps:
            self._steps[guided] = StepRegion(self.denoiser, guided).eval()
        return self._steps[guided]


def _denoiser(model: Model, networks: Networks, fold: bool) -> Denoiser:
    if model.family.denoiser is not None:
        return resolve_name(model.family.denoiser)(model, networks.layout)
    if fold and is_foldable(model.unet):
        return FoldedDenoiser(model, networks.layout)
    return PlainDenoiser(networks.unet)


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    # In this order the difference is exact in bfloat16 too, which a rung may calculate in.
    return (pictures.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def to_pictures(pixels: torch.Tensor) -> torch.Tensor:
    """Float [B, 3, H, W], nominally in [-1, 1], to uint8 [B, H, W, 3], rounded and clamped."""
    scaled = ((pixels + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()

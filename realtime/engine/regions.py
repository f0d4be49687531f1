"""The three regions of a frame's way through a model, as modules of tensors: what each rung runs, captures or exports.

    open:  pictures, start, noise                   → noisy latents, source latents
    step:  x, steps, noise[, source], conditions…   → x one step on
    close: x                                        → pictures, finite

Pictures are uint8, latents float32: they are the same on all rungs, so that rows in flight may change rungs between two
steps. Must not know rows, sessions, or how a region is made fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from .denoiser import Denoiser, PlainDenoiser, UnetCall
from .folding import FoldedDenoiser, is_foldable
from .recipe import GUIDANCE, KIN, KM, KX, KZ, T

if TYPE_CHECKING:
    from .models.load import Model

Outputs = tuple[torch.Tensor, ...]


class Kind(StrEnum):
    """Which region."""

    OPEN = "open"
    STEP = "step"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a region, its rows not yet joined to a batch.

    Attributes:
        width, height: of the pictures.
        plain: rows without a second row; they stand first.
        guided: rows with one (classifier-free guidance), behind them.
        columns: the region's inputs by name, in its order: a tensor [1, …] for each row. What the UNet is told of a row
            has one for each second row too, behind all: [plain, guided, second rows].
    """

    kind: Kind
    width: int
    height: int
    plain: int
    guided: int
    columns: Mapping[str, Sequence[torch.Tensor]]


class Networks(Protocol):
    """What answers the calls into a model's networks: torch modules, or another run time's functions.

    Attributes:
        encode_latents: float32 [B, 3, H, W] in [-1, 1] to latents [B, C, h, w], times the autoencoder's scaling factor.
        unet: one prediction [B, C, h, w] for each row; see `UnetCall`.
        decode_latents: float32 latents [B, C, h, w] to pixels [B, 3, H, W], nominally in [-1, 1].
    """

    @property
    def encode_latents(self) -> Callable[[torch.Tensor], torch.Tensor]: ...  # noqa: D102
    @property
    def unet(self) -> UnetCall: ...  # noqa: D102
    @property
    def decode_latents(self) -> Callable[[torch.Tensor], torch.Tensor]: ...  # noqa: D102


class OpenRegion(nn.Module):
    """Pictures to noisy latents."""

    def __init__(self, encode_latents: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.encode_latents = encode_latents

    def forward(self, pictures: torch.Tensor, start: torch.Tensor, noise: torch.Tensor) -> Outputs:
        """`x0 = ka·latents + kb·noise`.

        Args:
            pictures: uint8 [B, H, W, 3].
            start: float32 [B, 2]: ka and kb.
            noise: float32 [B, C, h, w].

        Returns:
            x0 and the picture's latents, float32 [B, C, h, w].
        """
        source = self.encode_latents(to_pixels(pictures)).float()
        k = start[:, :, None, None, None]
        return k[:, 0] * source + k[:, 1] * noise, source


class StepRegion(nn.Module):
    """One step of every row, in one UNet call.

    Args:
        denoiser: the UNet.
        concat_source: whether it takes the source latents beside the noisy ones (InstructPix2Pix's layout).
        guided: how many rows have a second row; they stand last, their second rows behind all.
    """

    def __init__(self, denoiser: Denoiser, concat_source: bool, guided: int) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.concat_source = concat_source
        self.guided = guided

    def forward(self, x: torch.Tensor, steps: torch.Tensor, noise: torch.Tensor, *rest: torch.Tensor) -> Outputs:
        """`x' = kx·x + km·m + kz·noise`, with m the UNet's answer to kin·x.

        Args:
            x: float32 [B, C, h, w].
            steps: float32 [B, 6], columns as `Recipe.steps`.
            noise: float32 [B, C, h, w].
            rest: with `concat_source` first the source latents, float32 [B, C, h, w]; then the denoiser's conditions,
                each [B + guided, …].

        Returns:
            x', float32 [B, C, h, w].
        """
        k = steps[:, :, None, None, None]
        sample, timestep = k[:, KIN] * x, steps[:, T]
        if self.concat_source:
            sample, rest = torch.cat([sample, rest[0]], 1), rest[1:]
        if not self.guided:
            m = self.denoiser(sample, timestep, *rest).float()
        else:
            rows, plain = len(x), len(x) - self.guided
            sample, timestep = torch.cat([sample, sample[plain:]]), torch.cat([timestep, timestep[plain:]])
            m = self.denoiser(sample, timestep, *rest).float()
            first, second = m[:rows], torch.cat([m[:plain], m[rows:]])
            m = second + k[:, GUIDANCE] * (first - second)
        return (k[:, KX] * x + k[:, KM] * m + k[:, KZ] * noise,)


class CloseRegion(nn.Module):
    """Latents to pictures."""

    def __init__(self, decode_latents: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.decode_latents = decode_latents

    def forward(self, x: torch.Tensor) -> Outputs:
        """Decode. Not-a-number is looked for here: the cast to uint8 would hide it.

        Args:
            x: float32 [B, C, h, w].

        Returns:
            Pictures, uint8 [B, H, W, 3]; and bool [B]: whether all of a row's latents and pixels are finite numbers.
        """
        pixels = self.decode_latents(x).float()
        finite = torch.isfinite(x).flatten(1).all(1) & torch.isfinite(pixels).flatten(1).all(1)
        return to_pictures(pixels), finite


class Regions:
    """The regions of one model.

    Args:
        networks: answer the calls into the autoencoder.
        denoiser: the UNet.
        concat_source: see `StepRegion`.
    """

    def __init__(self, networks: Networks, denoiser: Denoiser, concat_source: bool) -> None:
        self.denoiser = denoiser
        self.concat_source = concat_source
        self._open = OpenRegion(networks.encode_latents).eval()
        self._close = CloseRegion(networks.decode_latents).eval()
        self._steps: dict[int, StepRegion] = {}

    @classmethod
    def of_model(cls, model: Model) -> Regions:
        """The regions in PyTorch, without what is constant where the UNet is of a known kind."""
        networks = TorchNetworks(model)
        if not is_foldable(model.unet):
            return cls.of_networks(model, networks)
        return cls(networks, FoldedDenoiser(model, networks.layout), model.concat_source)

    @classmethod
    def of_networks(cls, model: Model, networks: Networks) -> Regions:
        """The regions of networks that want to be told everything on each call."""
        return cls(networks, PlainDenoiser(networks.unet, takes_timestep_cond(model)), model.concat_source)

    def region(self, kind: Kind, guided: int = 0) -> nn.Module:
        """A region, the same object for the same arguments; `guided` matters to the step only."""
        if kind is Kind.OPEN:
            return self._open
        if kind is Kind.CLOSE:
            return self._close
        if guided not in self._steps:
            self._steps[guided] = StepRegion(self.denoiser, self.concat_source, guided).eval()
        return self._steps[guided]


def takes_timestep_cond(model: Model) -> bool:
    """Whether a model's UNet takes the guidance scale's embedding beside the timestep."""
    return model.unet.config["time_cond_proj_dim"] is not None


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    # In this order the difference is exact in bfloat16 too, which a rung may calculate in.
    return (pictures.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def to_pictures(pixels: torch.Tensor) -> torch.Tensor:
    """Float [B, 3, H, W], nominally in [-1, 1], to uint8 [B, H, W, 3], rounded and clamped."""
    scaled = ((pixels + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class TorchNetworks:
    """A model's networks in PyTorch: modules that take float32 and hand on what the weights want.

    Args:
        model: its weights are put into the layout that convolutions want.
    """

    def __init__(self, model: Model) -> None:
        # Channels last: on two CPU cores the autoencoder takes 15 ms of 60 a frame less. MPS gains nothing by it.
        layout = torch.contiguous_format if model.device.type == "mps" else torch.channels_last
        networks: list[Any] = [model.unet, model.vae]
        for network in networks:
            network.to(memory_format=layout)
        self.layout = layout
        self.encode_latents = _Half(model, model.encode_latents, layout)
        self.unet = _Unet(model, layout)
        self.decode_latents = _Half(model, model.decode_latents, layout)


class _Half(nn.Module):
    """The autoencoder, one way.

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
    def __init__(self, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        self.unet = model.unet
        self._dtype, self._layout = model.dtype, layout

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        unet: Any = self.unet
        return unet(
            sample.to(self._dtype, memory_format=self._layout),
            timestep,
            encoder_hidden_states=prompt_embeds,
            timestep_cond=timestep_cond,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]

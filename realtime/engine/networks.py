"""A model's three networks as modules of tensors only, and inputs to try them with: what compilers take.

Must not know compilers, packages or rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from .models import Model

Shape = tuple[int, ...]


class Network(StrEnum):
    """Which one."""

    ENCODER = "encoder"
    UNET = "unet"
    DECODER = "decoder"


class Signature(NamedTuple):
    """A network and the shapes of its inputs: what one compiled package serves."""

    network: Network
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, network: Network, inputs: Sequence[torch.Tensor]) -> Signature:
        """The signature of a call."""
        return cls(network, tuple(tuple(tensor.shape) for tensor in inputs))

    def wire(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"network": self.network.value, "shapes": [list(shape) for shape in self.shapes]}

    @classmethod
    def parse(cls, wire: dict[str, Any]) -> Signature:
        """What `wire` gave."""
        return cls(Network(wire["network"]), tuple(tuple(shape) for shape in wire["shapes"]))

    def __str__(self) -> str:
        """For people: `unet 1×24×32×32`."""
        return f"{self.network} {'×'.join(map(str, self.shapes[0]))}"


def of_model(model: Model) -> dict[Network, torch.nn.Module]:
    """The three networks. They hold the model's own weights."""
    modules = (_Encoder(model), _Unet(model), _Decoder(model))
    return {network: module.eval() for network, module in zip(Network, modules, strict=True)}


def first_signatures(model: Model, width: int, height: int) -> list[Signature]:
    """What one frame of a size calls, with one row and no second one.

    Args:
        width, height: of the picture, in pixels.
    """
    scale = model.latent_scale_px
    h, w = height // scale, width // scale
    prompt = model.prompt_encoder.encode("")
    shapes: list[Shape] = [(1, int(model.unet.config["in_channels"]), h, w), (1,), tuple(prompt.prompt_embeds.shape)]
    if model.unet.config["time_cond_proj_dim"] is not None:
        shapes.append((1, int(model.unet.config["time_cond_proj_dim"])))
    if prompt.pooled is not None:
        shapes += [tuple(prompt.pooled.shape), (1, 6)]
    return [
        Signature(Network.ENCODER, ((1, 3, height, width),)),
        Signature(Network.UNET, tuple(shapes)),
        Signature(Network.DECODER, ((1, model.latent_channels, h, w),)),
    ]


def example(model: Model, signature: Signature) -> tuple[torch.Tensor, ...]:
    """Random inputs in the form in which a backend gives them: pictures and latents with their channels last."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(shape, generator=generator).to(model.device, model.dtype) for shape in signature.shapes]
    inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
    if signature.network is Network.UNET:
        inputs[1] = torch.full(signature.shapes[1], 499.0, device=model.device)  # timesteps are float32 on every rung
    return tuple(inputs)


class _Encoder(torch.nn.Module):
    """`Backend.encode_latents`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.vae = model.vae

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._model.encode_latents(pixels)


class _Unet(torch.nn.Module):
    """`Backend.unet`; the optional inputs come in its order, where the model takes them."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.unet = model.unet
        self._timestep_conds = int(model.unet.config["time_cond_proj_dim"] is not None)

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, prompt_embeds: torch.Tensor, *extra: torch.Tensor
    ) -> torch.Tensor:
        unet: Any = self.unet
        added = extra[self._timestep_conds :]
        return unet(
            sample,
            timestep,
            encoder_hidden_states=prompt_embeds,
            timestep_cond=extra[0] if self._timestep_conds else None,
            added_cond_kwargs=dict(zip(("text_embeds", "time_ids"), added, strict=True)) if added else None,
            return_dict=False,
        )[0]


class _Decoder(torch.nn.Module):
    """`Backend.decode_latents`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.vae = model.vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self._model.decode_latents(latents)

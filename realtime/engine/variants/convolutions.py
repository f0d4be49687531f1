"""Convolutions with the ReLU behind them, and with what is added before that, in one call: of tiny autoencoders.

On a GPU bias, ReLU and residual are passes over memory each, which take longer than these few channels' arithmetic.

Must not know regions, or what a model is trained for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..models.painter.networks import ResidualBlock
from ..models.quiet import quiet
from .operators import conv_relu

with quiet():
    from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock


class ConvRelu(nn.Module):
    """A convolution and a ReLU, on the convolution's weights."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        """[B, C, h, w] to `relu(conv(x) + residual)`, [B, D, h', w']."""
        conv: Any = self.convolution
        return conv_relu(x, conv.weight, conv.bias, residual, conv.stride, conv.padding)


class FusedResidual(nn.Module):
    """`relu(conv(… relu(conv(x))) + skip(x))`.

    Args:
        convolutions: each with a ReLU behind it.
        skip: None for the samples as they are.
    """

    def __init__(self, convolutions: list[nn.Conv2d], skip: nn.Module | None) -> None:
        super().__init__()
        *first, last = map(ConvRelu, convolutions)
        self.first = nn.Sequential(*first)
        self.last = last
        self.skip = skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] to [B, D, h, w]."""
        return self.last(self.first(x), x if self.skip is None else self.skip(x))


def fuse_convolutions(network: nn.Module) -> int:
    """Fuse what can be in a network, in place.

    Returns:
        The number of convolutions that were fused.
    """
    fused = 0
    for name, child in list(network.named_children()):
        if (block := _fused_block(child)) is not None:
            setattr(network, name, block)
            fused += sum(isinstance(part, ConvRelu) for part in block.modules())
        else:
            fused += fuse_convolutions(child)
    if isinstance(network, nn.Sequential):
        for index in range(len(network) - 1):
            if _is_plain(network[index]) and isinstance(network[index + 1], nn.ReLU):
                network[index], network[index + 1] = ConvRelu(network[index]), nn.Identity()  # pyright: ignore
                fused += 1
    return fused


def _fused_block(block: nn.Module) -> FusedResidual | None:
    """A block of those that are known; None for another module."""
    if isinstance(block, ResidualBlock):
        return FusedResidual([block.first, block.second], None)
    if isinstance(block, AutoencoderTinyBlock):
        *inner, last = block.conv
        convolutions, activations = [*inner[::2], last], inner[1::2]
        if all(map(_is_plain, convolutions)) and all(isinstance(one, nn.ReLU) for one in [*activations, block.fuse]):
            skip = None if isinstance(block.skip, nn.Identity) else block.skip
            return FusedResidual(convolutions, skip)  # pyright: ignore[reportArgumentType]
    return None


def _is_plain(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.groups == 1
        and module.dilation == (1, 1)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )

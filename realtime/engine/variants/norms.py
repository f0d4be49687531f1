"""Group norms of a folded network with the SiLU behind them, in one module each.

Must not know regions, or how it is calculated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..models.quiet import quiet
from .operators import group_norm

with quiet():
    from diffusers.models.resnet import ResnetBlock2D


class NormSilu(nn.Module):
    """A group norm on its weights, with or without SiLU."""

    def __init__(self, norm: nn.GroupNorm, *, silu: bool) -> None:
        super().__init__()
        self.norm = norm
        self._silu = silu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] to the same."""
        norm = self.norm
        assert norm.weight is not None and norm.bias is not None
        return group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu=self._silu)

    def extra_repr(self) -> str:
        """What two of them may differ in, beside the norm."""
        return f"silu={self._silu}"


def join_norms(network: nn.Module, *, alone: bool) -> int:
    """Replace the group norms of a folded network that have a SiLU behind them.

    Args:
        alone: whether those without one, which stand before attention, are replaced too.

    Returns:
        How many were replaced.
    """
    found = 0
    for resnet in [module for module in network.modules() if isinstance(module, ResnetBlock2D)]:
        one: Any = resnet
        norms = one.norm1, one.norm2
        if (
            isinstance(one.nonlinearity, nn.SiLU)
            and one.time_embedding_norm == "default"
            and all(map(_is_plain, norms))
        ):
            one.norm1, one.norm2 = (NormSilu(norm, silu=True) for norm in norms)
            one.nonlinearity = nn.Identity()
            found += 2
    whole: Any = network
    if _is_plain(getattr(whole, "conv_norm_out", None)) and isinstance(whole.conv_act, nn.SiLU):
        whole.conv_norm_out, whole.conv_act = NormSilu(whole.conv_norm_out, silu=True), nn.Identity()
        found += 1
    return found + (_join_rest(network) if alone else 0)


def _join_rest(network: nn.Module) -> int:
    found = 0
    for name, child in list(network.named_children()):
        if _is_plain(child):
            setattr(network, name, NormSilu(child, silu=False))  # pyright: ignore[reportArgumentType]
            found += 1
        elif not isinstance(child, NormSilu):
            found += _join_rest(child)
    return found


def _is_plain(module: nn.Module | None) -> bool:
    return type(module) is nn.GroupNorm and module.affine

"""What nets add to a UNet's samples, packed: one tensor [B, R] a call instead of thirteen.

Must not know nets, rows, or how a UNet is made fast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

CONTROL, FEATURES = "control", "features"
"""Names of the step's conditions: what ControlNets add to the down and middle blocks' results, and T2I-Adapters inside
of the down blocks."""

Shape = tuple[int, int, int]


class Places:
    """Where nets add to the samples of one UNet, and in which order.

    Args:
        unet: a UNet2DConditionModel, or a ControlNetModel, whose down blocks are alike.
    """

    def __init__(self, unet: nn.Module) -> None:
        self._first = int(_of(unet, "conv_in").out_channels)
        self._blocks = [
            (
                int(_last(block.resnets).out_channels),
                len(block.resnets),
                bool(block.downsamplers),
                bool(getattr(block, "has_cross_attention", False)),
            )
            for block in _of(unet, "down_blocks")
        ]

    def __repr__(self) -> str:
        """All that decides where nets add to the samples."""
        return f"Places({self._first}, {self._blocks})"

    def of_control(self, height: int, width: int) -> list[Shape]:
        """The shapes of a ControlNet's results for latents of this size: of the down blocks, then of the middle one.

        Returns:
            (channels, height, width) of each.
        """
        shapes, last = [(self._first, height, width)], self._first
        for channels, layers, shrinks, _ in self._blocks:
            shapes += [(channels, height, width)] * layers
            if shrinks:
                height, width = _half(height), _half(width)
                shapes.append((channels, height, width))
            last = channels
        return [*shapes, (last, height, width)]

    def of_features(self, height: int, width: int) -> list[Shape]:
        """The shapes of a T2I-Adapter's results for latents of this size: of the down blocks, then, for SDXL, of the
        middle one. Those with attention take theirs before they shrink, the others behind it.
        """
        shapes: list[Shape] = []
        last = self._first
        for channels, _, shrinks, attends in self._blocks:
            before = height, width
            if shrinks:
                height, width = _half(height), _half(width)
            shapes.append((channels, *(before if attends else (height, width))))
            last = channels
        return [*shapes, (last, height, width)]

    def told(self, conditions: Mapping[str, torch.Tensor], sample: torch.Tensor) -> dict[str, Any]:
        """The UNet's keywords of what nets add: none where the conditions have nothing of them.

        Args:
            conditions: `control` and `features` [B, …], each if it is wanted.
            sample: [B, C, h, w], the latents.
        """
        told: dict[str, Any] = {}
        if (packed := conditions.get(CONTROL)) is not None:
            *down, middle = _split(packed, self.of_control(*sample.shape[-2:]))
            told = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        if (packed := conditions.get(FEATURES)) is not None:
            told["down_intrablock_additional_residuals"] = _split(packed, self.of_features(*sample.shape[-2:]))
        return told


def pack(parts: Sequence[torch.Tensor], shapes: Sequence[Shape] = ()) -> torch.Tensor:
    """Results [B, C, h, w] side by side, [B, R].

    Args:
        shapes: that they are to have: means over a whole picture [B, C, 1, 1] are repeated. What there is none of is
            zero.
    """
    if shapes:
        parts = [part.expand(-1, *shape) for part, shape in zip(parts, shapes, strict=False)]
        zeros = [parts[0].new_zeros(shape).expand(parts[0].shape[0], *shape) for shape in shapes[len(parts) :]]
        parts = [*parts, *zeros]
    return torch.cat([part.flatten(1) for part in parts], 1)


def numbers(shapes: Sequence[Shape]) -> int:
    """R: how many numbers results of these shapes are."""
    return sum(map(math.prod, shapes))


def _split(packed: torch.Tensor, shapes: Sequence[Shape]) -> list[torch.Tensor]:
    parts = packed.split([math.prod(shape) for shape in shapes], 1)
    return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]


def _half(side: int) -> int:
    return -(-side // 2)


def _of(network: nn.Module, name: str) -> Any:
    return getattr(network, name)


def _last(layers: Any) -> Any:
    return layers[-1]

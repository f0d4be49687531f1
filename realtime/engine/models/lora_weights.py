"""A model's weights under LoRAs: changed in place, as often as wanted, and back to what they were bit for bit.

A weight is calculated from what it was without LoRAs, W₀, and never from what it is: in float32, one LoRA after the
other, and rounded once. So the same LoRAs give the same weights, whatever was worn before. It is written where the
weight lies, so that graphs, packages and folded copies, which use the module's own tensors, have it at once.

Must not know how files are found, what is made of the weights, or threads' turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ...errors import ModelError
from ..device_memory import gigabytes
from .header import shown
from .lora_fusing import Edit, LoraFile, tensors_of
from .lora_keys import Layer

HOST_RESERVE_BYTES = 500_000_000
"""Of the host's memory that are left free beside the weights that are kept there."""


class _Base(NamedTuple):
    """What a layer is without LoRAs, in the host's memory, pinned where the layer is on a GPU."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def nbytes(self) -> int:
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)


class Worn(NamedTuple):
    """A LoRA that is worn.

    Attributes:
        name: as the user wrote it, for messages.
        path: of the file.
        scale: factor of its changes.
    """

    name: str
    path: Path
    file: LoraFile
    scale: float


_Edits = Mapping[Layer, tuple[tuple[Edit, float], ...]]


@dataclass(frozen=True, eq=False)
class Wearing:
    """LoRAs that fit a model and may be put on. Made by `LoraWeights.ready`.

    Attributes:
        loras: in the order in which they are added.
        bases: of the layers that no LoRA has changed before.
    """

    loras: tuple[Worn, ...]
    bases: Mapping[Layer, _Base] = field(default_factory=dict[Layer, _Base])


class LoraWeights:
    """The weights of one model's networks.

    Args:
        networks: the UNet, then the text encoders: wherever they are when they are not called.

    Attributes:
        worn: the LoRAs in force.
        revision: rises with each change.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.networks = tuple(networks)
        self.worn: tuple[Worn, ...] = ()
        self.revision = 0
        self._edits: _Edits = {}
        self._bases: dict[Layer, _Base] = {}

    def obstacle(self, loras: Sequence[Worn]) -> str:
        """Why the host's memory is too short for what the layers are without these LoRAs; empty where it isn't."""
        needed = sum(_nbytes(layer.module_of(self.networks)) for layer in self._new_layers(loras))
        free = _free_host_bytes()
        if free is None or needed + HOST_RESERVE_BYTES <= free:
            return ""
        return (
            f"what the weights are without it takes {gigabytes(needed)} of memory, and {gigabytes(free)} are free: "
            "free some, or take a LoRA of fewer layers"
        )

    def ready(self, loras: Sequence[Worn]) -> Wearing:
        """Keep what the layers are that these LoRAs change, so that `wear` has little to do. Any thread, one at a time.

        Raises:
            ModelError: the host's memory is too short for it.
        """
        if why := self.obstacle(loras):
            raise ModelError(why)
        layers = self._new_layers(loras)
        return Wearing(tuple(loras), {layer: _base(layer.module_of(self.networks)) for layer in layers})

    def _new_layers(self, loras: Sequence[Worn]) -> set[Layer]:
        return {layer for lora in loras for layer in lora.file.edits} - self._bases.keys()

    @torch.no_grad()
    def wear(self, wearing: Wearing) -> None:
        """Have these LoRAs in force, and no others. While no network is called.

        Raises:
            ModelError: a weight overflows; then the LoRAs in force stay as they were.
        """
        before, after = self._edits, _by_layer(wearing.loras)
        self._bases = {**wearing.bases, **self._bases}
        changed = [layer for layer in {**before, **after} if before.get(layer) != after.get(layer)]
        self.revision += 1
        try:
            self._put(changed, after)
        except BaseException:
            self._put(changed, before)
            raise
        self._edits, self.worn = after, wearing.loras
        kept = {layer for lora in wearing.loras for layer in lora.file.edits}
        self._bases = {layer: base for layer, base in self._bases.items() if layer in kept}

    @torch.no_grad()
    def fuse(self, loras: Sequence[Worn]) -> None:
        """Add these LoRAs for good: what the weights are then is what they are without LoRAs. While none is worn.

        Raises:
            ModelError: a weight overflows; then some layers are changed.
        """
        edits = _by_layer(loras)
        for layer in edits:
            self._bases = {layer: _base(layer.module_of(self.networks))}
            self._put([layer], edits)
        self._bases = {}

    def _put(self, layers: Iterable[Layer], edits: _Edits) -> None:
        """Write the weights of these layers. Raises ModelError where one overflows, behind all."""
        finite: list[tuple[Edit, torch.Tensor]] = []
        for layer in layers:
            targets = tensors_of(layer.module_of(self.networks))
            device = targets[0].device
            weight, bias = (
                None if kept is None else kept.to(device, non_blocking=True).float() for kept in self._bases[layer]
            )
            assert weight is not None
            for edit, scale in edits.get(layer, ()):
                weight, bias = edit.changed(weight, bias, scale)
            for target, tensor in zip(targets, (weight, bias), strict=True):
                if target is not None and tensor is not None:
                    target.data.copy_(tensor)
                    finite += [(edit, target.isfinite().all()) for edit, _ in edits.get(layer, ())[-1:]]
        # Looked at together: each look waits for the device.
        for edit, is_finite in finite:
            if not is_finite:
                raise ModelError(f"layer {shown(edit.name)} overflows: take a smaller scale, or --dtype float32")


def _by_layer(loras: Iterable[Worn]) -> _Edits:
    """The edits of each layer; a scale of 0 is none: DoRA too leaves the model as it was then."""
    edits: dict[Layer, tuple[tuple[Edit, float], ...]] = {}
    for lora in loras:
        for layer, edit in lora.file.edits.items() if lora.scale else ():
            edits[layer] = (*edits.get(layer, ()), (edit, lora.scale))
    return edits


def _base(module: nn.Module) -> _Base:
    def kept(tensor: torch.Tensor) -> torch.Tensor:
        copy = tensor.detach().to("cpu", copy=True)
        return copy.pin_memory() if tensor.device.type == "cuda" else copy

    weight, bias = tensors_of(module)
    return _Base(kept(weight), None if bias is None else kept(bias))


def _nbytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in tensors_of(module) if tensor is not None)


def _free_host_bytes() -> int | None:
    """Memory of this machine that may be taken; None where it isn't told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None

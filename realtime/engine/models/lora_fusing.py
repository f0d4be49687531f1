"""Reads one LoRA file for a model: what it makes of the weights of each layer that it names, or why it does not fit.

Must not know how files are found, nor do arithmetic of formats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import nn

from ...errors import ModelError
from .components import one_line
from .files import read_json
from .header import Header, shown
from .lora_formulas import Alpha, LayerParts, added, added_to_bias
from .lora_keys import PEFT_PREFIX, Layer, LayerNames, sort_keys

_NETWORKS = ("unet", "text_encoder", "text_encoder_2")
"""As they are called in metadata, in the order of `Layer.network`."""


@dataclass(frozen=True, slots=True, eq=False)
class LoraFile:
    """A LoRA that was read, and fits a model.

    Attributes:
        edits: what it does to each layer.
        notes: what of the file has no effect here, for the user.
    """

    edits: Mapping[Layer, Edit]
    notes: tuple[str, ...]


def read_file(networks: Sequence[nn.Module], path: Path, header: Header) -> LoraFile:
    """Read a LoRA's file and check it against a model, which stays as it is.

    Args:
        networks: the UNet, then the text encoders.
        path: a `.safetensors` file.
        header: of the file.

    Raises:
        ModelError: it is no LoRA, of an unknown layout or format, has numbers that aren't finite, or is made for
            another model.
    """
    keys = sort_keys(header.shapes)
    layers = LayerNames(networks[0], networks[1:]).find(keys.layers)
    alphas = _Alphas.of(path, header.metadata, keys.layers)
    with one_line(path.name):
        state = load_file(path)
    edits: dict[Layer, Edit] = {}
    for name, layer in layers.items():
        tensors = {part: state[key] for part, key in keys.layers[name].items()}
        edit = Edit(name, tensors, alphas.find(layer))
        if not edit.equals(edits.setdefault(layer, edit)):
            raise ModelError(f"it changes a layer twice, as {shown(name)} and {shown(edits[layer].name)}: take another")
    for layer, edit in edits.items():
        edit.check(layer.module_of(networks))
    notes = (
        f"its embedding {name!r} isn't used: that word has the meaning that it has without it"
        for name in sorted(keys.embeddings)
    )
    return LoraFile(edits, tuple(notes))


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What a LoRA does to one layer.

    Attributes:
        name: of the layer in the file.
        tensors: by part, in the file's dtypes.
        alpha: for a layer without its own.
    """

    name: str
    tensors: LayerParts
    alpha: Alpha

    def equals(self, other: Edit) -> bool:
        """True if both do the same: some files name their layers in two layouts."""
        mine, theirs = self.tensors, other.tensors
        return self is other or (
            mine.keys() == theirs.keys() and all(torch.equal(tensor, theirs[part]) for part, tensor in mine.items())
        )

    def check(self, module: nn.Module) -> None:
        """Check the numbers and, without calculating, whether they fit this layer. Raises ModelError."""
        for part, tensor in self.tensors.items():
            if part == "alpha" and tensor.numel() != 1:
                raise ModelError(f"the alpha of {shown(self.name)} isn't one number: it is damaged, fetch it again")
            if not tensor.numel():
                raise ModelError(f"layer {shown(self.name)} is empty ({part}): it is damaged, fetch it again")
            if part != "alpha" and not tensor.is_floating_point():
                dtype = str(tensor.dtype).removeprefix("torch.")
                raise ModelError(f"layer {shown(self.name)} is quantised ({dtype}): take one that isn't")
            if not tensor.float().isfinite().all():
                raise ModelError(
                    f"layer {shown(self.name)} has numbers that aren't finite ({part}): it is damaged, fetch it again"
                )
        weight, bias = (
            None if own is None else own.detach().to(device="meta", dtype=torch.float32) for own in tensors_of(module)
        )
        assert weight is not None
        self._changes(weight, bias)

    def changed(
        self, weight: torch.Tensor, bias: torch.Tensor | None, scale: float
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weight and bias with the change times `scale` added, float32 as they are, on their device."""
        of_weight, of_bias = self._changes(weight, bias)
        return (
            weight if of_weight is None else weight + scale * of_weight,
            bias if bias is None or of_bias is None else bias + scale * of_bias,
        )

    def _changes(
        self, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """What is added to weight and bias at scale 1, float32. Raises ModelError where the parts don't fit."""
        parts = {
            part: tensor.reshape(()) if part == "alpha" else tensor.to(device=weight.device, dtype=torch.float32)
            for part, tensor in self.tensors.items()
        }
        try:
            return added(parts, weight, self.alpha), added_to_bias(parts, bias, self.alpha)
        except ModelError as error:
            raise ModelError(
                f"layer {shown(self.name)}: {error}: it is damaged, or made for a model of another family"
            ) from None


def tensors_of(module: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A layer's weight, and its bias where it has one."""
    return cast("torch.Tensor", module.weight), cast("torch.Tensor | None", getattr(module, "bias", None))


@dataclass(frozen=True, slots=True)
class _Alphas:
    """The alphas that a file states beside its tensors.

    Attributes:
        fields: those of PEFT's `LoraConfig`, each with `unet.` or the like in front where it is of one network only.
    """

    fields: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path, metadata: Mapping[str, str], names: Iterable[str]) -> _Alphas:
        """Read them. Sources: diffusers' `lora_adapter_metadata`, SimpleTuner's plain fields, PEFT's configuration."""
        if any(name.startswith(PEFT_PREFIX) for name in names):
            beside = path.parent / "adapter_config.json"
            if not beside.is_file():
                raise ModelError("it is PEFT's own file, whose strength is in adapter_config.json: put that beside it")
            return cls(read_json(beside))
        try:
            stated = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        except (ValueError, RecursionError):
            stated = None
        if not isinstance(stated, dict):
            raise ModelError("its lora_adapter_metadata is no JSON object: it is damaged, fetch it again")
        return cls({**metadata, **cast("dict[str, Any]", stated)})

    def find(self, layer: Layer) -> Alpha:
        """The alpha of a layer. Raises ModelError where it is stated unclearly."""
        value = self._field(layer, "lora_alpha")
        patterns = self._field(layer, "alpha_pattern") or {}
        if not isinstance(patterns, dict):
            raise ModelError("its alpha_pattern is no JSON object: it is damaged, fetch it again")
        for pattern, alpha in cast("dict[str, Any]", patterns).items():
            if re.search(r"[^\w.]", pattern):
                raise ModelError(
                    f"its alpha_pattern has {shown(pattern)}, and names of layers are wanted: write them out"
                )
            if layer.name == pattern or layer.name.endswith(f".{pattern}"):
                value = alpha
        return Alpha(_number(value), by_root=self._field(layer, "use_rslora") in (True, "true", "True"))

    def _field(self, layer: Layer, name: str) -> Any:
        return self.fields.get(f"{_NETWORKS[layer.network]}.{name}", self.fields.get(name))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not torch.isfinite(torch.tensor(number)):
        raise ModelError(f"its lora_alpha is {shown(str(value))}, and a number is wanted: mend its metadata")
    return number

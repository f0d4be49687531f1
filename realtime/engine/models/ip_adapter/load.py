"""Loads an IP-Adapter by name, with its image encoder, and checks that it fits a model.

Must not know params, or how an adapter is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import nn

from ....errors import ConfigError, ModelError
from ....prompts import Layers
from ..components import UNet2DConditionModel, load_vision_encoder, one_line, prefixed
from ..family import SD2
from ..files import find_component, list_files, local_path, read_json
from ..header import Header, read_header
from ..hub import HubId, fetch
from ..quiet import quiet
from .adapter import IpAdapter
from .names import (
    ADAPTERS,
    REPOSITORY,
    VIT_G,
    VIT_H,
    AdapterPreset,
    check_reference,
    files_of,
    hub_file,
    names_for,
)
from .projection import ImageProjection, Projection, projection_for

with quiet():
    from diffusers.models.attention import BasicTransformerBlock

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

    from ... import Progress
    from ..family import Family
    from ..parts import Parts

_PROJECTION, _LAYERS = "image_proj.", "ip_adapter."
_FACE = "it wants the embedding of a face by a network whose weights are not for commercial use"
_REFUSED = {
    "image_proj.perceiver_resampler.proj_in.weight": _FACE,
    "image_proj.norm.weight image_proj.proj.2.weight": _FACE,
    "image_proj.proj.3.weight": "it is made for faces alone, 257 tokens a picture",
}
"""Names of weights, of which one adapter has all, and why there is none such here."""

_STYLE_AND_COMPOSITION: Mapping[str, Mapping[Layers, tuple[str, ...]]] = {
    "sdxl": {Layers.STYLE: ("up_blocks.0.attentions.1.",), Layers.COMPOSITION: ("down_blocks.2.attentions.1.",)},
    "sd": {Layers.STYLE: ("up_blocks.1.",), Layers.COMPOSITION: ("down_blocks.2.", "mid_block.")},
}
"""Where in a family's UNets a picture is heard for these. Its authors call those of SD 1.x experimental.

Source: Wang et al. 2024, "InstantStyle" (arXiv 2404.02733), and the demos of its repository.
"""


@dataclass(frozen=True)
class _Found:
    """Files of an adapter.

    Attributes:
        folders: where its image encoder may be; empty where it is the preset's.
        preset: None where a file was named.
    """

    file: Path
    folders: Sequence[Path]
    preset: AdapterPreset | None = None


def load_ip_adapter(name: str, parts: Parts, progress: Progress) -> IpAdapter:
    """Load an adapter for a model, on the CPU.

    Args:
        name: a preset, a .safetensors file, or a file on the hub as org/name/FILE.safetensors.
        parts: of the model, which stays as it is.

    Raises:
        ModelError: it can't be found or read, is none, or does not fit the model; the message says which one does.
        ConfigError: the model needs none.
    """
    _check_family(parts.family)
    found = _find(name, progress)
    progress(f"loading {found.file.stem}", None)
    with prefixed(f"reference {name}"):
        header = read_header(found.file)
        _check_kind(header)
        attentions = cross_attentions(parts.unet)
        width = _check_fit(header, attentions, parts)
        shapes = {key.removeprefix(_PROJECTION): shape for key, shape in header.shapes.items() if _is_projection(key)}
        projection = projection_for(shapes, width)
        if projection is None:
            raise ModelError(f"it is no IP-Adapter that this server runs: take {_any_names()}")
        encoder = _load_encoder(found, projection, parts.unet.dtype, progress)
        with one_line(found.file):
            weights = load_file(found.file)
        projection.load_state_dict(
            {key.removeprefix(_PROJECTION): weights[key] for key in weights if _is_projection(key)}, assign=True
        )
        made = [_linear(weights[key]) for index in range(len(attentions)) for key in _keys(index)]
    return IpAdapter(encoder, projection, made, _layers(parts.family, list(attentions)))


def cross_attentions(unet: nn.Module) -> dict[str, Any]:
    """A UNet's cross-attentions by name, in the order in which adapters number them."""
    blocks = ((name, one) for name, one in unet.named_modules() if isinstance(one, BasicTransformerBlock))
    return {f"{name}.attn2": one.attn2 for name, one in blocks if one.attn2 is not None}


def _check_family(family: Family) -> None:
    if family.image_encoder is not None:
        raise ConfigError("reference: this model hears pictures by itself, in its prompt: leave --reference out")
    if family is SD2:
        raise ModelError(
            "reference: nobody has published an IP-Adapter for SD 2.x, which sd-turbo is: take an SD 1.x or SDXL "
            "model, as lcm-sd15 or sdxl-turbo"
        )
    if not names_for(family):
        raise ModelError(f"reference: there are no IP-Adapters for models of this family ({family.name}): leave it out")


def _check_kind(header: Header) -> None:
    for names, why in _REFUSED.items():
        if all(name in header.shapes for name in names.split()):
            raise ModelError(f"this kind of IP-Adapter is not run here: {why}; take {_any_names()}")
    if not any(key.startswith(_LAYERS) for key in header.shapes):
        raise ModelError(f"it is no IP-Adapter (nothing in it is called {_LAYERS}…): take {_any_names()}")
    if any("_lora." in key for key in header.shapes):
        raise ModelError(f"this kind of IP-Adapter is not run here: {_FACE}; take {_any_names()}")


def _any_names() -> str:
    return " or ".join(ADAPTERS)


def _check_fit(header: Header, attentions: Mapping[str, Any], parts: Parts) -> int:
    """Check that an adapter has the layers for a UNet.

    Returns:
        The width of its tokens.
    """
    unet: Any = parts.unet
    wanted = {
        key: (int(one.out_features), int(unet.config["cross_attention_dim"]))
        for index, attention in enumerate(attentions.values())
        for key, one in zip(_keys(index), (attention.to_k, attention.to_v), strict=True)
    }
    there = {key: shape for key, shape in header.shapes.items() if key.startswith(_LAYERS)}
    if not isinstance(unet, UNet2DConditionModel) or wanted != there:
        widths = {shape[-1] for shape in there.values() if len(shape) == 2}
        made_for = next((name for name, width in _WIDTHS.items() if widths == {width}), parts.family.name)
        of = "another model" if made_for == parts.family.name else f"models of the family {made_for}"
        raise ModelError(f"it is made for {of}, and this one is of {parts.family.name}: take {names_for(parts.family)}")
    return int(unet.config["cross_attention_dim"])


_WIDTHS = {"sd": 768, "sdxl": 2048}
"""Width of a token by family."""


def _keys(index: int) -> tuple[str, str]:
    """The weights' names of a cross-attention: all attentions are counted, and self-attentions have none."""
    return (f"{_LAYERS}{2 * index + 1}.to_k_ip.weight", f"{_LAYERS}{2 * index + 1}.to_v_ip.weight")


def _is_projection(key: str) -> bool:
    return key.startswith(_PROJECTION)


def _linear(weight: torch.Tensor) -> nn.Linear:
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.load_state_dict({"weight": weight}, assign=True)
    return layer


def _layers(family: Family, names: Sequence[str]) -> dict[Layers, tuple[float, ...]]:
    """See `IpAdapter`: those choices that name a layer of this UNet."""
    chosen = {Layers.ALL: ("",), **_STYLE_AND_COMPOSITION.get(family.name, {})}
    masks = {layers: tuple(float(name.startswith(prefixes)) for name in names) for layers, prefixes in chosen.items()}
    return {layers: mask for layers, mask in masks.items() if any(mask)}


def _find(name: str, progress: Progress) -> _Found:
    if preset := ADAPTERS.get(name):
        folder = fetch(REPOSITORY, partial(files_of, preset.file, preset.encoder), progress)
        return _Found(folder / preset.file, (folder / preset.encoder,), preset)
    check_reference(name)
    if path := local_path(name):
        return _Found(path, (path.parent / "image_encoder", path.parent.parent / VIT_H))
    hub_id = hub_file(name)
    assert hub_id is not None and hub_id.file is not None  # check_reference has seen to it
    folder = fetch(HubId(hub_id.repo, None, hub_id.revision), partial(files_of, hub_id.file, None), progress)
    return _Found(folder / hub_id.file, ())


def _load_encoder(
    found: _Found, projection: Projection, dtype: torch.dtype, progress: Progress
) -> CLIPVisionModelWithProjection:
    """The image encoder that an adapter was trained with: beside its file, else the authors'. Raises ModelError."""
    is_plain = isinstance(projection, ImageProjection)
    width = projection.proj.in_features if is_plain else projection.proj_in.in_features
    field = "projection_dim" if is_plain else "hidden_size"
    for folder in found.folders:
        if (folder / "config.json").is_file() and read_json(folder / "config.json").get(field) == width:
            return _encoder_in(folder, dtype)
    published = {"projection_dim": {1024: VIT_H, 1280: VIT_G}, "hidden_size": {1280: VIT_H, 1664: VIT_G}}[field]
    if width not in published or found.preset:
        raise ModelError(
            f"it wants an image encoder whose {field} is {width}: put that into a folder image_encoder beside it"
        )
    encoder = published[width]
    return _encoder_in(fetch(REPOSITORY, partial(files_of, None, encoder), progress) / encoder, dtype)


def _encoder_in(folder: Path, dtype: torch.dtype) -> CLIPVisionModelWithProjection:
    names = list_files(folder)
    component = find_component({f"image_encoder/{name}" for name in names}, "image_encoder", False, "model")
    for file in component.files:
        if file.endswith(".safetensors"):
            read_header(folder / file.removeprefix("image_encoder/"))
    return load_vision_encoder(folder, dtype, component.variant)

"""Loads a net that steers from a folder or a file: ControlNets and unions in diffusers' layout or the original one,
Control-LoRAs, which are differences to a UNet's encoder, and T2I-Adapters.

Must not know presets, the hub, or what nets are used for.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from ...errors import ModelError
from .components import UNet2DConditionModel, one_line
from .files import find_component, list_files, read_json
from .header import read_header
from .ldm_names import control_names
from .quiet import quiet

with quiet():
    from diffusers import (
        ControlNetModel,  # pyright: ignore[reportPrivateImportUsage]
        ControlNetUnionModel,  # pyright: ignore[reportPrivateImportUsage]
        T2IAdapter,  # pyright: ignore[reportPrivateImportUsage]
    )

CLASSES: dict[str, type[nn.Module]] = {
    "ControlNetModel": ControlNetModel,
    "ControlNetUnionModel": ControlNetUnionModel,
    "ControlNetModel_Union": ControlNetUnionModel,  # as the authors of ControlNet++ name it
    "T2IAdapter": T2IAdapter,
}
STEM = "diffusion_pytorch_model"
_PREFIX = "control_model."
_FAMILIES = {768: "SD 1.x", 1024: "SD 2.x", 2048: "SDXL"}
"""Names of families by the width of the text that their networks hear."""

State = dict[str, torch.Tensor]


def family_of_width(width: int | None) -> str:
    """The family of models that hear text of this width, for people."""
    return _FAMILIES.get(width or 0, f"models whose text has {width} numbers a token")


def control_files(names: frozenset[str], prefer_fp16: bool) -> tuple[str, ...]:
    """The files of a net's folder that this server reads. Raises ModelError."""
    if "config.json" not in names:
        raise ModelError("there is no net in it (no config.json): name its file, or another folder")
    return ("config.json", *find_component(names, "", prefer_fp16, STEM).files)


def load_control(path: Path, unet: UNet2DConditionModel, dtype: torch.dtype, prefer_fp16: bool) -> nn.Module:
    """Load a net beside a UNet.

    Args:
        path: a folder, or a safetensors file.
        unet: what a file says nothing of is as in this one's configuration; of Control-LoRAs the weights, too.
        dtype: of the weights in memory.

    Raises:
        ModelError: it is no such net, is broken, or made for another family of models.
    """
    is_folder = path.is_dir()
    config: dict[str, Any] = {}
    files = [path]
    if is_folder:
        names = control_files(list_files(path), prefer_fp16)
        config = read_json(path / "config.json")
        files = [path / name for name in names if name.endswith(".safetensors")]
    headers = [read_header(file) for file in files]
    if not is_folder and "body.0.block1.weight" in headers[0].shapes:
        raise ModelError(f"{path}: a T2I-Adapter in its original layout: take it in diffusers' (a folder, config.json)")
    with one_line(path):
        state = {name: tensor for file in files for name, tensor in load_file(file).items()}
        state = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
        kind = _kind(path, config, state)
        return _loaded(path, kind, config, state, unet).to(dtype=dtype).eval().requires_grad_(False)


def _kind(path: Path, config: Mapping[str, Any], state: State) -> type[nn.Module]:
    named = config.get("_class_name")
    if named is not None and named not in CLASSES:
        raise ModelError(f"{path}: a {named!r} is no net that steers here: take a ControlNet or a T2I-Adapter")
    if "task_embedding" in state:
        return ControlNetUnionModel
    if named is not None:
        return CLASSES[named]
    if any(name.startswith(("zero_convs.", "controlnet_cond_embedding.")) for name in state):
        return ControlNetModel
    raise ModelError(f"{path}: no ControlNet, and no Control-LoRA: give one's file, or the folder of a net")


def _loaded(
    path: Path, kind: type[nn.Module], config: Mapping[str, Any], state: State, unet: UNet2DConditionModel
) -> nn.Module:
    settings = {} if kind is T2IAdapter else _settings(kind, state, unet)
    known = inspect.signature(kind.__init__).parameters
    settings |= {name: value for name, value in config.items() if name in known}
    if kind is not T2IAdapter:
        _check_width(path, settings, state, unet)
    with torch.device("meta"):
        network = kind(**settings)
    if any(name.startswith("zero_convs.") for name in state):
        state = _from_ldm(path, network, state, unet)
    network.load_state_dict({name: _shaped(tensor, network, name) for name, tensor in state.items()}, assign=True)
    return network


def _settings(kind: type[nn.Module], state: State, unet: UNet2DConditionModel) -> dict[str, Any]:
    """What a net's shape is, as far as its UNet and its weights say."""
    of_unet: Any = unet.config
    known = inspect.signature(kind.__init__).parameters
    settings = {name: value for name, value in of_unet.items() if name in known and not name.startswith("_")}
    settings["in_channels"] = int(of_unet["out_channels"])
    firsts = ("controlnet_cond_embedding.conv_in", "input_hint_block.0")
    if first := next((name for name in firsts if _has(state, name)), ""):
        settings["conditioning_channels"] = state[f"{first}.weight"].shape[1]
        settings["conditioning_embedding_out_channels"] = _widths(state, first)
    if (task := state.get("task_embedding")) is not None:
        settings["num_control_type"], settings["num_trans_channel"] = task.shape
        settings["num_proj_channel"] = state["spatial_ch_projs.weight"].shape[0]
        layers = {name.split(".")[1] for name in state if name.startswith("transformer_layes.")}
        settings["num_trans_layer"] = len(layers)
    return settings


def _has(state: State, name: str) -> bool:
    return f"{name}.weight" in state


def _widths(state: State, first: str) -> tuple[int, ...]:
    """The widths of the part that looks at hints: each second of its inner convolutions widens."""
    widths, number = [state[f"{first}.weight"].shape[0]], 1
    is_ldm = first.startswith("input_hint_block")
    while (
        weight := state.get(
            f"input_hint_block.{2 * number + 2}.weight"
            if is_ldm
            else f"controlnet_cond_embedding.blocks.{number}.weight"
        )
    ) is not None:
        widths.append(weight.shape[0])
        number += 2
    return tuple(widths)


def _check_width(path: Path, settings: Mapping[str, Any], state: State, unet: UNet2DConditionModel) -> None:
    """Check that a net hears text as wide as the UNet does. Raises ModelError."""
    of_unet: Any = unet.config
    keys = [state[name] for name in state if name.endswith("attn2.to_k.weight")]
    width = keys[0].shape[-1] if keys else settings.get("cross_attention_dim")
    wanted = of_unet["cross_attention_dim"]
    if width != wanted:
        raise ModelError(
            f"{path}: a net for {family_of_width(width)}, and the model is one of {family_of_width(wanted)}: "
            f"take one for {family_of_width(wanted)}"
        )


def _from_ldm(path: Path, network: nn.Module, state: State, unet: UNet2DConditionModel) -> State:
    """Weights in the original layout under diffusers' names. Of a Control-LoRA they are added to the UNet's.

    Source: the layouts of ControlNet's `cldm.py`, and of Stability's Control-LoRA, whose layers have `up` and `down`.
    """
    of_unet = unet.state_dict()
    names, found = control_names(network), dict[str, torch.Tensor]()
    for name in network.state_dict():
        layer, _, part = name.rpartition(".")
        theirs = names[layer]
        if (whole := state.get(f"{theirs}.{part}")) is not None:
            found[name] = whole
        elif "lora_controlnet" in state and (own := of_unet.get(name)) is not None:
            up, down = state.get(f"{theirs}.up"), state.get(f"{theirs}.down")
            is_changed = part == "weight" and up is not None and down is not None
            found[name] = _added(own, up, down) if is_changed and up is not None and down is not None else own.clone()
        else:
            raise ModelError(f"{path}: its weight {theirs}.{part} is missing: fetch it again")
    return found


def _added(own: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    change = up.flatten(1).float() @ down.flatten(1).float()
    return (own.float() + change.reshape(own.shape)).to(own.dtype)


def _shaped(tensor: torch.Tensor, network: nn.Module, name: str) -> torch.Tensor:
    """A projection is a matrix or a convolution of one pixel, in files of either kind."""
    module, _, part = name.rpartition(".")
    if not module.endswith(("proj_in", "proj_out")) or part != "weight":
        return tensor
    return tensor.reshape(network.get_parameter(name).shape)

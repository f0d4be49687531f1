"""The names that networks' modules have in the original Stable Diffusion code (LDM): in single files, and in LoRAs.

Must not know files, or what the names are looked up for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

_VAE_RULES = (
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block."),
    (r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"up_blocks\.(\d+)\.resnets\.", r"up.\1.block."),
    (r"up_blocks\.(\d+)\.upsamplers\.0\.", r"up.\1.upsample."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
)

_OPEN_CLIP_RULES = (
    (r"^encoder\.layers\.", "transformer.resblocks."),
    (r"^final_layer_norm\b", "ln_final"),
    (r"^embeddings\.token_embedding\b", "token_embedding"),
    (r"^embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"\.layer_norm([12])\b", r".ln_\1"),
    (r"\.mlp\.fc1\b", ".mlp.c_fc"),
    (r"\.mlp\.fc2\b", ".mlp.c_proj"),
    (r"\.self_attn\.[qkv]_proj\.", ".attn.in_proj_"),
    (r"\.self_attn\.", ".attn."),
    (r"^text_projection\.weight$", "text_projection"),
)
"""Queries, keys and values are one matrix there, and some weights have no module of their own."""


def unet_names(unet: nn.Module) -> dict[str, str]:
    """LDM's names of the modules of a UNet that have weights of their own, by diffusers' names.

    Args:
        unet: a UNet2DConditionModel, or a ControlNetModel. Modules that LDM doesn't have are left out.
    """
    prefixes = dict(_unet_prefixes(unet))
    names: dict[str, str] = {}
    for name, module in unet.named_modules():
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        for ours, theirs in prefixes.items():
            if name == ours or name.startswith(f"{ours}."):
                names[name] = theirs + _in_block(ours, name.removeprefix(ours))
    return names


def control_names(net: nn.Module) -> dict[str, str]:
    """The same of a ControlNetModel, with the layers that it has beside a UNet's."""
    names = unet_names(net) | {"controlnet_mid_block": "middle_block_out.0"}
    for name, module in net.named_modules():
        if not any(True for _ in module.parameters(recurse=False)):
            continue
        part, _, place = name.partition(".")
        if part == "controlnet_down_blocks":
            names[name] = f"zero_convs.{place}.0"
        if part == "controlnet_cond_embedding":
            names[name] = f"input_hint_block.{_of_hint(net, place)}"
    return names


def _of_hint(net: Any, place: str) -> int:
    """The number of a convolution among LDM's layers, where each is followed by an activation."""
    if place == "conv_in":
        return 0
    blocks = len(net.controlnet_cond_embedding.blocks)
    return 2 * (1 + (blocks if place == "conv_out" else int(place.rpartition(".")[2])))


def unet_weight_names(unet: nn.Module) -> set[str]:
    """LDM's names of the weights of a UNet2DConditionModel, those left out that LDM doesn't have."""
    modules = unet_names(unet)
    weights = ((name.rpartition(".")[0], name.rpartition(".")[2]) for name in unet.state_dict())
    return {f"{modules[layer]}.{part}" for layer, part in weights if layer in modules}


def _in_block(block: str, rest: str) -> str:
    if ".resnets." not in block:
        return rest
    first, dot, more = rest.removeprefix(".").partition(".")
    return f".{_UNET_RESNET.get(first, first)}{dot}{more}"


def _unet_prefixes(unet: Any) -> Iterator[tuple[str, str]]:
    """The names of the UNet's blocks, in diffusers and in LDM, which counts them through."""
    yield from _UNET_ENDS.items()
    number = 1
    for at, block in enumerate(unet.down_blocks):
        for layer in range(len(_list(block, "resnets"))):
            yield f"down_blocks.{at}.resnets.{layer}", f"input_blocks.{number}.0"
            yield f"down_blocks.{at}.attentions.{layer}", f"input_blocks.{number}.1"
            number += 1
        if _list(block, "downsamplers"):
            yield f"down_blocks.{at}.downsamplers.0.conv", f"input_blocks.{number}.0.op"
            number += 1
    yield "mid_block.resnets.0", "middle_block.0"
    yield "mid_block.attentions.0", "middle_block.1"
    yield "mid_block.resnets.1", "middle_block.2"
    number = 0
    for at, block in enumerate(getattr(unet, "up_blocks", ())):
        for layer in range(len(_list(block, "resnets"))):
            yield f"up_blocks.{at}.resnets.{layer}", f"output_blocks.{number}.0"
            yield f"up_blocks.{at}.attentions.{layer}", f"output_blocks.{number}.1"
            number += 1
        if _list(block, "upsamplers"):
            part = 2 if _list(block, "attentions") else 1
            yield f"up_blocks.{at}.upsamplers.0", f"output_blocks.{number - 1}.{part}"


def _list(block: Any, name: str) -> Sequence[nn.Module]:
    return getattr(block, name, None) or ()


def vae_weight_names(vae: nn.Module) -> set[str]:
    """LDM's names of the weights of an AutoencoderKL, whose up blocks it counts from the other end."""
    levels = len(_list(getattr(vae, "decoder"), "up_blocks"))  # noqa: B009 - a module's attributes are untyped
    names: set[str] = set()
    for name in vae.state_dict():
        for pattern, theirs in _VAE_RULES:
            name = re.sub(pattern, theirs, name)
        names.add(re.sub(r"\bup\.(\d+)\.", lambda found: f"up.{levels - 1 - int(found[1])}.", name))
    return names


def clip_weight_names(encoder: nn.Module, is_open_clip: bool) -> set[str]:
    """The names of a CLIP text encoder's weights in a single file, behind its prefix.

    Args:
        is_open_clip: whether they are OpenCLIP's, as of SD 2.x and of SDXL's second encoder; else transformers'.
    """
    names: set[str] = set()
    for name in encoder.state_dict():
        name = name.removeprefix("text_model.")
        if not is_open_clip:
            names.add(f"text_model.{name}")
            continue
        for pattern, theirs in _OPEN_CLIP_RULES:
            name = re.sub(pattern, theirs, name)
        names.add(name)
    return names

"""The key layouts of other programs, made from diffusers' by rules written down here anew: LDM files and LoRAs.

What diffusers converts back must be what went in, bit for bit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

State = dict[str, torch.Tensor]

_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def unet_key(key: str, layers: int, has_attention: dict[int, bool]) -> str:
    """The LDM name of a UNet weight.

    Args:
        layers: `layers_per_block`.
        has_attention: by number of the up block.
    """
    for ours, theirs in _UNET_ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key.removeprefix(ours)
    match = re.fullmatch(
        r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", key
    )
    assert match, key
    where, block, kind, index, rest = match[1], int(match[2] or 0), match[3], int(match[4]), match[5]
    if kind == "resnets":
        first, _, tail = rest.partition(".")
        rest = f"{_RESNET[first]}.{tail}"
    if where == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{(layers + 1) * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{(layers + 1) * block + layers}.{2 if has_attention[block] else 1}.{rest}"
    number = (layers + 1) * block + index
    part = 0 if kind == "resnets" else 1
    return f"input_blocks.{number + 1}.{part}.{rest}" if where == "down" else f"output_blocks.{number}.{part}.{rest}"


def unet_to_ldm(state: State, layers: int) -> State:
    """A UNet's weights under LDM's names."""
    has_attention = {block: any(key.startswith(f"up_blocks.{block}.attentions") for key in state) for block in range(4)}
    return {f"model.diffusion_model.{unet_key(key, layers, has_attention)}": value for key, value in state.items()}


def vae_to_ldm(state: State, levels: int = 4) -> State:
    """An AutoencoderKL's weights under LDM's names; its attention's matrices are 1×1 convolutions there."""
    result: State = {}
    for key, value in state.items():
        name = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0" in name:
            name = name.replace("mid_block.attentions.0", "mid.attn_1")
            for ours, theirs in {"group_norm": "norm", "to_out.0": "proj_out", "to_": ""}.items():
                name = name.replace(ours, theirs)
            value = value[:, :, None, None] if value.ndim == 2 else value
        result[f"first_stage_model.{name}"] = value
    return result


def open_clip_keys(state: State, prefix: str) -> State:
    """A CLIP text encoder's weights under OpenCLIP's names; queries, keys and values are one matrix there."""
    result: State = {prefix + "logit_scale": torch.tensor(4.6)}
    for key, value in state.items():
        name = key.removeprefix("text_model.")
        if name == "text_projection.weight":
            result[prefix + "text_projection"] = value.T.contiguous()
        elif match := re.fullmatch(r"encoder\.layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)", name):
            thirds = [state[key.replace("q_proj", f"{third}_proj")] for third in "qkv"]
            result[f"{prefix}transformer.resblocks.{match[1]}.attn.in_proj_{match[2]}"] = torch.cat(thirds)
        elif not re.search(r"self_attn\.[kv]_proj|position_ids", name):
            for ours, theirs in {
                "embeddings.position_embedding.weight": "positional_embedding",
                "embeddings.token_embedding": "token_embedding",
                "final_layer_norm": "ln_final",
                "encoder.layers.": "transformer.resblocks.",
                "layer_norm1": "ln_1",
                "layer_norm2": "ln_2",
                "mlp.fc1": "mlp.c_fc",
                "mlp.fc2": "mlp.c_proj",
                "self_attn": "attn",
            }.items():
                name = name.replace(ours, theirs)
            result[prefix + name] = value
    return result


def folder_to_single_file(folder: Path, path: Path, family: str) -> Path:
    """Write a diffusers folder as one file in LDM's layout."""
    layers = json.loads((folder / "unet" / "config.json").read_text())["layers_per_block"]
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder" / "model.safetensors")
    state = {**unet_to_ldm(unet, layers), **vae_to_ldm(vae)}
    if family == "sd2":
        state |= open_clip_keys(text, "cond_stage_model.model.")
    else:
        prefix = "conditioner.embedders.0." if family == "sdxl" else "cond_stage_model."
        state |= {f"{prefix}transformer.{key}": value for key, value in text.items()}
    if family == "sdxl":
        text_2 = load_file(folder / "text_encoder_2" / "model.safetensors")
        state |= open_clip_keys(text_2, "conditioner.embedders.1.model.")
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


def lora_layers(
    layers: dict[str, tuple[int, int]], rank: int = 2, seed: int = 0
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Random down [rank, in] and up [out, rank] matrices for layers of (out, in) numbers."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (
            torch.randn(rank, inputs, generator=generator) / inputs**0.5,
            torch.randn(outputs, rank, generator=generator) / rank**0.5,
        )
        for name, (outputs, inputs) in layers.items()
    }


def save_diffusers_lora(path: Path, layers: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Path:
    """A LoRA as diffusers saves it: names as `unet.down_blocks.…to_q`."""
    state: State = {}
    for name, (down, up) in layers.items():
        state |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save_file(state, path)
    return path


def save_kohya_lora(path: Path, layers: dict[str, tuple[torch.Tensor, torch.Tensor]], alpha: float) -> Path:
    """A LoRA as kohya's trainer saves it: names as `lora_unet_down_blocks_…to_q`, and an alpha beside each."""
    state: State = {}
    for name, (down, up) in layers.items():
        state |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(alpha)}
    save_file(state, path)
    return path

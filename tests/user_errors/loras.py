"""LoRAs: their names, what else lies in their files, and files that don't fit the model."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from .case import Case

if TYPE_CHECKING:
    import torch

    from realtime.engine.models.parts import Parts

Shape = tuple[int, ...]

TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
KOHYA = f"lora_unet_{TO_Q.replace('.', '_')}"


def silent(stage: str, percent: float | None) -> None:
    pass


@functools.cache
def sd(is_half: bool = False) -> Parts:
    """A tiny model of SD 1.x: no file is needed for what a LoRA is checked against."""
    from transformers import CLIPTextModel

    from realtime.engine.models.family import SD
    from realtime.engine.models.parts import Parts
    from tests import checkpoints

    text_encoder: Any = CLIPTextModel(checkpoints.text_config())
    unet = checkpoints.tiny_unet()
    return Parts(SD, unet.half() if is_half else unet, None, (text_encoder,), (), {})


def fuse(path: Path, scale: float = 1.0, is_half: bool = False) -> object:
    from realtime.engine.models.lora import LoraSpec, fuse_loras

    return fuse_loras(sd(is_half), [LoraSpec(str(path), scale)], silent)


def file(tensors: dict[str, Shape], scale: float = 1.0, is_half: bool = False, **metadata: str) -> Callable[[], object]:
    """A LoRA `my.safetensors` of these tensors."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        state = {name: torch.ones(*shape) for name, shape in tensors.items()}
        save_file(state, "my.safetensors", metadata)
        return fuse(Path("my.safetensors"), scale, is_half)

    return run


def layer(name: str, up: Shape = (64, 2), down: Shape = (2, 64)) -> dict[str, Shape]:
    return {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}


def odd(part: str, shape: Shape = (), value: float = 1.0, dtype: str = "float32") -> Callable[[], object]:
    """A LoRA of one layer with one part more, or another one."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        state: dict[str, torch.Tensor] = {name: torch.ones(*sides) for name, sides in layer(KOHYA).items()}
        state[f"{KOHYA}.{part}"] = torch.full(shape, value).to(getattr(torch, dtype))
        save_file(state, "my.safetensors")
        return fuse(Path("my.safetensors"))

    return run


def stating(**fields: Any) -> Callable[[], object]:
    """A LoRA with diffusers' own metadata."""
    return file(layer(f"unet.{TO_Q}"), lora_adapter_metadata=json.dumps(fields))


def twice() -> object:
    import torch
    from safetensors.torch import save_file

    state: dict[str, torch.Tensor] = {}
    for number, name in enumerate((f"unet.{TO_Q}", KOHYA)):
        state |= {key: torch.full(shape, float(number)) for key, shape in layer(name).items()}
    save_file(state, "my.safetensors")
    return fuse(Path("my.safetensors"))


def named(name: str) -> Callable[[], object]:
    def find() -> object:
        from huggingface_hub import constants

        from realtime.engine.models.lora import LoraSpec, find_lora

        with (
            mock.patch.object(constants, "HF_HUB_CACHE", "my-cache"),
            mock.patch.object(constants, "HF_HUB_OFFLINE", True),
        ):
            return find_lora(LoraSpec(name), silent)

    return find


def parsed(text: str) -> Callable[[], object]:
    def parse() -> object:
        from realtime.engine.models.lora import parse_lora

        return parse_lora(text)

    return parse


def of_a_family_without() -> object:
    from dataclasses import replace

    from realtime.engine.models.family import TINY
    from realtime.engine.models.lora import LoraSpec, fuse_loras

    return fuse_loras(replace(sd(), family=replace(TINY, takes_loras=False)), [LoraSpec("my.safetensors")], silent)


NAMES = [
    Case(
        "loras: 'style:inf' is not NAME_OR_PATH[:SCALE]: write a name, and a finite number behind it",
        "'style:inf'",
        parsed("style:inf"),
    ),
    Case("loras: ':1' is not NAME_OR_PATH[:SCALE]: write a name, and a finite number behind it", "':1'", parsed(":1")),
    Case(
        "there is no LoRA 'nonsense': give a preset (lcm-lora-sd15, lcm-lora-sdxl), a hub id or a .safetensors file",
        "'nonsense'",
        named("nonsense"),
    ),
    Case(
        "org/name is not in the local cache and HF_HUB_OFFLINE is set: unset it to download it",
        "org/name",
        named("org/name"),
    ),
    Case("LoRA my.safetensors: models of this family (tiny) take none: leave --lora out", "tiny", of_a_family_without),
]

OTHER_FILES = [
    Case(
        "LoRA my.safetensors: it is no LoRA (no lora weights in it, but 'down_blocks.0.conv.weight'): "
        "give a LoRA's file",
        "my.safetensors",
        file({"down_blocks.0.conv.weight": (2,)}),
    ),
    Case(
        "LoRA my.safetensors: it has 1 weights of a kind that this server doesn't know, such as "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.oft_blocks'; known are "
        "LoRA, DoRA, LoCon, LoHa, LoKr and full differences: convert it to one of these",
        "oft_blocks",
        odd("oft_blocks", (4, 16, 16)),
    ),
    Case(
        "LoRA my.safetensors: its keys are of an unknown layout, such as "
        "'my_model.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q'; known are lora_unet_…, "
        "lora_te_… (kohya), unet.…, text_encoder.… (diffusers), diffusion_model.… (ComfyUI): convert it "
        "to one of these",
        "my_model.",
        file(layer(f"my_model.{TO_Q}")),
    ),
    Case(
        "LoRA my.safetensors: it is made for a transformer such as Flux or SD 3 "
        "('lora_unet_double_blocks_0_img_attn_qkv'), not for a UNet: take another",
        "double_blocks",
        file(layer("lora_unet_double_blocks_0_img_attn_qkv")),
    ),
    Case(
        "LoRA my.safetensors: it is made for another model: 1 of its 1 layers aren't in this one, such "
        "as 'unet.down_blocks.7.attentions.0.transformer_blocks.0.attn1.to_q': take one for this family",
        "down_blocks.7",
        file(layer(f"unet.{TO_Q.replace('blocks.1', 'blocks.7')}")),
    ),
    Case(
        "LoRA my.safetensors: it is PEFT's own file, whose strength is in adapter_config.json: put that beside it",
        "adapter_config.json",
        file(layer(f"base_model.model.{TO_Q}")),
    ),
]

LAYERS = [
    Case(
        "LoRA my.safetensors: layer 'unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q': "
        "it is 64×99 and the layer 64×64: it is damaged, or made for a model of another family",
        "to_q",
        file(layer(f"unet.{TO_Q}", down=(2, 99))),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': its matrices don't fit "
        "each other, or the layer's 64×64: it is damaged, or made for a model of another family",
        "to_q",
        odd("lora_up.weight", (64, 3)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': it has parts that make "
        "no known format (down, lokr_w1, up): it is damaged, or made for a model of another family",
        "to_q",
        odd("lokr_w1", (8, 8)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': its magnitudes are 3×1 "
        "and the layer 64×64: it is damaged, or made for a model of another family",
        "to_q",
        odd("dora_scale", (3, 1)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': it changes a bias that "
        "the layer has not: it is damaged, or made for a model of another family",
        "to_q",
        odd("diff_b", (64,)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': it has the bias of a "
        "matrix that isn't there: it is damaged, or made for a model of another family",
        "to_q",
        file({f"{KOHYA}.diff": (64, 64), f"{KOHYA}.lora_up.bias": (64,)}),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': it has DoRA's "
        "magnitudes and no matrices: it is damaged, or made for a model of another family",
        "to_q",
        file({f"{KOHYA}.dora_scale": (64, 1)}),
    ),
    Case(
        "LoRA my.safetensors: the alpha of "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q' isn't one number: it is "
        "damaged, fetch it again",
        "to_q",
        odd("alpha", (2,)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q' is empty (up): it is damaged, "
        "fetch it again",
        "to_q",
        odd("lora_up.weight", (64, 0)),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q' is quantised (int8): "
        "take one that isn't",
        "to_q",
        odd("lora_up.weight", (64, 2), dtype="int8"),
    ),
    Case(
        "LoRA my.safetensors: layer "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q' has numbers that aren't "
        "finite (up): it is damaged, fetch it again",
        "to_q",
        odd("lora_up.weight", (64, 2), value=float("nan")),
    ),
    Case(
        "LoRA my.safetensors: layer 'unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q' "
        "overflows: take a smaller scale, or --dtype float32",
        "to_q",
        file(layer(f"unet.{TO_Q}"), scale=1e6, is_half=True),
    ),
    Case(
        "LoRA my.safetensors: it changes a layer twice, as "
        "'unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q' and "
        "'lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q': take another",
        "to_q",
        twice,
    ),
]

METADATA = [
    Case(
        "LoRA my.safetensors: its lora_adapter_metadata is no JSON object: it is damaged, fetch it again",
        "lora_adapter_metadata",
        file(layer(f"unet.{TO_Q}"), lora_adapter_metadata="["),
    ),
    Case(
        "LoRA my.safetensors: its lora_alpha is 'much', and a number is wanted: mend its metadata",
        "'much'",
        stating(**{"unet.lora_alpha": "much"}),
    ),
    Case(
        "LoRA my.safetensors: its alpha_pattern has '(a+)+$', and names of layers are wanted: write them out",
        "(a+)+$",
        stating(**{"unet.alpha_pattern": {"(a+)+$": 1}}),
    ),
    Case(
        "LoRA my.safetensors: its alpha_pattern is no JSON object: it is damaged, fetch it again",
        "alpha_pattern",
        stating(**{"unet.alpha_pattern": 3}),
    ),
]

CASES = [*NAMES, *OTHER_FILES, *LAYERS, *METADATA]

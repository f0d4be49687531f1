"""Models in one file: other things in its place, its base, and quantised weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .case import Case


def silent(stage: str, percent: float | None) -> None:
    pass


def single(*names: str, dtype: str = "float32", **metadata: str) -> Callable[[], object]:
    """A file `my.safetensors` with weights of these names, and what `--model` makes of it."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        from realtime.engine.models.single_file import inspect_single_file

        whole = {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(4, 4, 3, 3)}
        state = {name: torch.ones(2, 2, dtype=getattr(torch, dtype)) for name in names}
        save_file((whole if "first_stage_model.x" not in state else {}) | state, "my.safetensors", metadata)
        return inspect_single_file(Path("my.safetensors"))

    return run


def dequantised(**state: Any) -> Callable[[], object]:
    """Quantised weights, as (shape, value) of each tensor."""

    def run() -> object:
        import torch

        from realtime.engine.models.quantised import dequantised

        tensors = {
            name.replace("__", "."): torch.tensor(list(value), dtype=torch.uint8)
            if isinstance(value, bytes)
            else torch.full(*value)
            for name, value in state.items()
        }
        return dequantised(tensors, torch.float32)

    return run


def config_files(names: list[str]) -> object:
    from realtime.engine.models import sources

    return sources.config_files(names)


def single_with_base(base: str) -> Callable[[], object]:
    """A file of SD 1.x with the base that the user names, of which some are there."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        from realtime.engine.models.sources import find_source
        from tests import checkpoints

        state = {"cond_stage_model.transformer.text_model.x": torch.ones(2, 2)}
        state["model.diffusion_model.input_blocks.0.0.weight"] = torch.ones(4, 4, 3, 3)
        state["model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"] = torch.ones(2, 32)
        save_file(state, "my.safetensors")
        checkpoints.build_sdxl(Path("sdxl"))
        return find_source("my.safetensors", base, silent, prefer_fp16=False)

    return run


def single_loaded(*names: str, is_cut: bool = False) -> Callable[[], object]:
    """A file of SD 1.x with more weights, or less, than its networks have."""

    def run() -> object:
        import torch

        from realtime.engine.models import single_file
        from realtime.engine.models.family import SD

        from .loras import sd

        if is_cut:
            with single_file._complete(Path("my.safetensors"), "UNet") as check:
                return check(torch.nn.Linear(1, 1, device="meta"))
        file = single_file.SingleFile(Path("my.safetensors"), SD, 4, 32, has_vae=False)
        return single_file._check_leftovers(file, names, sd().unet, None, sd().text_encoders)

    return run


SINGLE_FILES = [
    Case(
        "my.safetensors: a LoRA, not a model: give it with --lora beside a model",
        "my.safetensors",
        single("lora_unet_conv_in.lora_down.weight", "first_stage_model.x"),
    ),
    Case(
        "my.safetensors: one part of a diffusers model; give the folder that it lies in",
        "my.safetensors",
        single("down_blocks.0.conv.weight", "first_stage_model.x"),
    ),
    Case(
        "my.safetensors: not a Stable Diffusion 1.x, 2.x or SDXL model in one file: take one of these",
        "my.safetensors",
        single("double_blocks.0.img_attn.qkv.weight", "first_stage_model.x"),
    ),
    Case("my.safetensors: it has a UNet but no text encoder; a whole model is needed", "my.safetensors", single()),
    Case(
        "my.safetensors: an SDXL refiner; use an SDXL base model",
        "my.safetensors",
        single("conditioner.embedders.0.model.ln_final.weight"),
    ),
    Case(
        "my.safetensors: its noise levels are EDM's (edm_mean), unknown here: take another model",
        "edm_mean",
        single("cond_stage_model.transformer.text_model.x", "edm_mean"),
    ),
    Case(
        "my.safetensors: 'cond_stage_model.transformer.text_model.x' is quantised ('I8'), which this "
        "server can't read: take the unquantised model, or one in fp8",
        "'I8'",
        single("cond_stage_model.transformer.text_model.x", "first_stage_model.q", dtype="int8"),
    ),
    Case(
        "my.safetensors: its _quantization_metadata can't be read: take the unquantised model",
        "_quantization_metadata",
        single("cond_stage_model.transformer.text_model.x", _quantization_metadata="["),
    ),
    Case(
        "my.safetensors: 1 of its weights are none that such a model has, such as "
        "'model.diffusion_model.out.2.scale': it is quantised, or needs another --base",
        "my.safetensors",
        single_loaded("model.diffusion_model.out.2.scale"),
    ),
    Case(
        "my.safetensors: its UNet lacks weights: it is cut short, or needs another --base",
        "UNet",
        single_loaded(is_cut=True),
    ),
    Case(
        "my.safetensors: it is a model of the family sd (text of 32 numbers a token), and the base sdxl "
        "is of sdxl (80): leave --base out, or give one of the same family",
        "sdxl",
        single_with_base("sdxl"),
    ),
    Case(
        "there is no base 'nonsense': give a hub id or a diffusers folder", "'nonsense'", single_with_base("nonsense")
    ),
    Case(
        "not a diffusers folder (model_index.json is missing): give another --base",
        "model_index.json",
        lambda: config_files(["README.md"]),
    ),
]


QUANTISED = [
    Case(
        "'conv.weight_scale' is the scale of a weight that isn't there: take the unquantised model",
        "conv.weight_scale",
        dequantised(conv__weight_scale=((), 1.0)),
    ),
    Case(
        "'conv.weight_scale' has a scale by block ((4, 2) for a weight of (4, 4)): take the unquantised model",
        "conv.weight_scale",
        dequantised(conv__weight=((4, 4), 1.0), conv__weight_scale=((4, 2), 1.0)),
    ),
    Case(
        "'conv.weight_scale' isn't finite: the file is damaged, fetch it again",
        "conv.weight_scale",
        dequantised(conv__weight=((4, 4), 1.0), conv__weight_scale=((), float("nan"))),
    ),
    Case(
        "'conv.comfy_quant' can't be read: take the unquantised model",
        "conv.comfy_quant",
        dequantised(conv__comfy_quant=b"{"),
    ),
    Case(
        "'conv.comfy_quant' is quantised ('nvfp4'), which this server can't read: take the unquantised "
        "model, or one in fp8",
        "nvfp4",
        dequantised(conv__comfy_quant=b'{"format": "nvfp4"}'),
    ),
]

CASES = [*SINGLE_FILES, *QUANTISED]

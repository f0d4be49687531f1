"""Models of the real shapes with random weights, as folders that any loader takes: speed needs no trained weights.

Must not know what is measured with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn

from realtime.engine.models.quiet import quiet

with quiet():
    from diffusers import (
        AutoencoderKL,  # pyright: ignore[reportPrivateImportUsage]
        AutoencoderTiny,  # pyright: ignore[reportPrivateImportUsage]
        UNet2DConditionModel,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

M = TypeVar("M", bound=nn.Module)

TOKENS = 77
VOCABULARY = 49408
SEED = 1
_ALIKE: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_LCM: dict[str, Any] = {**_ALIKE, "_class_name": "LCMScheduler", "original_inference_steps": 50, "steps_offset": 1}
_TURBO: dict[str, Any] = {**_ALIKE, "_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a published model's networks.

    Attributes:
        unet: configuration of its UNet, beyond diffusers' defaults (SD 1.x).
        text: width, layers, heads, inner width and activation of each text encoder.
        scheduler: fields of `scheduler_config.json`.
    """

    unet: dict[str, Any]
    text: tuple[tuple[int, int, int, int, str], ...]
    scheduler: dict[str, Any]


_CLIP_L = (768, 12, 12, 3072, "quick_gelu")
_SD: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
SHAPES = {
    "sd-turbo": Shape(
        {**_SD, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True},
        ((1024, 23, 16, 4096, "gelu"),),
        _TURBO,
    ),
    "lcm": Shape({**_SD, "time_cond_proj_dim": 256}, (_CLIP_L,), _LCM),
    "sdxl-turbo": Shape(
        {
            "sample_size": 64,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        (_CLIP_L, (1280, 32, 20, 5120, "gelu")),
        _TURBO,
    ),
}


def tiny(shape: Shape) -> Shape:
    """The same layout with few channels and layers: for machines that could not run the real one, and for tests."""
    levels = len(shape.unet["block_out_channels"])
    text = tuple((32, 2, 4, 64, activation) for *_, activation in shape.text)
    unet = {
        **shape.unet,
        "block_out_channels": (32, 32, 64, 64)[-levels:],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "cross_attention_dim": 32 * len(text),
        "attention_head_dim": 4,
        "sample_size": 8,
    }
    if "addition_embed_type" in unet:
        unet |= {
            "transformer_layers_per_block": 1,
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 80,
        }
    if "time_cond_proj_dim" in unet:
        unet["time_cond_proj_dim"] = 16
    return Shape(unet, text, shape.scheduler)


def save_folder(name: str, folder: Path, *, dtype: torch.dtype, device: torch.device, small: bool = False) -> Path:
    """Write a random model of this shape in diffusers' layout, with an autoencoder of TAESD's shape.

    Args:
        name: of `SHAPES`.
        dtype: of the files.
        device: where weights are drawn; a GPU is faster.
        small: `tiny` instead of the real shape.

    Returns:
        The folder; one that is already there is taken as it is.
    """
    if (folder / "model_index.json").exists():
        return folder
    shape = tiny(SHAPES[name]) if small else SHAPES[name]
    with quiet():
        drawn(UNet2DConditionModel, shape.unet, dtype=dtype, device=device).save_pretrained(folder / "unet")
        taesd(dtype, device, small).save_pretrained(folder / "vae")
        for number, sizes in enumerate(shape.text):
            suffix = "_2" if number else ""
            encoder = text_encoder(sizes, second=bool(number), dtype=dtype, device=device)
            encoder.save_pretrained(folder / f"text_encoder{suffix}")
            _save_tokenizer(folder / f"tokenizer{suffix}", "!" if number else "<|endoftext|>")
    _write(folder / "scheduler" / "scheduler_config.json", {**shape.scheduler, "num_train_timesteps": 1000})
    pipeline = "StableDiffusionXLPipeline" if len(shape.text) == 2 else "StableDiffusionPipeline"
    _write(folder / "model_index.json", {"_class_name": pipeline, "force_zeros_for_empty_prompt": True})
    return folder


def taesd(dtype: torch.dtype, device: torch.device, small: bool) -> AutoencoderTiny:
    """An autoencoder of TAESD's shape whose latents and pictures have the size of real ones."""
    blocks: dict[str, Any] = {}
    if small:
        blocks = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
        blocks |= {"num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4}
    vae = drawn(AutoencoderTiny, blocks, dtype=torch.float32, device=device)
    last_of_encoder, last_of_decoder = (
        [part for part in half.modules() if isinstance(part, nn.Conv2d)][-1] for half in (vae.encoder, vae.decoder)
    )
    generator = torch.Generator().manual_seed(SEED)
    pixels = torch.randn(1, 3, 64, 64, generator=generator).clamp(-1, 1).to(device)
    latents = torch.randn(1, 4, 8, 8, generator=generator).to(device)
    with torch.no_grad():
        last_of_encoder.weight /= vae.encode(pixels, return_dict=False)[0].std()  # pyright: ignore
        last_of_decoder.weight /= 3 * vae.decode(latents, return_dict=False)[0].std()  # pyright: ignore
        assert last_of_decoder.bias is not None
        last_of_decoder.bias += 0.5  # the decoder ends with 2x - 1
    return cast(Any, vae).to(dtype=dtype)


def kl_autoencoder(dtype: torch.dtype, device: torch.device, small: bool) -> AutoencoderKL:
    """Stable Diffusion's own autoencoder: what diffusers' pipelines run as they come."""
    settings: dict[str, Any] = {
        "block_out_channels": (8, 8, 16, 16) if small else (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1 if small else 2,
        "norm_num_groups": 4 if small else 32,
        "latent_channels": 4,
        "sample_size": 512,
    }
    return drawn(AutoencoderKL, settings, dtype=dtype, device=device)


def text_encoder(
    sizes: tuple[int, int, int, int, str], *, second: bool, dtype: torch.dtype, device: torch.device
) -> CLIPTextModel | CLIPTextModelWithProjection:
    """A CLIP text encoder; SDXL's second has a projection."""
    width, layers, heads, inner, activation = sizes
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=TOKENS,
        projection_dim=width,
        hidden_act=activation,
        bos_token_id=VOCABULARY - 2,
        eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1,
    )
    torch.manual_seed(SEED)
    kind = CLIPTextModelWithProjection if second else CLIPTextModel
    with torch.device(device):
        return cast(Any, kind(config)).to(dtype=dtype).eval()


def drawn(kind: type[M], settings: dict[str, Any], *, dtype: torch.dtype, device: torch.device) -> M:
    """A network whose weights are drawn on the device, so that activations keep their size."""
    with torch.device("meta"):
        network = kind(**settings)
    network.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(SEED)
    with torch.no_grad():
        for part in network.modules():
            for name, parameter in part.named_parameters(recurse=False):
                parameter.normal_(generator=generator)
                if parameter.ndim > 1:
                    parameter /= parameter[0].numel() ** 0.5
                else:
                    parameter *= 0.1
                    if name == "weight":  # a norm's
                        parameter += 1
    return cast(Any, network).to(dtype=dtype).eval().requires_grad_(False)


def _save_tokenizer(folder: Path, pad_token: str) -> None:
    """CLIP's tokenizer with a vocabulary of single bytes, filled up to CLIP's size."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    letters = [chr(byte) for byte in printable] + [chr(256 + at) for at, _ in enumerate(others)]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [f"unused-{number}" for number in range(VOCABULARY - 2 - len(words))]
    words += ["<|startoftext|>", "<|endoftext|>"]
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    _write(folder / "vocab.json", {word: number for number, word in enumerate(words)})
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    _write(
        folder / "tokenizer_config.json",
        {
            **special,
            "pad_token": pad_token,
            "tokenizer_class": "CLIPTokenizer",
            "do_lower_case": True,
            "model_max_length": TOKENS,
        },
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")

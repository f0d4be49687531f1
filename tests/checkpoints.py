"""Tiny checkpoints with random weights in the file layouts of the real ones, so that tests need no network.

Weights are drawn so that signals keep their size through the networks: an output depends visibly on the picture, the
timestep and the prompt, which diffusers' own initialisation of a small network does not give.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from realtime.engine.models.painter.networks import STYLE_WIDTH, PainterAutoencoder, PainterImageEncoder, PainterUnet

#: Tokens: 256 bytes, each in the middle and at the end of a word, and the two special ones. Real CLIP's pattern.
VOCABULARY = 514
TOKENS = 77
WIDTH = 32
WIDTH_2 = 48
PROJECTION = 40

_SD_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "trained_betas": None,
}
LCM = {**_SD_SCHEDULE, "_class_name": "LCMScheduler", "original_inference_steps": 50, "timestep_scaling": 10.0}
TURBO = {**_SD_SCHEDULE, "_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
PNDM = {**_SD_SCHEDULE, "_class_name": "PNDMScheduler", "skip_prk_steps": True}
V_PREDICTION = {**_SD_SCHEDULE, "_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}
TINY = {
    **LCM,
    "beta_start": 0.0001,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": True,
    "steps_offset": 0,
}


#: The blocks of the real SD 1.x and 2.x, with few channels: for what depends on how they are numbered.
DEEP: dict[str, Any] = {
    "block_out_channels": (16, 16, 32, 32),
    "layers_per_block": 2,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}


P = ParamSpec("P")
_built = tempfile.TemporaryDirectory(prefix="realtime-checkpoints-")
"""What this process has built, to be copied; it goes with the process."""


def built_once(build: Callable[Concatenate[Path, P], Path]) -> Callable[Concatenate[Path, P], Path]:
    """A builder that copies what it has built before with the same arguments: 5 ms instead of 100 to 260."""

    @functools.wraps(build)
    def copied(folder: Path, *args: P.args, **options: P.kwargs) -> Path:
        if any(isinstance(value, nn.Module) for value in options.values()):
            return build(folder, *args, **options)  # no key says which weights it has
        key = hashlib.sha1(repr((args, sorted(options.items()))).encode()).hexdigest()
        made = Path(_built.name) / f"{build.__name__}-{key}"
        if not made.exists():
            build(made, *args, **options)
        shutil.copytree(made, folder, dirs_exist_ok=True)
        return folder

    return copied


def fill(module: nn.Module, seed: int) -> nn.Module:
    """Draw all weights anew, scaled so that activations keep their size."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            noise = noise / parameter[0].numel() ** 0.5
        is_gain = parameter.ndim == 1 and parameter.detach().mean() > 0.5
        parameter.data = 1 + 0.1 * noise if is_gain else noise * (1.0 if parameter.ndim > 1 else 0.1)
    return module.eval().requires_grad_(False)


def tiny_unet(seed: int = 0, **config: Any) -> UNet2DConditionModel:
    """A UNet of two levels in SD's layout."""
    settings: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
        **config,
    }
    return fill(UNet2DConditionModel(**settings), seed)  # type: ignore[return-value]


def tiny_sdxl_unet(seed: int = 0, **config: Any) -> UNet2DConditionModel:
    """A UNet that takes pooled text and picture sizes as SDXL's does."""
    return tiny_unet(
        seed,
        cross_attention_dim=WIDTH + WIDTH_2,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + PROJECTION,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        **config,
    )


def tiny_autoencoder_kl(seed: int = 0, **config: Any) -> AutoencoderKL:
    """An AutoencoderKL that shrinks by 8."""
    settings: dict[str, Any] = {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "latent_channels": 4,
        "scaling_factor": 0.18215,
        **config,
    }
    return fill(AutoencoderKL(**settings), seed)  # type: ignore[return-value]


def tiny_taesd(seed: int = 0, latent_channels: int = 4) -> AutoencoderTiny:
    """An AutoencoderTiny in TAESD's layout that shrinks by 8."""
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
        latent_channels=latent_channels,
    )
    return fill(vae, seed)  # type: ignore[return-value]


def save_tokenizer(folder: Path, pad_token: str = "<|endoftext|>") -> None:
    """CLIP's tokenizer files with a vocabulary of single bytes."""
    folder.mkdir(parents=True)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    letters = [chr(byte) for byte in printable] + [chr(256 + at) for at, _ in enumerate(others)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": pad_token,
    }
    _write_json(folder / "vocab.json", {word: token_id for token_id, word in enumerate(words)})
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    _write_json(folder / "special_tokens_map.json", special)
    _write_json(
        folder / "tokenizer_config.json",
        {**special, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True, "model_max_length": TOKENS},
    )


def text_config(width: int = WIDTH, **config: Any) -> CLIPTextConfig:
    """Configuration of a tiny CLIP text encoder, with the historical end token that the real ones carry."""
    return CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
        **{"projection_dim": PROJECTION, **config},
    )


def save_text_encoder(folder: Path, seed: int = 0, width: int = WIDTH, variant: str | None = None) -> CLIPTextModel:
    """A CLIPTextModel under the keys of all published ones: `text_model.` in front, a stray `position_ids` behind."""
    model = fill(CLIPTextModel(text_config(width)), seed)
    state = {f"text_model.{key}": value for key, value in model.state_dict().items()}
    state["text_model.embeddings.position_ids"] = torch.arange(TOKENS)[None]
    _save_transformer(folder, model.config, "CLIPTextModel", state, variant)
    return model  # type: ignore[return-value]


def save_text_encoder_2(folder: Path, seed: int = 0) -> CLIPTextModelWithProjection:
    """SDXL's second text encoder."""
    model = fill(CLIPTextModelWithProjection(text_config(WIDTH_2, hidden_act="gelu")), seed)
    _save_transformer(folder, model.config, "CLIPTextModelWithProjection", model.state_dict(), None)
    return model  # type: ignore[return-value]


def _save_transformer(
    folder: Path, config: CLIPTextConfig, architecture: str, state: dict[str, torch.Tensor], variant: str | None
) -> None:
    folder.mkdir(parents=True)
    _write_json(folder / "config.json", {**config.to_dict(), "architectures": [architecture]})
    name = f"model.{variant}.safetensors" if variant else "model.safetensors"
    dtype = torch.float16 if variant == "fp16" else torch.float32
    tensors = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    save_file(tensors, folder / name, metadata={"format": "pt"})


@built_once
def build_sd(
    folder: Path,
    *,
    scheduler: dict[str, Any] = PNDM,
    seed: int = 0,
    vae: nn.Module | None = None,
    variant: str | None = None,
    **unet: Any,
) -> Path:
    """SD 1.x: one text encoder, an AutoencoderKL. SD 2.x's layout is the same with other numbers."""
    _save(tiny_unet(seed, **unet), folder / "unet", variant)
    _save(vae or tiny_autoencoder_kl(seed + 1), folder / "vae", variant)
    save_text_encoder(folder / "text_encoder", seed + 2, variant=variant)
    save_tokenizer(folder / "tokenizer")
    _save_index(folder, scheduler, {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None]})
    return folder


@built_once
def build_sd2(folder: Path, seed: int = 0, **unet: Any) -> Path:
    """SD 2.x as far as files go: v-prediction, linear projections, heads by level."""
    settings = {"use_linear_projection": True, "attention_head_dim": (2, 4), **unet}
    return build_sd(folder, scheduler=V_PREDICTION, seed=seed, **settings)


@built_once
def build_lcm(folder: Path, seed: int = 0) -> Path:
    """A latent consistency model: the guidance scale goes into the UNet."""
    return build_sd(folder, scheduler=LCM, seed=seed, time_cond_proj_dim=16)


@built_once
def build_sdxl(folder: Path, *, scheduler: dict[str, Any] = TURBO, seed: int = 0) -> Path:
    """SDXL: two text encoders, pooled text and sizes beside the timestep."""
    _save(tiny_sdxl_unet(seed), folder / "unet")
    _save(tiny_autoencoder_kl(seed + 1, scaling_factor=0.13025), folder / "vae")
    save_text_encoder(folder / "text_encoder", seed + 2)
    save_text_encoder_2(folder / "text_encoder_2", seed + 3)
    save_tokenizer(folder / "tokenizer")
    save_tokenizer(folder / "tokenizer_2", pad_token="!")
    index = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True}
    _save_index(folder, scheduler, index)
    return folder


@built_once
def build_tiny(folder: Path, seed: int = 0) -> Path:
    """The embedded model's layout: 8 latent channels twice in the UNet's input, an AutoencoderTiny, a card."""
    build_sd(folder, scheduler=TINY, seed=seed, vae=tiny_taesd(seed + 1, 8), in_channels=16, out_channels=8)
    card = {
        "styles": [{"name": "Oil", "prompt": "oil painting"}],
        "moods": [{"name": "Warm", "prompt": "warm colours"}],
        "default_prompt": "oil painting",
        "default_strength": 0.6,
        "default_steps": 2,
        "best_steps": 2,
        "width": 64,
        "height": 64,
    }
    _write_json(folder / "realtime.json", card)
    return folder


@built_once
def build_painter(folder: Path, seed: int = 0, hears_pictures: bool = False) -> Path:
    """The painter with few channels: networks of its own, a text encoder that ends in a style vector."""
    unet = PainterUnet(widths=(8, 12, 16), blocks_per_place=1, modulation_width=16)
    # As a trained one answers: a change of about the latents' size, whatever style and timestep are.
    for parameter in fill(unet.modulation, seed).out.parameters():
        parameter.data[: len(parameter) // 2] += 1.0 if parameter.ndim == 1 else 0.0
    fill(unet.blocks, seed + 1)
    _save(unet, folder / "unet")
    _save(fill(PainterAutoencoder(encoder_widths=(4, 8), decoder_widths=(8, 4)), seed + 2), folder / "vae")
    if hears_pictures:
        _save(fill(PainterImageEncoder((4, 8), 8, side_px=96), seed + 4), folder / "image_encoder")
    text = fill(CLIPTextModelWithProjection(text_config(projection_dim=STYLE_WIDTH)), seed + 3)
    text.save_pretrained(folder / "text_encoder")  # type: ignore[operator]
    save_tokenizer(folder / "tokenizer")
    _save_index(folder, TINY, {"_class_name": "PainterPipeline"})
    return folder


@built_once
def build_taesd(folder: Path, seed: int = 0, latent_channels: int = 4) -> Path:
    """An autoencoder by itself, as `madebyollin/taesd`."""
    _save(tiny_taesd(seed, latent_channels), folder)
    return folder


def put_in_hub_cache(cache: Path, repo: str, folder: Path, revision: str = "main") -> Path:
    """Copy a folder to where the hub's cache would have it. Returns the snapshot's folder."""
    commit = hashlib.sha1(f"{repo}@{revision}".encode()).hexdigest()
    root = cache / f"models--{repo.replace('/', '--')}"
    shutil.copytree(folder, root / "snapshots" / commit)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / revision).write_text(commit, encoding="ascii")
    return root / "snapshots" / commit


def _save(module: Any, folder: Path, variant: str | None = None) -> None:
    (module.half() if variant == "fp16" else module).save_pretrained(folder, variant=variant)


def _save_index(folder: Path, scheduler: dict[str, Any], index: dict[str, Any]) -> None:
    _write_json(folder / "model_index.json", index)
    (folder / "scheduler").mkdir()
    _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")

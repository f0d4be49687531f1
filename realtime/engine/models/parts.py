"""The networks and tables of a diffusers folder on this disk, loaded and checked one by one.

Must not know presets, the hub, or what the parts are used for.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from ...errors import ModelError
from ...params import SIDE_MULTIPLE_PX
from ..quiet import quiet
from .files import autoencoder_files, find_component, list_files, needed_files, read_header, read_json

with quiet():  # their import alone logs
    from diffusers import (
        AutoencoderKL,  # pyright: ignore[reportPrivateImportUsage]
        AutoencoderTiny,  # pyright: ignore[reportPrivateImportUsage]
        UNet2DConditionModel,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

M = TypeVar("M", bound=nn.Module)

Autoencoder = AutoencoderKL | AutoencoderTiny
TextEncoder = CLIPTextModel | CLIPTextModelWithProjection

_AUTOENCODERS: dict[str, type[Autoencoder]] = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}


@dataclass(frozen=True)
class Parts:
    """What a model consists of, before it is put to work.

    Attributes:
        vae: the model's own autoencoder, None where another one is used.
        text_encoders: one, or SDXL's two.
        tokenizers: one for each text encoder.
        scheduler: the fields of `scheduler_config.json`.
        zero_empty_negative: an empty negative prompt is all zeros (SDXL's `force_zeros_for_empty_prompt`).
    """

    unet: UNet2DConditionModel
    vae: Autoencoder | None
    text_encoders: tuple[TextEncoder, ...]
    tokenizers: tuple[CLIPTokenizer, ...]
    scheduler: dict[str, Any]
    zero_empty_negative: bool = False

    @property
    def is_sdxl(self) -> bool:
        """Whether the UNet wants pooled text and picture sizes beside the timestep."""
        return self.unet.config["addition_embed_type"] == "text_time"


def load_folder(folder: Path, dtype: torch.dtype, prefer_fp16: bool, with_vae: bool) -> Parts:
    """Load a model in diffusers' layout.

    Args:
        folder: has `model_index.json` and the components' folders.
        dtype: of the weights in memory, whatever they are on disk.
        prefer_fp16: which files to take where there are both.
        with_vae: whether the model's own autoencoder is wanted.

    Raises:
        ModelError: something is missing, broken or of a kind that this server does not run.
    """
    names = list_files(folder)
    with prefixed(folder):
        for name in needed_files(names, prefer_fp16, with_vae):
            if name.endswith(".safetensors"):
                read_header(folder / name)
    index = read_json(folder / "model_index.json")
    encoders: list[type[TextEncoder]] = [CLIPTextModel]
    if "text_encoder_2/config.json" in names:
        encoders.append(CLIPTextModelWithProjection)
    suffixes = ("", "_2")[: len(encoders)]

    def text_encoder(suffix: str, kind: type[TextEncoder]) -> TextEncoder:
        variant = find_component(names, f"text_encoder{suffix}", prefer_fp16).variant
        return load_text_encoder(kind, folder / f"text_encoder{suffix}", dtype, variant)

    return Parts(
        unet=load_unet(folder / "unet", dtype, find_component(names, "unet", prefer_fp16).variant),
        vae=load_autoencoder(folder, dtype, prefer_fp16) if with_vae else None,
        text_encoders=tuple(text_encoder(suffix, kind) for suffix, kind in zip(suffixes, encoders, strict=True)),
        tokenizers=tuple(load_tokenizer(folder / f"tokenizer{suffix}") for suffix in suffixes),
        scheduler=read_json(folder / "scheduler" / "scheduler_config.json"),
        zero_empty_negative=bool(index.get("force_zeros_for_empty_prompt", False)),
    )


def load_unet(folder: Path, dtype: torch.dtype, variant: str | None) -> UNet2DConditionModel:
    """Load `unet/`. Raises ModelError."""
    _require_class(folder / "config.json", "UNet2DConditionModel")
    with one_line(folder):
        unet, loading = UNet2DConditionModel.from_pretrained(  # pyright: ignore
            folder,
            dtype=dtype,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=True,
            output_loading_info=True,
        )
    return _complete(folder, unet, loading)


def load_autoencoder(folder: Path, dtype: torch.dtype, prefer_fp16: bool) -> Autoencoder:
    """Load an autoencoder from its own folder or from the `vae` folder of a whole model.

    Raises:
        ModelError: there is none, or it is of a kind that this server does not run.
    """
    with prefixed(folder):
        config, *weights = autoencoder_files(list_files(folder), prefer_fp16)
        for name in weights:
            if name.endswith(".safetensors"):
                read_header(folder / name)
    where = (folder / config).parent
    kind = _AUTOENCODERS[_require_class(folder / config, *_AUTOENCODERS)]
    with one_line(where):
        vae, loading = kind.from_pretrained(  # pyright: ignore
            where,
            dtype=dtype,
            variant="fp16" if ".fp16" in weights[-1] else None,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=True,
            output_loading_info=True,
        )
    return _complete(where, vae, loading)


def load_text_encoder(kind: type[TextEncoder], folder: Path, dtype: torch.dtype, variant: str | None) -> TextEncoder:
    """Load `text_encoder/` or `text_encoder_2/`. Raises ModelError."""
    if (model_type := read_json(folder / "config.json").get("model_type")) not in ("clip_text_model", "clip"):
        raise ModelError(f"{folder}: a {model_type!r} text encoder; this server runs CLIP ones (SD 1.x, SD 2.x, SDXL)")
    with one_line(folder):
        model, loading = kind.from_pretrained(  # pyright: ignore
            folder,
            dtype=dtype,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    return _complete(folder, model, loading)


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Load `tokenizer/` or `tokenizer_2/`. Raises ModelError."""
    try:
        with one_line(folder):
            return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelError(f"{folder}: can't be loaded: {str(error)[:200]}") from error


def check_fit(name: str, parts: Parts, vae: Autoencoder) -> None:
    """Check that parts fit each other, and this server.

    Raises:
        ModelError: they don't; says what does.
    """
    config = parts.unet.config
    noisy, latents = config["in_channels"], config["out_channels"]
    if noisy not in (latents, 2 * latents):
        what = "an inpainting model" if noisy == 2 * latents + 1 else f"a UNet that takes {noisy} channels"
        raise ModelError(f"{name}: {what} can't be used here; take the plain model of its family")
    if vae.config["latent_channels"] != latents:
        raise ModelError(
            f"{name}: its latents have {latents} channels and the autoencoder's {vae.config['latent_channels']}: "
            "take another --vae, or `--vae full` for the model's own"
        )
    if scale_px(vae) > SIDE_MULTIPLE_PX:
        raise ModelError(f"{name}: its autoencoder shrinks by {scale_px(vae)}, more than {SIDE_MULTIPLE_PX}")
    # "text" pools the prompt's embeddings by itself; "text_time" is SDXL's.
    is_known = config["addition_embed_type"] in (None, "text", "text_time")
    if not is_known or config["class_embed_type"] or config["encoder_hid_dim"]:
        raise ModelError(f"{name}: its UNet takes inputs that this server does not have")
    if parts.is_sdxl != (len(parts.text_encoders) == 2):
        raise ModelError(f"{name}: an SDXL model has two text encoders and others one; here they don't fit the UNet")
    width = sum(encoder.config.hidden_size for encoder in parts.text_encoders)
    if config["cross_attention_dim"] != width:
        raise ModelError(
            f"{name}: the text encoder gives {width} numbers a token and the UNet takes {config['cross_attention_dim']}"
        )


def scale_px(vae: Autoencoder) -> int:
    """Pixels to a latent's side."""
    blocks = vae.config["encoder_block_out_channels" if isinstance(vae, AutoencoderTiny) else "block_out_channels"]
    return 2 ** (len(blocks) - 1)


def _require_class(config: Path, *kinds: str) -> str:
    kind = read_json(config).get("_class_name")
    if kind not in kinds:
        raise ModelError(f"{config}: a {kind!r}; this server runs {' or '.join(kinds)} there")
    return str(kind)


def _complete(folder: Path, module: M, loading: Any) -> M:
    # The libraries fill missing weights with noise and only log it: the picture would be noise too.
    if missing := sorted(map(str, loading["missing_keys"])):
        raise ModelError(f"{folder}: {len(missing)} weights are missing (such as {missing[0]}): fetch it again")
    return module


@contextmanager
def prefixed(what: object) -> Generator[None]:
    """Put the name of what is being looked at before a ModelError's message."""
    try:
        yield
    except ModelError as error:
        message = str(error)
        raise ModelError(message if message.startswith(str(what)) else f"{what}: {message}") from None


@contextmanager
def one_line(what: object) -> Generator[None]:
    """Turn what the libraries raise on files they can't load, often hundreds of lines, into one line."""
    try:
        with quiet():
            yield
    except torch.OutOfMemoryError:
        raise ModelError(f"{what}: not enough GPU memory: take a smaller model, or --device cpu") from None
    except MemoryError:
        raise ModelError(f"{what}: not enough memory: take a smaller model") from None
    except (
        *(OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, NotImplementedError),
        SafetensorError,
    ) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ModelError(f"{what}: can't be loaded: {' '.join(lines)[:200]}") from error

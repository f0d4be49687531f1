"""A model's parts: loads them from a diffusers folder, and checks that they fit each other.

Must not know presets, the hub, or what the parts are used for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ModelError
from ...params import SIDE_MULTIPLE_PX
from .components import (
    Autoencoder,
    AutoencoderKL,
    AutoencoderTiny,
    Unet,
    UNet2DConditionModel,
    load_autoencoder,
    load_image_encoder,
    load_text_encoder,
    load_tokenizer,
    load_unet,
    prefixed,
)
from .files import find_component, list_files, needed_files, read_json
from .header import read_header
from .own import OwnImageEncoder

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from .clip import TextEncoder
    from .family import Family

_MISFIT_TEXT_ENCODERS = (
    "an SDXL model has two text encoders and others one; here they don't fit the UNet: fetch it again"
)


@dataclass(frozen=True)
class Parts:
    """What a model consists of, loaded on the CPU.

    Attributes:
        family: of the model.
        vae: the model's own autoencoder; None where another one is used.
        text_encoders: one, or SDXL's two.
        tokenizers: one for each text encoder.
        image_encoder: reads pictures of a prompt; None: it has words alone.
        scheduler: the fields of `scheduler_config.json`.
        zero_empty_negative: whether an empty negative prompt's embeddings are zeros (SDXL's
            `force_zeros_for_empty_prompt`).
    """

    family: Family
    unet: Unet
    vae: Autoencoder | None
    text_encoders: tuple[TextEncoder, ...]
    tokenizers: tuple[CLIPTokenizer, ...]
    scheduler: dict[str, Any]
    zero_empty_negative: bool = False
    image_encoder: OwnImageEncoder | None = None


def load_folder(folder: Path, family: Family, dtype: torch.dtype, prefer_fp16: bool, with_vae: bool) -> Parts:
    """Load a model in diffusers' layout.

    Args:
        folder: has `model_index.json` and the components' folders.
        family: of the model.
        dtype: of the weights in memory, whatever they are on disk.
        prefer_fp16: whether to read fp16 files where there are both.
        with_vae: whether to load the model's own autoencoder.

    Raises:
        ModelError: something is missing, broken or of a kind that this server does not run.
    """
    names = list_files(folder)
    with prefixed(folder):
        for name in needed_files(names, prefer_fp16, with_vae):
            if name.endswith(".safetensors"):
                read_header(folder / name)
    suffixes = ("", "_2") if "text_encoder_2/config.json" in names else ("",)
    if len(suffixes) != len(family.text_encoders):
        raise ModelError(f"{folder}: {_MISFIT_TEXT_ENCODERS}")

    def variant(component: str) -> str | None:
        return find_component(names, component, prefer_fp16).variant

    def text_encoder(suffix: str, kind: str) -> TextEncoder:
        component = f"text_encoder{suffix}"
        return load_text_encoder(resolve_name(kind), folder / component, dtype, variant(component))

    autoencoders, tokenizer = [resolve_name(kind) for kind in family.autoencoders], resolve_name(family.tokenizer)
    return Parts(
        family=family,
        unet=load_unet(folder / "unet", dtype, variant("unet"), resolve_name(family.unet)),
        vae=load_autoencoder(folder, dtype, prefer_fp16, autoencoders) if with_vae else None,
        text_encoders=tuple(map(text_encoder, suffixes, family.text_encoders)),
        tokenizers=tuple(load_tokenizer(folder / f"tokenizer{suffix}", tokenizer) for suffix in suffixes),
        scheduler=read_json(folder / "scheduler" / "scheduler_config.json"),
        zero_empty_negative=zeroes_empty_negative(folder),
        image_encoder=_image_encoder(folder, names, family, dtype, prefer_fp16),
    )


def _image_encoder(
    folder: Path, names: Collection[str], family: Family, dtype: torch.dtype, prefer_fp16: bool
) -> OwnImageEncoder | None:
    if family.image_encoder is None or "image_encoder/config.json" not in names:
        return None
    found = find_component(names, "image_encoder", prefer_fp16)
    with prefixed(folder):
        for name in found.files:
            read_header(folder / name)
    return load_image_encoder(folder / "image_encoder", dtype, found.variant, resolve_name(family.image_encoder))


def zeroes_empty_negative(folder: Path) -> bool:
    """See `Parts`. Raises ModelError."""
    return bool(read_json(folder / "model_index.json").get("force_zeros_for_empty_prompt", False))


def check_fit(name: str, parts: Parts, vae: Autoencoder) -> None:
    """Check that a model's parts and its autoencoder fit each other and this server.

    Args:
        name: of the model, for the message.

    Raises:
        ModelError: they don't; the message says what to take instead.
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
        raise ModelError(
            f"{name}: its autoencoder shrinks by {scale_px(vae)}, more than {SIDE_MULTIPLE_PX}: take another --vae"
        )
    if isinstance(parts.unet, UNet2DConditionModel):  # a family's own class fits by its making
        _check_conditions(name, parts, config)


def _check_conditions(name: str, parts: Parts, config: Mapping[str, Any]) -> None:
    # A UNet of "text" pools the prompt's embeddings itself; "text_time" is SDXL's.
    is_known = config["addition_embed_type"] in (None, "text", "text_time")
    if not is_known or config["class_embed_type"] or config["encoder_hid_dim"]:
        raise ModelError(f"{name}: its UNet takes inputs that this server does not have: take a plain model")
    if (config["addition_embed_type"] == "text_time") != ("time_ids" in parts.family.conditions):
        raise ModelError(f"{name}: {_MISFIT_TEXT_ENCODERS}")
    given = sum(encoder.config.hidden_size for encoder in parts.text_encoders)
    if (taken := config["cross_attention_dim"]) != given:
        raise ModelError(
            f"{name}: the text encoder gives {given} numbers a token and the UNet takes {taken}: fetch the model again"
        )


def scale_px(vae: Autoencoder) -> int:
    """Pixels per latent, along a side."""
    if isinstance(vae, AutoencoderTiny):
        return 2 ** (len(vae.config["encoder_block_out_channels"]) - 1)
    if isinstance(vae, AutoencoderKL):
        return 2 ** (len(vae.config["block_out_channels"]) - 1)
    return vae.spatial_compression_ratio

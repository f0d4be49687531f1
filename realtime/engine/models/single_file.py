"""A whole model in one `.safetensors` file, in the layout of the original Stable Diffusion code (LDM).

The file holds weights only; the networks' configuration, the scheduler and the tokenizers come from a base folder.
Must not know the hub: the base folder is on this disk.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors.torch import load_file

from ...errors import ModelError
from .components import AutoencoderKL, UNet2DConditionModel, load_tokenizer, one_line, prefixed
from .family import SDXL, Family, find_single_file_family
from .files import read_json
from .header import Header, read_header, shown
from .ldm_names import clip_weight_names, unet_weight_names, vae_weight_names
from .parts import Parts, zeroes_empty_negative
from .quantised import check_quantised, dequantised

if TYPE_CHECKING:
    from .clip import TextEncoder

M = TypeVar("M", bound=torch.nn.Module)

_log = logging.getLogger(__name__)

_UNET = "model.diffusion_model."
_VAE = ("first_stage_model.", "vae.")
_TEXT = ("cond_stage_model.", "conditioner.embedders.")
_TEXT_KEYS = ".attn2.to_k.weight"

_TEXT_ENCODERS = (("text_encoder", "text encoder"), ("text_encoder_2", "second text encoder"))
"""The base's folders of text encoders, and their names in messages."""

_REFINER = "conditioner.embedders.0.model."
"""Prefix of the refiner's only text encoder, which is the second one of SDXL in the first one's place."""

_EDM = ("edm_mean", "edm_std", "edm_vpred.sigma_max")
"""Marks of Playground v2.5 and CosXL."""

_HARMLESS = re.compile(
    r"(?:^|\.)(?:position_ids|logit_scale|attn_mask|text_projection(?:\.weight)?)$"
    r"|\.(?:visual|vision_model|visual_projection)\."
    r"|^cond_stage_model\.model\.transformer\.resblocks\.23\."  # SD 2.x uses the layer before
    r"|^(?:first_stage_model|vae)\.(?:loss|model_ema|quantize)\."
)
"""What published files have in their networks' places and nothing needs."""


@dataclass(frozen=True, slots=True)
class SingleFile:
    """Facts about a single file from its header.

    Attributes:
        family: of the model.
        in_channels: of the UNet.
        text_width: numbers a token that its UNet takes; None where it takes no text.
        has_vae: whether it contains an autoencoder.
    """

    path: Path
    family: Family
    in_channels: int
    text_width: int | None
    has_vae: bool


def inspect_single_file(path: Path) -> SingleFile:
    """Find a single file's family by the names of its weights, without reading them.

    Raises:
        ModelError: the file is not a whole model of a family that this server runs.
    """
    header = read_header(path)
    shapes = header.shapes
    first = shapes.get(_UNET + "input_blocks.0.0.weight")
    if first is None or len(first) != 4:
        raise ModelError(f"{path}: {_what_else(header)}")
    family = find_single_file_family(shapes)
    if any(key.startswith(_REFINER) for key in shapes) and family is not SDXL:
        raise ModelError(f"{path}: an SDXL refiner; use an SDXL base model")
    if family is None:
        raise ModelError(f"{path}: it has a UNet but no text encoder; a whole model is needed")
    if marks := [key for key in _EDM if key in shapes]:
        raise ModelError(f"{path}: its noise levels are EDM's ({marks[0]}), unknown here: take another model")
    with prefixed(path):
        check_quantised(header, lambda key: key.startswith((_UNET, *_VAE, *_TEXT)))
    text_key = next((key for key in shapes if key.startswith(_UNET) and key.endswith(_TEXT_KEYS) and shapes[key]), None)
    return SingleFile(
        path,
        family,
        in_channels=first[1],
        text_width=shapes[text_key][-1] if text_key else None,
        has_vae=any(key.startswith(_VAE) for key in shapes),
    )


def _what_else(header: Header) -> str:
    names = header.shapes
    if any("lora" in name for name in names):
        return "a LoRA, not a model: give it with --lora beside a model"
    if any(name.startswith(("down_blocks.", "encoder.", "text_model.")) for name in names):
        return "one part of a diffusers model; give the folder that it lies in"
    return "not a Stable Diffusion 1.x, 2.x or SDXL model in one file: take one of these"


def load_single_file(file: SingleFile, base: Path, base_given: bool, dtype: torch.dtype, with_vae: bool) -> Parts:
    """Load a single file.

    Args:
        file: from `inspect_single_file`.
        base: diffusers folder with the configurations and tokenizers; its weights aren't read.
        base_given: whether the user chose the base, so that its scheduler precedes a guess by the weights.
        dtype: of the weights in memory.
        with_vae: whether to load the file's own autoencoder.

    Raises:
        ModelError: the file is broken, or does not fit the base.
    """
    with one_line(file.path), prefixed(file.path):
        state = dequantised(load_file(file.path), dtype)
        channels = file.in_channels
        common: dict[str, Any] = {
            "pretrained_model_link_or_path_or_dict": state,
            "config": str(base),
            "dtype": dtype,
            "local_files_only": True,
        }
        with _complete(file.path, "UNet") as check:
            unet = check(UNet2DConditionModel.from_single_file(subfolder="unet", in_channels=channels, **common))
        with _complete(file.path, "autoencoder") as check:
            vae = check(AutoencoderKL.from_single_file(subfolder="vae", **common)) if with_vae else None
        encoders = _text_encoders(file, state, base, dtype)
    _check_leftovers(file, state, unet, vae, encoders)
    metadata = read_header(file.path).metadata
    scheduler = read_json(base / "scheduler" / "scheduler_config.json")
    return Parts(
        family=file.family,
        unet=unet,
        vae=vae,
        text_encoders=encoders,
        tokenizers=tuple(load_tokenizer(base / f"tokenizer{suffix}") for suffix in ("", "_2")[: len(encoders)]),
        scheduler=scheduler | _stated_schedule(file.family, state, metadata, base_given),
        zero_empty_negative=zeroes_empty_negative(base),
    )


def _text_encoders(
    file: SingleFile, state: dict[str, torch.Tensor], base: Path, dtype: torch.dtype
) -> tuple[TextEncoder, ...]:
    # Not in diffusers' documentation, but what its own `from_single_file` calls; imported late there too.
    from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm as convert

    encoders: list[TextEncoder] = []
    for kind, (folder, name) in zip(file.family.text_encoders, _TEXT_ENCODERS, strict=False):
        with _complete(file.path, name) as check:
            network = convert(
                resolve_name(kind), state, folder, config=str(base), torch_dtype=dtype, local_files_only=True
            )
            encoders.append(check(network))
    return tuple(encoders)


def _check_leftovers(
    file: SingleFile,
    names: Collection[str],
    unet: torch.nn.Module,
    vae: torch.nn.Module | None,
    encoders: Sequence[TextEncoder],
) -> None:
    """Check that the file has nothing in a network's place that the network didn't take: what it is for isn't known.

    Raises:
        ModelError: it has.
    """
    taken = {_UNET + name for name in unet_weight_names(unet)}
    places = [_UNET]
    if vae is not None:
        places += _VAE
        taken |= {prefix + name for prefix in _VAE for name in vae_weight_names(vae)}
    for encoder, prefix in zip(encoders, file.family.single_file_prefixes, strict=True):
        places.append(prefix)
        taken |= {prefix + name for name in clip_weight_names(encoder, is_open_clip=prefix.endswith(".model."))}
    left = [name for name in names if name.startswith(tuple(places)) and name not in taken]
    left = [name for name in left if not _HARMLESS.search(name)]
    if left:
        raise ModelError(
            f"{file.path}: {len(left)} of its weights are none that such a model has, such as "
            f"{', '.join(map(shown, left[:3]))}: it is quantised, or needs another --base"
        )


@contextmanager
def _complete(path: Path, name: str) -> Generator[Callable[[M], M]]:
    """Yields a check that raises ModelError for a network with weights that the file lacks."""
    refusal = ModelError(f"{path}: its {name} lacks weights: it is cut short, or needs another --base")

    def check(network: M) -> M:
        if any(weight.is_meta for weight in network.state_dict().values()):
            raise refusal
        return network

    try:
        yield check
    except NotImplementedError:
        raise refusal from None


def _stated_schedule(
    family: Family, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str], base_given: bool
) -> dict[str, Any]:
    """The fields of `scheduler_config.json` that a single file, which has no scheduler, overrides in its base's.

    In this order: statements in the file (`modelspec.*` metadata, the marker keys `v_pred` and `ztsnr`), the scheduler
    of a base that the user chose, for some families a guess by the weights, the scheduler of the default base.
    """
    stated: dict[str, Any] = {}
    if "ztsnr" in state:
        stated["rescale_betas_zero_snr"] = True
    word = (metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key") or "").lower()
    if word in ("v", "v_prediction", "velocity") or "v_pred" in state:
        return {**stated, "prediction_type": "v_prediction"}
    if word in ("epsilon", "eps"):
        return {**stated, "prediction_type": "epsilon"}
    mark = family.prediction_mark
    if mark and not base_given and (bias := state.get(mark.key)) is not None:
        is_v = bias.float().std(unbiased=False).item() > mark.v_above
        stated["prediction_type"] = "v_prediction" if is_v else "epsilon"
        _log.info("The weights look like %s; --base chooses otherwise.", stated["prediction_type"])
    return stated

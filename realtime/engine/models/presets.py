"""Presets: models by name, with their source, licence and default params; and downloading them.

Must not import torch or anything that does: `realtime models list` does not wait for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError
from .family import PAINTER, SD, SD2, SDXL, Family, find_family, read_facts
from .files import autoencoder_files, local_path, needed_files
from .header import PICKLE_SUFFIXES, read_header, refuse_pickle
from .hub import HubId, fetch, find_cached, parse_hub_id

if TYPE_CHECKING:
    from .. import Progress

LORAS = {
    "lcm-lora-sd15": "latent-consistency/lcm-lora-sdv1-5",
    "lcm-lora-sdxl": "latent-consistency/lcm-lora-sdxl",
}
"""Hub ids of LoRAs by preset name."""


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a model's weights, in short and without warranty: the model's page is authoritative.

    Attributes:
        name: as its authors call it.
        note: what it says about commercial use.
    """

    name: str
    note: str


_STABILITY = Licence(
    "Stability AI Community / non-commercial research",
    "research and personal use; commercial use needs Stability AI's terms: read them first",
)
_OPENRAIL = Licence("CreativeML OpenRAIL-M", "commercial use allowed, with use restrictions")
_OPENRAIL_XL = Licence("CreativeML OpenRAIL++-M", "commercial use allowed, with use restrictions")
_MIT = Licence("MIT", "commercial use allowed; the model it was distilled from is CreativeML OpenRAIL-M")
_APACHE = Licence("Apache-2.0", "commercial use allowed")


@dataclass(frozen=True)
class Preset:
    """A model known by name.

    Attributes:
        name: the value of `--model`.
        title: one line about it.
        source: hub id; None for the one in the package.
        family: of the model.
        licence: of the weights, LoRAs included.
        download_gb: approximate download with a CUDA GPU (half precision, tiny autoencoder), in gigabytes; without one
            up to twice that.
        loras: fused at load, as in `Config.loras`.
        sampler: name of the sampler; None for the one that the model's files name.
        has_guidance: False for models distilled without guidance: a guidance scale has no effect.
        defaults: fields of params whose default differs for this model.
        clip_skip: see `ModelCard`.
    """

    name: str
    title: str
    source: HubId | None
    family: Family
    licence: Licence
    download_gb: float
    loras: tuple[str, ...] = ()
    sampler: str | None = None
    has_guidance: bool = True
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    clip_skip: int | None = None

    @property
    def vae(self) -> HubId | None:
        """The tiny autoencoder that replaces the model's own; None where its own is used."""
        return self.family.taesd


def _params(side: int, steps: int, strength: float, guidance_scale: float = 1.0) -> dict[str, Any]:
    return {
        "width": side,
        "height": side,
        "num_inference_steps": steps,
        "strength": strength,
        "guidance_scale": guidance_scale,
    }


_PRESETS = (
    Preset(
        "tiny", "ships inside: repaints in a style, by words or after a picture, live on a laptop's CPU", None, PAINTER,
        _APACHE, 0.0, has_guidance=False, defaults=_params(384, 1, 0.87),
    ),
    Preset(
        "sd-turbo", "one to four steps at 512: the first to try on a GPU", HubId("stabilityai/sd-turbo"), SD2,
        _STABILITY, 2.5, has_guidance=False, defaults=_params(512, 2, 0.5),
    ),
    Preset(
        "sdxl-turbo", "the big sister of sd-turbo: better pictures, slower",
        HubId("stabilityai/sdxl-turbo"), SDXL, _STABILITY, 6.9, has_guidance=False, defaults=_params(512, 2, 0.5),
    ),
    Preset(
        "lcm-sd15", "Stable Diffusion 1.5 with the LCM LoRA: takes any SD 1.5 LoRA beside it",
        HubId("stable-diffusion-v1-5/stable-diffusion-v1-5"), SD, _OPENRAIL, 2.1, ("lcm-lora-sd15",), "lcm",
        defaults=_params(512, 4, 0.5),
    ),
    Preset(
        "lcm-dreamshaper", "Dreamshaper 7 distilled for four steps, guidance built in",
        HubId("SimianLuo/LCM_Dreamshaper_v7"), SD, _MIT, 4.0, sampler="lcm", defaults=_params(512, 4, 0.5, 8.0),
    ),
    Preset(
        "lcm-sdxl", "Stable Diffusion XL with the LCM LoRA, at 1024",
        HubId("stabilityai/stable-diffusion-xl-base-1.0"), SDXL, _OPENRAIL_XL, 7.3, ("lcm-lora-sdxl",), "lcm",
        defaults=_params(1024, 4, 0.5),
    ),
)  # fmt: skip


def list_presets() -> tuple[Preset, ...]:
    """All presets, the embedded model first."""
    return _PRESETS


def find_preset(name: str) -> Preset | None:
    """The preset of this name; None where there is none."""
    return next((preset for preset in _PRESETS if preset.name == name), None)


def find_plain(source: HubId) -> Preset | None:
    """The preset of this hub id without LoRAs, whose facts hold for the id as well; None where there is none."""
    return next((preset for preset in _PRESETS if preset.source == source and not preset.loras), None)


def embedded_folder() -> Path:
    """The folder of the embedded model.

    Raises:
        ModelError: it is missing.
    """
    folder = Path(str(files("realtime.engine.models"))) / "tiny"
    if not (folder / "model_index.json").is_file():
        raise ModelError(
            "the embedded model is not in this checkout (realtime/engine/models/tiny is missing): "
            "fetch it again, or take another one with --model"
        )
    return folder


def lora_file(names: Collection[str]) -> tuple[str, ...]:
    """Choose the LoRA among the files of a hub repository.

    Raises:
        ModelError: there is none, or it is not clear which file it is.
    """
    weights = sorted(name for name in names if name.endswith(".safetensors") and "/" not in name)
    if "pytorch_lora_weights.safetensors" in weights:
        return ("pytorch_lora_weights.safetensors",)
    if len(weights) != 1:
        which = f"{len(weights)} of them: name one, as org/name/FILE.safetensors" if weights else "none: name another"
        raise ModelError(f"a LoRA is one .safetensors file, and there are {which}")
    return (weights[0],)


def one_file(name: str, names: Collection[str]) -> tuple[str, ...]:
    """Choose one file by name.

    Raises:
        ModelError: there is no such file.
    """
    if name not in names:
        raise ModelError(f"there is no file {name} in it: check the name")
    return (name,)


def choose_lora(hub_id: HubId) -> partial[tuple[str, ...]] | Any:
    """The `Choose` for a LoRA's repository."""
    return partial(one_file, hub_id.file) if hub_id.file else lora_file


def is_cached(preset: Preset) -> bool:
    """True if a preset can be loaded without the network."""
    if preset.source is None:
        try:
            embedded_folder()
        except ModelError:
            return False
        return True
    loras = [parse_hub_id(LORAS[name]) for name in preset.loras]
    choose_model = partial(needed_files, prefer_fp16=True, with_vae=False)
    choose_vae = partial(autoencoder_files, prefer_fp16=True)
    return (
        find_cached(preset.source, choose_model) is not None
        and (preset.vae is None or find_cached(preset.vae, choose_vae) is not None)
        and all(lora and find_cached(lora, choose_lora(lora)) for lora in loras)
    )


def cached_loras() -> list[str]:
    """The LoRAs of `LORAS` that are on this machine."""
    found = ((name, parse_hub_id(text)) for name, text in LORAS.items())
    return [name for name, hub_id in found if hub_id and find_cached(hub_id, choose_lora(hub_id)) is not None]


def pull(name: str, progress: Progress, prefer_fp16: bool | None = None) -> None:
    """Download a model without loading it.

    Args:
        name: a preset or a hub id.
        progress: called with what is downloaded and the percentage.
        prefer_fp16: whether to take fp16 weights where there are both; None for yes with a CUDA GPU (imports torch).

    Raises:
        ModelError: there is no such model, or it can't be downloaded.
    """
    preset = find_preset(name)
    source = preset.source if preset else parse_hub_id(name)
    if preset and source is None:
        embedded_folder()
        return
    if source is None or source.file:
        raise ModelError(f"{name!r} is neither a preset ({preset_names()}) nor a hub id (org/name)")
    if prefer_fp16 is None:
        prefer_fp16 = prefers_fp16()
    folder = fetch(source, partial(needed_files, prefer_fp16=prefer_fp16, with_vae=False), progress)
    if vae := find_family(read_facts(folder)).taesd:
        fetch(vae, partial(autoencoder_files, prefer_fp16=prefer_fp16), progress)
    for lora in preset.loras if preset else ():
        hub_id = parse_hub_id(LORAS[lora])
        assert hub_id is not None
        fetch(hub_id, choose_lora(hub_id), progress)


def prefers_fp16() -> bool:
    """Whether weights are taken as fp16 where there are both: with a CUDA GPU. Imports torch."""
    import torch

    return torch.cuda.is_available()


def check_name(name: str) -> None:
    """Check, without importing torch, that a name can be a model's, as far as its files' headers tell.

    Raises:
        ModelError: it is neither a preset, nor a diffusers folder, nor a safetensors file, nor a hub id.
    """
    if find_preset(name):
        return
    path = local_path(name)
    if path is None and name.endswith((".safetensors", *PICKLE_SUFFIXES)):
        refuse_pickle(Path(name))
        raise ModelError(f"there is no file {name}: check the path")
    if path is not None:
        _check_path(path)
        return
    hub_id = parse_hub_id(name)
    if hub_id is None or hub_id.file:
        raise ModelError(
            f"there is no model {name!r}: give a preset ({preset_names()}), a hub id (org/name), "
            "a diffusers folder or a .safetensors file"
        )


def _check_path(path: Path) -> None:
    if not path.is_dir():
        read_header(path)
    elif not (path / "model_index.json").is_file():
        raise ModelError(f"{path}: not a diffusers folder (no model_index.json): give the folder that has it")


def preset_names() -> str:
    """The presets' names in one line, for messages."""
    return ", ".join(preset.name for preset in _PRESETS)

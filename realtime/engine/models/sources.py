"""Resolves the name of a model or autoencoder to files on this disk, downloaded if need be, and their family.

Must not load weights before `Source.load`, nor move them to a device.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ConfigError, ModelError
from . import hub, presets
from .family import SDXL, Family, FolderFacts, find_family, read_facts
from .files import autoencoder_files, local_path, needed_files
from .parts import Parts, load_folder
from .single_file import SingleFile, inspect_single_file, load_single_file

if TYPE_CHECKING:
    from .. import Progress

_log = logging.getLogger(__name__)

_TAESD_CHANNELS = 4


@dataclass(frozen=True)
class Source:
    """A model that was found on this disk.

    Attributes:
        name: as the user gave it.
        folder: the model's diffusers folder; for a single file that of its base.
        family: of the model.
        own_vae: class of the model's own autoencoder; None where it has none.
        latent_channels: of the UNet's output.
        prefer_fp16: whether to read fp16 weights where there are both.
        preset: the preset with these weights, if any.
        hub_id: where `folder` was downloaded from, if it was.
        file: the single file, if it is one.
        base_given: whether the user chose a single file's base.
    """

    name: str
    folder: Path
    family: Family
    own_vae: str | None
    latent_channels: int
    prefer_fp16: bool
    preset: presets.Preset | None = None
    hub_id: hub.HubId | None = None
    file: SingleFile | None = None
    base_given: bool = False

    def load(self, dtype: torch.dtype, with_vae: bool, progress: Progress) -> Parts:
        """Load the weights on the CPU.

        Args:
            with_vae: whether to load the model's own autoencoder, downloaded if need be.

        Raises:
            ModelError: they can't be loaded or downloaded, or there is no own autoencoder.
        """
        if with_vae and self.own_vae is None:
            raise ModelError(f"{self.name} has no autoencoder of its own: leave --vae out, or name one")
        if self.file:
            return load_single_file(self.file, self.folder, self.base_given, dtype, with_vae)
        if self.hub_id and with_vae:
            hub.fetch(self.hub_id, partial(needed_files, prefer_fp16=self.prefer_fp16, with_vae=True), progress)
        return load_folder(self.folder, self.family, dtype, self.prefer_fp16, with_vae)


def find_source(name: str, base: str | None, progress: Progress, prefer_fp16: bool) -> Source:
    """Find a model: a preset, a file or folder on this disk, or a hub id, in this order; download it if need be.

    Args:
        name: what the user gave.
        base: hub id or folder with the configuration for a single file.
        prefer_fp16: whether to take fp16 weights where there are both.

    Raises:
        ModelError: there is no such model, it can't be downloaded, or it could run code.
        ConfigError: a base is given for a model that is no single file.
    """
    presets.check_name(name)
    preset = presets.find_preset(name)
    path = local_path(name)
    if preset is None and path and not path.is_dir():
        return _single_file(inspect_single_file(path), name, base, progress, prefer_fp16)
    if base is not None:
        raise ConfigError(f"base: only a single .safetensors file needs one, and {name!r} is none: leave --base out")
    if preset and preset.source is None:
        return _folder(presets.embedded_folder(), name, prefer_fp16, preset=preset)
    if preset is None and path:
        return _folder(path, name, prefer_fp16)
    hub_id = preset.source if preset else hub.parse_hub_id(name)
    assert hub_id is not None  # check_name has seen to it
    choose = partial(needed_files, prefer_fp16=prefer_fp16, with_vae=False)
    folder = hub.fetch(hub_id, choose, progress)
    return _folder(folder, name, prefer_fp16, preset=preset or presets.find_plain(hub_id), hub_id=hub_id)


def _folder(folder: Path, name: str, prefer_fp16: bool, **more: Any) -> Source:
    if not (folder / "model_index.json").is_file():
        raise ModelError(f"{folder}: not a diffusers folder (no model_index.json): give the folder that has it")
    facts = _facts(folder)
    family = find_family(facts)
    return Source(name, folder, family, facts.autoencoder, facts.latent_channels, prefer_fp16, **more)


def _single_file(file: SingleFile, name: str, base: str | None, progress: Progress, prefer_fp16: bool) -> Source:
    path = local_path(base) if base else None
    hub_id = hub.parse_hub_id(base) if base else file.family.base
    if path:
        folder = path
    elif hub_id is None or hub_id.file:
        raise ModelError(f"there is no base {base!r}: give a hub id or a diffusers folder")
    else:
        folder = hub.fetch(hub_id, config_files, progress)
    facts = _facts(folder)
    _check_base(file, facts, name, base or str(file.family.base))
    channels = facts.latent_channels
    own_vae = "AutoencoderKL" if file.has_vae else None
    return Source(name, folder, file.family, own_vae, channels, prefer_fp16, file=file, base_given=base is not None)


def _check_base(file: SingleFile, facts: FolderFacts, name: str, base: str) -> None:
    """Check that a single file's base is of its family. Raises ModelError."""
    width = facts.unet.get("cross_attention_dim")
    family = find_family(facts)
    if (family is SDXL) != (file.family is SDXL) or (file.text_width and width != file.text_width):
        raise ModelError(
            f"{name}: it is a model of the family {file.family.name} (text of {file.text_width} numbers a token), and "
            f"the base {base} is of {family.name} ({width}): leave --base out, or give one of the same family"
        )


def config_files(names: Collection[str]) -> tuple[str, ...]:
    """The files of a base that a single file needs: configurations and tokenizers, a few megabytes.

    Raises:
        ModelError: it is not a diffusers folder.
    """
    needed = ("model_index.json", "unet/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json")
    for name in needed:
        if name not in names:
            raise ModelError(f"not a diffusers folder ({name} is missing): give another --base")
    folders = ("unet/", "vae/", "text_encoder/", "text_encoder_2/", "tokenizer/", "tokenizer_2/", "scheduler/")
    texts = (name for name in names if name.startswith(folders) and name.endswith((".json", ".txt")))
    return ("model_index.json", *(name for name in texts if ".index." not in name))


def _facts(folder: Path) -> FolderFacts:
    if not (folder / "unet" / "config.json").is_file():
        raise ModelError(f"{folder}: it has no unet: this server runs SD 1.x, SD 2.x and SDXL models")
    return read_facts(folder)


def find_vae(wanted: str | None, source: Source, progress: Progress) -> tuple[Path | None, tuple[str, ...]]:
    """Find the autoencoder to run with, and download it if need be.

    By default that is TAESD; the model's own where that is tiny itself, or TAESD does not fit or can't be downloaded.

    Args:
        wanted: hub id, folder, `full` for the model's own, or None.

    Returns:
        Its folder, or None for the model's own; and notes for the user, as in `EngineInfo`.

    Raises:
        ModelError: there is none.
        ConfigError: the embedded model runs with its own only.
    """
    taesd = source.family.taesd
    if taesd is None and wanted not in (None, "full"):
        raise ConfigError("vae: the embedded model runs with its own autoencoder only: leave --vae out")
    choose = partial(autoencoder_files, prefer_fp16=source.prefer_fp16)
    if wanted == "full":
        return None, ()
    if wanted is not None:
        folder, hub_id = local_path(wanted), hub.parse_hub_id(wanted)
        if folder:
            return folder, ()
        if hub_id is None or hub_id.file:
            raise ModelError(f"there is no autoencoder {wanted!r}: give a hub id, a folder or `full`")
        return hub.fetch(hub_id, choose, progress), ()
    if taesd is None or source.own_vae == "AutoencoderTiny" or source.latent_channels != _TAESD_CHANNELS:
        return None, ()
    try:
        return hub.fetch(taesd, choose, progress), ()
    except ModelError as error:
        if source.own_vae is None:
            raise ModelError(f"{error}; and {source.name} has no autoencoder of its own") from None
        note = f"The model's full autoencoder is used, several times slower than the tiny one, because {error}"
        _log.warning(note)
        return None, (note,)

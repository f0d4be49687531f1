"""The models that a server may change to by name: presets, what lies in the hub's cache, and in folders it was told of.

A name is looked up among those that are found, and never taken for a path. Must not import torch, or load weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import ModelError
from .files import autoencoder_files, list_files, needed_files
from .header import read_header
from .hub import HubId, cached_folder, find_cached, parse_hub_id
from .presets import LORAS, Preset, embedded_folder, find_preset, is_cached, list_presets

_CACHED = re.compile(r"models--([\w.-]+?)--([\w.-]+)")
_UNET = "model.diffusion_model."
"""Prefix of the UNet's weights in a file that is a whole model."""
FOUND_MAX = 256
"""Models of folders and of the cache that are listed: a listing reads a header of each."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that goes by a name.

    Attributes:
        name: of the preset, the hub id, or the file's or folder's own.
        model: what `--model` takes for it.
        title: one line about it; empty where nothing is known.
        licence: of its weights; empty where it is not known.
        is_here: whether it can be loaded without the network.
        download_gb: of a preset that is not; else 0.
    """

    name: str
    model: str
    title: str = ""
    licence: str = ""
    is_here: bool = True
    download_gb: float = 0.0


def list_shelved(folders: Iterable[Path] = ()) -> list[Shelved]:
    """All models: presets, then what lies in the folders and in the hub's cache. Reads headers: for no event loop."""
    found = [_of_preset(preset) for preset in list_presets()]
    names = {one.name for one in found} | {str(preset.source) for preset in list_presets() if not preset.loras}
    for one in _bounded((*_in_folders(folders), *_in_cache())):
        if one.name not in names:
            names.add(one.name)
            found.append(one)
    return found


def weights(shelved: Shelved, *, prefer_fp16: bool) -> int | None:
    """Number of weights of a model that is here, its autoencoder and text encoders among them; None where that is not
    known. Reads headers.
    """
    preset = find_preset(shelved.name)
    try:
        if preset is not None:
            return _of_files(_preset_files(preset, prefer_fp16))
        path = Path(shelved.model)
        if path.is_file():
            return _of_files([path])
        hub_id = parse_hub_id(shelved.model)
        folder = path if path.is_dir() else hub_id and cached_folder(hub_id)
        return _of_files(_folder_files(folder, prefer_fp16)) if folder else None
    except ModelError:
        return None


def _of_files(files: Iterable[Path]) -> int:
    headers = (read_header(file) for file in files)
    return sum(math.prod(shape) for header in headers for shape in header.shapes.values())


def _folder_files(folder: Path, prefer_fp16: bool) -> list[Path]:
    names = needed_files(list_files(folder, 5), prefer_fp16, with_vae=False)
    return [folder / name for name in names if name.endswith(".safetensors")]


def _preset_files(preset: Preset, prefer_fp16: bool) -> list[Path]:
    """The weights that a preset is loaded from, but for LoRAs, which are fused into them. Raises ModelError."""
    if preset.source is None:
        return list(embedded_folder().glob("*/*.safetensors"))
    folder = cached_folder(preset.source)
    if folder is None:
        raise ModelError(f"{preset.name} is not here")
    files = _folder_files(folder, prefer_fp16)
    if preset.vae is not None and (vae := cached_folder(preset.vae)) is not None:
        names = autoencoder_files(list_files(vae, 5), prefer_fp16)
        files += [vae / name for name in names if name.endswith(".safetensors")]
    return files


def _of_preset(preset: Preset) -> Shelved:
    is_here = is_cached(preset)
    licence = f"{preset.licence.name}: {preset.licence.note}"
    return Shelved(preset.name, preset.name, preset.title, licence, is_here, 0.0 if is_here else preset.download_gb)


def _in_folders(folders: Iterable[Path]) -> Iterator[Shelved]:
    for folder in folders:
        try:
            paths = sorted(folder.iterdir(), key=lambda path: path.name.lower())
        except OSError:
            continue  # gone, or of another user: nothing is offered of it
        yield from (Shelved(path.name, str(path.absolute())) for path in paths if _is_model(path))


def _is_model(path: Path) -> bool:
    """Whether it is a diffusers folder, or a file with a whole model in it: a LoRA is none."""
    if path.is_dir():
        return (path / "model_index.json").is_file()
    if path.suffix.lower() != ".safetensors":
        return False
    try:
        return any(name.startswith(_UNET) for name in read_header(path).shapes)
    except ModelError:
        return False


def _in_cache() -> Iterator[Shelved]:
    from huggingface_hub import constants

    others = {str(parse_hub_id(name)) for name in LORAS.values()}
    for repo in sorted(Path(constants.HF_HUB_CACHE).expanduser().glob("models--*--*")):
        match = _CACHED.fullmatch(repo.name)
        hub_id = match and HubId(f"{match[1]}/{match[2]}")
        if not hub_id or str(hub_id) in others:
            continue
        if find_cached(hub_id, partial(needed_files, prefer_fp16=True, with_vae=False)) is not None:
            yield Shelved(str(hub_id), str(hub_id))


def _bounded(found: Iterable[Shelved]) -> list[Shelved]:
    return list(found)[:FOUND_MAX]

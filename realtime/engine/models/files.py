"""A model's files on this disk: which ones a diffusers folder needs, and reading their JSON.

Must not know torch or the hub, or read weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...errors import ModelError
from .header import PICKLE_SUFFIXES

_STEMS = {
    "unet": "diffusion_pytorch_model",
    "image_encoder": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "text_encoder_2": "model",
}


@dataclass(frozen=True, slots=True)
class Component:
    """The weight files of one component.

    Attributes:
        variant: `fp16`, or None for the plain files.
        files: names relative to the model's folder.
    """

    variant: str | None
    files: tuple[str, ...]


def find_component(names: Collection[str], folder: str, prefer_fp16: bool, stem: str | None = None) -> Component:
    """Choose the weight files of one component.

    Args:
        names: all files of the model, relative, with forward slashes.
        folder: the component, for example `unet`; empty where the files lie at the top.
        prefer_fp16: whether to take the fp16 variant where there are both.
        stem: of the files' names; None for the component's usual one.

    Raises:
        ModelError: there are no weights, or only pickled ones.
    """
    stem = stem or _STEMS[folder]
    prefix = f"{folder}/" if folder else ""
    shard = r"-\d{5}-of-\d{5}"
    weights = re.compile(rf"{re.escape(prefix + stem)}({shard})?(?:\.(fp16))?({shard})?\.safetensors")
    found: dict[str | None, list[tuple[str, bool]]] = {}
    for name in sorted(names):
        if match := weights.fullmatch(name):
            found.setdefault(match[2], []).append((name, bool(match[1] or match[3])))
    if not found:
        pickled = any(name.startswith(prefix + stem) and name.endswith(PICKLE_SUFFIXES) for name in names)
        where = folder or "the autoencoder"
        raise ModelError(
            f"{where} has only pickled weights, and only .safetensors is taken: convert it first"
            if pickled
            else f"{where} has no weights (no {prefix}{stem}.safetensors): fetch the model again"
        )
    variant = "fp16" if "fp16" in found and (prefer_fp16 or None not in found) else None
    whole = [name for name, is_shard in found[variant] if not is_shard]
    if whole:
        return Component(variant, (whole[0],))
    suffix = ".index.fp16.json" if variant else ".index.json"
    index = [name for name in names if name.startswith(f"{prefix}{stem}") and name.endswith(suffix)]
    return Component(variant, (*index, *(name for name, _ in found[variant])))


def needed_files(names: Collection[str], prefer_fp16: bool, with_vae: bool) -> tuple[str, ...]:
    """The files of a diffusers folder that this server reads.

    Args:
        names: all files of the model, relative, with forward slashes.
        prefer_fp16: whether to take fp16 weights where there are both.
        with_vae: whether the model's own autoencoder is needed.

    Raises:
        ModelError: something is missing.
    """
    if "model_index.json" not in names:
        raise ModelError("not a diffusers folder (no model_index.json): give the folder that has it")
    suffixes = ("", "_2") if "text_encoder_2/config.json" in names else ("",)
    if "text_encoder/config.json" not in names:
        raise ModelError(
            "it has no first text encoder (an SDXL refiner?): use the base model"
            if len(suffixes) == 2
            else "it has no text_encoder: this server runs SD 1.x, SD 2.x and SDXL models"
        )
    configs = ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"]
    components = ["unet", *(f"text_encoder{suffix}" for suffix in suffixes)]
    for suffix in suffixes:
        configs.append(f"text_encoder{suffix}/config.json")
        tokenizer = f"tokenizer{suffix}/"
        if not {f"{tokenizer}tokenizer.json"} & set(names) and not {f"{tokenizer}vocab.json"} & set(names):
            raise ModelError(f"{tokenizer[:-1]} is missing: fetch the model again")
        configs += [name for name in names if name.startswith(tokenizer) and name.endswith((".json", ".txt"))]
    if with_vae:
        components.append("vae")
    if with_vae or "vae/config.json" in names:
        configs.append("vae/config.json")
    if missing := [name for name in configs if name not in names]:
        raise ModelError(f"{missing[0]} is missing: fetch the model again")
    configs += [name for name in ("realtime.json",) if name in names]
    weights = [file for component in components for file in find_component(names, component, prefer_fp16).files]
    return (*configs, *weights)


def autoencoder_files(names: Collection[str], prefer_fp16: bool) -> tuple[str, ...]:
    """The files of an autoencoder that this server reads: in a folder of its own, or in the `vae` folder of a model.

    Raises:
        ModelError: there is no autoencoder.
    """
    folder = "" if "config.json" in names and "vae/config.json" not in names else "vae"
    config = f"{folder}/config.json".lstrip("/")
    if config not in names:
        raise ModelError("there is no autoencoder in it (no config.json): give one's folder or a whole model's")
    return (config, *find_component(names, folder, prefer_fp16, _STEMS["vae"]).files)


def local_path(name: str) -> Path | None:
    """The existing file or folder of this name, `~` expanded; None where there is none."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, another user's home that isn't there, a NUL
        return None


def estimator_files(names: Collection[str]) -> tuple[str, ...]:
    """The files of one of transformers' networks that make hints for nets.

    Raises:
        ModelError: one is missing.
    """
    wanted = ("config.json", "model.safetensors")
    if missing := [name for name in wanted if name not in names]:
        raise ModelError(f"{missing[0]} is missing: fetch it again")
    return wanted


def list_files(folder: Path, depth: int = 2) -> frozenset[str]:
    """Names of the files down to `depth` levels of folders, relative to the first, with forward slashes."""
    paths = (path for level in range(depth) for path in folder.glob("*/" * level + "*"))
    return frozenset(path.relative_to(folder).as_posix() for path in paths if path.is_file())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of a model.

    Raises:
        ModelError: the file can't be read or contains something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror or error}): fetch the model again") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: not JSON: fetch it again") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: not a JSON object: fetch it again")
    return cast("dict[str, Any]", value)

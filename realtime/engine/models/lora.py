"""Finds LoRAs, checks them and fuses them into a model's weights at load.

Must not know more of the model than its parts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from ...errors import ConfigError, ModelError
from ..sampler import Sampler
from .components import one_line, prefixed
from .files import list_files, local_path
from .header import read_header, refuse_pickle
from .hub import fetch, parse_hub_id
from .parts import Parts
from .presets import LORAS, choose_lora

if TYPE_CHECKING:
    from .. import Progress
    from .family import LoraPipeline

_ADAPTER = "realtime"
_LORA_PART = re.compile(r"[._]lora[._]")
"""Separates a layer's name from the rest of a key in all layouts: `.lora_A.weight`, `_lora.down.weight`…"""
_SAMPLER_NAME = re.compile(r"(?:^|[^a-z])(lcm|tcd)(?:[^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """A LoRA as the user named it.

    Attributes:
        name: preset, hub id or path.
        scale: factor of its weights.
    """

    name: str
    scale: float = 1.0

    @property
    def sampler(self) -> Sampler | None:
        """The sampler that a few-step LoRA needs, guessed by `lcm` or `tcd` in its name; None for others."""
        path = local_path(self.name)
        match = _SAMPLER_NAME.search(path.name if path else self.name)
        return Sampler(match[1].lower()) if match else None


def parse_lora(text: str) -> LoraSpec:
    """Parse `NAME_OR_PATH[:SCALE]`. What follows the last colon is part of the name where it is no number.

    Raises:
        ConfigError: the scale is not finite, or the name is empty.
    """
    name, colon, scale = text.rpartition(":")
    try:
        value = float(scale) if colon else 1.0
    except ValueError:
        return LoraSpec(text)
    if not math.isfinite(value) or (colon and not name):
        raise ConfigError(f"loras: {text!r} is not NAME_OR_PATH[:SCALE]")
    return LoraSpec(name, value) if colon else LoraSpec(text)


def find_lora(spec: LoraSpec, progress: Progress) -> Path:
    """The file of a LoRA, downloaded if it is not on this disk.

    Raises:
        ModelError: there is no such file, or it can't be downloaded.
    """
    name = LORAS.get(spec.name, spec.name)
    path = local_path(name)
    if path and path.is_file():
        refuse_pickle(path)
        return path
    if (hub_id := parse_hub_id(name)) is None:
        raise ModelError(
            f"there is no LoRA {spec.name!r}: give a preset ({', '.join(LORAS)}), a hub id or a .safetensors file"
        )
    choose = choose_lora(hub_id)
    folder = fetch(hub_id, choose, progress)
    return folder / (hub_id.file or choose(list_files(folder))[0])


def fuse_loras(parts: Parts, specs: Sequence[LoraSpec], progress: Progress) -> None:
    """Add LoRAs to the weights of a model, in place.

    Reads diffusers' and kohya's key layouts, for the UNet and the text encoders.

    Raises:
        ModelError: a LoRA can't be found, is not one, or does not fit the model.
    """
    for spec in specs:
        if parts.family.lora_pipeline is None:
            raise ModelError(f"LoRA {spec.name}: models of this family ({parts.family.name}) take none")
        path = find_lora(spec, progress)
        read_header(path)
        progress(f"fusing {path.stem}", None)
        with prefixed(f"LoRA {spec.name}"):
            _fuse(parts, parts.family.lora_pipeline, path, spec.scale)


def _fuse(parts: Parts, loader: LoraPipeline, path: Path, scale: float) -> None:
    local = {"use_safetensors": True, "local_files_only": True}
    config = {"unet_config": parts.unet.config} if loader.wants_unet_config else {}
    with one_line(path.name), _pipeline(parts, loader) as pipe:
        state, *_ = pipe.lora_state_dict(path.parent, weight_name=path.name, **local, **config)
        if not any("lora" in key for key in state):
            raise ModelError("it is no LoRA (no lora weights in it)")
        try:
            pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name=_ADAPTER, **local)
        except (RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise ModelError("it is made for a model of another family, or in a layout that can't be read") from error
        networks = [parts.unet, *parts.text_encoders]
        fitted = sum(_adapted(network) for network in networks)
        wanted = len({_LORA_PART.split(key)[0] for key in state if _LORA_PART.search(key)})
        if fitted < wanted:
            raise ModelError(
                f"it is made for another model: {wanted - fitted} of its {wanted} layers aren't in this one"
            )
        names = [name for name in pipe._lora_loadable_modules if getattr(pipe, name, None) is not None]
        pipe.fuse_lora(names, lora_scale=scale, safe_fusing=True, adapter_names=[_ADAPTER])


def _adapted(network: torch.nn.Module) -> int:
    layers = (module for module in network.modules() if isinstance(module, BaseTunerLayer))
    return sum(_ADAPTER in cast("dict[str, float]", layer.scaling) for layer in layers)


@contextmanager
def _pipeline(parts: Parts, loader: LoraPipeline) -> Generator[Any]:
    """A diffusers pipeline around the networks, as its LoRA loaders are a pipeline's methods; unloaded at the end."""
    import diffusers

    networks: dict[str, Any] = {"vae": None, "unet": parts.unet}
    for suffix, encoder, tokenizer in zip(("", "_2"), parts.text_encoders, parts.tokenizers, strict=False):
        networks |= {f"text_encoder{suffix}": encoder, f"tokenizer{suffix}": tokenizer}
    scheduler = diffusers.DDIMScheduler(clip_sample=False, steps_offset=1)  # pyright: ignore
    pipe = getattr(diffusers, loader.name)(**networks, scheduler=scheduler, **loader.arguments)
    try:
        yield pipe
    finally:
        pipe.unload_lora_weights()

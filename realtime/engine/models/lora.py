"""LoRAs by name: parses what the user wrote, finds the files and has them fused at load.

Must not know more of the model than its parts.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError, ModelError
from ..sampler import Sampler
from .components import prefixed
from .files import list_files, local_path
from .header import read_header, refuse_pickle
from .hub import fetch, parse_hub_id
from .lora_fusing import fuse_file
from .parts import Parts
from .presets import LORAS, choose_lora

if TYPE_CHECKING:
    from .. import Progress

_log = logging.getLogger(__name__)

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
        raise ConfigError(f"loras: {text!r} is not NAME_OR_PATH[:SCALE]: write a name, and a finite number behind it")
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


def fuse_loras(parts: Parts, specs: Sequence[LoraSpec], progress: Progress) -> tuple[str, ...]:
    """Add LoRAs to the weights of a model, in place; formats and layouts are those of `lora_fusing`.

    Returns:
        What of them has no effect here, for the user.

    Raises:
        ModelError: a LoRA can't be found, is not one, or does not fit the model.
    """
    notes: list[str] = []
    for spec in specs:
        if not parts.family.takes_loras:
            raise ModelError(
                f"LoRA {spec.name}: models of this family ({parts.family.name}) take none: leave --lora out"
            )
        path = find_lora(spec, progress)
        header = read_header(path)
        progress(f"fusing {path.stem}", None)
        with prefixed(f"LoRA {spec.name}"):
            notes += [f"LoRA {spec.name}: {note}" for note in fuse_file(parts, path, header, spec.scale)]
    for note in notes:
        _log.warning(note)
    return tuple(notes)

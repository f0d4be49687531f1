"""How a user writes a LoRA: its name, and a scale behind it.

Must not import torch, or know files' contents.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ...errors import ConfigError
from ..sampler import Sampler
from .files import local_path

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

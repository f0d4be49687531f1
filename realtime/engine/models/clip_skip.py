"""Which layer of the text encoders is heard: `--clip-skip`, a preset's or a model card's.

Counted as AUTOMATIC1111 does: 1 is the last layer. SDXL was trained with the one before, its 2. Must not know prompts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError

if TYPE_CHECKING:
    from .parts import Parts
    from .prompt import EncodePrompt


def hears_layer(parts: Parts, clip_skip: int | None) -> EncodePrompt:
    """The family's `encode_prompt`, hearing this layer; None is the one that the family was trained with.

    Raises:
        ConfigError: the text encoders have no such layer, or the family has no choice.
    """
    encode: Any = parts.family.encode_prompt
    if clip_skip is None:
        return encode
    own, name = parts.family.clip_layer, parts.family.name
    if not own:
        raise ConfigError(f"clip_skip: models of this family ({name}) have no choice of layers: leave it out")
    most = min(int(encoder.config.num_hidden_layers) for encoder in parts.text_encoders)
    if not own <= clip_skip <= most:
        raise ConfigError(f"clip_skip: a model of this family ({name}) hears layer {own} to {most}, not {clip_skip}")
    return partial(encode, clip_layer=clip_skip)

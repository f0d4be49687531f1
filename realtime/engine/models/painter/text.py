"""From a text to the painter's style vector.

Must not know blends, caches or the UNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..clip import Encoded, Pairs, encode_sections
from ..prompt_weights import Pieces


def encode_style(pairs: Pairs, pieces: Pieces) -> Encoded:
    """The style vector of a text, as hidden states [1, 1, 48].

    A piece's weight stretches what the piece changes: w = 0 is the text without it, 2 twice the way from there.

    Args:
        pairs: one tokenizer and one `CLIPTextModelWithProjection`.
        pieces: the text.
    """
    whole = _vector(pairs, "".join(text for text, _ in pieces))
    style = whole
    for index, (_, weight) in enumerate(pieces):
        if weight != 1.0:
            without = "".join(text for other, (text, _) in enumerate(pieces) if other != index)
            style = style + (weight - 1.0) * (whole - _vector(pairs, without))
    return style, None


class NearestStyle:
    """Names the style that a text is heard as, among those of a model's card.

    Args:
        pairs: as in `encode_style`.
        names: of the styles, which are their own prompts; the one whose prompt is empty leaves pictures as they are.
    """

    def __init__(self, pairs: Pairs, names: Mapping[str, str]) -> None:
        self._pairs = pairs
        self._names = names
        self._vectors: torch.Tensor | None = None

    @torch.no_grad()
    def __call__(self, text: str) -> str:
        """The nearest style's name. The first call encodes all styles: 0.1 s."""
        if self._vectors is None:
            self._vectors = torch.cat([_vector(self._pairs, prompt) for prompt in self._names.values()])
        distances = torch.linalg.vector_norm(self._vectors - _vector(self._pairs, text), dim=(1, 2))
        return list(self._names)[int(distances.argmin())]


def _vector(pairs: Pairs, text: str) -> torch.Tensor:
    def run(encoder: Any, token_ids: torch.Tensor) -> Encoded:
        return encoder(token_ids).text_embeds[:, None], None

    return encode_sections(pairs, [[(text, 1.0)] if text else []], run)[0]

"""Keys and values of prompts in a network's cross-attentions: computed once a text, not in steps.

Must not know which network they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..models.prompt import weighted_sum

if TYPE_CHECKING:
    from ..models.prompt import Conditioning


class KeysValues:
    """Those of texts and blends, the newest of which are kept. Engine's thread only.

    Args:
        layers: what makes them of a prompt's embeddings, in the order in which they stand side by side.
        texts, blends: how many are kept.
    """

    def __init__(self, layers: Sequence[nn.Linear], texts: int, blends: int) -> None:
        self._layers = layers
        self._of_text = lru_cache(texts)(self._make)
        self._of_blend = lru_cache(blends)(self._blend)

    def of(self, prompt: Conditioning) -> torch.Tensor:
        """All attentions', [1, L, K]: the same object for the same prompt."""
        return self._of_blend(prompt) if prompt.parts and self._layers else self._of_text(prompt)

    def _blend(self, prompt: Conditioning) -> torch.Tensor:
        """Mixed of its parts': exactly, as the projections are linear."""
        parts = [(self._of_text(part), share) for part, share in prompt.parts]
        return weighted_sum((one.repeat(1, prompt.length // one.shape[1], 1), share) for one, share in parts)

    def _make(self, prompt: Conditioning) -> torch.Tensor:
        # A network without cross-attention ignores this condition, which must be there all the same.
        embeds = prompt.prompt_embeds
        return torch.cat([layer(embeds) for layer in self._layers], 2) if self._layers else embeds

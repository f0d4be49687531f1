"""Prompts to embeddings: with weights, chunks, blends, and a cache for all sessions. Engine's thread only.

Must not know sessions, models or sampling.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ...params import WeightedPrompt
from .prompt_text import fitted, read_prompt

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from .clip import Encoded, Pairs, TextEncoder
    from .prompt_weights import Pieces

CACHE_SIZE = 256
"""Default number of prompts in the cache: 80 MB for SDXL in half precision, at 0.3 MB a chunk."""

Prompt = str | tuple[WeightedPrompt, ...]
EncodePrompt = Callable[["Pairs", Sequence["Pieces"], int], "Encoded"]
"""See `Family.encode_prompt`."""


@dataclass(frozen=True, eq=False)
class Conditioning:
    """The embeddings of a prompt. Shared between sessions: the tensors are never written to.

    Attributes:
        prompt_embeds: [1, L, D], the model's dtype and device; L is a multiple of the text encoder's length.
        pooled: [1, P] for SDXL, else None.
    """

    prompt_embeds: torch.Tensor
    pooled: torch.Tensor | None = None

    @property
    def length(self) -> int:
        """L. Rows whose prompts differ in it can't share a call of the UNet."""
        return self.prompt_embeds.shape[1]

    def repeated(self, length: int) -> Conditioning:
        """The same prompt at a multiple of its length: attention over a sequence that is repeated is, but for rounding,
        attention over the sequence, as each key's share is divided among its copies.
        """
        times = length // self.length
        return self if times == 1 else Conditioning(self.prompt_embeds.repeat(1, times, 1), self.pooled)


def equally_long(conditionings: Sequence[Conditioning]) -> list[Conditioning]:
    """The same prompts at one length, the least common multiple of theirs."""
    length = math.lcm(*(one.length for one in conditionings))
    return [one.repeated(length) for one in conditionings]


class PromptEncoder:
    """Encodes prompts as diffusers' pipelines do, longer ones in chunks, and caches the most recently used.

    Args:
        tokenizers: one, or SDXL's two.
        text_encoders: one for each tokenizer, on the device.
        encode_prompt: see `Family`.
        max_chunks: `Family.prompt_chunks`.
        dtype: of the embeddings.
        zero_empty_negative: see `encode_negative`.
        cache_size: number of prompts.

    Attributes:
        hits, misses: number of calls of `encode` that the cache served, or not.
    """

    def __init__(
        self,
        tokenizers: Sequence[CLIPTokenizer],
        text_encoders: Sequence[TextEncoder],
        *,
        encode_prompt: EncodePrompt,
        max_chunks: int | None = None,
        dtype: torch.dtype,
        zero_empty_negative: bool = False,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._pairs = list(zip(tokenizers, text_encoders, strict=True))
        self._encode_prompt = encode_prompt
        self._max_chunks = max_chunks
        self._dtype = dtype
        self._zero_empty_negative = zero_empty_negative
        self._cache: OrderedDict[Prompt, Conditioning] = OrderedDict()
        self._cache_size = cache_size
        self.hits = 0
        self.misses = 0

    def encode(self, prompt: Prompt) -> Conditioning:
        """The embeddings of a prompt, or of a blend: the weighted mean of its prompts' embeddings, of the empty prompt
        where all weights are zero.
        """
        if (cached := self._cache.get(prompt)) is not None:
            self.hits += 1
            self._cache.move_to_end(prompt)
            return cached
        self.misses += 1
        conditioning = self._encode_text(prompt) if isinstance(prompt, str) else self._blend(prompt)
        self._cache[prompt] = conditioning
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return conditioning

    def encode_negative(self, prompt: str) -> Conditioning:
        """The embeddings of a negative prompt; zeros for an empty one with `zero_empty_negative`, as in SDXL."""
        conditioning = self.encode(prompt)
        if prompt or not self._zero_empty_negative:
            return conditioning
        pooled = conditioning.pooled
        return Conditioning(
            torch.zeros_like(conditioning.prompt_embeds), None if pooled is None else torch.zeros_like(pooled)
        )

    def _blend(self, prompts: tuple[WeightedPrompt, ...]) -> Conditioning:
        total = sum(prompt.weight for prompt in prompts)
        if total <= 0:
            return self.encode("")
        shares = [prompt.weight / total for prompt in prompts if prompt.weight]
        parts = equally_long([self.encode(prompt.text) for prompt in prompts if prompt.weight])
        embeds = _weighted_sum([(part.prompt_embeds, share) for part, share in zip(parts, shares, strict=True)])
        pooled = [(part.pooled, share) for part, share in zip(parts, shares, strict=True) if part.pooled is not None]
        return Conditioning(embeds, _weighted_sum(pooled) if pooled else None)

    @torch.no_grad()
    def _encode_text(self, prompt: str) -> Conditioning:
        sections = fitted(read_prompt(prompt).sections, self._max_chunks)
        embeds, pooled = self._encode_prompt(self._pairs, sections, self._max_chunks or 1)
        return Conditioning(embeds.to(self._dtype), None if pooled is None else pooled.to(self._dtype))


def _weighted_sum(parts: list[tuple[torch.Tensor, float]]) -> torch.Tensor:
    if len(parts) == 1:
        return parts[0][0]
    total = sum((part.float() * share for part, share in parts), start=torch.zeros(()).to(parts[0][0].device))
    return total.to(parts[0][0].dtype)

"""From a prompt to what the UNet hears of it: embeddings, weights, blends, and a cache that all sessions share.

Must not know sessions, models or sampling. Only the engine's thread calls it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ...params import WeightedPrompt
from .prompt_weights import parse_weights

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from .parts import TextEncoder

#: Prompts kept. One of SDXL's is 0.3 MB in half precision, so a full cache is 80 MB.
CACHE_SIZE = 256

Prompt = str | tuple[WeightedPrompt, ...]


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What the UNet hears of a prompt. Shared between sessions: nobody writes into the tensors.

    Attributes:
        prompt_embeds: [1, L, D], the model's dtype and device.
        pooled: [1, P] where the model wants it (SDXL), else None.
    """

    prompt_embeds: torch.Tensor
    pooled: torch.Tensor | None = None


class PromptEncoder:
    """Encodes prompts as diffusers' pipelines do, and remembers the latest ones.

    Args:
        tokenizers: one, or SDXL's two.
        text_encoders: one for each tokenizer, on the device.
        is_sdxl: penultimate hidden states and a pooled embedding, instead of the last hidden state.
        zero_empty_negative: see `encode_negative`.
        dtype: of the embeddings.
    """

    def __init__(
        self,
        tokenizers: Sequence[CLIPTokenizer],
        text_encoders: Sequence[TextEncoder],
        *,
        is_sdxl: bool,
        dtype: torch.dtype,
        zero_empty_negative: bool = False,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._pairs = list(zip(tokenizers, text_encoders, strict=True))
        self._is_sdxl = is_sdxl
        self._dtype = dtype
        self._zero_empty_negative = zero_empty_negative
        self._cache: OrderedDict[Prompt, Conditioning] = OrderedDict()
        self._cache_size = cache_size
        self.hits = 0
        self.misses = 0

    def encode(self, prompt: Prompt) -> Conditioning:
        """The embeddings of a prompt, or of a blend of prompts by their weights.

        A blend is the weighted mean of its prompts' embeddings; where all weights are zero, the empty prompt.
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
        """The embeddings of a negative prompt: SDXL was trained with zeros where there is none, other models not."""
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
        shares = [(self.encode(prompt.text), prompt.weight / total) for prompt in prompts if prompt.weight]
        embeds = _weighted_sum([(part.prompt_embeds, share) for part, share in shares])
        pooled = [(part.pooled, share) for part, share in shares if part.pooled is not None]
        return Conditioning(embeds, _weighted_sum(pooled) if pooled else None)

    @torch.no_grad()
    def _encode_text(self, prompt: str) -> Conditioning:
        pieces = parse_weights(prompt)
        text = "".join(piece for piece, _ in pieces)
        hidden: list[torch.Tensor] = []
        pooled = None
        for tokenizer, encoder in self._pairs:
            token_ids, weights = _tokenize(tokenizer, encoder, text, pieces)
            embeds, encoder_pooled = self._run(encoder, token_ids)
            if any(weight != 1.0 for weight in weights):
                empty, _ = self._run(encoder, _tokenize(tokenizer, encoder, "", [])[0])
                embeds = _weighted(embeds, empty, weights)
            hidden.append(embeds)
            pooled = encoder_pooled if pooled is None else pooled
        embeds = torch.cat(hidden, dim=-1).to(self._dtype)
        return Conditioning(embeds, None if pooled is None else pooled.to(self._dtype))

    def _run(self, encoder: TextEncoder, token_ids: list[int]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Source: `encode_prompt` of diffusers' `StableDiffusionPipeline` and `StableDiffusionXLPipeline`."""
        output = encoder(torch.tensor([token_ids], device=encoder.device), output_hidden_states=self._is_sdxl)
        if not self._is_sdxl:
            return output.last_hidden_state, None
        return output.hidden_states[-2], getattr(output, "text_embeds", None)


def _tokenize(
    tokenizer: CLIPTokenizer, encoder: TextEncoder, text: str, pieces: list[tuple[str, float]]
) -> tuple[list[int], list[float]]:
    """Token ids and the weight of each, cut and padded to the encoder's length.

    The text is tokenized as a whole, so that a weight never changes how its words are split.
    """
    length = min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))
    tokens = tokenizer(text, padding="max_length", max_length=length, truncation=True, return_offsets_mapping=True)
    weight_of_char = [weight for piece, weight in pieces for _ in piece]
    weights = [
        weight_of_char[begin] if begin < end else 1.0  # special tokens have no characters
        for begin, end in tokens["offset_mapping"]
    ]
    return list(tokens["input_ids"]), weights


def _weighted(embeds: torch.Tensor, empty: torch.Tensor, weights: list[float]) -> torch.Tensor:
    """Move each token's embedding along the line from the empty prompt's: 0 is there, 1 leaves it as it is, exactly.

    Args:
        embeds: [1, L, D].
        empty: [1, L, D], the empty prompt's.
        weights: L numbers.
    """
    scale = torch.tensor(weights, device=embeds.device, dtype=torch.float32)[None, :, None]
    moved = empty.float() + scale * (embeds.float() - empty.float())
    return torch.where(scale == 1.0, embeds, moved.to(embeds.dtype))


def _weighted_sum(parts: list[tuple[torch.Tensor, float]]) -> torch.Tensor:
    if len(parts) == 1:
        return parts[0][0]
    total = sum((part.float() * share for part, share in parts), start=torch.zeros(()).to(parts[0][0].device))
    return total.to(parts[0][0].dtype)

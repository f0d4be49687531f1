"""Prompts to embeddings: texts with weights and chunks, pictures, blends, and a cache for all sessions. Engine's thread
only, but for what is encoded beside the ticks.

Must not know sessions, models or sampling.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ParamsError, RealtimeError
from ...prompts import Prompt, WeightedPrompt, parts_of
from ..beside import Making
from .encodings import Encodings
from .learned_words import learned_pattern
from .prompt_text import fitted, read_prompt

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from ...pixels import Pixels
    from .clip import Encoded, Pairs, TextEncoder
    from .prompt_weights import Pieces

_log = logging.getLogger(__name__)

TEXTS_KEPT = 256
"""Default number of texts in the cache: 80 MB for SDXL in half precision, at 0.3 MB a chunk."""
BLENDS_KEPT = 64
"""Blends in a cache of their own: those of a glide come and go by the dozen, and must not drive out texts, which cost
more: an encoder's run each.
"""

PICTURES_KEPT = 128
"""Pictures whose embeddings are kept: a few KB each."""

EncodePrompt = Callable[["Pairs", Sequence["Pieces"], int], "Encoded"]
"""See `Family.encode_prompt`."""
EncodePicture = Callable[["Pixels"], "Encoded"]
"""Encodes a picture uint8 [H, W, 3], RGB, as a prompt is encoded."""


@dataclass(frozen=True, eq=False)
class Conditioning:
    """The embeddings of a prompt. Shared between sessions: the tensors are never written to.

    Attributes:
        prompt_embeds: [1, L, D], the model's dtype and device; L is a multiple of the text encoder's length.
        pooled: [1, P] for SDXL, else None.
        parts: of a blend: the texts that are mixed, which may be shorter, and their shares, which sum to 1. What is
            linear in `prompt_embeds` can be mixed of theirs, too. Empty for a text.
    """

    prompt_embeds: torch.Tensor
    pooled: torch.Tensor | None = None
    parts: tuple[tuple[Conditioning, float], ...] = ()

    @property
    def length(self) -> int:
        """L. Rows whose prompts differ in it can't share a call of the UNet."""
        return self.prompt_embeds.shape[1]

    def repeated(self, length: int) -> Conditioning:
        """The same prompt at a multiple of its length: attention over a sequence that is repeated is, but for rounding,
        attention over the sequence, as each key's share is divided among its copies.
        """
        times = length // self.length
        return self if times == 1 else Conditioning(self.prompt_embeds.repeat(1, times, 1), self.pooled, self.parts)


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
        encode_picture: encodes a picture to what a text in its style is encoded to; None: the model hears no pictures.
        max_chunks: `Family.prompt_chunks`.
        dtype: of the embeddings.
        zero_empty_negative: see `encode_negative`.
        cache_size: number of texts.
    """

    def __init__(
        self,
        tokenizers: Sequence[CLIPTokenizer],
        text_encoders: Sequence[TextEncoder],
        *,
        encode_prompt: EncodePrompt,
        encode_picture: EncodePicture | None = None,
        max_chunks: int | None = None,
        dtype: torch.dtype,
        zero_empty_negative: bool = False,
        cache_size: int = TEXTS_KEPT,
    ) -> None:
        self._pairs = list(zip(tokenizers, text_encoders, strict=True))
        self._learned = learned_pattern(self._pairs)
        self._encode_prompt = encode_prompt
        self._encode_picture = encode_picture
        self._max_chunks = max_chunks
        self._dtype = dtype
        self._zero_empty_negative = zero_empty_negative
        self._texts = Encodings(cache_size, _tensors)
        self._pictures = Encodings(PICTURES_KEPT, _tensors)
        self._blends = lru_cache(BLENDS_KEPT)(partial(self._blend, self.encode))
        self._negatives = lru_cache(BLENDS_KEPT)(partial(self._blend, self.encode_negative))
        self._nothing = lru_cache(1)(self._make_nothing)

    def encode(self, prompt: Prompt) -> Conditioning:
        """The embeddings of a prompt, or of a blend: the weighted mean of its prompts' embeddings, of the empty prompt
        where all weights are zero.
        """
        if isinstance(prompt, str):
            return self._texts.get(prompt, lambda: self._encode_text(prompt))
        return self._blends(prompt)

    def lacks(self, prompts: Iterable[Prompt], references: Iterable[str]) -> bool:
        """Whether texts of these prompts, or pictures of these ids, would have to be encoded."""
        texts = (text not in self._texts for text in _texts(prompts))
        return any(texts) or (self.hears_pictures and any(one not in self._pictures for one in references))

    def beside(self, prompts: Iterable[Prompt], references: Mapping[str, Pixels]) -> list[Making]:
        """What encodes beside the ticks what these lack. It is kept from when it is made on."""
        made = [
            making for text in _texts(prompts) for making in self._texts.beside(text, partial(self._encode_text, text))
        ]
        if (encode := self._encode_picture) is not None:
            for reference, picture in references.items():
                made += self._pictures.beside(reference, partial(self._see, encode, picture))
        return made

    def unused(self) -> AbstractContextManager[Any]:
        """Within it nothing is encoded: for who changes the text encoders' weights."""
        return self._texts.in_use

    def forget(self) -> None:
        """Encode all texts anew from now on: the text encoders' weights have changed."""
        self._texts.forget()
        for cached in (self._blends, self._negatives, self._nothing):
            cached.cache_clear()

    @property
    def hears_pictures(self) -> bool:
        """Whether prompts may have pictures in them."""
        return self._encode_picture is not None

    def look(self, references: Mapping[str, Pixels]) -> None:
        """Encode those of some pictures that were not seen yet, or long ago; prompts may name them from now on."""
        if (encode := self._encode_picture) is None:
            return
        for reference, picture in references.items():
            self._pictures.get(reference, partial(self._see, encode, picture))

    @torch.no_grad()
    def _see(self, encode: EncodePicture, picture: Pixels) -> Conditioning:
        return self._cast(*encode(picture))

    @property
    def texts_encoded(self) -> int:
        """Number of texts that were encoded, and not found in the cache."""
        return self._texts.encoded

    def encode_negative(self, prompt: Prompt) -> Conditioning:
        """The embeddings of a negative prompt, or of a blend of several; an empty text's are zeros with
        `zero_empty_negative`, as in SDXL.
        """
        if not self._zero_empty_negative:
            return self.encode(prompt)
        if isinstance(prompt, str):
            return self.encode(prompt) if prompt else self._nothing()
        return self._negatives(prompt)

    def _make_nothing(self) -> Conditioning:
        empty = self.encode("")
        pooled = None if empty.pooled is None else torch.zeros_like(empty.pooled)
        return Conditioning(torch.zeros_like(empty.prompt_embeds), pooled)

    def _blend(self, encode: Callable[[Prompt], Conditioning], prompts: tuple[WeightedPrompt, ...]) -> Conditioning:
        total = sum(prompt.weight for prompt in prompts)
        if total <= 0:
            return encode("")
        parts = [
            (self._seen(prompt.picture) if prompt.picture else encode(prompt.text), prompt.weight / total)
            for prompt in prompts
            if prompt.weight
        ]
        if len(parts) == 1:
            return parts[0][0]
        long = equally_long([part for part, _ in parts])
        shares = [share for _, share in parts]
        embeds = weighted_sum(zip((part.prompt_embeds for part in long), shares, strict=True))
        pooled = [(part.pooled, share) for part, share in parts if part.pooled is not None]
        return Conditioning(embeds, weighted_sum(pooled) if pooled else None, tuple(parts))

    @torch.no_grad()
    def _encode_text(self, prompt: str) -> Conditioning:
        try:
            sections = fitted(read_prompt(prompt, self._learned).sections, self._max_chunks)
            return self._cast(*self._encode_prompt(self._pairs, sections, self._max_chunks or 1))
        except (RuntimeError, RealtimeError):
            raise  # the device's, or told already
        except Exception as error:  # a tokenizer that does not fit its model raises any, at one prompt and not another
            _log.warning("a prompt can't be encoded", exc_info=error)
            raise ParamsError("prompt: this model can't encode it: write it otherwise", "prompt") from error

    def _seen(self, picture: str) -> Conditioning:
        if (seen := self._pictures.find(picture)) is None:
            raise ParamsError(f"prompt: the picture {picture} is not here any more: send it again", "prompt")
        return seen

    def _cast(self, embeds: torch.Tensor, pooled: torch.Tensor | None) -> Conditioning:
        return Conditioning(embeds.to(self._dtype), None if pooled is None else pooled.to(self._dtype))


def _texts(prompts: Iterable[Prompt]) -> dict[str, None]:
    """The texts of some prompts, each once: what is encoded for them."""
    parts = (part for prompt in prompts for part in parts_of(prompt))
    return dict.fromkeys(part.text for part in parts if not part.picture)


def _tensors(one: Conditioning) -> tuple[torch.Tensor | None, ...]:
    return one.prompt_embeds, one.pooled


def weighted_sum(parts: Iterable[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """The sum of tensors of one shape, each times its share: calculated in float32, in their dtype."""
    (first, share), *others = parts
    total = first.float() * share
    for tensor, other in others:
        total += tensor.float() * other
    return total.to(first.dtype)

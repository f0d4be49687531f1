"""CLIP's text encoders: tokenizes weighted text in chunks, and weights the embeddings.

Must not know model families, blends or caches; which of an encoder's outputs are used is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any, TypeVar

import torch

from ..staging import join
from .learned_words import LearnedWords, learned_words
from .prompt_weights import Pieces
from .quiet import quiet

with quiet():  # its import alone logs
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

T = TypeVar("T")

TextEncoder = CLIPTextModel | CLIPTextModelWithProjection

Pairs = Sequence[tuple[CLIPTokenizer, TextEncoder]]
"""Tokenizers, each with its text encoder."""
Encoded = tuple[torch.Tensor, torch.Tensor | None]
"""Hidden states [1, L, D], and a pooled embedding [1, P] where there is one."""

WORD_MAX_TOKENS = 8
"""A longer word may be divided between two chunks; ComfyUI's limit (`sd1_clip.py`, `max_word_length`)."""


@dataclass(slots=True)
class Chunk:
    """A part of a text that an encoder takes at once.

    Attributes:
        token_ids: without the special ones; they fit between them.
        weights: of each token.
        spans: of each token the section that it is from, and where in its text it begins and ends.
    """

    token_ids: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])
    spans: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])


def encode_sections(
    pairs: Pairs, sections: Sequence[Pieces], run: Callable[[Any, torch.Tensor], Encoded], max_chunks: int = 1
) -> Encoded:
    """Encode one text by all encoders, in chunks of the encoders' length.

    Args:
        pairs: tokenizers and encoders.
        sections: the text; each begins a chunk.
        run: calls an encoder with token ids [chunks, L].
        max_chunks: number of chunks that are encoded; what lies behind them is not.

    Returns:
        The encoders' weighted hidden states, chunks side by side: [1, chunks · L, sum of D]; and the pooled embedding
        of the first chunk by the first encoder that has one, to which weights don't apply.
    """
    hidden: list[torch.Tensor] = []
    pooled = None
    for (tokenizer, encoder), chunks in zip(pairs, _equally_many(pairs, sections, max_chunks), strict=True):
        embeds, encoder_pooled = run(encoder, _token_ids(tokenizer, encoder, chunks))
        weights = [_padded(chunk.weights, 1.0, 1.0, 1.0, _length(tokenizer, encoder)) for chunk in chunks]
        if any(weight != 1.0 for of_chunk in weights for weight in of_chunk):
            empty, _ = run(encoder, _token_ids(tokenizer, encoder, [Chunk()]))
            embeds = _weighted(embeds, empty, weights)
        hidden.append(embeds.flatten(0, 1)[None])
        if pooled is None and encoder_pooled is not None:
            pooled = encoder_pooled[:1]
    return torch.cat(hidden, dim=-1), pooled


def _equally_many(pairs: Pairs, sections: Sequence[Pieces], max_chunks: int) -> list[list[Chunk]]:
    """Each encoder's chunks, at least one: where tokenizers differ, those of the shorter are followed by empty ones."""
    chunked = [chunks_of(tokenizer, encoder, sections, max_chunks)[:max_chunks] for tokenizer, encoder in pairs]
    most = max(map(len, chunked))
    return [[*chunks, *(Chunk() for _ in range(most - len(chunks)))] for chunks in chunked]


def chunks_of(
    tokenizer: CLIPTokenizer, encoder: TextEncoder, sections: Sequence[Pieces], max_chunks: int
) -> list[Chunk]:
    """Tokenize a text and divide it into chunks. No word of up to `WORD_MAX_TOKENS` is divided, and no learned one. Any
    thread.

    Each section is tokenized as a whole, so that weights do not change how words are split.

    Args:
        max_chunks: number of chunks; if the text needs more, there is one behind them, which has a token at least.
    """
    room, learned = room_of(tokenizer, encoder), learned_words(encoder)
    chunks: list[Chunk] = []
    for index, pieces in enumerate(sections):
        chunks.append(chunk := Chunk())
        for word in _words(tokenizer, learned, index, pieces):
            left = room - len(chunk.token_ids)
            is_learned = word[0][0] < 0
            if len(word) > left and len(word) <= (room if is_learned else min(WORD_MAX_TOKENS, room)):
                chunks.append(chunk := Chunk())
            for token_id, weight, span in word:
                if len(chunk.token_ids) == room:
                    chunks.append(chunk := Chunk())
                chunk.token_ids.append(token_id)
                chunk.weights.append(weight)
                chunk.spans.append(span)
            if len(chunks) > max_chunks and chunk.token_ids:
                return chunks
    return chunks


_Token = tuple[int, float, tuple[int, int, int]]
"""A token's id, weight and span."""


def _words(
    tokenizer: CLIPTokenizer, learned: LearnedWords | None, section: int, pieces: Pieces
) -> Iterator[list[_Token]]:
    """The tokens of each word of a section; those of learned words have negative ids."""
    text = "".join(piece for piece, _ in pieces)
    weight_of_char = list(chain.from_iterable([weight] * len(piece) for piece, weight in pieces))
    at = 0
    for found in learned.pattern.finditer(text) if learned is not None else ():
        yield from _plain_words(tokenizer, section, text, weight_of_char, at, found.start())
        weight, span, at = weight_of_char[found.start()], (section, *found.span()), found.end()
        yield [(token_id, weight, span) for token_id in learned.ids_of(found)] if learned else []
    yield from _plain_words(tokenizer, section, text, weight_of_char, at, len(text))


def _plain_words(
    tokenizer: CLIPTokenizer, section: int, text: str, weight_of_char: Sequence[float], start: int, stop: int
) -> Iterator[list[_Token]]:
    """The tokens of each word between two places of a section's text."""
    # Neither padding nor truncation: they would be set on the tokenizer, which other threads use as well.
    tokens = tokenizer(text[start:stop], add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    numbered = zip(tokens["input_ids"], tokens["offset_mapping"], tokens.word_ids(), strict=True)
    for _, of_word in groupby(numbered, key=lambda token: token[2]):
        yield [
            (token_id, weight_of_char[start + begin] if begin < end else 1.0, (section, start + begin, start + end))
            for token_id, (begin, end), _ in of_word
        ]


def last_norm(encoder: TextEncoder, hidden: torch.Tensor) -> torch.Tensor:
    """What an encoder does behind its last layer, to the hidden states [B, L, D] of another one.

    Its weights may rest on the host (`visiting`), as it isn't called here.
    """
    norm: Any = getattr(encoder, "text_model", encoder).final_layer_norm
    weight, bias = norm.weight.to(hidden.device), norm.bias.to(hidden.device)
    return torch.nn.functional.layer_norm(hidden, norm.normalized_shape, weight, bias, norm.eps)


def room_of(tokenizer: CLIPTokenizer, encoder: TextEncoder) -> int:
    """Tokens of a chunk, without its beginning and end."""
    return _length(tokenizer, encoder) - 2


def _length(tokenizer: CLIPTokenizer, encoder: TextEncoder) -> int:
    """L: the number of tokens that an encoder takes at once, with those of the beginning and the end."""
    return min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))


def _token_ids(tokenizer: CLIPTokenizer, encoder: TextEncoder, chunks: Sequence[Chunk]) -> torch.Tensor:
    """The chunks' token ids [chunks, L] with their beginnings, ends and padding."""
    special: Any = tokenizer
    begin, end, pad = int(special.bos_token_id), int(special.eos_token_id), int(special.pad_token_id)
    ids = [_padded(chunk.token_ids, begin, end, pad, _length(tokenizer, encoder)) for chunk in chunks]
    return join([torch.tensor(ids)], encoder.device)


def _padded(inner: Sequence[T], begin: T, end: T, pad: T, length: int) -> list[T]:
    return [begin, *inner, end, *[pad] * (length - len(inner) - 2)]


def _weighted(embeds: torch.Tensor, empty: torch.Tensor, weights: list[list[float]]) -> torch.Tensor:
    """empty + weight · (embeds − empty) for each token; a weight of 1 gives its embedding bit for bit.

    Args:
        embeds: [chunks, L, D].
        empty: [1, L, D], of the empty prompt.
        weights: L numbers for each chunk.

    Returns:
        [chunks, L, D] in the dtype of `embeds`.
    """
    scale = join([torch.tensor(weights, dtype=torch.float32)], embeds.device)[:, :, None]
    moved = empty.float() + scale * (embeds.float() - empty.float())
    return torch.where(scale == 1.0, embeds, moved.to(embeds.dtype))

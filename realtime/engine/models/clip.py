"""CLIP's text encoders: tokenizes weighted text and weights the embeddings.

Must not know model families, blends or caches; which of an encoder's outputs are used is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .quiet import quiet

with quiet():  # its import alone logs
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

TextEncoder = CLIPTextModel | CLIPTextModelWithProjection

Pairs = Sequence[tuple[CLIPTokenizer, TextEncoder]]
"""Tokenizers, each with its text encoder."""
Pieces = Sequence[tuple[str, float]]
"""A text in pieces, each with the weight of its words; see `prompt_weights.parse_weights`."""
Encoded = tuple[torch.Tensor, torch.Tensor | None]
"""Hidden states [1, L, D], and a pooled embedding [1, P] where there is one."""


def encode_pieces(pairs: Pairs, pieces: Pieces, run: Callable[[Any, torch.Tensor], Encoded]) -> Encoded:
    """Encode one text by all encoders.

    Args:
        pairs: tokenizers and encoders.
        pieces: the text.
        run: calls an encoder with token ids [1, L].

    Returns:
        The encoders' weighted hidden states, concatenated to [1, L, sum of D]; and the pooled embedding of the first
        encoder that has one, to which weights don't apply.
    """
    hidden: list[torch.Tensor] = []
    pooled = None
    for tokenizer, encoder in pairs:
        token_ids, weights = _tokenize(tokenizer, encoder, pieces)
        embeds, encoder_pooled = run(encoder, token_ids)
        if any(weight != 1.0 for weight in weights):
            empty, _ = run(encoder, _tokenize(tokenizer, encoder, [])[0])
            embeds = _weighted(embeds, empty, weights)
        hidden.append(embeds)
        pooled = encoder_pooled if pooled is None else pooled
    return torch.cat(hidden, dim=-1), pooled


def _tokenize(tokenizer: CLIPTokenizer, encoder: TextEncoder, pieces: Pieces) -> tuple[torch.Tensor, list[float]]:
    """Token ids [1, L], truncated and padded to the encoder's length, and the weight of each.

    The text is tokenized as a whole, so that weights do not change how words are split.
    """
    text = "".join(piece for piece, _ in pieces)
    length = min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))
    tokens = tokenizer(text, padding="max_length", max_length=length, truncation=True, return_offsets_mapping=True)
    weight_of_char = [weight for piece, weight in pieces for _ in piece]
    weights = [
        weight_of_char[begin] if begin < end else 1.0  # special tokens have no characters
        for begin, end in tokens["offset_mapping"]
    ]
    return torch.tensor([tokens["input_ids"]], device=encoder.device), weights


def _weighted(embeds: torch.Tensor, empty: torch.Tensor, weights: list[float]) -> torch.Tensor:
    """empty + weight · (embeds − empty) for each token; a weight of 1 gives its embedding bit for bit.

    Args:
        embeds: [1, L, D].
        empty: [1, L, D], of the empty prompt.
        weights: L numbers.

    Returns:
        [1, L, D] in the dtype of `embeds`.
    """
    scale = torch.tensor(weights, device=embeds.device, dtype=torch.float32)[None, :, None]
    moved = empty.float() + scale * (embeds.float() - empty.float())
    return torch.where(scale == 1.0, embeds, moved.to(embeds.dtype))

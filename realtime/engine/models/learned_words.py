"""A text encoder's table of tokens with learned words in it: textual inversions, as `embeddings` reads them.

A learned word stands in a prompt by its name, and is a few vectors where another has the rows of its tokens. Its tokens
have negative ids, so that no tokenizer changes, and neither the end of a text, which CLIP finds by its id or as the
largest, nor what is pooled there. Must not know files, prompts' syntax or chunks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class LearnedWords(nn.Module):
    """A text encoder's table of tokens, with the rows of learned words behind it: −1 is the first of them.

    Args:
        table: of the tokenizer's tokens.
        words: the ids of each learned word, by its name in any case; the same for all encoders of a model.
        rows: [n, D].
    """

    def __init__(self, table: nn.Embedding, words: Mapping[str, tuple[int, ...]], rows: torch.Tensor) -> None:
        super().__init__()
        self.weight = table.weight
        self.rows: torch.Tensor
        self.register_buffer("rows", rows.to(table.weight.device, table.weight.dtype), persistent=False)
        # The longest first: a name may begin as another one does.
        names = sorted(words, key=len, reverse=True)
        self.pattern = re.compile("|".join(f"({_whole_word(name)})" for name in names), re.IGNORECASE)
        self._words = [words[name] for name in names]

    def ids_of(self, found: re.Match[str]) -> tuple[int, ...]:
        """The ids of the word that the pattern has found. Not by its text: `ſ` is an `s` in a pattern, and not in lower
        case.
        """
        assert found.lastindex is not None  # each name is a group
        return self._words[found.lastindex - 1]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows [B, L, D] of tokens [B, L]."""
        known = F.embedding(ids.clamp(min=0), self.weight)
        learned = F.embedding((-1 - ids).clamp(min=0), self.rows)
        return torch.where(ids[..., None] < 0, learned, known)


def _whole_word(name: str) -> str:
    before, behind = r"(?<!\w)" if name[0].isalnum() else "", r"(?!\w)" if name[-1].isalnum() else ""
    return before + re.escape(name) + behind


def learned_words(encoder: Any) -> LearnedWords | None:
    """The learned words of a text encoder; None where it has none."""
    try:
        table: object = encoder.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # one of its own kind, without a table of words
        return None
    return table if isinstance(table, LearnedWords) else None


def learned_pattern(pairs: Sequence[tuple[Any, Any]]) -> re.Pattern[str] | None:
    """Finds the names of the learned words of tokenizers' text encoders; None where they have none."""
    learned = learned_words(pairs[0][1]) if pairs else None
    return None if learned is None else learned.pattern

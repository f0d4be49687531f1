"""Parses the weight syntax of prompts: `(word:1.2)`, `((word))`, `[word]`, and `\\(` for a literal parenthesis.

Pure functions on text. Must not know tokens or tensors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

EMPHASIS = 1.1
"""Weight of one pair of parentheses; one pair of brackets has its inverse. AUTOMATIC1111's convention."""
WEIGHT_MAX = 10.0
"""Weights are clamped to ± this: larger ones give no picture, and overflow in half precision."""

_OPEN = {"(": ")", "[": "]"}
_NUMBER_AND_CLOSE = re.compile(r":\s*([+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}))\s*\)", re.ASCII)


@dataclass
class _Group:
    bracket: str
    parent: int
    opened_at: int
    factor: float = 1.0


def parse_weights(text: str) -> list[tuple[str, float]]:
    """Split a prompt into pieces of equal weight. Accepts any string.

    Brackets without a partner, or closed in the wrong order, are ordinary characters, as in `:)`.

    Returns:
        (text, weight) in order; neighbours have different weights, all within ±`WEIGHT_MAX`. The texts joined are the
        prompt without its syntax.
    """
    pieces: list[tuple[str, int]] = []  # text, and the index of its group
    groups = [_Group("", parent=0, opened_at=0)]
    current = 0
    at = 0
    while at < len(text):
        char, group = text[at], groups[current]
        closed = _NUMBER_AND_CLOSE.match(text, at) if char == ":" and group.bracket == "(" else None
        if closed or _OPEN.get(group.bracket) == char:
            group.factor = float(closed[1]) if closed else EMPHASIS if char == ")" else 1 / EMPHASIS
            pieces[group.opened_at] = ("", current)
            current = group.parent
            at = closed.end() if closed else at + 1
            continue
        if char == "\\" and text[at + 1 : at + 2] in ("(", ")", "[", "]", "\\"):
            at += 1
            char = text[at]
            pieces.append((char, current))
        else:
            # An opening bracket is a character until its partner is found.
            pieces.append((char, current))
            if char in _OPEN:
                groups.append(_Group(char, parent=current, opened_at=len(pieces) - 1))
                current = len(groups) - 1
        at += 1
    weights = [1.0]
    for group in groups[1:]:
        weights.append(max(-WEIGHT_MAX, min(WEIGHT_MAX, weights[group.parent] * group.factor)))
    return _joined([(piece, weights[group]) for piece, group in pieces if piece])


def _joined(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return [
        ("".join(text for text, _ in neighbours), weight)
        for weight, neighbours in groupby(pieces, key=lambda piece: piece[1])
    ]

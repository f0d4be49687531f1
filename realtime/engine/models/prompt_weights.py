"""Parses the weight syntax of prompts: `(word:1.2)`, `((word))`, `[word]`, and `\\(` for a literal parenthesis.

Pure functions on text. Must not know tokens or tensors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

EMPHASIS = 1.1
"""Weight of one pair of parentheses; one pair of brackets has its inverse. AUTOMATIC1111's convention."""
WEIGHT_MAX = 10.0
"""Weights are clamped to ± this: larger ones give no picture, and overflow in half precision."""

Pieces = Sequence[tuple[str, float]]
"""A text in pieces, each with the weight of its words; neighbours have different weights."""

_OPEN = {"(": ")", "[": "]"}
_CLOSE = frozenset(_OPEN.values())
_MARK = re.compile(r"\\[()\[\]\\]|[()\[\]:]")
"""An escaped character, or one that may be syntax."""
NUMBER_AND_CLOSE = re.compile(r":\s*([+-]?(?:\d{1,9}(?:[.,]\d{0,9})?|[.,]\d{1,9}))\s*\)", re.ASCII)
"""A weight and the end of its group. The decimal separator may be a comma, as German and French keyboards have it."""


@dataclass
class _Group:
    bracket: str
    parent: int
    opened_at: int
    factor: float = 1.0
    is_closed: bool = False


class Weighted(NamedTuple):
    """A parsed text.

    Attributes:
        pieces: all weights within ±`WEIGHT_MAX`; the texts joined are the prompt without its syntax.
        unpaired: the brackets without a partner, which are ordinary characters: their places in the text, in order.
        clamped: whether a weight was larger.
    """

    pieces: Pieces
    unpaired: tuple[int, ...]
    clamped: bool


def parse_weights(text: str) -> Weighted:
    """Split a prompt into pieces of equal weight. Accepts any string.

    Brackets without a partner, or closed in the wrong order, are ordinary characters, as in `:)`.
    """
    pieces: list[tuple[str, int]] = []  # text, and the index of its group
    groups = [_Group("", parent=0, opened_at=0)]
    begins: list[int] = [0]  # where each group's bracket stands in the text
    unpaired: list[int] = []
    current = at = 0
    for mark in _MARK.finditer(text):
        if mark.start() < at:
            continue  # in a weight that was read
        if mark.start() > at:
            pieces.append((text[at : mark.start()], current))
        char, at, group = mark[0], mark.end(), groups[current]
        closed = NUMBER_AND_CLOSE.match(text, mark.start()) if char == ":" and group.bracket == "(" else None
        if closed or _OPEN.get(group.bracket) == char:
            group.factor = _factor(closed[1] if closed else char)
            group.is_closed = True
            pieces[group.opened_at] = ("", current)
            current = group.parent
            at = closed.end() if closed else at
            continue
        # A bracket is a character until its partner is found.
        pieces.append((char[-1], current))
        if char in _OPEN:
            groups.append(_Group(char, parent=current, opened_at=len(pieces) - 1))
            begins.append(mark.start())
            current = len(groups) - 1
        elif char in _CLOSE:
            unpaired.append(mark.start())
    pieces.append((text[at:], current))
    unpaired += [begin for group, begin in zip(groups[1:], begins[1:], strict=True) if not group.is_closed]
    weights, clamped = _weights(groups)
    return Weighted(_joined([(piece, weights[i]) for piece, i in pieces if piece]), tuple(sorted(unpaired)), clamped)


def _factor(closing: str) -> float:
    """The weight of a group that is closed by a bracket, or by a number and a parenthesis."""
    if closing in _CLOSE:
        return EMPHASIS if closing == ")" else 1 / EMPHASIS
    return float(closing.replace(",", "."))


def _weights(groups: Sequence[_Group]) -> tuple[list[float], bool]:
    """The product of each group's factors, and whether one was larger than `WEIGHT_MAX`."""
    weights, clamped = [1.0], False
    for group in groups[1:]:
        weight = weights[group.parent] * group.factor
        clamped = clamped or abs(weight) > WEIGHT_MAX
        weights.append(max(-WEIGHT_MAX, min(WEIGHT_MAX, weight)))
    return weights, clamped


def _joined(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return [
        ("".join(text for text, _ in neighbours), weight)
        for weight, neighbours in groupby(pieces, key=lambda piece: piece[1])
    ]


def written(pieces: Pieces) -> str:
    """A text with these pieces in the weight syntax, which `parse_weights` reads back (weights with two decimals)."""
    return "".join(
        _escaped(text) if weight == 1.0 else f"({_escaped(text)}:{weight:.2f})".replace(".00)", ")")
        for text, weight in pieces
    )


def _escaped(text: str) -> str:
    return re.sub(r"[()\[\]\\]", r"\\\g<0>", text)

"""Reads a prompt as it is written: other programs' syntax, characters that aren't meant, sections and weights.

Pure functions on text. Must not know tokens, tensors or which model hears it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..hearing import Note, listed, quoted
from .prompt_weights import NUMBER_AND_CLOSE, WEIGHT_MAX, Pieces, parse_weights, written

BREAK = re.compile(r"(?:(?<=\s)|^)BREAK(?=\s|$)")
"""Ends a section: what follows begins in a chunk of its own. AUTOMATIC1111's convention."""

_QUOTES = {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟", '"')}
_WIDE = {chr(wide): chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)} | {"\u3000": " "}
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_PLAIN = str.maketrans(_QUOTES | _WIDE | _LIGATURES)
"""Typographers' quotation marks, full-width characters and ligatures to those that CLIP's captions have.

Source: ftfy's `fix_text`, which OpenAI's CLIP applied to them (`simple_tokenizer.py`, `basic_clean`).
"""
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Characters that can't be seen: controls, soft hyphens, zero-width spaces, marks of direction. Not those that decide
what others look like: the joiners of emoji and of some scripts' letters, variation selectors, the tags of flags.
"""


class _Unheard(NamedTuple):
    """Another program's syntax.

    Attributes:
        pattern: finds it.
        code: see `Note`.
        advice: the end of the note, behind the quotation.
        is_left_out: whether it is no part of the text that is heard.
    """

    pattern: re.Pattern[str]
    code: str
    advice: str
    is_left_out: bool = False


_UNHEARD = (
    _Unheard(
        re.compile(r"<(?:lora|lyco|lycoris|hypernet)\s*:[^<>]*>", re.IGNORECASE),
        "tag",
        "is left out: LoRAs are the server's, chosen by --lora and `realtime loras`",
        is_left_out=True,
    ),
    _Unheard(
        re.compile(r"<[A-Za-z]\w*\s*[:\[][^<>]*>"),
        "tag",
        "is left out: this server knows no such tags",
        is_left_out=True,
    ),
    _Unheard(
        re.compile(r"\bembedding:[\w./\\-]+", re.IGNORECASE),
        "tag",
        "is left out: no embedding (textual inversion) of this name is loaded: start the server with --embedding",
        is_left_out=True,
    ),
    _Unheard(
        re.compile(r"\{[^{}]*\|[^{}]*\}|__[\w/*-]+__"),
        "syntax",
        "is heard as it is written: wildcards are not drawn here; write the words themselves",
    ),
    _Unheard(
        re.compile(r"\{[^{}|]*\}"), "syntax", "is heard as it is written: braces weigh nothing here; write (word:1.05)"
    ),
    _Unheard(
        re.compile(r"\[[^\[\]]*(?:\||:[^\[\]:]*:)[^\[\]]*\]|\[[^\[\]]*:\s*\d*[.,]?\d+\s*\]"),
        "syntax",
        "is heard as words: prompts don't change between steps here; change the prompt, or blend several",
    ),
    _Unheard(
        re.compile(r"(?<=[a-z\d,.)\]\s])\bAND\b(?=\s+[^A-Z\s])"),
        "syntax",
        "is heard as the word “and”: to combine prompts, blend several",
    ),
    _Unheard(
        re.compile(r"(?<=[\w)])(?:\+{1,9}|-{2,9})(?=[\s,.]|$)|(?<=\))\d+(?:[.,]\d+)?(?=[\s,.]|$)"),
        "syntax",
        "is heard as it is written: a weight stands in the parentheses; write (word:1.2)",
    ),
    _Unheard(
        re.compile(r"(?<!\S)--(?:ar|aspect|v|no|q|s|style|stylize|chaos|seed|iw|niji)\b[^-]*|::-?\d+(?:[.,]\d+)?"),
        "syntax",
        "is heard as words: this server reads no such options; write (word:1.2) for a weight",
    ),
)
"""What other programs' users write. In order: what one pattern has found, none behind it sees."""

_NAMED_EMBEDDING = re.compile(r"\bembedding:([^\s,()\[\]:]+)", re.IGNORECASE)
_NO_WEIGHT = re.compile(r":\s*[-+]?[.,]?\d[^()\[\]:]*\)")
_FACES = ":;=-'^"
"""Characters beside a lone parenthesis that make it a face, as in `:)` and `(=`: it needs no note."""


@dataclass(frozen=True, slots=True)
class PromptReading:
    """A prompt as it is read.

    Attributes:
        sections: at least one; each begins a chunk.
        notes: what of it is heard otherwise than it is written.
    """

    sections: tuple[Pieces, ...]
    notes: tuple[Note, ...]


def read_prompt(text: str, learned: re.Pattern[str] | None = None) -> PromptReading:
    """Read a prompt. Accepts any string.

    Args:
        learned: finds the names of learned words (`embeddings`): ComfyUI's `embedding:NAME` means such a one.
    """
    plain, hidden = cleaned(text)
    if learned is not None:
        plain = _NAMED_EMBEDDING.sub(lambda found: found[1] if learned.fullmatch(found[1]) else found[0], plain)
    notes = [*_other_syntax(plain)]
    if hidden:
        notes.append(Note("characters", "", f"{hidden} invisible characters are left out"))
    for unheard in _UNHEARD:
        if unheard.is_left_out:
            plain = unheard.pattern.sub("", plain)
    weighted = parse_weights(plain)
    notes += _weight_notes(plain, weighted.unpaired, weighted.clamped)
    return PromptReading(tuple(_sections(weighted.pieces)), tuple(notes))


def cleaned(text: str) -> tuple[str, int]:
    """The text with plain characters, composed (NFC), and how many that can't be seen were left out of it."""
    plain = text if text.isascii() else unicodedata.normalize("NFC", text).translate(_PLAIN)
    return _HIDDEN.subn("", plain)


def written_sections(sections: Sequence[Pieces]) -> str:
    """The text of sections, which `read_prompt` reads back."""
    return " BREAK ".join(written(pieces).strip() for pieces in sections)


def fitted(sections: Sequence[Pieces], max_chunks: int | None) -> Sequence[Pieces]:
    """The sections for a model that hears so many chunks of a prompt: one section where it hears one, or no chunks."""
    if max_chunks is not None and max_chunks > 1:
        return sections
    joined: list[tuple[str, float]] = []
    for pieces in sections:
        joined += [(" ", 1.0)] if joined else []
        joined += pieces
    return [joined]


def _other_syntax(text: str) -> Iterator[Note]:
    """A note for each kind of another program's syntax in a text, with all that is of this kind."""
    for unheard in _UNHEARD:
        if found := [quoted(match[0]) for match in unheard.pattern.finditer(text)]:
            shown = listed(list(dict.fromkeys(found))[:3])
            yield Note(unheard.code, quoted(" ".join(found)), f"{shown} {unheard.advice}")
            text = unheard.pattern.sub(lambda match: " " * len(match[0]), text)


def _weight_notes(text: str, unpaired: tuple[int, ...], clamped: bool) -> Iterator[Note]:
    if clamped:
        yield Note("weight", "", f"a weight is heard as {WEIGHT_MAX:g}, the largest that there is")
    for match in _NO_WEIGHT.finditer(text):
        if not NUMBER_AND_CLOSE.match(text, match.start()):
            near = quoted(match[0][:-1])
            yield Note("weight", near, f"“{near}” is no weight and heard as words: write (word:1.2)")
            break
    lone = [at for at in unpaired if not _is_face(text, at)]
    if lone:
        at = lone[0]
        near = quoted(text[max(0, at - 12) : at + 13])
        yield Note(
            "syntax",
            near,
            f"“{text[at]}” in “{near}” has no partner and is heard as a character: close it, or write \\{text[at]}",
        )


def _is_face(text: str, at: int) -> bool:
    before, behind = text[max(0, at - 1) : at], text[at + 1 : at + 2]
    return (before != "" and before in _FACES) or (behind != "" and behind in _FACES)


def _sections(pieces: Pieces) -> Iterator[Pieces]:
    """Split at BREAK; a section without a word is left out, unless it is the only one."""
    sections: list[list[tuple[str, float]]] = [[]]
    for text, weight in pieces:
        first, *others = BREAK.split(text)
        sections[-1] += [(first, weight)] if first else []
        sections += [[(part, weight)] if part else [] for part in others]
    yield from [one for one in sections if any(text.strip() for text, _ in one)] or sections[:1]

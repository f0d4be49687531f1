"""Says how a model hears prompts: what its tokenizer cuts off, which words it was not trained on, what has no effect.

Any thread. Must not know embeddings: `prompt` makes them, from the same reading and the same chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...params import GuidanceMode, Params
from ...prompts import WeightedPrompt
from ..hearing import Field, Heard, Note, listed, quoted
from .prompt_text import fitted, read_prompt, written_sections

if TYPE_CHECKING:
    from .clip import Chunk, Pairs
    from .prompt_weights import Pieces

TEXTS_KEPT = 256
"""Texts of which it is remembered how they are heard: a slider that is dragged asks for the same one each time."""
_WORDS_MAX = 6
"""Unknown words that a note names."""
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_FILLERS = frozenset(
    re.findall(r"\w+", "a an the in on of as by with from at to and or into like my me this it style styled art look")
)
"""Words around a style's name, on which models with a vocabulary were trained as well: they need no note."""


class Listener:
    """How one model hears prompts.

    Args:
        pairs: its tokenizers and text encoders; none where it hears no texts.
        max_chunks: see `Family.prompt_chunks`.
        styles: see `EngineInfo.styles`: the words of a model that knows only some; empty where it takes any.
        name_style: names the style that a text is heard as, see `Family.name_style`.
        has_negative: whether classifier-free guidance makes the negative prompt act.
    """

    def __init__(
        self,
        pairs: Pairs = (),
        *,
        max_chunks: int | None = None,
        styles: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        name_style: Callable[[str], str] | None = None,
        has_negative: bool = True,
    ) -> None:
        self._pairs = pairs
        self._learned = self._find_learned()
        self._max_chunks = max_chunks
        self._vocabulary = _vocabulary(styles or {})
        self._name_style = name_style
        self._has_negative = has_negative
        self._text = lru_cache(TEXTS_KEPT)(self._hear_text)
        self._text("")  # sets the tokenizers' padding and truncation, which no later call changes

    def _find_learned(self) -> re.Pattern[str] | None:
        if not self._pairs:
            return None
        from .learned_words import learned_pattern

        return learned_pattern(self._pairs)

    def hear(self, params: Params, *, hears_negative: bool = False) -> Heard:
        """How the prompts of these params are heard.

        Args:
            hears_negative: see `EngineInfo`.
        """
        texts = params.prompt if isinstance(params.prompt, str) else _texts(params.prompt)
        heard = [self._text(text) for text in ((texts,) if isinstance(texts, str) else texts)]
        notes: list[tuple[Field, Note]] = []
        for _, of_text in heard:
            notes.extend(("prompt", note) for note in of_text)
        if not isinstance(params.prompt, str) and not any(prompt.weight for prompt in params.prompt):
            notes.append(("prompt", Note("no_effect", "", "all weights of the blend are 0: no prompt is heard")))
        negative = ""
        if params.negative_prompt.strip():
            if not (why := self._why_no_negative(params, hears_negative)):
                negative, of_negative = self._text(params.negative_prompt)
                notes.extend(("negative_prompt", note) for note in of_negative)
            else:
                message = f"the negative prompt is not heard: {why}"
                notes.append(("negative_prompt", Note("no_effect", quoted(params.negative_prompt), message)))
        prompt = heard[0][0] if isinstance(texts, str) else tuple(text for text, _ in heard)
        return Heard(prompt, negative, tuple(notes))

    def _why_no_negative(self, params: Params, hears_negative: bool) -> str:
        """Why the negative prompt is not heard, for people; empty where it is."""
        if hears_negative and params.negative_scale > 1:
            return ""
        beside = ", or negative_scale" if hears_negative else ""
        if not self._has_negative:
            return "raise negative_scale above 1" if beside else "this model has no classifier-free guidance"
        if params.guidance_scale <= 1:
            return f"raise guidance_scale above 1{beside}"
        is_self = params.guidance is GuidanceMode.SELF
        return f"guidance self pulls away from the input; take full or once{beside}" if is_self else ""

    def _hear_text(self, text: str) -> tuple[str, tuple[Note, ...]]:
        """The text that is encoded, and what of the written one is not."""
        reading = read_prompt(text, self._learned)
        sections, notes = fitted(reading.sections, self._max_chunks), list(reading.notes)
        if len(sections) < len(reading.sections):
            notes.append(Note("syntax", "BREAK", "BREAK is left out: this model hears a prompt as a whole"))
        if self._max_chunks is not None and self._pairs:
            sections, unheard, tokens = self._cut(sections, self._max_chunks)
            if unheard:
                what = f"not heard: “{quoted(unheard)}”: this model hears {tokens} tokens of a prompt; shorten it"
                notes.insert(0, Note("cut", quoted(unheard), what))
        notes += self._unknown("".join(piece for pieces in sections for piece, _ in pieces))
        return written_sections(sections), tuple(notes)

    def _cut(self, sections: Sequence[Pieces], max_chunks: int) -> tuple[Sequence[Pieces], str, int]:
        """The sections as far as they are heard, the rest as text, and how many tokens are heard at most."""
        from .clip import chunks_of, room_of

        room = min(room_of(tokenizer, encoder) for tokenizer, encoder in self._pairs)
        behind = [
            chunks_of(tokenizer, encoder, sections, max_chunks)[max_chunks:] for tokenizer, encoder in self._pairs
        ]
        # Of two tokenizers the one that cuts off more.
        cut = min((place for chunks in behind if (place := _begin(chunks))), default=None)
        if cut is None:
            return sections, "", room * max_chunks
        index, begin = cut
        here = _text(sections[index])
        rest = " ".join([here[begin:], *(_text(pieces) for pieces in sections[index + 1 :])])
        kept = [*sections[:index], *([_clipped(sections[index], begin)] if here[:begin].strip() else [])]
        return kept, rest, room * max_chunks

    def _unknown(self, text: str) -> Iterator[Note]:
        if not self._vocabulary:
            return
        words = dict.fromkeys(word for word in _WORD.findall(text.lower()) if word not in self._vocabulary)
        if words:
            shown = listed(list(words)[:_WORDS_MAX]) + (" and more" if len(words) > _WORDS_MAX else "")
            why = f"{shown}: not among the words that this model was trained on, which are of styles and moods"
            if self._name_style is not None:
                why += f"; heard as “{self._name_style(text)}”. A larger --model knows things too"
            yield Note("unknown_words", quoted(" ".join(words)), why)


def _texts(blend: tuple[WeightedPrompt, ...]) -> tuple[str, ...]:
    """The texts of a blend. A picture is heard as it is."""
    return tuple(prompt.text for prompt in blend if not prompt.picture)


def _begin(chunks: Sequence[Chunk]) -> tuple[int, int] | None:
    """Where the first token of some chunks begins: its section, and its place in that."""
    return next(((section, begin) for chunk in chunks for section, begin, _ in chunk.spans), None)


def _text(pieces: Pieces) -> str:
    return "".join(text for text, _ in pieces)


def _clipped(pieces: Pieces, length: int) -> Pieces:
    """The first characters of a text in pieces."""
    kept: list[tuple[str, float]] = []
    for text, weight in pieces:
        if length > 0:
            kept.append((text[:length], weight))
        length -= len(text)
    return kept


def _vocabulary(styles: Mapping[str, Sequence[Mapping[str, Any]]]) -> Collection[str]:
    """The words of all styles and moods with those that stand around them; empty where there are none."""
    phrases = [
        str(phrase).lower()
        for entries in styles.values()
        for entry in entries
        for phrase in (entry.get("name", ""), entry.get("prompt", ""), *entry.get("words", ()))
    ]
    words = {word for phrase in phrases for word in _WORD.findall(phrase)}
    return words | _FILLERS if words else frozenset()

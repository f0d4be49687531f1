"""How a model hears prompts, in words: the texts that it encodes, and what of the written ones it does not hear.

Must not know how a prompt is read, tokens or tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Field = Literal["prompt", "negative_prompt"]
NOTES_MAX = 8
"""Notes of one message: somebody who reads eight has enough to mend."""
QUOTE_MAX_CHARS = 80
"""Length of a quotation in a note."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is heard otherwise than it is written.

    Attributes:
        code: of the kind, for programs: `cut`, `tag`, `syntax`, `weight`, `characters`, `unknown_words` or `no_effect`.
        text: the part of the prompt, shortened in the middle to `QUOTE_MAX_CHARS`.
        message: a sentence for people, which says how it is heard and what to write instead.
    """

    code: str
    text: str
    message: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How a model hears the prompts of some params.

    Attributes:
        prompt: the text that is encoded, in the weight syntax; of a blend, its texts.
        negative_prompt: likewise; empty where it has no effect.
        notes: what is heard otherwise than written; empty where nothing is.
    """

    prompt: str | tuple[str, ...] = ""
    negative_prompt: str = ""
    notes: tuple[tuple[Field, Note], ...] = ()

    def wire(self) -> dict[str, Any]:
        """The fields of a `heard` message, with at most `NOTES_MAX` notes."""
        notes = [
            {"field": field, "code": note.code, "text": note.text, "message": note.message}
            for field, note in self.notes[:NOTES_MAX]
        ]
        prompt = self.prompt if isinstance(self.prompt, str) else list(self.prompt)
        return {"prompt": prompt, "negative_prompt": self.negative_prompt, "notes": notes}


def quoted(text: str) -> str:
    """A part of a prompt for a note: on one line, shortened in the middle to `QUOTE_MAX_CHARS`."""
    line = " ".join(text.split())
    if len(line) <= QUOTE_MAX_CHARS:
        return line
    half = (QUOTE_MAX_CHARS - 3) // 2
    return f"{line[:half].rstrip()} … {line[-half:].lstrip()}"


def listed(words: Sequence[str]) -> str:
    """Words in quotation marks, separated by commas."""
    return ", ".join(f"“{word}”" for word in words)

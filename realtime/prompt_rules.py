"""What words may not be in prompts, and what stands in place of others: rules out of a file, applied to params.

Pure. Must not know sessions, or where the file is.

A file has a rule a line, `#` begins a remark:

    refuse  gore
    refuse  blood bath*
    refuse  /nak(?:ed|id)/
    replace rival inc => our brand

Words are whole ones, `*` stands for letters; between slashes is a regular expression (see `linear_regex`). Case, what
can't be seen, full-width and other compatible characters make no difference, nor do brackets and weights, nor, for
words, what stands between letters: a text encoder hears `gore_1` as gore.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError, ParamsError
from .linear_regex import LinearRegex
from .params import Params
from .prompts import PROMPT_MAX_CHARS, Prompt, WeightedPrompt
from .regex_syntax import folded

FILE_MAX_BYTES = 256 * 1024
RULES_MAX = 512
"""Nearly all of them are words, which are looked for only where their letters are."""
EXPRESSION_STATES_MAX = 2048
"""Of all expressions of a file together, which are looked for in every prompt, while the server does nothing else."""
SHOWN_CHARS = 40
_WRITTEN = re.compile(
    r"(?::\s*[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)\s*)?[)\]}>]|[(\[{<|\\]|:\s*[+-]?(?:\d+[.,]?\d*|[.,]\d+)"
)
"""What weighs words, and is not heard."""
_WORDS = re.compile(r"\s+")
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""What nobody sees, beside Unicode's format (Cf) and control (Cc) characters: its Default_Ignorable_Code_Point, and the
braille pattern without dots.
"""
_GAP = "\0"
"""Where something was replaced: no word, no white space, and in no prompt."""


@dataclass(frozen=True, slots=True)
class PromptRule:
    """One line of the file.

    Attributes:
        pattern: what it is about.
        instead: what stands in its place; None where the prompt is refused.
        needs: what is in each text that it is in, `folded`: looked for first, as that is much faster.
        is_words: whether it is of words, and no expression.
    """

    pattern: LinearRegex
    instead: str | None = None
    needs: str = ""
    is_words: bool = False

    def is_in(self, text: str) -> bool:
        """Whether it is anywhere in a text, which is `folded`."""
        return self.needs in text and self.pattern.is_in(text)


@dataclass(frozen=True)
class PromptRules:
    """All rules. Event loop only, as patterns are (see `LinearRegex`)."""

    rules: tuple[PromptRule, ...] = ()

    @classmethod
    def parse(cls, text: str) -> PromptRules:
        """Read a file's text.

        Raises:
            ConfigError: a line is no rule; names it.
        """
        rules: list[PromptRule] = []
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            bare = line.strip()
            if not bare or bare.startswith("#"):
                continue
            if len(rules) >= RULES_MAX:
                raise ConfigError(
                    f"prompt rules: more than {RULES_MAX} of them: put several in one, as /(?:one|other)/"
                )
            try:
                rules.append(_rule(bare))
                if sum(rule.pattern.states for rule in rules if not rule.is_words) > EXPRESSION_STATES_MAX:
                    raise ValueError(
                        f"makes {EXPRESSION_STATES_MAX} states too few for all expressions together, their repetitions "
                        "written out: write words where words do, or shorter expressions"
                    )
            except ValueError as error:
                raise ConfigError(f"prompt rules, line {number}: {bare[:SHOWN_CHARS]!r} {error}") from None
        return cls(tuple(rules))

    def applied(self, params: Params) -> Params:
        """The params with what is to be replaced in their prompts replaced.

        Raises:
            ParamsError: a prompt has what is refused; names the field.
        """
        if not self.rules:
            return params
        update: dict[str, Any] = {}
        for name in ("prompt", "negative_prompt"):
            prompt: Prompt = getattr(params, name)
            if (allowed := self._allowed(name, prompt)) != prompt:
                update[name] = allowed
        return params.model_copy(update=update) if update else params

    def _allowed(self, field: str, prompt: Prompt) -> Prompt:
        if isinstance(prompt, str):
            return self._allowed_text(field, prompt)
        return tuple(
            WeightedPrompt(text=self._allowed_text(field, part.text), weight=part.weight) if part.text else part
            for part in prompt
        )

    def _allowed_text(self, field: str, text: str) -> str:
        allowed = left = plain(text)
        seen = folded(allowed)
        for rule in self.rules:
            if rule.instead is not None and rule.is_in(seen):
                allowed = _replaced(allowed, rule, rule.instead)[:PROMPT_MAX_CHARS]
                seen = folded(allowed)
                left = _replaced(left, rule, _GAP)  # what replaces may have what is replaced in it
        heard, heard_left = _heard(allowed), _heard(left)
        for rule in self.rules:
            for said, is_letters in (heard if rule.instead is None else heard_left).items():
                if (rule.is_words or not is_letters) and rule.is_in(said):
                    raise ParamsError(f"{field}: this server's rules do not allow {_shown(said, rule)}", field)
        return allowed if allowed != plain(text) else text


def _shown(seen: str, rule: PromptRule) -> str:
    """What of a text a rule does not allow, and what to do."""
    place = next(rule.pattern.places(seen), None)
    if place is None:  # it is long, or after much that began as it does
        return "what is in it: write it otherwise"
    return f"{seen[slice(*place)][:SHOWN_CHARS]!r}: leave it out"


def plain(text: str) -> str:
    """The text as it is compared: compatible characters are the plain ones (NFKC), what can't be seen is left out, all
    white space is one blank.
    """
    shown = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return _WORDS.sub(
        " ", "".join(char for char in shown if char.isspace() or unicodedata.category(char) not in ("Cf", "Cc"))
    )


def _heard(text: str) -> dict[str, bool]:
    """What may be heard of a text, `folded`, and whether it is its letters alone: as it is, and without what weighs its
    words, as `n(ak:1.2)ed` is heard as `naked`, or as three words.
    """
    whole = dict.fromkeys((text, _unwritten(text, ""), _unwritten(text, " ")))
    letters = {folded(_letters(one)): True for one in whole}
    return letters | {folded(one): False for one in whole}


def _letters(text: str) -> str:
    """The text's words as a text encoder hears them: digits, and what stands between words, are none of them."""
    return _WORDS.sub(
        " ", "".join(char if char == _GAP or unicodedata.category(char)[0] in "LM" else " " for char in text)
    )


def _unwritten(text: str, instead: str) -> str:
    """The text with this in place of what weighs its words."""
    return _WRITTEN.sub(instead, text)


def _replaced(text: str, rule: PromptRule, instead: str) -> str:
    parts: list[str] = []
    behind = 0
    for begin, end in rule.pattern.places(folded(text)):
        parts += text[behind:begin], instead
        behind = end
    return "".join((*parts, text[behind:]))


def _rule(line: str) -> PromptRule:
    """Raises ValueError, whose words go on behind the line."""
    verb, *rest = line.split(maxsplit=1)
    make = _VERBS.get(verb)
    if make is None or not rest:
        raise ValueError("is no rule: write refuse WORDS, refuse /REGEX/ or replace WORDS => TEXT")
    return make(rest[0])


def _refusing(rest: str) -> PromptRule:
    return _of(rest, None)


def _replacing(rest: str) -> PromptRule:
    words, arrow, instead = rest.rpartition("=>")
    if not arrow:
        raise ValueError("replaces by nothing that is said: write replace WORDS => TEXT")
    instead = instead.strip()
    if len(instead) > PROMPT_MAX_CHARS:
        raise ValueError(f"replaces by more than the {PROMPT_MAX_CHARS} characters of a prompt: shorten it")
    return _of(words.strip(), instead)


_VERBS: dict[str, Callable[[str], PromptRule]] = {"refuse": _refusing, "replace": _replacing}


def _of(written: str, instead: str | None) -> PromptRule:
    if len(written) > 2 and written.startswith("/") and written.endswith("/"):
        return PromptRule(LinearRegex(plain(written[1:-1])), instead)
    if written.startswith("/"):
        raise ValueError("begins with / and does not end with it: nothing may stand behind an expression")
    words = plain(written).strip().split(" ")
    if any(word.startswith("#") for word in words[1:]):
        raise ValueError("has a remark behind it: put it in a line of its own")
    pattern = LinearRegex(_of_words(words))
    needs = max((piece for word in words for piece in word.split("*")), key=len)
    return PromptRule(pattern, instead, folded(needs), is_words=True)


def _of_words(words: Sequence[str]) -> str:
    if not any(char.isalnum() for word in words for char in word):
        raise ValueError("has no word: write what is not to be in a prompt")
    escaped = ["".join(r"\w*" if char == "*" else _escaped(char) for char in word) for word in words]
    first, last = (
        r"\b" if word[at].isalnum() or word[at] in "_*" else "" for word, at in ((words[0], 0), (words[-1], -1))
    )
    return f"{first}{' +'.join(escaped)}{last}"


def _escaped(char: str) -> str:
    return char if char.isalnum() or char in " _" else f"\\{char}"

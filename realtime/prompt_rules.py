"""What words may not be in prompts, and what stands in place of others: rules out of a file, applied to params.

Pure. Must not know sessions, or where the file is.

A file has a rule a line, `#` begins a remark:

    refuse  gore
    refuse  blood bath*
    refuse  /nak(?:ed|id)/
    replace rival inc => our brand

Words are whole ones, `*` stands for letters; between slashes is a regular expression (see `linear_regex`). Case, what
can't be seen, full-width and other compatible characters make no difference, nor do brackets and weights.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError, ParamsError
from .linear_regex import LinearRegex, folded
from .params import Params
from .prompts import PROMPT_MAX_CHARS, Prompt, WeightedPrompt

FILE_MAX_BYTES = 256 * 1024
RULES_MAX = 512
"""A prompt of 2000 characters takes a tenth of a millisecond for each."""
SHOWN_CHARS = 40
_WRITTEN = re.compile(r"[()\[\]{}<>|\\]|:\s*\d*[.,]?\d+")
"""What weighs words, and is not heard."""
_WORDS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class PromptRule:
    """One line of the file.

    Attributes:
        pattern: what it is about.
        instead: what stands in its place; None where the prompt is refused.
    """

    pattern: LinearRegex
    instead: str | None = None


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
        for number, line in enumerate(text.splitlines(), 1):
            bare = line.strip()
            if not bare or bare.startswith("#"):
                continue
            if len(rules) >= RULES_MAX:
                raise ConfigError(
                    f"prompt rules: more than {RULES_MAX} of them: put several in one, as /(?:one|other)/"
                )
            try:
                rules.append(_rule(bare))
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
        allowed = plain(text)
        for rule in self.rules:
            if rule.instead is not None and rule.pattern.is_in(folded(allowed)):
                allowed = _replaced(allowed, rule)[:PROMPT_MAX_CHARS]
        is_changed = allowed != plain(text)
        for seen in dict.fromkeys((folded(allowed), folded(_unwritten(allowed, "")), folded(_unwritten(allowed, " ")))):
            for rule in self.rules:
                if (rule.instead is None or seen != folded(allowed)) and rule.pattern.is_in(seen):
                    begin, end = next(rule.pattern.places(seen), (0, 0))
                    raise ParamsError(
                        f"{field}: this server's rules do not allow {seen[begin:end][:SHOWN_CHARS]!r}: leave it out",
                        field,
                    )
        return allowed if is_changed else text


def plain(text: str) -> str:
    """The text as it is compared: compatible characters are the plain ones (NFKC), what can't be seen is left out, all
    white space is one blank.
    """
    shown = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return _WORDS.sub(" ", shown)


def _unwritten(text: str, instead: str) -> str:
    """The text without what weighs its words: `n(ak:1.2)ed` is heard as `naked`, or as three words."""
    return _WRITTEN.sub(instead, text)


def _replaced(text: str, rule: PromptRule) -> str:
    parts: list[str] = []
    behind = 0
    for begin, end in rule.pattern.places(folded(text)):
        parts += text[behind:begin], rule.instead or ""
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
    return PromptRule(_pattern(rest))


def _replacing(rest: str) -> PromptRule:
    words, arrow, instead = rest.rpartition("=>")
    if not arrow:
        raise ValueError("replaces by nothing that is said: write replace WORDS => TEXT")
    instead = instead.strip()
    if len(instead) > PROMPT_MAX_CHARS:
        raise ValueError(f"replaces by more than the {PROMPT_MAX_CHARS} characters of a prompt: shorten it")
    return PromptRule(_pattern(words.strip()), instead)


_VERBS: dict[str, Callable[[str], PromptRule]] = {"refuse": _refusing, "replace": _replacing}


def _pattern(words: str) -> LinearRegex:
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        return LinearRegex(plain(words[1:-1]))
    return LinearRegex(_of_words(plain(words).strip().split(" ")))


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

"""Rules for prompts: files that hold none, lines that are none, and prompts that have what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from realtime.params import Params
from realtime.prompt_rules import RULES_MAX, PromptRules
from realtime.server.rule_file import RuleFile

from .case import Case


def parsed(text: str) -> Callable[[], object]:
    return lambda: PromptRules.parse(text)


def read(content: bytes | None) -> Callable[[], object]:
    """What the server says to a file with this content; None: to one that is not there."""

    def run() -> object:
        path = Path("rules.txt")
        if content is not None:
            path.write_bytes(content)
        return RuleFile(path)

    return run


LINES = [
    ("refuse /a*/", "a*", "takes the empty text, which is everywhere: let it want one character at least"),
    (
        "refuse /\\bone|other\\b/",
        "one|other",
        "has a choice beside \\b, ^ or $: put it in a group, as \\b(?:one|other)\\b",
    ),
    ("refuse /a)/", "a)", "has a ) without its ("),
    ("refuse /((a{64}){64}){64}/", "a{64}", "has more than 256 states, its repetitions written out: make it shorter"),
    ("refuse /[a/", "[a", "ends in the middle"),
    ("refuse /a**/", "a**", "repeats a repetition: put it in a group"),
    ("refuse /a{x}/", "a{x}", "has braces that count nothing: write {2}, {2,} or {2,5}"),
    ("refuse /a{3,2}/", "a{3,2}", "repeats from 3 to 2 times: 64 are the most"),
    ("refuse /*a/", "*a", "has a * where nothing is: write \\* for the character itself"),
    ("refuse /(a/", "(a", "has a ( without its )"),
    ("refuse /(?=a)/", "(?=a)", "looks around, or names a group: only (…) and (?:…) are possible"),
    ("refuse /a\\zb/", "\\z", "has \\z: only \\w, \\d, \\s are possible, and \\b at its begin or end"),
    ("refuse /[z-a]/", "[z-a]", "has a range from z to a: write it from the lower to the higher character"),
    ("forbid gore", "forbid gore", "is no rule: write refuse WORDS, refuse /REGEX/ or replace WORDS => TEXT"),
    ("replace gore", "replace gore", "replaces by nothing that is said: write replace WORDS => TEXT"),
    ("refuse ***", "refuse ***", "has no word: write what is not to be in a prompt"),
    (
        "refuse /gore/ # for children",
        "/gore/",
        "begins with / and does not end with it: nothing may stand behind an expression",
    ),
    ("refuse gore # for children", "# for", "has a remark behind it: put it in a line of its own"),
    (
        f"refuse /{'(' * 33}a{')' * 33}/",
        "refuse",
        "has more than 32 groups in groups: make it simpler",
    ),
    (f"replace a => {'b' * 2001}", "replace a", "replaces by more than the 2000 characters of a prompt: shorten it"),
]
"""Lines that are no rules, what is at fault in each, and what is said of it."""

CASES = [
    *(Case(f"prompt rules, line 1: {line[:40]!r} {what}", at_fault, parsed(line)) for line, at_fault, what in LINES),
    Case(
        "prompt rules: more than 512 of them: put several in one, as /(?:one|other)/",
        "512",
        parsed("refuse a\n" * (RULES_MAX + 1)),
    ),
    Case(
        "prompt rules, line 11: 'refuse /(?:a|b)*a(?:a|b){20}c/' makes 2048 states too few for all expressions "
        "together, their repetitions written out: write words where words do, or shorter expressions",
        "line 11",
        parsed("refuse /(?:a|b)*a(?:a|b){20}c/\n" * 11),
    ),
    Case(
        "prompt: this server's rules do not allow what is in it: write it otherwise",
        "prompt",
        lambda: PromptRules.parse("refuse /a[ab]{0,20}c/").applied(Params(prompt="a" * 1999 + "c")),
    ),
    Case(
        "negative_prompt: this server's rules do not allow 'gore': leave it out",
        "negative_prompt",
        lambda: PromptRules.parse("refuse gore").applied(Params(negative_prompt="much Gore")),
    ),
    Case(
        "the prompt rules rules.txt can't be read (No such file or directory): check --prompt-rules",
        "rules.txt",
        read(None),
    ),
    Case("the prompt rules rules.txt are no text in UTF-8: save them as that", "rules.txt", read(b"\xff\xfe\x00")),
    Case("rules.txt is no file of prompt rules: it has more than 256 KiB", "rules.txt", read(b"#" * 300_000)),
]

"""Rules for prompts: what is refused and replaced, however it is written, and in which fields."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.errors import ConfigError, ParamsError
from realtime.linear_regex import LinearRegex
from realtime.params import Params
from realtime.prompt_rules import RULES_MAX, PromptRules

RULES = PromptRules.parse(
    """
    # what this show does without
    refuse  gore
    refuse  blood bath*
    refuse  /nak(?:ed|id)/
    replace rival inc => our brand
    replace /colou?r of money/ => green
    """
)


def prompt_of(prompt: Any, field: str = "prompt") -> Any:
    return RULES.applied(Params.model_validate({field: prompt})).wire()[field]


@pytest.mark.parametrize(
    "prompt",
    [
        "a quiet garden",
        "gorecki's symphony, category",  # whole words
        "blood red bath",
        "",
        "(watercolour:1.2), [soft], BREAK night",
    ],
)
def test_what_no_rule_is_about_is_left_as_it_is_written(prompt: str) -> None:
    assert prompt_of(prompt) == prompt


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "much GORE, please",
        "blood   bathing",
        "blood\nbath",
        "unnakedness",
        "ｇｏｒｅ",  # full-width
        "go\u200bre",  # a zero-width space
        "go\u00adre",  # a soft hyphen
        "(gore:1.3)",
        "g(or)e",
        "n(ak:1.2)ed",
        "blood(bath)",
        "[[gore]]",
    ],
)
def test_what_is_refused_is_however_it_is_written(prompt: str) -> None:
    with pytest.raises(ParamsError) as caught:
        prompt_of(prompt)

    assert caught.value.field == "prompt"
    assert "rules do not allow" in str(caught.value)


def test_refused_words_are_named_to_who_sent_them() -> None:
    with pytest.raises(ParamsError, match=r"prompt: this server's rules do not allow 'blood bathing': leave it out"):
        prompt_of("A Blood Bathing scene")


@pytest.mark.parametrize(
    ("prompt", "heard"),
    [
        ("logo of Rival Inc on a wall", "logo of our brand on a wall"),
        ("rival inc, RIVAL  INC", "our brand, our brand"),
        ("the color of money", "the green"),
        ("(rival inc:1.2)", "(our brand:1.2)"),
    ],
)
def test_what_is_replaced(prompt: str, heard: str) -> None:
    assert prompt_of(prompt) == heard


def test_words_that_are_only_hidden_in_weights_are_refused_where_they_would_be_replaced() -> None:
    with pytest.raises(ParamsError):
        prompt_of("ri(val:1.1) inc")


@pytest.mark.parametrize(
    "unseen",
    "\u200b\u00ad\ufeff\u034f\u115f\u17b4\u180b\u2065\u2800\u3164\ufe0f\uffa0\U000e0061\U000e0100\0\b\x7f",
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_what_cannot_be_seen_hides_no_word(unseen: str) -> None:
    with pytest.raises(ParamsError):
        prompt_of(f"go{unseen}re")


@pytest.mark.parametrize(
    "prompt",
    ["gore_", "_gore", "gore1", "1gore", "blood-bath", "blood, bath", "blood_bathing", "9blood.bath9", "(gore)_"],
)
def test_words_are_refused_whatever_stands_between_their_letters(prompt: str) -> None:
    with pytest.raises(ParamsError):
        prompt_of(prompt)


@pytest.mark.parametrize("weight", ["1.2", "+1.2", "-1.2", "1.", "1,", ".5", "+,5", " 1.2 ", "2"])
def test_no_weight_that_a_prompt_may_have_hides_a_word(weight: str) -> None:
    with pytest.raises(ParamsError):
        prompt_of(f"n(ak:{weight})ed")


def test_an_expression_is_of_what_is_written() -> None:
    rules = PromptRules.parse("refuse /cat[^,]*dog/")

    assert rules.applied(Params(prompt="cat, dog")).prompt == "cat, dog"


@pytest.mark.parametrize(
    ("prompt", "heard"),
    [
        ("cat", "black cat"),
        ("(cat:1.2), a cat", "(black cat:1.2), a black cat"),
        ("a cat bed", "a black cat bed"),  # where it stood nothing grows together
    ],
)
def test_what_replaces_may_have_what_is_replaced_in_it(prompt: str, heard: str) -> None:
    rules = PromptRules.parse("replace cat => black cat\nreplace a bed => a sofa")

    assert rules.applied(Params(prompt=prompt)).prompt == heard


def test_word_that_is_not_there_is_not_looked_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a prompt would keep the server's event loop for seconds, where there are many rules."""
    rules = PromptRules.parse("\n".join(f"refuse word{number}x *" for number in range(RULES_MAX)))

    def looked_for(regex: LinearRegex, text: str) -> bool:
        raise AssertionError(regex.pattern)

    monkeypatch.setattr(LinearRegex, "is_in", looked_for)

    assert rules.applied(Params(prompt="a word, and another " * 90)).prompt


def test_file_of_an_editor_that_marks_utf_8_is_read() -> None:
    assert len(PromptRules.parse("\ufeffrefuse gore").rules) == 1


def test_parts_of_blends_and_negative_prompts_are_looked_at_too() -> None:
    blend = [{"text": "ink", "weight": 2.0}, {"text": "rival inc", "weight": 0.5}, {"picture": "0" * 32, "weight": 1.0}]

    assert prompt_of(blend) == [blend[0], {"text": "our brand", "weight": 0.5}, blend[2]]
    with pytest.raises(ParamsError):
        prompt_of([{"text": "ink", "weight": 1.0}, {"text": "gore", "weight": 0.0}])
    with pytest.raises(ParamsError) as caught:
        prompt_of("gore", "negative_prompt")
    assert caught.value.field == "negative_prompt"


def test_a_replacement_may_be_refused_by_another_rule() -> None:
    rules = PromptRules.parse("replace nice => gore\nrefuse gore")

    with pytest.raises(ParamsError):
        rules.applied(Params(prompt="nice"))


def test_a_longer_prompt_stays_one() -> None:
    rules = PromptRules.parse(f"replace a => {'long ' * 100}")

    assert len(str(rules.applied(Params(prompt="a " * 900)).prompt)) <= 2000


def test_other_params_and_the_version_stay() -> None:
    params = Params(prompt="rival inc", strength=0.7, version=9)

    assert RULES.applied(params) == params.model_copy(update={"prompt": "our brand"})
    assert PromptRules().applied(params) is params


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("forbid gore", "line 1: 'forbid gore' is no rule"),
        ("refuse", "is no rule"),
        ("# fine\nrefuse /(/", "line 2: 'refuse /(/' has a ( without its )"),
        ("refuse ***", "has no word"),
        ("replace gore", "write replace WORDS => TEXT"),
        ("refuse /a*/", "empty text"),
        ("refuse gore # for children", "has a remark behind it"),
        ("refuse /gore/i", "nothing may stand behind an expression"),
        ("refuse /gore/ # all of it", "nothing may stand behind an expression"),
        (f"refuse /{'(' * 5000}a{')' * 5000}/", "groups in groups"),
        ("\n".join(["refuse x"] * (RULES_MAX + 1)), f"more than {RULES_MAX}"),
    ],
)
def test_line_that_is_no_rule_is_named(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PromptRules.parse(text)

    assert why in str(caught.value)


def test_expressions_of_a_file_have_so_many_states_together() -> None:
    line = "refuse /(?:a|b)*a(?:a|b){20}c/\n"
    PromptRules.parse(line * 10 + "refuse gore\n" * 100)

    with pytest.raises(ConfigError, match=r"line 11: .* makes 2048 states too few for all expressions together"):
        PromptRules.parse(line * 11)


def test_what_is_too_far_behind_to_be_replaced_is_refused() -> None:
    rules = PromptRules.parse("replace /a[ab]{0,20}c/ => x")
    near, far = (Params(prompt="a" * count + "c") for count in (500, 1999))

    assert rules.applied(near).prompt == "a" * 479 + "x"
    with pytest.raises(ParamsError, match="do not allow what is in it: write it otherwise"):
        rules.applied(far)

"""Rules for prompts: what is refused and replaced, however it is written, and in which fields."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.errors import ConfigError, ParamsError
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
        ("\n".join(["refuse x"] * (RULES_MAX + 1)), f"more than {RULES_MAX}"),
    ],
)
def test_line_that_is_no_rule_is_named(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PromptRules.parse(text)

    assert why in str(caught.value)

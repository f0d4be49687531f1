"""Expressions that are searched for in linear time: as Python's own find them, and never longer than a text is long."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.linear_regex import MATCH_MAX_CHARS, PLACES_MAX_STEPS, LinearRegex
from realtime.regex_syntax import STATES_MAX, folded

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\w", r"\d", r"\s", r"\.", " ", "é"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions, as Python's own have them."""
    repeated = st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}"])).map(
        lambda one: f"(?:{one[0]}){one[1]}"
    )
    return st.one_of(
        repeated,
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
    )


PATTERNS = st.recursive(ATOMS, grown, max_leaves=6)
TEXTS = st.text("abcdABé .1_", max_size=24)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, TEXTS, st.sampled_from(["", r"\b", "^"]), st.sampled_from(["", r"\b", "$"]))
def test_finds_what_python_finds(pattern: str, text: str, first: str, last: str) -> None:
    try:
        found = LinearRegex(f"{first}{pattern}{last}")
    except ValueError:
        assert re.fullmatch(pattern, "") or len(pattern) > 20
        return
    text = folded(text)
    ours = re.compile(f"{first}(?:{pattern}){last}".replace("$", r"\Z"))

    assert found.is_in(text) is (ours.search(text) is not None)
    for begin, end in found.places(text):
        assert re.compile(pattern).fullmatch(text, begin, end)


@pytest.mark.parametrize(
    ("pattern", "text", "places"),
    [
        ("a+", "baab a", [(1, 3), (5, 6)]),
        ("ab|abcd", "xabcd", [(1, 5)]),  # the longest, where Python takes the first alternative
        (r"\bcat\b", "cat concat cat's", [(0, 3), (11, 14)]),
        ("gr[ae]y", "GREY Gray", [(0, 4), (5, 9)]),
        ("[A-Z]1", "a1 B1", [(0, 2), (3, 5)]),
        (r"[\d-]+", "1-2 -", [(0, 3), (4, 5)]),
        (r"a\|b", "a|b", [(0, 3)]),
        ("STRASSE|STRAẞE", "straße", [(0, 6)]),
    ],
)
def test_places(pattern: str, text: str, places: list[tuple[int, int]]) -> None:
    assert list(LinearRegex(pattern).places(folded(text))) == places


def test_place_is_bounded() -> None:
    assert next(LinearRegex("a+").places("a" * 3000)) == (0, MATCH_MAX_CHARS)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty text"),
        ("a*", "empty text"),
        ("(a", "without its )"),
        ("a)", "without its ("),
        ("[a", "in the middle"),
        ("a\\", "in the middle"),
        ("*a", "where nothing is"),
        ("a**", "repeats a repetition"),
        ("a{3,2}", "repeats from 3 to 2"),
        ("a{65}", "64 are the most"),
        ("a{x}", "count nothing"),
        ("(?=a)", "looks around"),
        ("(?P<x>a)", "looks around"),
        (r"(a)\1", r"has \1"),
        (r"a\bb", r"has \b"),
        ("a^b", "where nothing is"),
        (r"\bone|other\b", "in a group"),
        ("[z-a]", "from the lower"),
        ("((a{64}){64}){64}", f"more than {STATES_MAX} states"),
    ],
)
def test_what_is_none_is_refused_in_words(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        LinearRegex(pattern)


def test_sets_of_states_that_are_all_new_cost_a_few_times_what_known_ones_do() -> None:
    """Nearly each character makes a set that was not met before."""
    rng = random.Random(1)
    text = "".join(rng.choice("ab") for _ in range(20_000))

    def taken_s(count: int) -> float:
        found = LinearRegex(f"(?:a|b)*a(?:a|b){{{count}}}c")
        begun_s = time.process_time()
        assert not found.is_in(text)
        return time.process_time() - begun_s

    taken_s(2)
    assert min(taken_s(20) for _ in range(3)) < 30 * min(taken_s(2) for _ in range(3))


def test_states_are_counted_with_the_repetitions_written_out() -> None:
    assert LinearRegex("a{20}").states > 19 * LinearRegex("a").states / 2
    with pytest.raises(ValueError, match=f"more than {STATES_MAX} states"):
        LinearRegex("(?:a|b){64}")


def test_places_are_looked_for_for_a_while_only() -> None:
    """The place that counts is behind much that begins as it does."""
    found = LinearRegex("a[ab]{0,20}c")
    assert list(found.places("a" * PLACES_MAX_STEPS + "c")) == []
    assert list(found.places("a" * 500 + "c")) == [(479, 501)]


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*)*b", "(a?){10}a{10}b", "(a*)*(a*)*b", r"(\w+\s?)+b$"])
def test_what_takes_others_for_ever_takes_time_by_the_length_of_the_text(pattern: str) -> None:
    found = LinearRegex(pattern)

    def taken_s(length: int) -> float:
        begun_s = time.process_time()
        assert not found.is_in("a" * length)
        return time.process_time() - begun_s

    taken_s(100)
    assert taken_s(20_000) < 20 * max(taken_s(4000), 0.002)

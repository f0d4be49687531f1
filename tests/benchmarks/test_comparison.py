"""benchmarks.comparison and repeats: arms in turns, their ratios, and what is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import comparison, repeats


@pytest.mark.parametrize(
    ("value", "at_least", "ok"), [(0.94, True, False), (0.95, True, True), (0.95, False, True), (0.96, False, False)]
)
def test_targets_include_their_limit(value: float, at_least: bool, ok: bool) -> None:
    assert comparison.Target(value, 0.95, at_least).ok is ok


def test_arms_run_in_turns_and_every_other_turn_backwards() -> None:
    order: list[str] = []

    def arm(name: str) -> Callable[[], repeats.Numbers]:
        def run() -> repeats.Numbers:
            order.append(name)
            return {"ms": float(len(order))}

        return run

    runs = repeats.in_turns({"a": arm("a"), "b": arm("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert repeats.together(runs["a"])["ms"] == {"median": 4, "least": 1, "most": 5}
    assert repeats.ratio(runs["b"], runs["a"], "ms") == {"median": 1.2, "least": 0.75, "most": 2}


def test_a_comparison_that_is_cut_off_has_said_what_it_had_measured() -> None:
    kept: list[dict[str, object]] = []
    compared = comparison.Comparison(1)
    compared.on_measured = lambda: kept.append({name: set(arms) for name, arms in compared.measured.items()})

    compared.compare("times", {"a": lambda: {"ms": 1.0}, "b": lambda: {"ms": 2.0}})

    assert kept == [{"times": {"a"}}, {"times": {"a", "b"}}]

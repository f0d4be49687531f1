"""Things compared: run in turns, several times each, and what their numbers amount to together.

Must not know what is run.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

Numbers = dict[str, float]


def in_turns(
    arms: Mapping[str, Callable[[], Numbers]],
    repetitions: int,
    on_run: Callable[[Mapping[str, Sequence[Numbers]]], None] = lambda runs: None,
) -> dict[str, list[Numbers]]:
    """Run all arms once, then all again, backwards: whatever else the machine does meets all of them alike.

    Args:
        on_run: called behind each with the runs so far.
    """
    runs: dict[str, list[Numbers]] = {name: [] for name in arms}
    for repetition in range(repetitions):
        order = list(arms) if repetition % 2 == 0 else list(arms)[::-1]
        for name in order:
            runs[name].append(arms[name]())
            on_run(runs)
    return runs


def together(runs: Sequence[Numbers]) -> dict[str, dict[str, float]]:
    """Each number's median over the runs, its least and its most."""
    return {name: extent([run[name] for run in runs]) for name in runs[0]}


def ratio(ours: Sequence[Numbers], theirs: Sequence[Numbers], name: str) -> dict[str, float]:
    """One arm's number over another's, from runs that were neighbours: median, least and most."""
    return extent([our[name] / their[name] for our, their in zip(ours, theirs, strict=True) if their[name]])


def extent(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most; zeros for no values."""
    if not values:
        return {"median": 0.0, "least": 0.0, "most": 0.0}
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 4) for name, value in found.items()}

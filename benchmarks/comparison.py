"""Arms run in turns, their ratios, and what is wanted of a number.

Must not know what an arm does, or how numbers are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.bench import report

from .repeats import Numbers, in_turns, ratio, together

RATIOS = "ratios"
"""Beside the comparisons' names in what was measured."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of a number."""

    value: float
    limit: float
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is met."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def wire(self) -> dict[str, float | bool | str]:
        """As it stands in the JSON object."""
        wanted = "at least" if self.at_least else "at most"
        return {"value": round(self.value, 3), "wanted": wanted, "limit": self.limit, "ok": self.ok}


class Comparison:
    """The comparisons made so far and the targets that they were held to.

    Args:
        repetitions: of every arm, in turns with those that it is compared with.

    Attributes:
        on_measured: called whenever there is more in `measured`: whoever may be cut off writes it down.
        measured: by the comparison's name, then the arm's, then the number's; `ratios` holds those of `relate`.
    """

    def __init__(self, repetitions: int) -> None:
        self.repetitions = repetitions
        self.on_measured: Callable[[], None] = lambda: None
        self.measured: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, Target] = {}

    def compare(
        self, name: str, arms: Mapping[str, Callable[[], Numbers]], repetitions: int | None = None
    ) -> dict[str, list[Numbers]]:
        """Run these in turns and keep their numbers under this name."""
        report.progress(f"{name}: {', '.join(arms)}")

        def keep(runs: Mapping[str, Sequence[Numbers]]) -> None:
            self.measured[name] = {arm: together(found) for arm, found in runs.items() if found}
            self.on_measured()

        return in_turns(arms, repetitions or self.repetitions, keep)

    def relate(self, name: str, ours: Sequence[Numbers], theirs: Sequence[Numbers], number: str) -> float:
        """Keep the ratio of a number of two arms; its median."""
        found = ratio(ours, theirs, number)
        self.measured.setdefault(RATIOS, {})[name] = found
        return found["median"]

    def want(self, name: str, value: float, limit: float, *, at_least: bool = False) -> None:
        """Hold a number to its target."""
        self.targets[name] = Target(value, limit, at_least)

"""What a comparison says to people: its arms, their ratios, and what was wanted.

Must not measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtime.bench import report
from realtime.bench.measures import Measures

from .comparison import RATIOS, Comparison


def conclude(about: dict[str, Any], comparison: Comparison, output: Path | None) -> Measures:
    """End a bench that is one comparison: print its tables, then its JSON object.

    Args:
        about: the object's first fields: header, model, settings.
        comparison: what was measured, and what was wanted of it.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.
    """
    answer = about | {
        "scenarios": comparison.measured,
        "targets": {name: target.wire() for name, target in comparison.targets.items()},
    }
    show(answer)
    report.put_out(answer, output)
    return answer


def show(answer: dict[str, Any]) -> None:
    """Print all of a comparison's tables: of its runs where there are such, of its arms, ratios and targets."""
    comparisons = dict(answer.get("comparisons", answer["scenarios"]))
    ratios = comparisons.pop(RATIOS, {})
    if "comparisons" in answer:
        report.show_runs(answer)
    report.show_arms(comparisons)
    _show_ratios(ratios)
    show_targets(answer["targets"])


def _show_ratios(ratios: dict[str, dict[str, float]]) -> None:
    columns = ("median", "least", "most")
    rows = ([name, *(f"{found[column]:.3f}" for column in columns)] for name, found in ratios.items())
    report.show_table("ours over theirs", ("what", *columns), rows)


def show_targets(targets: dict[str, dict[str, Any]]) -> None:
    """Print what was wanted and what was measured."""
    rows = (
        [
            name,
            f"{target['value']:.3f}",
            f"{target['wanted']} {target['limit']:g}",
            "ok" if target["ok"] else "miss",
        ]
        for name, target in targets.items()
    )
    report.show_table("targets", ("what", "measured", "wanted", "verdict"), rows)

"""Tables in Markdown of what benches found.

Must not know documents, and must give the same text for the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..comparison import RATIOS

Row = Sequence[str]
Answer = Mapping[str, Any]
Arms = Mapping[str, Mapping[str, Any]]
VERDICTS = {None: "", True: "ok", False: "miss"}


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def figure(value: float) -> str:
    """A number with three digits that count, or all that stand before the point."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def spread(found: Mapping[str, float]) -> str:
    """A median, and the least and the most where they differ from it."""
    median, least, most = (figure(found[name]) for name in ("median", "least", "most"))
    return median if median == least == most else f"{median} ({least}–{most})"


def compared(answer: Answer) -> Mapping[str, Arms]:
    """A bench's comparisons, without their ratios."""
    found: Mapping[str, Arms] = answer.get("comparisons", answer["scenarios"])
    return {name: arms for name, arms in found.items() if name != RATIOS}


def ratios(answer: Answer) -> Mapping[str, Mapping[str, float]]:
    """A bench's ratios by name."""
    found: Mapping[str, Any] = answer.get("comparisons", answer["scenarios"])
    return found.get(RATIOS, {})


def machine_line(answer: Answer) -> str:
    """Of which version, on what, and what else that had to do."""
    device = ", ".join(name for name in (answer.get("accelerator"), answer["device"]) if name)
    load = f"; load at the start {answer['load_average'][0]:g}" if answer.get("load_average") else ""
    cores = answer["settings"].get("busy") if "settings" in answer else 0
    beside = f", beside {cores} processes that only count" if cores else ""
    return f"{answer['version']} ({answer['commit']}) on {device}, Python {answer['python']}{load}{beside}.\n"


def runs_table(answer: Answer) -> str:
    """Each run of a server."""
    head = ["run", "fps", "p50 ms", "p95", "p99", "max", "gap sd ms", "sent", "delivered", "repeats", "superseded"]
    rows: list[Row] = []
    for name, run in answer["scenarios"].items():
        latency = run["latency_ms"]
        times = [run["fps"], *(latency[share] for share in ("p50", "p95", "p99", "max")), run["interval_ms"]["sd"]]
        counts = [run["sent"], run["delivered"], run.get("repeats", 0), run["dropped"].get("superseded", 0)]
        per_tick = f"{run['rows_per_tick']:.2f}" if "rows_per_tick" in run else ""
        rows.append([f"`{name}`", *(f"{time:.1f}" for time in times), *map(str, counts), per_tick])
    return table([*head, "rows/tick"], rows)


def streams_line(answer: Answer) -> str:
    """How many streams a server carries."""
    carried = [f"{count} with {limit.replace('_', ' ')}" for limit, count in answer["streams"].items()]
    return f"Carried of {answer['settings']['fps']:g} fps: {', '.join(carried)}.\n"


def targets_table(answer: Answer) -> str:
    """What was wanted and what was measured."""
    rows = [
        [f"`{name}`", f"{target['wanted']} {target['limit']:g}", f"{target['value']:.3f}", VERDICTS[target["ok"]]]
        for name, target in answer["targets"].items()
    ]
    return table(["wanted", "", "measured", ""], rows)


def arms_tables(answer: Answer) -> str:
    """Comparisons: medians; a table for all that have the same numbers. Of ratios the least and the most too."""
    alike: dict[tuple[str, ...], list[tuple[str, Arms]]] = {}
    for name, arms in compared(answer).items():
        columns = tuple(dict.fromkeys(number for arm in arms.values() for number in arm))
        alike.setdefault(columns, []).append((name, arms))
    parts: list[str] = []
    for columns, comparisons in alike.items():
        is_one = len(comparisons) == 1  # its name once is enough
        begin = [f"`{comparisons[0][0]}`"] if is_one else ["", ""]
        rows = [
            [
                *(() if is_one else (f"`{name}`",)),
                arm,
                *(figure(found[n]["median"]) if n in found else "" for n in columns),
            ]
            for name, arms in comparisons
            for arm, found in arms.items()
        ]
        parts.append(table([*begin, *(column.replace("_", " ") for column in columns)], rows))
    if found := ratios(answer):
        rows = [[what, *(f"{ratio[n]:.3f}" for n in ("median", "least", "most"))] for what, ratio in found.items()]
        parts.append(table(["ours to theirs", "median", "least", "most"], rows))
    return "\n".join(parts)

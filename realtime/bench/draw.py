"""Results redrawn: marked sections of a document, and plots beside it, from the JSON objects that benches write.

A section stands between `<!-- drawn: FILE KIND -->` and `<!-- /drawn -->`; what is between is made here. Must not
measure, and must give the same text for the same numbers.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SECTION = re.compile(r"(<!-- drawn: (\S+) (\S+) -->\n).*?(<!-- /drawn -->)", re.DOTALL)
BAR_PX, GAP_PX, LABEL_PX, WIDTH_PX, CHART_PX = 16, 8, 250, 720, 380
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.long{fill:#9ec5f4}.short{fill:#2f6fb5}line{stroke:#8c959f}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.long{fill:#2b4f7a}.short{fill:#6cb0ff}}"
)

Row = Sequence[str]
VERDICTS = {None: "", True: "ok", False: "miss"}


def redraw(document: Path, results: Path, images: Path) -> list[Path]:
    """Rewrite a document's marked sections and their plots.

    Args:
        document: Markdown.
        results: the folder of the JSON objects.
        images: where plots go; the document refers to them by a path from where it is.

    Returns:
        The files that are different now.

    Raises:
        ValueError: a section names a kind that there is not.
    """
    changed: list[Path] = []
    text = document.read_text()

    def section(found: re.Match[str]) -> str:
        name, kind = found[2], found[3]
        if kind not in KINDS:
            raise ValueError(f"{document.name}: there is no kind {kind!r}; there are {', '.join(KINDS)}")
        file = results / f"{name}.json"
        if not file.exists():
            return f"{found[1]}Not measured yet.\n{found[4]}"
        answer: dict[str, Any] = json.loads(file.read_text())
        if kind == "plot":
            image = images / f"{name}.svg"
            _write(image, latency_plot(answer), changed)
            where = image.relative_to(document.parent).as_posix()
            return f"{found[1]}![Latency of each run: half of the frames, and 95 of 100]({where})\n{found[4]}"
        return f"{found[1]}{KINDS[kind](answer)}{found[4]}"

    _write(document, SECTION.sub(section, text), changed)
    return changed


def _write(file: Path, text: str, changed: list[Path]) -> None:
    if file.exists() and file.read_text() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    changed.append(file)


def table(head: Row, rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def runs_table(answer: Mapping[str, Any]) -> str:
    """Each run of a server."""
    head = [
        "run",
        "fps",
        "p50 ms",
        "p95",
        "p99",
        "max",
        "gap sd ms",
        "sent",
        "delivered",
        "repeats",
        "superseded",
        "rows/tick",
    ]
    rows: list[Row] = []
    for name, run in answer["scenarios"].items():
        latency = run["latency_ms"]
        times = [run["fps"], *(latency[share] for share in ("p50", "p95", "p99", "max")), run["interval_ms"]["sd"]]
        counts = [run["sent"], run["delivered"], run.get("repeats", 0), run["dropped"].get("superseded", 0)]
        rows.append(
            [f"`{name}`", *(f"{time:.1f}" for time in times), *map(str, counts), f"{run.get('rows_per_tick', '')}"]
        )
    return table(head, rows)


def targets_table(answer: Mapping[str, Any]) -> str:
    """What was wanted and what was measured."""
    rows = [
        [
            f"`{name}`",
            f"{target['wanted']} {target['limit']:g}",
            f"{target['value']:.3f}",
            "ok" if target["ok"] else "miss",
        ]
        for name, target in answer["targets"].items()
    ]
    return table(["wanted", "", "measured", ""], rows)


def arms_tables(answer: Mapping[str, Any]) -> str:
    """Comparisons: medians, and of the ratios the least and the most too."""
    compared: Mapping[str, Any] = answer.get("comparisons", answer["scenarios"])
    parts: list[str] = []
    for name, arms in compared.items():
        if name == "ratios":
            rows = [[what, *(f"{r[n]:.3f}" for n in ("median", "least", "most"))] for what, r in arms.items()]
            parts.append(table(["ours to theirs", "median", "least", "most"], rows))
            continue
        columns = list(dict.fromkeys(number for arm in arms.values() for number in arm))
        rows = [
            [arm, *(f"{found[n]['median']:.4g}" if n in found else "" for n in columns)] for arm, found in arms.items()
        ]
        parts.append(table([f"`{name}`", *(column.replace("_", " ") for column in columns)], rows))
    return "\n".join(parts) or "Not measured yet.\n"


def goals_table(answer: Mapping[str, Any]) -> str:
    """What was predicted of a GPU, what is wanted and what was measured."""
    rows = [
        [
            name,
            goal["predicted"],
            goal["wanted"],
            str(goal["measured"]),
            {None: "", True: "ok", False: "miss"}[goal["ok"]],
        ]
        for name, goal in answer["goals"].items()
    ]
    return table(["goal", "predicted", "wanted", "measured", ""], rows)


def latency_plot(answer: Mapping[str, Any]) -> str:
    """Bars of p50 upon p95, one a run, as an SVG that follows the reader's light or dark."""
    runs = [(name, run["latency_ms"]["p50"], run["latency_ms"]["p95"]) for name, run in answer["scenarios"].items()]
    most = max(p95 for _, _, p95 in runs)
    scale = CHART_PX / most
    height = len(runs) * (BAR_PX + GAP_PX) + GAP_PX
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" role="img">',
        f"<title>{html.escape(answer['model'])}: latency, ms: p50 (dark) and p95</title><style>{STYLE}</style>",
    ]
    for number, (name, p50, p95) in enumerate(runs):
        top = GAP_PX + number * (BAR_PX + GAP_PX)
        base = top + BAR_PX - 4
        lines.append(f'<text x="{LABEL_PX - 8}" y="{base}" text-anchor="end">{html.escape(name)}</text>')
        for kind, value in (("long", p95), ("short", p50)):
            lines.append(
                f'<rect class="{kind}" x="{LABEL_PX}" y="{top}" width="{value * scale:.1f}" height="{BAR_PX}"/>'
            )
        at = LABEL_PX + p95 * scale + 6
        lines.append(f'<text x="{at:.1f}" y="{base}">{p50:.1f} / {p95:.1f}</text>')
    return "\n".join([*lines, "</svg>\n"])


KINDS: dict[str, Callable[[Mapping[str, Any]], str]] = {  # `plot` makes a file, and the section shows that
    "runs": runs_table,
    "targets": targets_table,
    "arms": arms_tables,
    "goals": goals_table,
    "plot": latency_plot,
}

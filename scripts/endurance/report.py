"""What came of a run: for people, and as a JSON object.

Must not know how it was run.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH_PX, HEIGHT_PX, LEFT_PX, TOP_PX = 720, 120, 60, 24
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}polyline{fill:none;stroke:#2f6fb5;stroke-width:1.5}"
    "line{stroke:#8c959f}@media(prefers-color-scheme:dark){text{fill:#e6edf3}polyline{stroke:#6cb0ff}}"
)


@dataclass(frozen=True, slots=True)
class Curve:
    """A number over time.

    Attributes:
        points: seconds and values, at least two, by time.
    """

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(slots=True)
class Report:
    """Of one run.

    Attributes:
        header: see `realtime.bench.report.header`.
        facts: what else is in the JSON object.
        rows: of the table; all with the same names.
        curves: of the plot.
        problems: what must not be, in words; empty where all was well.
    """

    header: Mapping[str, Any]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    curves: list[Curve] = field(default_factory=list[Curve])
    problems: list[str] = field(default_factory=list[str])

    def show(self) -> None:
        """Print the table and what is wrong, on standard error."""
        if self.rows:
            names = list(self.rows[0])
            texts = [names, *([_text(row[name]) for name in names] for row in self.rows)]
            widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
            for row in texts:
                cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                print("  ".join(cells).rstrip(), file=sys.stderr)
        for problem in self.problems:
            print(f"PROBLEM: {problem}", file=sys.stderr)

    def wire(self) -> dict[str, Any]:
        """A JSON object."""
        curves = {curve.name: [[round(at, 1), round(value, 2)] for at, value in curve.points] for curve in self.curves}
        return {**self.header, **self.facts, "table": self.rows, "curves": curves, "problems": self.problems}

    def plot(self) -> str:
        """The curves below one another, as SVG that follows the reader's light or dark; each from 0 to its most."""
        height = (HEIGHT_PX + TOP_PX) * len(self.curves) + TOP_PX
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" role="img">',
            f"<title>{html.escape(str(self.header.get('bench', '')))}</title><style>{STYLE}</style>",
        ]
        for number, curve in enumerate(self.curves):
            lines += _drawn(curve, number * (HEIGHT_PX + TOP_PX) + TOP_PX)
        return "\n".join([*lines, "</svg>\n"])


def _drawn(curve: Curve, top: int) -> list[str]:
    end_s = max(at for at, _ in curve.points) or 1.0
    most = max(value for _, value in curve.points) or 1.0
    right, base = WIDTH_PX - 8, top + HEIGHT_PX
    places = (
        (LEFT_PX + at / end_s * (right - LEFT_PX), base - value / most * (HEIGHT_PX - TOP_PX))
        for at, value in curve.points
    )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [
        f'<text x="{LEFT_PX}" y="{top + 12}">{html.escape(curve.name)}, {end_s:.0f} s</text>',
        f'<text x="{LEFT_PX - 6}" y="{top + TOP_PX + 4}" text-anchor="end">{most:.4g}</text>',
        f'<text x="{LEFT_PX - 6}" y="{base}" text-anchor="end">0</text>',
        f'<line x1="{LEFT_PX}" y1="{base}" x2="{right}" y2="{base}"/><polyline points="{path}"/>',
    ]


def _text(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)

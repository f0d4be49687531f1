"""Plots of what benches found, as SVG that follows the reader's light or dark.

Must not know documents, and must give the same text for the same numbers.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from .engine_tables import arm_name, scenario_name
from .tables import Answer, compared, figure

BAR_PX, GAP_PX, LABEL_PX, WIDTH_PX, CHART_PX, HEAD_PX = 16, 8, 250, 720, 340, 22
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.head{font-weight:600}"
    ".long{fill:#9ec5f4}.short{fill:#2f6fb5}.other-long{fill:#d0d7de}.other{fill:#8c959f}line{stroke:#1f2328}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.long{fill:#2b4f7a}.short{fill:#6cb0ff}"
    ".other-long{fill:#3d444d}.other{fill:#848d97}line{stroke:#e6edf3}}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a chart.

    Attributes:
        parts: class and end of each bar, the longest first.
        value: what stands behind it.
        whisker: from where to where the value was measured; None leaves it out.
    """

    label: str
    parts: Sequence[tuple[str, float]]
    value: str
    whisker: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars under a heading, on a scale of their own."""

    heading: str
    bars: Sequence[Bar]


def latency_plot(answer: Answer) -> str:
    """Bars of p50 upon p95, one a run."""
    bars: list[Bar] = []
    for name, run in answer["scenarios"].items():
        p50, p95 = run["latency_ms"]["p50"], run["latency_ms"]["p95"]
        bars.append(Bar(name, [("long", p95), ("short", p50)], f"{p50:.1f} / {p95:.1f}"))
    return svg([Chart(f"{answer['model']}: latency in ms, p50 (strong) / p95 (faint)", bars)])


def arms_plot(answer: Answer) -> str:
    """Bars of p50 upon p95, one of everybody in every comparison that has latencies; ours stand out."""
    bars: list[Bar] = []
    for name, arms in compared(answer).items():
        for arm, found in arms.items():
            if "p50_ms" not in found or "p95_ms" not in found:
                continue
            p50, p95 = found["p50_ms"]["median"], found["p95_ms"]["median"]
            long, short = ("long", "short") if arm.startswith("ours") else ("other-long", "other")
            bars.append(Bar(f"{name}: {arm}", [(long, p95), (short, p50)], f"{p50:.1f} / {p95:.1f}"))
    return svg([Chart("latency in ms, p50 (strong) / p95 (faint); ours in blue", bars)])


def times_plot(answer: Answer) -> str:
    """Bars of a frame's time, one of everybody who was run; ours stand out."""
    charts: list[Chart] = []
    for name, arms in compared(answer).items():
        bars: list[Bar] = []
        for arm, found in arms.items():
            times = found["ms_per_frame"]
            kind = "short" if arm.startswith("ours ") else "other"
            bars.append(
                Bar(arm_name(arm), [(kind, times["median"])], figure(times["median"]), (times["least"], times["most"]))
            )
        charts.append(Chart(f"{scenario_name(answer, name)}: ms a frame, median, and from least to most", bars))
    return svg(charts)


def svg(charts: Sequence[Chart]) -> str:
    """Charts below one another."""
    lines: list[str] = []
    top = 0
    for chart in charts:
        lines.append(f'<text class="head" x="8" y="{top + HEAD_PX - 6}">{html.escape(chart.heading)}</text>')
        scale = CHART_PX / max(_end(bar) for bar in chart.bars)
        top += HEAD_PX + GAP_PX // 2
        for bar in chart.bars:
            lines += _bar(bar, top, scale)
            top += BAR_PX + GAP_PX
    title = html.escape("; ".join(chart.heading for chart in charts))
    size = f'viewBox="0 0 {WIDTH_PX} {top}" role="img"'
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<title>{title}</title><style>{STYLE}</style>"]
    return "\n".join([*head, *lines, "</svg>\n"])


def _end(bar: Bar) -> float:
    return max(*(end for _, end in bar.parts), bar.whisker[1] if bar.whisker else 0.0)


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    base, middle = top + BAR_PX - 4, top + BAR_PX / 2
    lines = [f'<text x="{LABEL_PX - 8}" y="{base}" text-anchor="end">{html.escape(bar.label)}</text>']
    for kind, end in bar.parts:
        lines.append(f'<rect class="{kind}" x="{LABEL_PX}" y="{top}" width="{end * scale:.1f}" height="{BAR_PX}"/>')
    if bar.whisker:
        least, most = (LABEL_PX + end * scale for end in bar.whisker)
        lines.append(f'<line x1="{least:.1f}" y1="{middle}" x2="{most:.1f}" y2="{middle}" stroke-width="2"/>')
    at = LABEL_PX + _end(bar) * scale + 6
    return [*lines, f'<text x="{at:.1f}" y="{base}">{html.escape(bar.value)}</text>']

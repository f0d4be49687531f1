"""realtime.bench.draw: what is kept in benchmarks/results is what docs/performance.md shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from realtime.bench import draw

ROOT = Path(__file__).parent.parent


def test_redrawing_from_the_kept_results_changes_nothing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "images")
    document = shutil.copy(ROOT / "docs" / "performance.md", tmp_path)

    assert draw.redraw(Path(document), ROOT / "benchmarks" / "results", tmp_path / "images") == []


def a_run(p50: float, p95: float) -> dict[str, object]:
    latency = {"p50": p50, "p95": p95, "p99": p95, "max": p95}
    counts = {"sent": 3, "delivered": 2, "dropped": {"superseded": 1}}
    return {"fps": 30.0, "latency_ms": latency, "interval_ms": {"sd": 1.0}, **counts}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    target = {"wanted": "at most", "limit": 3, "value": 4.0, "ok": False}
    ratio = {"median": 0.5, "least": 0.4, "most": 0.6}
    answer = {
        "model": "echo & <co>",
        "scenarios": {"one": a_run(10, 20)},
        "comparisons": {"codec": {"ours": {"ms": {"median": 1.5}}}, "ratios": {"codec": ratio}},
        "targets": {"limit": target},
    }
    (tmp_path / "some.json").write_text(json.dumps(answer))
    document = tmp_path / "page.md"
    kinds = ("runs", "targets", "arms", "plot")
    sections = "".join(f"<!-- drawn: some {kind} -->\nold\n<!-- /drawn -->\n" for kind in kinds)
    document.write_text(f"before\n{sections}after\n<!-- drawn: other runs -->\n<!-- /drawn -->\n")
    return document


def test_sections_are_redrawn_and_the_rest_is_left(page: Path) -> None:
    changed = draw.redraw(page, page.parent, page.parent / "images")

    text = page.read_text()
    assert changed == [page.parent / "images" / "some.svg", page]
    assert text.startswith("before\n") and "\nafter\n" in text and "old" not in text
    assert "| `one` | 30.0 | 10.0 | 20.0 | 20.0 | 20.0 | 1.0 | 3 | 2 | 0 | 1 |  |" in text
    assert "| `limit` | at most 3 | 4.000 | miss |" in text
    assert "| ours | 1.5 |" in text and "| codec | 0.500 | 0.400 | 0.600 |" in text
    assert "](images/some.svg)" in text
    assert "<!-- drawn: other runs -->\nNot measured yet.\n" in text
    assert draw.redraw(page, page.parent, page.parent / "images") == []


def test_a_plot_escapes_names_and_knows_the_dark(page: Path) -> None:
    draw.redraw(page, page.parent, page.parent / "images")
    plot = (page.parent / "images" / "some.svg").read_text()
    assert "echo &amp; &lt;co&gt;" in plot and "prefers-color-scheme:dark" in plot
    assert plot.count("<rect") == 2


def test_an_unknown_kind_is_refused(page: Path) -> None:
    page.write_text("<!-- drawn: some cake -->\n<!-- /drawn -->\n")
    with pytest.raises(ValueError, match="cake"):
        draw.redraw(page, page.parent, page.parent / "images")

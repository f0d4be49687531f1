"""Results redrawn: marked sections of a document, and plots beside it, from the JSON objects that benches write.

A section stands between `<!-- drawn: FILE KIND -->` and `<!-- /drawn -->`; what is between is made here. Must not
measure, and must give the same text for the same numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import calm_tables, engine_tables, gpu_tables, page_tables, plots, tables, webrtc_tables
from .headline import headline_table
from .tables import Answer

SECTION = re.compile(r"(<!-- drawn: (\S+) (\S+) -->\n).*?(<!-- /drawn -->)", re.DOTALL)
NOT_MEASURED = "Not measured yet.\n"
ALL = "all"
"""In the place of FILE: the section is about all of them."""

KINDS: dict[str, Callable[[Answer], str]] = {
    "machine": tables.machine_line,
    "runs": tables.runs_table,
    "streams": tables.streams_line,
    "targets": tables.targets_table,
    "arms": tables.arms_tables,
    "times": engine_tables.times_tables,
    "times-to-others": engine_tables.times_to_others_tables,
    "exactness": engine_tables.exactness_table,
    "delays": webrtc_tables.delays_table,
    "overload": webrtc_tables.overload_table,
    "encoders": webrtc_tables.encoders_table,
    "viewers": webrtc_tables.viewers_table,
    "cpu": webrtc_tables.cpu_table,
    "calm": calm_tables.calm_table,
    "calm-clips": calm_tables.calm_line,
    "walks": page_tables.walks_table,
    "stage": page_tables.stage_line,
}
PLACES: dict[str, Callable[[Answer], str]] = {
    "gpu-runs": gpu_tables.runs_table,
    "gpu-goals": gpu_tables.goals_table,
    "gpu-works": gpu_tables.works_table,
    "gpu-times": gpu_tables.times_table,
    "gpu-regions": gpu_tables.regions_table,
    "gpu-streams": gpu_tables.streams_table,
    "gpu-variants": gpu_tables.variants_table,
    "gpu-builds": gpu_tables.builds_table,
    "gpu-sizes": gpu_tables.sizes_table,
    "gpu-looks": gpu_tables.looks_table,
}
"""They show a place for each figure before there is one."""
PLOTS: dict[str, tuple[Callable[[Answer], str], str]] = {
    "plot": (plots.latency_plot, "Latency of each run: half of the frames, and 95 of 100"),
    "arms-plot": (plots.arms_plot, "Latency of ours and of others: half of the frames, and 95 of 100"),
    "times-plot": (plots.times_plot, "What a frame takes with each rung, and with others"),
}
"""They make a file, which the section shows with these words."""
OF_ALL: dict[str, Callable[[Path], str]] = {"headline": headline_table}


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

    def section(found: re.Match[str]) -> str:
        name, kind = found[2], found[3]
        file = results / f"{name}.json"
        known = OF_ALL if name == ALL else KINDS | PLACES | PLOTS
        if kind not in known:
            raise ValueError(f"{document.name}: there is no kind {kind!r} for {name}; there are {', '.join(known)}")
        if name == ALL:
            drawn = OF_ALL[kind](results)
        elif kind in PLACES:
            drawn = PLACES[kind](_read(file) if file.exists() else gpu_tables.NOTHING)
        elif not file.exists():
            drawn = NOT_MEASURED
        elif kind in PLOTS:
            draw, words = PLOTS[kind]
            image = images / f"{name}.svg"
            _write(image, draw(_read(file)), changed)
            drawn = f"![{words}]({image.relative_to(document.parent).as_posix()})\n"
        else:
            drawn = KINDS[kind](_read(file))
        return f"{found[1]}{drawn}{found[4]}"

    _write(document, SECTION.sub(section, document.read_text()), changed)
    return changed


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def _write(file: Path, text: str, changed: list[Path]) -> None:
    if file.exists() and file.read_text() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    changed.append(file)

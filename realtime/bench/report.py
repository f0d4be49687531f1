"""What a measurement says: a table for people, one JSON object for programs.

Must not measure.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ..version import __version__

if TYPE_CHECKING:
    from .load import Run


def progress(text: str) -> None:
    """Say on standard error what goes on."""
    print(text, file=sys.stderr, flush=True)


def header(bench: str) -> dict[str, Any]:
    """What was measured, of which version, on what."""
    return {
        "bench": bench,
        "version": __version__,
        "commit": _commit(),
        "device": _device(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def _commit() -> str | None:
    """The checkout's commit, with `-dirty` where files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def _device() -> str:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"


def show(answer: dict[str, Any]) -> None:
    """Print the tables."""
    console = _console()
    if answer["scenarios"]:
        console.print(_scenarios(answer))
    _print_arms(console, answer["comparisons"])
    if answer["targets"]:
        console.print(_targets(answer))


def _console() -> Console:
    # A pipe has no width; a table that is cut there helps nobody.
    return Console(width=None if sys.stdout.isatty() else 150)


def _scenarios(answer: dict[str, Any]) -> Table:
    table = Table(title=f"{answer['model']} on {answer['device']}", title_justify="left")
    table.add_column("run", no_wrap=True)
    times = ("fps", "p50 ms", "p95", "p99", "max", "gap sd", "gap p99")
    for column in (*times, "sent", "delivered", "repeats", "superseded", "rows/tick", "sent late p99"):
        table.add_column(column, justify="right")
    for name, run in answer["scenarios"].items():
        latency, gaps = run["latency_ms"], run["interval_ms"]
        cells = [run["fps"], latency["p50"], latency["p95"], latency["p99"], latency["max"], gaps["sd"], gaps["p99"]]
        counts = [run["sent"], run["delivered"], run["repeats"], run["dropped"].get("superseded", 0)]
        rows = f"{run['rows_per_tick']:.2f}" if "rows_per_tick" in run else ""
        late = f"{run['sent_late_ms']['p99']:.1f}"
        table.add_row(name, *(f"{cell:.1f}" for cell in cells), *(str(count) for count in counts), rows, late)
    return table


def _targets(answer: dict[str, Any]) -> Table:
    table = Table(title="targets", title_justify="left")
    table.add_column("what", no_wrap=True)
    for column in ("measured", "wanted", "verdict"):
        table.add_column(column, justify="right")
    for name, target in answer["targets"].items():
        table.add_row(
            name, f"{target['value']:.3f}", f"{target['wanted']} {target['limit']:g}", "ok" if target["ok"] else "miss"
        )
    return table


NOT_SHOWN = ("sent", "p99_ms", "in_p99_ms", "out_p99_ms", "in_delivered", "out_delivered", "server_cpu_ms_per_s")
"""Numbers of a comparison that stand in the JSON object only."""


def show_arms(answer: dict[str, Any]) -> None:
    """Print a table of each comparison: medians over the runs; the ratios with the least and the most."""
    console = _console()
    _print_arms(console, answer["scenarios"])
    if answer["targets"]:
        console.print(_targets(answer))


def _print_arms(console: Console, comparisons: dict[str, Any]) -> None:
    for name, arms in comparisons.items():
        if name == "ratios":
            console.print(_ratios(arms))
            continue
        table = Table(title=name, title_justify="left")
        table.add_column("arm", no_wrap=True)
        columns = [n for n in dict.fromkeys(number for arm in arms.values() for number in arm) if n not in NOT_SHOWN]
        for column in columns:
            table.add_column(column.replace("_", " "), justify="right")
        for arm, found in arms.items():
            table.add_row(arm, *(f"{found[column]['median']:.4g}" if column in found else "" for column in columns))
        console.print(table)


def _ratios(ratios: dict[str, dict[str, float]]) -> Table:
    table = Table(title="ours over theirs", title_justify="left")
    for column in ("what", "median", "least", "most"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, found in ratios.items():
        table.add_row(name, *(f"{found[column]:.3f}" for column in ("median", "least", "most")))
    return table


def write(answer: dict[str, Any], output: Path) -> None:
    """Write the JSON object to a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(answer, indent=1) + "\n")


def put_out(answer: dict[str, Any], output: Path | None) -> None:
    """Print the JSON object as the last line, and write it to a file where one is given."""
    if output is not None:
        write(answer, output)
    print(json.dumps(answer), flush=True)


def write_raw(file: Path, name: str, run: Run) -> None:
    """Append every frame of a run to a CSV file: which, of whom, when it was sent and when its picture came.

    Times are microseconds on one monotonic clock; those of a frame without a picture are empty.
    """
    is_new = not file.exists()
    with file.open("a", newline="") as opened:
        rows = csv.writer(opened)
        if is_new:
            rows.writerow(("run", "client", "seq", "sent_us", "arrived_us", "engine_us", "dropped", "counted"))
        for client, log in enumerate(run.logs):
            answers = dict(
                zip((p.seq for p in log.arrived), zip(log.arrived_us, log.arrived, strict=True), strict=True)
            )
            for seq, sent_us in log.sent.items():
                arrived_us, picture = answers.get(seq, (None, None))
                engine_us = None if picture is None else picture.engine_us
                is_counted = int(sent_us >= run.begin_us)
                rows.writerow((name, client, seq, sent_us, arrived_us, engine_us, log.dropped.get(seq, ""), is_counted))

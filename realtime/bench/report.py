"""Output of a measurement: tables for people, one JSON object for programs.

Must not measure.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..version import __version__

NOT_SHOWN = ("sent", "p99_ms", "in_p99_ms", "out_p99_ms", "in_delivered", "out_delivered", "server_cpu_ms_per_s")
"""Columns that `show_arms` leaves out; the JSON object has them."""


def progress(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)


def header(bench: str) -> dict[str, Any]:
    """The first fields of a JSON object: name of the measurement, version, commit, machine, load."""
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
    facts = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = [line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("model name")]
    held = [f"networks held to {isa}" for isa in [os.environ.get("ONEDNN_MAX_CPU_ISA")] if isa]
    return ", ".join([names[0] if names else name, f"{os.cpu_count()} cores", *_vector_units(facts), *held])


def _vector_units(cpuinfo: str) -> list[str]:
    """The vector instructions on which a model's speed depends, by factors of 4 to 8; empty where they aren't known."""
    flags = {flag for line in cpuinfo.splitlines() if line.startswith("flags") for flag in line.split()}
    half = ["bfloat16"] if flags & {"avx512_bf16", "amx_bf16"} else []
    return [*(label for flag, label in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags)][:1] + half


def show_runs(answer: dict[str, Any]) -> None:
    """Print a table of a server's runs.

    Args:
        answer: the JSON object; `scenarios` has the measures by run.
    """
    head = ("run", "fps", "p50 ms", "p95", "p99", "max", "gap sd", "gap p99")
    counted = ("sent", "delivered", "repeats", "superseded", "rows/tick", "sent late p99")
    rows: list[list[str]] = []
    for name, run in answer["scenarios"].items():
        latency, gaps = run["latency_ms"], run["interval_ms"]
        times = [run["fps"], latency["p50"], latency["p95"], latency["p99"], latency["max"], gaps["sd"], gaps["p99"]]
        counts = [run["sent"], run["delivered"], run["repeats"], run["dropped"].get("superseded", 0)]
        per_tick = f"{run['rows_per_tick']:.2f}" if "rows_per_tick" in run else ""
        late = f"{run['sent_late_ms']['p99']:.1f}"
        rows.append([name, *(f"{time:.1f}" for time in times), *map(str, counts), per_tick, late])
    show_table(f"{answer['model']} on {answer['device']}", (*head, *counted), rows)


def show_arms(comparisons: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a table for each comparison, with the medians of its arms' numbers.

    Args:
        comparisons: by comparison and arm: numbers with a `median`.
    """
    for name, arms in comparisons.items():
        columns = [n for n in dict.fromkeys(number for arm in arms.values() for number in arm) if n not in NOT_SHOWN]
        rows = [
            [arm, *(f"{found[column]['median']:.4g}" if column in found else "" for column in columns)]
            for arm, found in arms.items()
        ]
        show_table(name, ["arm", *(column.replace("_", " ") for column in columns)], rows)


def show_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with the first column aligned left and the others right; nothing without rows."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in head:
        table.add_column(column, justify="right" if table.columns else "left", no_wrap=not table.columns)
    for row in rows:
        table.add_row(*row)
    if table.rows:
        # A pipe has no width, and rich would cut the table at 80 columns.
        Console(width=None if sys.stdout.isatty() else 150).print(table)


def write(answer: dict[str, Any], output: Path) -> None:
    """Write the JSON object to a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(answer, indent=1) + "\n")


def put_out(answer: dict[str, Any], output: Path | None) -> None:
    """Print the JSON object as the last line, and write it to a file where one is given."""
    if output is not None:
        write(answer, output)
    print(json.dumps(answer), flush=True)

"""Writes every frame of a run as a line of CSV.

Must not know what is computed from them.
"""

from __future__ import annotations

import csv
from pathlib import Path

from .load import Run


def write_raw(file: Path, name: str, run: Run) -> None:
    """Append every frame of a run to a CSV file, with a header where the file is new.

    Times are microseconds on one monotonic clock; `arrived_us` and `engine_us` are empty for a frame without a picture.

    Args:
        name: of the run, the first column.
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

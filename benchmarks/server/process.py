"""What an engine in a process of its own delivers beside one in a thread of the server.

Must not know how pictures cross.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from realtime.bench import report
from realtime.bench.measures import Measures
from realtime.bench.servers import serving

from .. import console
from ..comparison import Comparison
from ..repeats import Numbers
from .devices import CLIENTS_EACH, SIDE_PX, delivered

LIMIT = 0.97
"""Of what a thread delivers: from there on a process would be the default on a CPU, too."""


def process_bench(
    model: str, seconds: float, repetitions: int, *, warmup_s: float = 3.0, output: Path | None = None
) -> Measures:
    """Run a server with its engine in a thread, and one with it in a process, in turns.

    Args:
        model: as in `realtime serve`.
        seconds: of each run, after the warm-up.
        repetitions: of each.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: a server did not start, or a connection failed.
    """
    comparison = Comparison(repetitions)
    runs = comparison.compare(
        "delivered",
        {
            "in a thread": partial(_delivered, model, "--no-engine-process", warmup_s, seconds),
            "in a process": partial(_delivered, model, "--engine-process", warmup_s, seconds),
        },
    )
    ratio = comparison.relate("process / thread", runs["in a process"], runs["in a thread"], "fps")
    comparison.want("process / thread: fps", ratio, LIMIT, at_least=True)
    about = report.header("process") | {
        "model": model,
        "settings": {"clients": CLIENTS_EACH, "seconds": seconds, "repetitions": repetitions, "side_px": SIDE_PX},
    }
    return console.conclude(about, comparison, output)


def _delivered(model: str, option: str, warmup_s: float, seconds: float) -> Numbers:
    with serving(model, option) as process:
        return delivered(process, CLIENTS_EACH, warmup_s, seconds)

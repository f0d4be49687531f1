"""What it gains to do all of a frame of one step by one graph, where there would be three with copies between them.

Must not know how a graph is made.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from statistics import median

from realtime.bench.rounds import timed

from .engines import region_by_region
from .rungs import ends
from .working import Found, Setting

ROUNDS = 3


def one_graph(setting: Setting, found: Found) -> None:
    """Milliseconds a frame of either, in turns, the median of each."""
    ours, machine = setting.engines().graphs, setting.machine()
    told: Found = found.setdefault("one_graph", {})
    for batch in ends(setting):
        times_ms: dict[str, list[float]] = {"one graph": [], "three graphs": []}
        for _ in range(ROUNDS):
            ways: dict[str, AbstractContextManager[object]] = {
                "one graph": nullcontext(),
                "three graphs": region_by_region(ours),
            }
            for name, way in ways.items():
                with way:
                    make = functools.partial(ours.frames, batch, 1)
                    times_ms[name].append(timed(machine.waited(make), batch, setting.seconds)["ms_per_frame"])
        for name, times in times_ms.items():
            told.setdefault(name, {})[f"batch_{batch}"] = round(median(times), 4)
        setting.keep(found)

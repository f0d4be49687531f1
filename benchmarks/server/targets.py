"""What is wanted of a server around an engine of known speed, held against its runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from realtime.bench.measures import Measures
from realtime.bench.server import FACTORS, SIDES_PX, throughput_name

from ..comparison import Target

ADDED_MS = 3.5
"""What the server adds to the time of one camera's frames, p50."""
FOUR_CLIENTS_MS, FOUR_CLIENTS_SD_MS = 35.0, 4.0
RUNS_CUT, REPEAT_MS = 10.0, 2.0
"""How many times fewer frames of a still scene the engine runs, and how long a repeat may take, p50."""
SLOPE_MS_PER_S, GROWTH_MB = 1.0, 4.0

Targets = Iterator[tuple[str, Target]]


def targets_of(runs: Mapping[str, Measures], tick_ms: float | None) -> dict[str, Target]:
    """What is wanted of the runs that were made.

    Args:
        runs: by name, as `realtime.bench.server` makes them.
        tick_ms: of the echo engine; None where another model was measured, of which only flatness is wanted.
    """
    found: dict[str, Target] = {}
    if tick_ms is not None:
        for wanted in (_throughput, _one_client, _four_clients):
            found |= dict(wanted(runs, tick_ms))
        found |= dict(_still(runs))
    return found | dict(_overload(runs))


def _throughput(runs: Mapping[str, Measures], tick_ms: float) -> Targets:
    for ms, share in ((tick_ms, 0.95), (tick_ms / 2, 0.90)):
        for factor in FACTORS:
            name = throughput_name(factor, ms)
            if (run := runs.get(name)) is not None:
                yield f"{name}_of_capacity", Target(run["fps"] * ms / 1000, share, at_least=True)
                yield from _short_queue(name, run, ms)


def _one_client(runs: Mapping[str, Measures], tick_ms: float) -> Targets:
    for side_px in SIDES_PX:
        name = f"one_client_{side_px}"
        if (run := runs.get(name)) is not None:
            yield f"{name}_added_p50_ms", Target(run["latency_ms"]["p50"] - tick_ms, ADDED_MS)


def _four_clients(runs: Mapping[str, Measures], tick_ms: float) -> Targets:
    for name in ("four_clients_staggered", "four_clients_unsynchronised"):
        if (run := runs.get(name)) is not None:
            yield f"{name}_p50_ms", Target(run["latency_ms"]["p50"], FOUR_CLIENTS_MS)
            yield f"{name}_interval_sd_ms", Target(run["interval_ms"]["sd"], FOUR_CLIENTS_SD_MS)
            yield from _short_queue(name, run, tick_ms)


def _short_queue(name: str, run: Measures, tick_ms: float) -> Targets:
    """A frame waits for the running tick at most: a session has one waiting frame, the newest."""
    if run["queue_ms"]:
        yield f"{name}_queue_p95_ms", Target(run["queue_ms"]["p95"], tick_ms)


def _still(runs: Mapping[str, Measures]) -> Targets:
    if (still := runs.get("still")) is None:
        return
    every = runs["still_every_frame_run"]
    if "frames_run" in still and "frames_run" in every:
        # With the warm-up's, in which the noise is learned.
        cut = every["frames_run"] / max(1, still["frames_run"])
        yield "still_runs_cut_by", Target(cut, RUNS_CUT, at_least=True)
    if still["repeat_ms"]:
        yield "still_repeat_p50_ms", Target(still["repeat_ms"]["p50"], REPEAT_MS)


def _overload(runs: Mapping[str, Measures]) -> Targets:
    if (run := runs.get("overload")) is None:
        return
    yield "overload_latency_slope_ms_per_s", Target(abs(run["latency_slope_ms_per_s"]), SLOPE_MS_PER_S)
    if (growth_mb := run["memory_mb"]["growth"]) is not None:
        yield "overload_memory_growth_mb", Target(growth_mb, GROWTH_MB)

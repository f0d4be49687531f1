"""The measures of a run: from its clients' logs, and from the server's process.

Must not know targets.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from . import numbers
from .errors import BenchError
from .load import Run
from .resources import cpu_s
from .servers import Process

Measures = dict[str, Any]
LAG = "realtime_event_loop_lag_seconds"


def measure(run: Run) -> Measures:
    """A run's measures, of frames sent and pictures received after the warm-up.

    Raises:
        BenchError: no picture came back.
    """
    sent = delivered = in_flight = left_out = 0
    dropped: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    latencies: list[tuple[float, float]] = []
    repeat_ms: list[float] = []
    server_ms: list[float] = []
    gaps: list[list[float]] = []
    rates: list[float] = []
    seconds = (run.end_us - run.begin_us) / 1e6
    for log in run.logs:
        counted = {seq: sent_us for seq, sent_us in log.sent.items() if sent_us >= run.begin_us}
        answers = [picture for picture in log.arrived if picture.seq in counted]
        lost = {seq: log.dropped[seq] for seq in counted if seq in log.dropped}
        sent += len(counted)
        delivered += len(answers)
        repeat_ms += [picture.round_trip_us / 1000 for picture in answers if picture.is_repeat]
        dropped.update(lost.values())
        in_flight += len(counted.keys() - lost.keys() - {picture.seq for picture in answers})
        left_out += sum(at_us >= run.begin_us for at_us in log.left_out)
        errors.update(log.errors)
        latencies += [((counted[p.seq] - run.begin_us) / 1e6, p.round_trip_us / 1000) for p in answers]
        server_ms += [picture.engine_us / 1000 for picture in answers]
        arrived_us = [at_us for at_us in log.arrived_us if run.begin_us <= at_us < run.end_us]
        gaps.append([gap / 1000 for gap in numbers.intervals(arrived_us)])
        rates.append(len(arrived_us) / seconds)
    if not latencies:
        raise BenchError("no picture came back: give more --seconds, or a faster --model")
    every_gap = [gap for client in gaps for gap in client]
    stages = [log.stats["stage_ms"] for log in run.logs if "stage_ms" in log.stats]
    queues = [log.stats["queue_ms"] for log in run.logs if "queue_ms" in log.stats]
    return {
        "seconds": round(seconds, 3),
        "clients": len(run.logs),
        "sent": sent,
        "delivered": delivered,
        "repeats": len(repeat_ms),
        "dropped": dict(dropped),
        "in_flight": in_flight,
        "left_out": left_out,
        "errors": dict(errors),
        "fps": round(sum(rates), 2),
        "fps_slowest_client": round(min(rates), 2),
        "latency_ms": numbers.spread([latency for _, latency in latencies]),
        "repeat_ms": numbers.spread(repeat_ms) if repeat_ms else {},
        "latency_slope_ms_per_s": round(numbers.slope(*zip(*latencies, strict=True)), 4),
        "server_ms": numbers.spread(server_ms),
        "interval_ms": {
            # The largest of the clients' own deviations, as a viewer sees one stream.
            "sd": round(max(numbers.deviation(client) for client in gaps), 3),
            **numbers.spread(every_gap),
        },
        "stage_ms": stages[0] if stages else {},
        "queue_ms": {share: max(queue[share] for queue in queues) for share in queues[0]} if queues else {},
        "sent_late_ms": numbers.spread([late_us / 1000 for late_us in run.late_us]),
    }


class Usage:
    """Differences of a server's counters over one run: processor time, event loop lag, ticks and frames.

    Args:
        process: the server. To be made before the run's first frame.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ticks = self._metric_ticks()
        self._frames_run = self._metric_frames_run()
        self._lag: dict[float, float] = {}
        self._cpu_s: float | None = None

    def _metric_ticks(self) -> float | None:
        return self._process.metric("realtime_tick_seconds_count")

    def _metric_frames_run(self) -> float | None:
        """Number of delivered frames that the engine ran: those that are no repeats."""
        delivered = self._process.metric("realtime_frames_delivered_total")
        repeated = self._process.metric("realtime_frames_repeated_total")
        return None if delivered is None or repeated is None else delivered - repeated

    def begin(self) -> None:
        """Read processor time and lag at the end of the warm-up."""
        self._cpu_s = cpu_s(self._process.pid)
        self._lag = self._process.histogram(LAG)

    def end(self, sent: int, whole_s: float, tick_ms: float | None) -> Measures:
        """The measures at the end of the run; those that the server or this machine does not tell are missing.

        Args:
            sent: number of frames sent after the warm-up.
            whole_s: length of the run with its warm-up.
            tick_ms: of the echo engine; None for another.
        """
        used: Measures = {}
        now_s = cpu_s(self._process.pid)
        if now_s is not None and self._cpu_s is not None and sent:
            used["server_cpu_ms_per_frame"] = round((now_s - self._cpu_s) * 1000 / sent, 3)
        lag = self._process.histogram(LAG)
        if lag and self._lag:
            counts = {limit: count - self._lag.get(limit, 0) for limit, count in lag.items()}
            used["event_loop_lag_ms"] = {f"p{share}": _at_most(counts, share / 100) * 1000 for share in (50, 99)}
        ticks, frames_run = self._metric_ticks(), self._metric_frames_run()
        if ticks is None or frames_run is None or self._ticks is None or self._frames_run is None:
            return used
        used["frames_run"] = round(frames_run - self._frames_run)
        if ticks == self._ticks:
            return used
        used["rows_per_tick"] = round(used["frames_run"] / (ticks - self._ticks), 3)
        if tick_ms is not None:
            used["engine_busy"] = round((ticks - self._ticks) * tick_ms / 1000 / whole_s, 3)
        return used


def _at_most(counts: dict[float, float], share: float) -> float:
    """The smallest finite bucket limit that at least `share` of a histogram's values keep; -1 where there is none.

    Args:
        counts: number of values up to each limit.
        share: 0 to 1.
    """
    whole = max(counts.values())
    limits = [limit for limit in sorted(counts) if math.isfinite(limit) and counts[limit] >= share * whole]
    return limits[0] if whole and limits else -1.0

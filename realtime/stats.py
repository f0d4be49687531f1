"""Counts, rates and latencies of one session.

Must not know what a frame shows or who asks. Times come in as arguments: no clock is read here.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from .frame import STAGES

FPS_WINDOW_NS = 2_000_000_000
"""Window of frame rates: one second is jumpy at 10 fps."""
LATENCY_SAMPLES = 300
"""Newest results that percentiles and mean stage times are made of: 10 s at 30 fps."""


class DropReason(StrEnum):
    """Why a frame gets no result."""

    SUPERSEDED = "superseded"
    TOO_OLD = "too_old"
    INVALID = "invalid"
    PAUSED = "paused"
    ENGINE_RESTARTED = "engine_restarted"
    HELD = "held"


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value at `share` (0 to 1) of ascending values, nearest rank; 0 for none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _percentiles(ordered: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": round(percentile(ordered, share / 100), 3) for share in (50, 95, 99)}


class Rate:
    """Events a second over the last `FPS_WINDOW_NS`."""

    def __init__(self) -> None:
        self._times_ns: deque[int] = deque(maxlen=2048)

    def count(self, now_ns: int) -> None:
        """Count an event."""
        self._times_ns.append(now_ns)

    def per_second(self, now_ns: int) -> float:
        """Events a second up to `now_ns`."""
        while self._times_ns and self._times_ns[0] < now_ns - FPS_WINDOW_NS:
            self._times_ns.popleft()
        return len(self._times_ns) / (FPS_WINDOW_NS / 1e9)


class SessionStats:
    """Counts of one session's frames. Thread-safe: the event loop counts arrivals, the engine thread results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received = Rate()
        self._delivered = Rate()
        self._wanted = Rate()
        self._latencies_ms: deque[float] = deque(maxlen=LATENCY_SAMPLES)
        self._stages_ms: deque[dict[str, float]] = deque(maxlen=LATENCY_SAMPLES)
        self.dropped: Counter[DropReason] = Counter()
        self.received = 0
        self.delivered = 0
        self.repeated = 0

    def count_received(self, now_ns: int) -> None:
        """Count a frame that came in."""
        with self._lock:
            self.received += 1
            self._received.count(now_ns)

    def count_wanted(self, now_ns: int) -> None:
        """Count a frame that was admitted to the engine, or superseded while it waited for that."""
        with self._lock:
            self._wanted.count(now_ns)

    def wanted_fps(self, now_ns: int) -> float:
        """Frames a second that needed the engine: those of `count_wanted`."""
        with self._lock:
            return self._wanted.per_second(now_ns)

    def count_dropped(self, reason: DropReason) -> None:
        """Count a frame that will get no result."""
        with self._lock:
            self.dropped[reason] += 1

    def count_delivered(self, now_ns: int) -> None:
        """Count an answer that was sent: a picture or a repeat."""
        with self._lock:
            self.delivered += 1
            self._delivered.count(now_ns)

    def count_repeated(self) -> None:
        """Count a frame that was answered without the model. Its latency is left out."""
        with self._lock:
            self.repeated += 1

    def count_made(self, latency_ms: float, stages_ms: dict[str, float]) -> None:
        """Count a picture that was made; it may yet be superseded before it is sent.

        Args:
            latency_ms: from its frame's arrival.
            stages_ms: time in each of `frame.STAGES`.
        """
        with self._lock:
            self._latencies_ms.append(latency_ms)
            self._stages_ms.append(stages_ms)

    def snapshot(self, now_ns: int) -> dict[str, Any]:
        """The session's part of a `stats` message: rates, latency percentiles, mean stage times, drops so far."""
        with self._lock:
            ordered = sorted(self._latencies_ms)
            stages = list(self._stages_ms)
            fps_in, fps_out = self._received.per_second(now_ns), self._delivered.per_second(now_ns)
            dropped = {reason.value: count for reason, count in self.dropped.items()}
        queue = sorted(stage["queue"] for stage in stages)
        means = {stage: sum(s[stage] for s in stages) / len(stages) if stages else 0.0 for stage in STAGES}
        return {
            "fps_in": round(fps_in, 2),
            "fps_out": round(fps_out, 2),
            "latency_ms": _percentiles(ordered),
            "queue_ms": _percentiles(queue),
            "stage_ms": {stage: round(mean, 3) for stage, mean in means.items()},
            "dropped": dropped,
            "repeated": self.repeated,
        }

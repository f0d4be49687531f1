"""Cameras in front of one engine, by events: who waits how long, and what is dropped.

Must not know what a tick's time is made of, or how many engines there are.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

RATE_SPREAD = 0.01
"""Cameras' rates differ by so much: their phases drift, as real ones' do."""
WARM_UP_S = 1.0


@dataclass(frozen=True, slots=True)
class Ticks:
    """How long a tick takes: the line through one row and eight.

    Attributes:
        one_ms: of a tick of one row.
        eight_ms: a row, in a tick of eight.
        max_rows: of a tick.
        batches: batches that are compiled or captured, to the next of which a tick is padded; empty: all.
    """

    one_ms: float
    eight_ms: float
    max_rows: int = 8
    batches: tuple[int, ...] = ()

    def seconds(self, rows: int) -> float:
        """Of a tick of so many rows."""
        padded = next((batch for batch in self.batches if batch >= rows), rows)
        each_ms = (8 * self.eight_ms - self.one_ms) / 7
        return (self.one_ms + (padded - 1) * each_ms) / 1e3

    @property
    def most_fps(self) -> float:
        """Pictures a second of full ticks."""
        return self.max_rows / self.seconds(self.max_rows)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cameras' users see.

    Attributes:
        p95_ms: from a frame's arrival to its picture's departure.
        dropped: share of the frames for which a newer one came.
    """

    p95_ms: float
    dropped: float


def watch(ticks: Ticks, cameras: int, fps: float, seconds: float, codec_ms: float, seed: int = 0) -> Seen:
    """Run cameras of random phases before one engine whose newest frame wins, as the scheduler has it: those who were
    served longest ago come first, and a tick is filled as the one before it ends.

    Args:
        codec_ms: to open a frame and to seal its picture, together, beside the ticks.
    """
    rng = random.Random(seed)
    arrivals = [
        (rng.random() / fps, camera, fps * rng.uniform(1 - RATE_SPREAD, 1 + RATE_SPREAD)) for camera in range(cameras)
    ]
    heapq.heapify(arrivals)
    waiting: dict[int, float] = {}
    served = dict.fromkeys(range(cameras), 0.0)
    now, sent, dropped, late = 0.0, 0, 0, list[float]()
    while now < seconds:
        if not waiting:
            now = max(now, arrivals[0][0])
        while arrivals[0][0] <= now:
            at, camera, rate = heapq.heappop(arrivals)
            heapq.heappush(arrivals, (at + 1 / rate, camera, rate))
            if at >= WARM_UP_S:
                sent += 1
                dropped += camera in waiting
            waiting[camera] = at
        rows = sorted(waiting, key=lambda camera: served[camera])[: ticks.max_rows]
        now += ticks.seconds(len(rows))
        for camera in rows:
            at, served[camera] = waiting.pop(camera), now
            if at >= WARM_UP_S:
                late.append(now - at + codec_ms / 1e3)
    late.sort()
    return Seen(1e3 * late[int(0.95 * (len(late) - 1))], dropped / max(1, sent))


def capacity(
    ticks: Ticks, fps: float, p95_ms: float, most_dropped: float, codec_ms: float, seconds: float = 20.0
) -> int:
    """The largest number of cameras that are all carried: the p95 below its limit, and hardly anything dropped."""

    def carries(cameras: int) -> bool:
        seen = watch(ticks, cameras, fps, seconds, codec_ms)
        return seen.p95_ms < p95_ms and seen.dropped <= most_dropped

    cameras = 0
    while carries(cameras + 1):
        cameras += 1
    return cameras

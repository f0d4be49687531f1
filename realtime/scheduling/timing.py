"""When frames are admitted: as late as the device stays busy, and not before a frame that is worth waiting for.

Times come in as arguments. Must not know sessions or the engine.
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median_high

from .costs import TickCosts

MARGIN_NS = 1_000_000
"""Time to spare between the end of a launch and the expected end of the running tick."""
NEWEST = 5
"""Launch times whose median is taken: one outlier changes nothing, a lasting change shows after three."""
SMOOTHING = 0.2
"""Weight of the newest gap in a rhythm's moving averages."""
PAUSE = 4
"""Ratio between a gap and the mean interval, either way, from which on a new rhythm begins."""
HESITATION = 2.0
"""Weight of the loss against the gain: frames that are here lose for certain, one that is expected may not come."""


class Rhythm:
    """Arrivals of one session's frames: moving averages of the interval and of its absolute deviation."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._interval_ns = 0.0
        self._deviation_ns = 0.0

    def beat(self, at_ns: int) -> None:
        """Note the arrival of a frame."""
        if self._last_ns is not None:
            gap_ns = at_ns - self._last_ns
            if gap_ns > PAUSE * self._interval_ns > 0:
                self._interval_ns = 0.0
            elif self._interval_ns > PAUSE * gap_ns or self._interval_ns == 0:
                # A deviation as large as the interval, until further gaps agree with it.
                self._interval_ns = self._deviation_ns = float(gap_ns)
            else:
                self._deviation_ns += SMOOTHING * (abs(gap_ns - self._interval_ns) - self._deviation_ns)
                self._interval_ns += SMOOTHING * (gap_ns - self._interval_ns)
        self._last_ns = at_ns

    def next_ns(self) -> float | None:
        """Time by which the next frame should be here: the mean interval and two deviations. None before a rhythm."""
        if self._last_ns is None or self._interval_ns == 0:
            return None
        return self._last_ns + self._interval_ns + 2 * self._deviation_ns


class DeviceClock:
    """Predicts when the device has done what was launched.

    Args:
        costs: durations of ticks.
    """

    def __init__(self, costs: TickCosts) -> None:
        self._costs = costs
        self._finished_ns = 0  # when the newest tick that was collected ended
        self._launches: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=NEWEST))  # by jobs admitted

    def launched(self, admitted: int, duration_ns: int) -> None:
        """Note the duration of a launch: from picking `admitted` frames to the end of `Engine.tick`."""
        self._launches[admitted].append(duration_ns)

    def finished(self, begun_ns: int, launched_ns: int, finished_ns: int) -> int:
        """Note the end of a tick. Ticks run one after the other.

        Args:
            begun_ns, launched_ns: before and after `Engine.tick`.
            finished_ns: when the device was done with it.

        Returns:
            How long the device worked on it, nanoseconds.
        """
        # An engine that works inside `tick` was done before that returned.
        ready_ns = launched_ns if launched_ns < finished_ns else begun_ns
        started_ns, self._finished_ns = max(ready_ns, self._finished_ns), finished_ns
        return max(0, finished_ns - started_ns)

    def end_ns(self, work: int, launched_ns: int) -> float:
        """Expected end of the newest tick, of so much work."""
        return max(launched_ns, self._finished_ns) + self._costs.expected(work)

    def hold_ns(self, end_ns: float, admitted: int, now_ns: int) -> float:
        """Time for which picking so many frames can be put off if the next tick is to be launched by `end_ns`."""
        return max(0.0, end_ns - self._launch_ns(admitted) - MARGIN_NS - now_ns)

    def _launch_ns(self, admitted: int) -> int:
        """Median duration of a launch of so many frames, or of the nearest number measured; 0 where none was."""
        if not self._launches:
            return 0
        return median_high(self._launches[min(self._launches, key=lambda known: abs(known - admitted))])


def worth_waiting(costs: TickCosts, wait_ns: float, rows: int, work: int, more: int) -> bool:
    """Whether a tick had better wait for one more frame (co-batching).

    Two frames in one tick take less than two ticks where the device is not filled by one. The frame that comes is
    done sooner if the tick waits for it than if it waits for the tick's end; those that are here are done later. Where
    one of these ticks was never measured, no tick waits.

    Args:
        wait_ns: until the frame comes.
        rows: number of rows in the tick without it.
        work: of those rows.
        more: work of its row.
    """
    now_ns, together_ns, alone_ns = map(costs.measured, (work, work + more, more))
    if now_ns is None or together_ns is None or alone_ns is None:
        return False
    gain_ns = now_ns + alone_ns - (wait_ns + together_ns)
    loss_ns = rows * (wait_ns + together_ns - now_ns)
    return gain_ns > HESITATION * loss_ns

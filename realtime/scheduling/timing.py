"""When the next tick had better be filled: as late as it can be, and with the frames that are about to come.

Times come in as arguments. Must not know sessions or the engine.
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median_high

from .costs import TickCosts

MARGIN_NS = 1_000_000
"""How long before the running tick's expected end the next frames are picked, beyond what launching takes."""
NEWEST = 5
"""Launches that an expectation is the median of: one hiccup changes nothing, a lasting change shows after three."""
SMOOTHING = 0.2
"""Weight of the newest gap in a rhythm's means."""
PAUSE = 4
"""A gap of so many intervals, or an interval of so many gaps, is no irregularity but a new rhythm."""
HESITATION = 2.0
"""A frame that is here loses for certain by waiting, one that is expected gains perhaps: the loss counts this much."""


class Rhythm:
    """When one session's frames come."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._interval_ns = 0.0
        self._deviation_ns = 0.0

    def beat(self, at_ns: int) -> None:
        """A frame came."""
        if self._last_ns is not None:
            gap_ns = at_ns - self._last_ns
            if gap_ns > PAUSE * self._interval_ns > 0:
                self._interval_ns = 0.0
            elif self._interval_ns > PAUSE * gap_ns or self._interval_ns == 0:
                # Not to be relied on until some gaps have agreed with it.
                self._interval_ns = self._deviation_ns = float(gap_ns)
            else:
                self._deviation_ns += SMOOTHING * (abs(gap_ns - self._interval_ns) - self._deviation_ns)
                self._interval_ns += SMOOTHING * (gap_ns - self._interval_ns)
        self._last_ns = at_ns

    def next_ns(self) -> float | None:
        """By when the next frame should be here: an irregular rhythm says late. None where there is no rhythm yet."""
        if self._last_ns is None or self._interval_ns == 0:
            return None
        return self._last_ns + self._interval_ns + 2 * self._deviation_ns


class DeviceClock:
    """When the device is done with what was launched.

    Args:
        costs: what ticks take.
    """

    def __init__(self, costs: TickCosts) -> None:
        self._costs = costs
        self._finished_ns = 0  # when the newest tick that was collected ended
        self._launches: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=NEWEST))  # by jobs admitted

    def launched(self, admitted: int, duration_ns: int) -> None:
        """From picking so many frames to the end of `Engine.tick` it took this long, opening the frames included."""
        self._launches[admitted].append(duration_ns)

    def finished(self, begun_ns: int, launched_ns: int, finished_ns: int) -> int:
        """A tick was collected. Ticks run one after the other.

        Args:
            begun_ns, launched_ns: before and behind `Engine.tick`.
            finished_ns: when the device was done with it.

        Returns:
            How long the device worked on it, nanoseconds.
        """
        # An engine that works inside `tick` was done before that returned.
        ready_ns = launched_ns if launched_ns < finished_ns else begun_ns
        started_ns, self._finished_ns = max(ready_ns, self._finished_ns), finished_ns
        return max(0, finished_ns - started_ns)

    def end_ns(self, work: int, launched_ns: int) -> float:
        """When a tick that was launched should be done."""
        return max(launched_ns, self._finished_ns) + self._costs.expected(work)

    def hold_ns(self, end_ns: float, admitted: int, now_ns: int) -> float:
        """How long so many frames need not be picked yet, if the device is to find the next tick at `end_ns`."""
        return max(0.0, end_ns - self._launch_ns(admitted) - MARGIN_NS - now_ns)

    def _launch_ns(self, admitted: int) -> int:
        """As measured, or with the nearest number of jobs; 0 where nothing is known."""
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
        rows: that would go now.
        work: of these.
        more: work of the row that comes.
    """
    now_ns, together_ns, alone_ns = map(costs.measured, (work, work + more, more))
    if now_ns is None or together_ns is None or alone_ns is None:
        return False
    gain_ns = now_ns + alone_ns - (wait_ns + together_ns)
    loss_ns = rows * (wait_ns + together_ns - now_ns)
    return gain_ns > HESITATION * loss_ns

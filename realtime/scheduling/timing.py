"""What the scheduler expects: how long a tick takes, when a session's next frame comes, whether to wait.

Times come in as arguments. Must not know what is timed.
"""

from __future__ import annotations

from collections import defaultdict, deque

NEWEST = 5
"""Durations that an expectation is the median of: one hiccup changes nothing, a lasting change shows after three."""
SMOOTHING = 0.2
"""Weight of the newest gap in a rhythm's means."""
PAUSE = 4
"""A gap of so many intervals, or an interval of so many gaps, is no irregularity but a new rhythm."""

HESITATION = 2.0
"""A frame that is here loses for certain by waiting, one that is expected gains perhaps: the loss counts this much."""


class Durations:
    """How long something takes that depends on a number of rows."""

    def __init__(self) -> None:
        self._newest: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=NEWEST))

    def note(self, rows: int, duration_ns: int) -> None:
        """It took this long with so many rows."""
        self._newest[rows].append(duration_ns)

    def known(self, rows: int) -> int | None:
        """The median of the newest ones with exactly so many rows; None where there were none."""
        newest = self._newest.get(rows)
        return sorted(newest)[len(newest) // 2] if newest else None

    def expected(self, rows: int) -> int:
        """As `known`, or that of the nearest number of rows; 0 where nothing is known."""
        if not self._newest:
            return 0
        return self.known(min(self._newest, key=lambda known: abs(known - rows))) or 0


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


def pays(wait_ns: float, rows: int, now_ns: float, more_ns: float, alone_ns: float) -> bool:
    """Whether a tick had better wait for one more frame.

    Two frames in one tick take less than two ticks where the device is not filled by one. The frame that comes is
    done sooner if the tick waits for it than if it waits for the tick's end; those that are here are done later.

    Args:
        wait_ns: until the frame comes.
        rows: that would go now.
        now_ns: how long a tick of these takes.
        more_ns: with one row more.
        alone_ns: with the one that comes on its own.
    """
    gain_ns = now_ns + alone_ns - (wait_ns + more_ns)
    loss_ns = rows * (wait_ns + more_ns - now_ns)
    return gain_ns > HESITATION * loss_ns

"""When the frames of a recording are due, by what its timestamps say and however little they do.

Pure: time is passed in, nothing waits here. Must not know decoders.
"""

from __future__ import annotations

GAP_MAX_S = 10.0
"""A longer gap between two timestamps is a jump, unless the frame before it says that it lasts so long."""
FPS_MAX = 240.0
"""No recording is played faster, whatever its timestamps say: they may count in another unit."""
LATE_S = 1.0
"""What falls behind by this much goes on from now; catching up would only drop frames."""


class Timeline:
    """Turns the timestamps of one recording, in the order of its frames, into times to wait.

    The first frame is due at once, wherever timestamps begin. Each further one is due as much later as its timestamp
    is. Where it has none, or its timestamp jumps back, or forward by more than `GAP_MAX_S`, it is due as much later as
    the frame before it lasts.

    Args:
        period_s: how long frames last that don't say so themselves.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._due_s: float | None = None
        self._time_s: float | None = None
        self._lasts_s = period_s
        self.behind_s = 0.0
        """How late the newest frame was."""

    def wait_s(self, time_s: float | None, lasts_s: float | None, now_s: float) -> float:
        """Seconds until the next frame is due; 0 where it is late.

        Args:
            time_s: its timestamp; None where it has none.
            lasts_s: its duration; None or 0 where it is unknown.
            now_s: a monotonic clock.
        """
        due_s = now_s if self._due_s is None else self._due_s + self._step_s(time_s)
        self.behind_s = max(0.0, now_s - due_s)
        if self.behind_s > LATE_S:
            due_s = now_s
        self._due_s, self._time_s, self._lasts_s = due_s, time_s, lasts_s or self._period_s
        return max(0.0, due_s - now_s)

    def rest_s(self, now_s: float) -> float:
        """Seconds until the newest frame has been shown as long as it lasts."""
        return max(0.0, self._due_s + self._lasts_s - now_s) if self._due_s is not None else 0.0

    def _step_s(self, time_s: float | None) -> float:
        lasts_s = max(self._lasts_s, 1 / FPS_MAX)
        if time_s is None or self._time_s is None:
            return lasts_s
        step_s = time_s - self._time_s
        if not 0 < step_s <= max(GAP_MAX_S, 1.5 * lasts_s):
            return lasts_s
        return max(step_s, 1 / FPS_MAX)

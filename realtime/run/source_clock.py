"""When what a live source gives was made, by the clock here: its timestamps, and when they came.

Pure: time is passed in. Must not know sources.
"""

from __future__ import annotations

JUMP_S = 1.0
"""Timestamps that are off by more than this begin anew: another connection, or a stream that was paused."""
SMOOTHING = 0.05
"""Of the mean delay: a share of each newest one."""
MOVE_S = 0.15
"""Sound is moved when its pictures are so much later or earlier than it: less is not seen, each move is heard."""


class SourceClock:
    """Of one source. Owned by the reading thread."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s = float("-inf")

    def restart(self) -> None:
        """Begin anew: the source was opened again."""
        self._offset_s = None

    def made_s(self, timestamp_s: float, now_s: float) -> float:
        """When a picture was made that came now; never later than that, and now where its timestamp says nothing."""
        offset_s = now_s - timestamp_s
        if timestamp_s <= self._last_s:
            self._offset_s = None
        self._last_s = timestamp_s
        if self._offset_s is None or abs(offset_s - self._offset_s) > JUMP_S or offset_s < self._offset_s:
            self._offset_s = offset_s
        return timestamp_s + self._offset_s

    def heard_s(self, timestamp_s: float) -> float | None:
        """When sound was made; None before there was a picture."""
        return None if self._offset_s is None else timestamp_s + self._offset_s


class SoundDelay:
    """How much later than it was made sound is to be heard: as much as its pictures are late."""

    def __init__(self) -> None:
        self.mean_s: float | None = None
        self.delay_s: float | None = None
        """None before there was a picture."""

    def note(self, delay_s: float) -> None:
        """A picture came out so long after it was made."""
        mean_s = self.mean_s
        self.mean_s = delay_s if mean_s is None else mean_s + SMOOTHING * (delay_s - mean_s)
        if self.delay_s is None or abs(self.mean_s - self.delay_s) > MOVE_S:
            self.delay_s = self.mean_s

"""When each frame of a recording is shown, by whole ticks that rise: what its timestamps say, mended where they don't.

Pure. Must not know decoders.
"""

from __future__ import annotations


class RisingTimes:
    """Turns the timestamps of one recording, in the order of its frames, into times that a file may have.

    A frame has its own timestamp wherever that is later than the one before it; else, or where it has none, it comes as
    much later as the frame before it lasts.

    Args:
        period: ticks that a frame lasts that doesn't say so itself, at least 1.
    """

    def __init__(self, period: int) -> None:
        self._period = max(1, period)
        self._next: int | None = None
        self._last: int | None = None

    def place(self, pts: int | None, duration: int | None) -> tuple[int, int]:
        """The next frame's timestamp and duration, in ticks.

        Args:
            pts: its own timestamp; None where it has none.
            duration: its own; None or 0 where it is unknown.
        """
        if pts is None or (self._last is not None and pts <= self._last):
            pts = self._next if self._next is not None else 0
        lasts = duration if duration and duration > 0 else self._period
        self._last, self._next = pts, pts + lasts
        return pts, lasts

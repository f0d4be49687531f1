"""What became of each frame, and how long nothing came: of one client, over all of its connections.

Must not know connections, or what is done to the server. Times come in as arguments.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

BLACK_MAX = 16
"""A picture without a value above it is black; no frame that is sent is."""


@dataclass(slots=True)
class Account:
    """The frames of one client.

    Attributes:
        fates: how many frames had which: `picture`, `repeat`, the reason for which it was dropped, the code of its
            error, `passed_over`: it is video, and a newer one was shown; or `cut`: it was under way as the connection
            was.
        may_be_black: whether pictures may be: those of damaged frames.
        problems: what must not be, in words.
    """

    fates: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])
    may_be_black: bool = False
    _open: set[int] = field(default_factory=set[int])
    _newest: int = 0
    _last_s: float | None = None
    _longest_s: float = 0.0

    @property
    def unsettled(self) -> int:
        """Frames of which nothing is known."""
        return len(self._open)

    @property
    def answered(self) -> int:
        """Frames that were answered by a picture, or by a repeat."""
        return self.fates["picture"] + self.fates["repeat"]

    def sent(self, seq: int) -> None:
        """A frame was sent."""
        self._open.add(seq)
        self._newest = seq

    def picture(self, seq: int, now_s: float, *, is_repeat: bool, brightest: int) -> None:
        """A picture has come."""
        self._settle(seq, "repeat" if is_repeat else "picture")
        if brightest <= BLACK_MAX and not self.may_be_black:
            self.problems.append(f"the picture of frame {seq} is black")
        if self._last_s is not None:
            self._longest_s = max(self._longest_s, now_s - self._last_s)
        self._last_s = now_s

    def dropped(self, seq: int, why: str) -> None:
        """A frame has no picture."""
        self._settle(seq, why)

    def cut(self, before: int) -> None:
        """The connection that carried the frames before this one was cut."""
        self._end(before, "cut")

    def passed_over(self, before: int) -> None:
        """Of the frames before this one none will come any more: it is there."""
        self._end(before, "passed_over")

    def _end(self, before: int, fate: str) -> None:
        gone = {seq for seq in self._open if seq < before}
        self._open -= gone
        if gone:
            self.fates[fate] += len(gone)

    def _settle(self, seq: int, fate: str) -> None:
        if seq in self._open:
            self._open.discard(seq)
            self.fates[fate] += 1
        elif seq > self._newest:
            self.problems.append(f"frame {seq} was answered ({fate}) and never sent")
        elif fate in ("picture", "repeat"):
            self.problems.append(f"frame {seq} was answered ({fate}) behind its fate")

    def begin_gap(self, now_s: float) -> None:
        """Look for the longest time between two pictures from now on."""
        self._longest_s = 0.0
        self._last_s = now_s

    def longest_gap_s(self, now_s: float) -> float:
        """The longest since `begin_gap`, the one that lasts included."""
        return max(self._longest_s, 0.0 if self._last_s is None else now_s - self._last_s)

"""Seals outcomes and has them answered: quick ones at once, heavy ones when they are done aside.

Must not know the engine, or whose turn it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from ..frame import Failure, Result
from ..media.pipeline import Done, Pipeline
from .seat import Seat
from .seats import Opened


class Sealing:
    """Results on their way out. Engine thread only.

    Args:
        pipeline: seals results.
        answer: called with each frame and its sealed outcome.
        ring: called by any thread when a heavy one is done: `collect` answers it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        answer: Callable[[Opened, Done[Result | Failure]], None],
        ring: Callable[[], None],
    ) -> None:
        self._pipeline = pipeline
        self._answer = answer
        self._ring = ring
        self._aside: dict[Future[Done[Result | Failure]], Opened] = {}
        self._held: deque[tuple[Opened, Result | Failure]] = deque()  # until what is aside of their session is answered

    def seal(self, outcomes: Sequence[tuple[Opened, Result | Failure]]) -> None:
        """Seal and answer these. A heavy one keeps its session from having another row until it is answered."""
        quick: list[tuple[Opened, Result | Failure]] = []
        for opened, outcome in outcomes:
            if opened.seat.sealing and outcome.order.needs_past:
                opened.seat.sealing += 1  # made from the picture before it, which is not there yet
                self._held.append((opened, outcome))
            elif self._pipeline.is_heavy_to_seal(outcome):
                self._put_aside(opened, outcome)
            else:
                quick.append((opened, outcome))
        self._seal_quick(quick)

    def collect(self) -> None:
        """Answer what was sealed aside."""
        for future in [future for future in self._aside if future.done()]:
            opened = self._aside.pop(future)
            opened.seat.sealing -= 1
            self._answer(opened, future.result())
            self._seal_next(opened.seat)

    def abandon(self) -> list[Opened]:
        """The frames that are still aside or wait for one that is; nothing more will come of them."""
        left = [*self._aside.values(), *(opened for opened, _ in self._held)]
        self._aside = {}
        self._held.clear()
        return left

    def _seal_next(self, seat: Seat) -> None:
        """Seal the oldest of a session's results that waited."""
        held = next((one for one in self._held if one[0].seat is seat), None)
        if held is None:
            return
        self._held.remove(held)
        seat.sealing -= 1
        opened, outcome = held
        if self._pipeline.is_heavy_to_seal(outcome):
            self._put_aside(opened, outcome)
        else:
            self._seal_quick([held])
            self._seal_next(seat)

    def _put_aside(self, opened: Opened, outcome: Result | Failure) -> None:
        opened.seat.sealing += 1
        self._aside[self._pipeline.seal_aside((outcome, opened.gate.channel.past), self._ring)] = opened

    def _seal_quick(self, quick: Sequence[tuple[Opened, Result | Failure]]) -> None:
        sealed = self._pipeline.seal([(outcome, opened.gate.channel.past) for opened, outcome in quick])
        for (opened, _), done in zip(quick, sealed, strict=True):
            self._answer(opened, done)

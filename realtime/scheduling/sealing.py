"""Seals outcomes and has them answered: quick ones at once, heavy ones when they are done aside.

Must not know the engine, or whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from ..frame import Failure, Result
from ..media.pipeline import Done, Pipeline
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

    def seal(self, outcomes: Sequence[tuple[Opened, Result | Failure]]) -> None:
        """Seal and answer these. A heavy one keeps its session from having another row until it is answered."""
        quick: list[tuple[Opened, Result | Failure]] = []
        for opened, outcome in outcomes:
            if self._pipeline.is_heavy_to_seal(outcome):
                opened.seat.sealing += 1
                self._aside[self._pipeline.seal_aside(outcome, self._ring)] = opened
            else:
                quick.append((opened, outcome))
        sealed = self._pipeline.seal([outcome for _, outcome in quick])
        for (opened, _), done in zip(quick, sealed, strict=True):
            self._answer(opened, done)

    def collect(self) -> None:
        """Answer what was sealed aside."""
        for future in [future for future in self._aside if future.done()]:
            opened = self._aside.pop(future)
            opened.seat.sealing -= 1
            self._answer(opened, future.result())

    def abandon(self) -> list[Opened]:
        """The frames that are still aside; nothing more will come of them."""
        left, self._aside = list(self._aside.values()), {}
        return left

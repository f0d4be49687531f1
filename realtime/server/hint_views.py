"""What nets are shown of the newest frames, as small pictures for whoever sets the nets.

Event loop only; hints are made in threads, where neither frames nor the engine have brought them. Must not know routes
or nets.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from ..control import INPUT, HintKey
from ..frame import HINT_VIEW_PX, Result
from ..media import codec
from ..media.fit import fit
from ..media.hint_makers import MAKERS
from ..params import OutputFormat
from ..pixels import Pixels
from ..session import Session
from .budget import Budget
from .turns import NotTaken

QUALITY = 75
EVERY_S = 0.2
"""A view is made no more often, however often it is asked for."""
KEPT = 8
"""Views of a session: twice as many as nets steer it."""
WORK_SHARE, WORK_SPAN_S = 0.1, 5.0
"""Of a core that a session's views may take, and seconds of which that adds up."""


@dataclass(slots=True)
class _View:
    """A view that is made, or being made.

    Attributes:
        shows: what it is made of: a job's number, or the size of a reference's hint.
    """

    shows: tuple[int, ...]
    made_s: float
    jpeg: asyncio.Future[bytes]


class _Views:
    """Of one session: made one after the other, for a share of a core."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.kept: OrderedDict[HintKey, _View] = OrderedDict()
        self.work = Budget(WORK_SHARE, WORK_SPAN_S, clock)
        self.turn = asyncio.Lock()
        self.in_line = 0


class HintViews:
    """Makes views, and keeps each until there is something new to see.

    Args:
        spend: called with a session, and the CPU time in nanoseconds that a view of it took.
        aside: held while a view is made.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        spend: Callable[[Session, int], None] = lambda session, spent_ns: None,
        aside: AbstractAsyncContextManager[object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spend = spend
        self._aside = aside or contextlib.nullcontext()
        self._clock = clock
        self._views: WeakKeyDictionary[Session, _Views] = WeakKeyDictionary()

    async def of(self, session: Session, key: HintKey, reference: Pixels | None) -> bytes | None:
        """A hint as JPEG, no side above `HINT_VIEW_PX`.

        Args:
            reference: the picture that `key.source` names; None where that is the input.

        Returns:
            None while the session has no picture, or none for which the engine made such a hint.

        Raises:
            NotTaken: the session's views have taken more than their share, and there is none of this hint.
        """
        if (newest := session.newest) is None or not (key.hint.is_on_host or key in newest.hints):
            return None
        job, now_s = newest.job, self._clock()
        shows = (job.number,) if key.source == INPUT else (job.params.width, job.params.height)
        views = self._views.setdefault(session, _Views(self._clock))
        kept, view, rest_s = views.kept, views.kept.get(key), views.work.spend(0.0)
        if view is None and (rest_s > 0 or views.in_line >= KEPT):
            raise NotTaken(429, f"you have looked at many hints: look at others in {math.ceil(max(rest_s, 1.0))} s")
        if view is None or (view.shows != shows and now_s - view.made_s >= EVERY_S and rest_s == 0):
            views.in_line += 1
            work = asyncio.ensure_future(self._make(views, session, newest, key, reference))
            view = kept[key] = _View(shows, now_s, work)
            while len(kept) > KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        try:
            return await asyncio.shield(view.jpeg)  # whoever hangs up must not cancel it for the others
        except Exception:
            if kept.get(key) is view:
                del kept[key]  # the next one may be made
            raise

    async def _make(
        self, views: _Views, session: Session, newest: Result, key: HintKey, reference: Pixels | None
    ) -> bytes:
        try:
            async with views.turn, self._aside:
                jpeg, spent_ns = await asyncio.to_thread(_timed, newest, key, reference)
        finally:
            views.in_line -= 1
        views.work.spend(spent_ns / 1e9)
        self._spend(session, spent_ns)
        return jpeg


def _timed(newest: Result, key: HintKey, reference: Pixels | None) -> tuple[bytes, int]:
    """A view, and the CPU time that it took."""
    begun_ns = time.thread_time_ns()
    return _made(newest, key, reference), time.thread_time_ns() - begun_ns


def _made(newest: Result, key: HintKey, reference: Pixels | None) -> bytes:
    """Of the hint that the engine made, or the frame brought, if there is one: in the first place it was made for the
    net.
    """
    job = newest.job
    hint = newest.hints.get(key, job.hints.get(key))
    if hint is None:
        picture = job.input if reference is None else fit(reference, job.params.width, job.params.height)
        hint = MAKERS[key.hint](picture)
    height, width, _ = hint.shape
    shrink = min(1.0, HINT_VIEW_PX / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = np.asarray(cv2.resize(hint, size, interpolation=cv2.INTER_AREA), np.uint8)
    return codec.encode(small, OutputFormat.JPEG, QUALITY)[1]

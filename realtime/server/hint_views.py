"""What nets are shown of the newest frames, as small pictures for whoever sets the nets.

Event loop only; hints are made in threads, where neither frames nor the engine have brought them. Must not know routes
or nets.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
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

QUALITY = 75
EVERY_S = 0.2
"""A view is made no more often, however often it is asked for."""
KEPT = 8
"""Views of a session: twice as many as nets steer it."""


@dataclass(slots=True)
class _View:
    """A view that is made, or being made.

    Attributes:
        shows: what it is made of: a job's number, or the size of a reference's hint.
    """

    shows: tuple[int, ...]
    made_s: float
    jpeg: asyncio.Future[bytes]


class HintViews:
    """Makes views, and keeps each until there is something new to see.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: WeakKeyDictionary[Session, OrderedDict[HintKey, _View]] = WeakKeyDictionary()

    async def of(self, session: Session, key: HintKey, reference: Pixels | None) -> bytes | None:
        """A hint as JPEG, no side above `HINT_VIEW_PX`.

        Args:
            reference: the picture that `key.source` names; None where that is the input.

        Returns:
            None while the session has no picture, or none for which the engine made such a hint.
        """
        if (newest := session.newest) is None or not (key.hint.is_on_host or key in newest.hints):
            return None
        job, now_s = newest.job, self._clock()
        shows = (job.number,) if key.source == INPUT else (job.params.width, job.params.height)
        kept = self._kept.setdefault(session, OrderedDict())
        view = kept.get(key)
        if view is None or (view.shows != shows and now_s - view.made_s >= EVERY_S):
            work = asyncio.to_thread(_made, newest, key, reference)
            view = kept[key] = _View(shows, now_s, asyncio.ensure_future(work))
            while len(kept) > KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return await asyncio.shield(view.jpeg)  # whoever hangs up must not cancel it for the others


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

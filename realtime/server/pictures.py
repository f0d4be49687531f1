"""A result's encodings, each made once, however many viewers want it.

Event loop only; the work is done in threads. Must not know who views.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from ..frame import Air, Format, Result
from ..media import codec

KEPT = 64
"""Results whose encodings are remembered: the newest of every session, and some on their way to slow viewers."""


class Pictures:
    """Encodes what the engine did not have to."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, Air], asyncio.Task[tuple[Format, bytes]]] = OrderedDict()

    async def encoded(self, result: Result) -> tuple[Format, bytes]:
        """The picture as its own params want it encoded."""
        if result.data:
            return result.format, result.data
        key = (result.job.number, result.air)
        made = self._made.get(key)
        if made is None:
            params = result.job.params
            work = asyncio.to_thread(codec.encode, result.picture, params.output_format, params.output_quality)
            made = self._made[key] = asyncio.create_task(work)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return await asyncio.shield(made)  # one viewer that leaves must not take the others' picture along

"""Encodings of results for viewers, each made once, however many viewers want it.

Event loop only; encoding runs in threads. Must not know viewers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from ..frame import Air, Format, Result
from ..media import codec

KEPT = 64
"""Encodings that are kept: of the newest result of every session, and of some that slow viewers still want."""


class Pictures:
    """Encodes results that are not encoded yet."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, Air], asyncio.Task[tuple[Format, bytes]]] = OrderedDict()

    async def encoded(self, result: Result) -> tuple[Format, bytes]:
        """The picture, encoded as its params say."""
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
        return await asyncio.shield(made)  # cancelling one viewer must not cancel the encoding for the others

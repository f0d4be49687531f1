"""Encodings of results for viewers, each made once, however many viewers want it.

Event loop only; encoding runs in threads. Must not know viewers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import numpy as np

from ..frame import Air, Format, Result
from ..media import codec, matte

KEPT = 64
"""Encodings that are kept: of the newest result of every session, and of some that slow viewers still want."""


class Pictures:
    """Encodes results that are not encoded yet."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, Air, bool], asyncio.Task[tuple[Format, bytes]]] = OrderedDict()

    async def encoded(self, result: Result, *, on_black: bool = False) -> tuple[Format, bytes]:
        """The picture, encoded as its params say.

        Args:
            on_black: lay a transparent one on black, for those who can't take it apart again.
        """
        is_laid = on_black and result.key is not None
        if result.data and not is_laid:
            return result.format, result.data
        key = (result.job.number, result.air, is_laid)
        made = self._made.get(key)
        if made is None:
            work = asyncio.to_thread(_encoded, result, is_laid)
            made = self._made[key] = asyncio.create_task(work)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return await asyncio.shield(made)  # cancelling one viewer must not cancel the encoding for the others


def _encoded(result: Result, on_black: bool) -> tuple[Format, bytes]:
    params, picture, key = result.job.params, result.picture, result.key
    if on_black and key is not None:
        picture, key = matte.composited(picture, np.zeros_like(picture), key), None
    return codec.encode(picture, params.output_format, params.output_quality, key)

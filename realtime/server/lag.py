"""Measures how late the event loop is: it is as late at every socket as at its timers.

Must not know what the numbers are for, or what else runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

EVERY_S = 0.05
"""Twenty times a second costs nothing measurable, and seldom misses a block as long as a frame."""


async def watch(
    observe: Callable[[float], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Sleep again and again, and report by how much each sleep was too long.

    Up to a millisecond of it is the timer's, as the loop waits in whole ones.

    Args:
        observe: called with seconds, 0 or more.
    """
    while True:
        due_s = clock() + EVERY_S
        await sleep(EVERY_S)
        observe(max(0.0, clock() - due_s))

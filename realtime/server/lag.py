"""How late the event loop is: whatever keeps it from its timers keeps it from every socket too.

Must not know what it is told to, or what else runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

EVERY_S = 0.05
"""Twenty looks a second cost nothing that could be measured; what blocks for a frame's time is seldom missed."""


async def watch(
    observe: Callable[[float], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Sleep, and tell by how much it was too long; for ever.

    The system's own timer is part of it: up to a millisecond, as the loop waits in whole ones.

    Args:
        observe: told seconds, 0 or more.
    """
    while True:
        due_s = clock() + EVERY_S
        await sleep(EVERY_S)
        observe(max(0.0, clock() - due_s))

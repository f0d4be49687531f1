"""Waiting for what nobody tells us of.

Must not know what is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .errors import EnduranceError

PATIENCE_S = 120.0
"""Nothing takes this long unless something is broken; the machine may be busy."""
LOOK_EVERY_S = 0.05


async def until(
    condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S, *, in_thread: bool = False
) -> float:
    """Wait until a condition is true; returns the seconds that it took.

    Args:
        in_thread: whether looking takes so long that clients on this event loop would notice.

    Raises:
        EnduranceError: it has not come in time.
    """
    begun_s = time.monotonic()
    while not (await asyncio.to_thread(condition) if in_thread else condition()):
        if time.monotonic() - begun_s > within_s:
            raise EnduranceError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(LOOK_EVERY_S)
    return time.monotonic() - begun_s

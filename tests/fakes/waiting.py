"""What tests wait with: patience, and benches in runs as short as this machine allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from realtime.bench.errors import BenchError

T = TypeVar("T")


PATIENCE_S = 60.0
"""No test waits this long unless it fails; the machine may be busy."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us of, such as a socket of another process that closes."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def long_enough(
    bench: Callable[[float], T],
    is_whole: Callable[[T], bool] = lambda found: True,
    lengths_s: Sequence[float] = (0.5, 2, 8),
) -> T:
    """What a bench finds in the shortest run in which this machine gets something done: each of these lengths is tried.

    Args:
        bench: takes a length in seconds.
        is_whole: whether something was done of everything.
    """
    for seconds in lengths_s:
        try:
            found = bench(seconds)
        except BenchError as error:
            missing: object = error
        else:
            if is_whole(found):
                return found
            missing = found
    raise AssertionError(f"not in {seconds} s either: {missing}")

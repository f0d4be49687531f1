"""realtime.server.lag: how late the event loop is, told by a clock that the test moves."""

from __future__ import annotations

import pytest

from realtime.server import lag


class Stop(Exception):
    """Ends the watch."""


async def watched(oversleeps_s: list[float]) -> list[float]:
    now_s = 100.0
    seen: list[float] = []
    left = list(oversleeps_s)

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        if not left:
            raise Stop
        now_s += seconds + left.pop(0)

    with pytest.raises(Stop):
        await lag.watch(seen.append, sleep=sleep, clock=lambda: now_s)
    return seen


async def test_what_a_timer_is_late_is_told() -> None:
    assert await watched([0.0, 0.004, 0.25]) == pytest.approx([0.0, 0.004, 0.25])


async def test_a_timer_that_is_early_is_not_late() -> None:
    assert await watched([-0.001]) == [0.0]

"""How many pictures a second everyone would get if one more came: what admission stands on.

Pure functions. Must not know sessions, or where the numbers were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..engine import RowCost

MOST_FPS = 120.0
"""Nobody looks at more."""
BUSY_SHARE = 0.9
"""Of the engine's time that may be planned with: ticks vary, and between them frames are picked."""
PRECISION_FPS = 0.05


@dataclass(frozen=True, slots=True)
class SessionLoad:
    """What one session wants of the engine.

    Attributes:
        fps: frames a second that it sends; whoever sends few needs no more than those.
        cost: of a frame; one without work takes no time of the engine's.
    """

    fps: float
    cost: RowCost


def utilization(loads: Sequence[SessionLoad], fps: float, fixed_ns: float, slope_ns: float, max_rows: int) -> float:
    """Share of the engine's time that it takes to give everyone so many pictures a second, or all that they send.

    Ticks are as full as they can be: each has at most one row of a session.

    Args:
        fixed_ns: of a tick, whatever is in it.
        slope_ns: for each unit of work in it.
        max_rows: of a tick.
    """
    loads = [load for load in loads if load.cost.work]
    rows = [min(load.fps, fps) * load.cost.ticks for load in loads]
    ticks = max(max(rows, default=0.0), sum(rows) / max_rows)
    work = sum(number * load.cost.work for number, load in zip(rows, loads, strict=True))
    return (fixed_ns * ticks + slope_ns * work) / 1e9


def rate_for_all(loads: Sequence[SessionLoad], line: tuple[float, float] | None, max_rows: int) -> float:
    """Pictures a second that everyone could have who sends as many: `MOST_FPS` at most, and where nothing is measured.

    Args:
        line: fixed part of a tick and slope for the work in it, nanoseconds.
    """
    if line is None or utilization(loads, MOST_FPS, *line, max_rows) <= BUSY_SHARE:
        return MOST_FPS
    low, high = 0.0, MOST_FPS
    while high - low > PRECISION_FPS:
        middle = (low + high) / 2
        low, high = (middle, high) if utilization(loads, middle, *line, max_rows) <= BUSY_SHARE else (low, middle)
    return low

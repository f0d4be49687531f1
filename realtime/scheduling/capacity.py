"""The frame rate that all sessions could have at once, by which new ones are let in.

Pure functions. Must not know sessions, or where the numbers were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..engine import RowCost

MOST_FPS = 120.0
"""Highest frame rate that is planned for: nobody sees more."""
BUSY_SHARE = 0.9
"""Highest utilization that is planned for: ticks vary, and frames are picked between them."""
PRECISION_FPS = 0.05

Line = tuple[float, float]
"""`fixed_ns` and `slope_ns`, see `utilization`."""


class Capacity(NamedTuple):
    """What an engine can do, as far as it was measured.

    Attributes:
        line: see `rate_for_all`.
        max_rows: rows that a tick may have.
    """

    line: Line | None
    max_rows: int


@dataclass(frozen=True, slots=True)
class SessionLoad:
    """The load that one session puts on the engine.

    Attributes:
        fps: frames a second that it sends.
        cost: of a frame; one without work takes no engine time.
    """

    fps: float
    cost: RowCost


def utilization(loads: Sequence[SessionLoad], fps: float, fixed_ns: float, slope_ns: float, max_rows: int) -> float:
    """Share of the engine's time that is needed if each session gets `fps` pictures a second, or all that it sends.

    Ticks are assumed as full as they can be, with at most one row of a session in each.

    Args:
        fixed_ns: duration of a tick, apart from its work.
        slope_ns: duration per unit of work.
        max_rows: rows that a tick may have.

    Returns:
        0 or more; above 1 it can't be done.
    """
    loads = [load for load in loads if load.cost.total]
    rows = [min(load.fps, fps) * load.cost.ticks for load in loads]
    ticks = max(max(rows, default=0.0), sum(rows) / max_rows)
    work = sum(min(load.fps, fps) * load.cost.total for load in loads)
    return (fixed_ns * ticks + slope_ns * work) / 1e9


def rate_for_all(loads: Sequence[SessionLoad], line: Line | None, max_rows: int) -> float:
    """Pictures a second that every session could have that sends as many.

    Args:
        line: None where nothing was measured yet.
        max_rows: rows that a tick may have.

    Returns:
        At most `MOST_FPS`; `MOST_FPS` where nothing was measured.
    """
    if line is None or utilization(loads, MOST_FPS, *line, max_rows) <= BUSY_SHARE:
        return MOST_FPS
    low, high = 0.0, MOST_FPS
    while high - low > PRECISION_FPS:
        middle = (low + high) / 2
        low, high = (middle, high) if utilization(loads, middle, *line, max_rows) <= BUSY_SHARE else (low, middle)
    return low

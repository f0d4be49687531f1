"""What a list of times amounts to. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from ..stats import percentile


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max, to the microsecond where the values are milliseconds; zeros for no values."""
    ordered = sorted(values)
    shares = {f"p{share}": percentile(ordered, share / 100) for share in (50, 95, 99)}
    return {name: round(value, 3) for name, value in {**shares, "max": ordered[-1] if ordered else 0.0}.items()}


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of the values themselves (not of a sample's estimate); 0 for none."""
    return statistics.pstdev(values) if values else 0.0


def intervals(times: Sequence[float]) -> list[float]:
    """The gaps between times that follow one another."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Least squares: how much y rises for each unit of x; 0 where x does not vary."""
    return statistics.linear_regression(xs, ys).slope if len(set(xs)) > 1 else 0.0

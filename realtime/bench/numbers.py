"""Statistics of lists of times. Pure functions."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from ..stats import percentile


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max, rounded to three decimals; zeros for no values."""
    ordered = sorted(values)
    shares = {f"p{share}": percentile(ordered, share / 100) for share in (50, 95, 99)}
    return {name: round(value, 3) for name, value in {**shares, "max": ordered[-1] if ordered else 0.0}.items()}


def deviation(values: Sequence[float]) -> float:
    """The population's standard deviation; 0 for no values."""
    return statistics.pstdev(values) if values else 0.0


def intervals(times: Sequence[float]) -> list[float]:
    """The differences between consecutive times."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The slope of the least-squares line of y over x; 0 where x does not vary."""
    return statistics.linear_regression(xs, ys).slope if len(set(xs)) > 1 else 0.0

"""Whose rows wait for the next tick, so that no place of a batch stays empty in this one.

Pure functions. Must not know seats, or what a batch is made of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from ..engine import Batches

T = TypeVar("T")
B = TypeVar("B", bound=Hashable)


def filling(picked: Sequence[tuple[T, B | None]], running: Mapping[B, int], batches: Batches) -> list[T]:
    """Leave out the last of those with which a batch would be between two of the engine's sizes.

    Args:
        picked: in their order, each with the batch that it is for; None: it needs no place.
        running: rows that are in the batches in any case.

    Returns:
        The others, in their order.
    """
    wanted = Counter(batch for _, batch in picked if batch is not None)
    spare: dict[B, int] = {}
    for batch, count in wanted.items():
        already = running.get(batch, 0)
        rows = already + count
        # Places that those rows have in any case cost nothing more.
        spare[batch] = rows - max(batches.filled_by(rows), min(rows, batches.places_for(already)))
    kept: list[T] = []
    for one, batch in reversed(picked):
        if batch is not None and spare[batch]:
            spare[batch] -= 1
        else:
            kept.append(one)
    return kept[::-1]

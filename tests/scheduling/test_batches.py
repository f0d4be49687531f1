"""Whose rows wait, so that no place of a batch stays empty."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine import Batches
from realtime.scheduling.batches import filling

DOUBLING = Batches((1, 2, 4, 8))


@pytest.mark.parametrize(
    ("wanting", "running", "kept"),
    [
        (1, 0, 1),
        (3, 0, 2),
        (4, 0, 4),
        (7, 0, 4),
        (1, 3, 1),  # a fourth
        (2, 3, 1),
        (1, 4, 0),
        (1, 5, 1),  # five rows have eight places already
        (3, 5, 3),
        (4, 5, 3),
        (9, 0, 8),
    ],
)
def test_a_tick_is_filled_to_one_of_the_engines_batches(wanting: int, running: int, kept: int) -> None:
    waiting = list(range(wanting))

    assert filling([(one, "a") for one in waiting], {"a": running}, DOUBLING) == waiting[:kept]


def test_each_size_is_a_batch_of_its_own_and_what_needs_no_place_comes_along() -> None:
    picked = [("a", 1), ("b", 2), ("c", 1), ("d", None), ("e", 1), ("f", 2)]

    assert filling(picked, {}, DOUBLING) == ["a", "b", "c", "d", "f"]
    assert filling(picked, {}, Batches()) == ["a", "b", "c", "d", "e", "f"]


@given(
    picked=st.lists(st.sampled_from([None, 64, 128]), max_size=20),
    running=st.dictionaries(st.sampled_from([64, 128]), st.integers(0, 9)),
    sizes=st.sets(st.integers(2, 16), max_size=5),
)
def test_it_goes_on_and_no_row_pays_for_an_empty_place(
    picked: list[int | None], running: Mapping[int, int], sizes: set[int]
) -> None:
    batches = Batches((1, *sorted(sizes)))

    kept = filling(list(enumerate(picked)), running, batches)

    assert kept == sorted(kept)
    for batch in (64, 128):
        rows = running.get(batch, 0) + sum(picked[one] == batch for one in kept)
        assert rows or batch not in picked
        if rows > max(batches.sizes):
            continue
        assert rows in batches.sizes or batches.places_for(rows) == batches.places_for(running.get(batch, 0))

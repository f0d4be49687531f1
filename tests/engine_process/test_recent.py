"""References cross to the engine's process once, and both sides forget the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine_process.recent import RECENT_MAX, Recent
from realtime.pixels import Pixels

PICTURES: dict[str, Pixels] = {str(number): np.full((2, 2, 3), number, np.uint8) for number in range(3 * RECENT_MAX)}


@given(st.lists(st.lists(st.sampled_from(sorted(PICTURES)), max_size=8, unique=True), max_size=200))
def test_each_job_gets_what_it_names_whatever_was_before(jobs: list[list[str]]) -> None:
    here, there = Recent(), Recent()
    for names in jobs:
        references = {name: PICTURES[name] for name in names}

        assert there.unpacked(here.packed(references)) == references


def test_reference_crosses_once_until_it_is_forgotten() -> None:
    here = Recent()

    first, second = here.packed({"1": PICTURES["1"]}), here.packed({"1": PICTURES["1"]})
    for number in range(10, 10 + RECENT_MAX):
        here.packed({str(number): PICTURES[str(number)]})

    assert first["1"] is PICTURES["1"] and second == {"1": None}
    assert here.packed({"1": PICTURES["1"]})["1"] is PICTURES["1"]

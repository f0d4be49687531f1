"""A crossfade as it comes in."""

from __future__ import annotations

import pytest

from realtime.crossfade import Crossfade
from realtime.errors import ParamsError


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (0.125, 0.125), (1, 1), (-1, 0), (10**400, 1), (-(10**400), 0)])
def test_place_is_brought_within_its_ends(at: float, kept: float) -> None:
    assert Crossfade.of(at, None).wire() == {"at": kept, "transition_s": 0.0}


def test_way_there_takes_the_time_that_it_is_given() -> None:
    assert Crossfade.of(1, 2.5).wire() == {"at": 1.0, "transition_s": 2.5}


@pytest.mark.parametrize("at", [None, "1", True, float("nan"), float("inf"), [1]])
def test_what_is_no_place_is_refused(at: object) -> None:
    with pytest.raises(ParamsError, match="from 0, the first deck, to 1"):
        Crossfade.of(at, None)


@pytest.mark.parametrize("seconds", ["1", True, float("nan"), float("inf"), -0.1, 60.1, 10**400])
def test_time_that_is_none_is_refused(seconds: object) -> None:
    with pytest.raises(ParamsError, match="transition_s must be a number from 0 to 60"):
        Crossfade.of(1, seconds)

"""Timestamps of a recording, mended where they don't rise."""

from __future__ import annotations

import pytest

from realtime.run.pace import RisingTimes


@pytest.mark.parametrize(
    ("frames", "placed"),
    [
        pytest.param([(0, 40), (40, 40), (80, 40)], [0, 40, 80], id="as they are"),
        pytest.param([(500, 40), (540, 40), (700, 40)], [500, 540, 700], id="a gap stays"),
        pytest.param([(None, None)] * 3, [0, 40, 80], id="none at all"),
        pytest.param([(0, 30), (None, 0), (100, 40)], [0, 30, 100], id="one is missing"),
        pytest.param([(0, 40), (0, 40), (0, 40)], [0, 40, 80], id="they stand still"),
        pytest.param([(900, 40), (940, 40), (0, 40), (40, 40)], [900, 940, 980, 1020], id="they jump back"),
        pytest.param([(-80, 40), (-40, 40)], [-80, -40], id="before zero"),
    ],
)
def test_times_rise(frames: list[tuple[int | None, int | None]], placed: list[int]) -> None:
    times = RisingTimes(40)

    assert [times.place(*frame)[0] for frame in frames] == placed


def test_frame_that_does_not_say_so_lasts_a_period() -> None:
    times = RisingTimes(40)

    assert [times.place(0, None), times.place(40, -1), times.place(80, 25)] == [(0, 40), (40, 40), (80, 25)]

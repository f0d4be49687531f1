"""When a recording's frames are due, by timestamps of all kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.media.timeline import FPS_MAX, GAP_MAX_S, LATE_S, Timeline

PERIOD_S = 0.1


def shown_at(times_s: list[float | None], durations_s: list[float | None] | None = None) -> list[float]:
    """When each frame is shown, in seconds after the first, if nothing but waiting takes time."""
    pace, now_s = Timeline(PERIOD_S), 1000.0
    shown: list[float] = []
    for time_s, lasts_s in zip(times_s, durations_s or [None] * len(times_s), strict=True):
        now_s += pace.wait_s(time_s, lasts_s, now_s)
        shown.append(now_s - 1000.0)
    return shown


@pytest.mark.parametrize("start_s", [0.0, -3.0, 9.5, 95443.7])
def test_frames_are_as_far_apart_as_their_timestamps_wherever_these_begin(start_s: float) -> None:
    times_s = [0.0, 0.04, 0.2, 1.0, 1.01]

    assert shown_at([start_s + time_s for time_s in times_s]) == pytest.approx(times_s)


def test_frames_without_timestamps_last_as_long_as_they_say_or_a_period() -> None:
    assert shown_at([None] * 4, [0.5, None, 0.0, None]) == pytest.approx([0, 0.5, 0.6, 0.7])


@pytest.mark.parametrize("jump_s", [-7200.0, -0.5, GAP_MAX_S + 0.1, 95443.7])
def test_timestamps_that_jump_cost_the_duration_of_one_frame(jump_s: float) -> None:
    times_s = [0.0, 0.1, 0.2 + jump_s, 0.3 + jump_s]

    assert shown_at(list(times_s)) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_frame_that_says_that_it_lasts_long_does() -> None:
    assert shown_at([0.0, 60.0, 60.1], [60.0, None, None]) == pytest.approx([0.0, 60.0, 60.1])


def test_frames_of_the_same_time_follow_one_another() -> None:
    assert shown_at([5.0, 5.0, 5.0]) == pytest.approx([0.0, 0.1, 0.2])


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=2, max_size=50),
    st.one_of(st.none(), st.floats(0, 1e-6)),
)
def test_no_timestamps_make_a_file_run_away(times_s: list[float | None], lasts_s: float | None) -> None:
    shown = shown_at(list(times_s), [lasts_s] * len(times_s))

    assert shown[-1] >= (len(times_s) - 1) / FPS_MAX - 1e-6


def test_what_falls_behind_catches_up_or_goes_on_from_now_if_it_is_too_late() -> None:
    pace = Timeline(PERIOD_S)
    pace.wait_s(0.0, None, 100.0)

    assert pace.wait_s(0.1, None, 100.3) == 0.0
    assert pace.behind_s == pytest.approx(0.2)
    assert pace.wait_s(0.5, None, 100.4) == pytest.approx(0.1)
    assert pace.behind_s == 0.0
    assert pace.wait_s(0.6, None, 100.7 + LATE_S) == 0.0
    assert pace.wait_s(0.7, None, 100.7 + LATE_S) == pytest.approx(0.1)


def test_last_frame_is_shown_as_long_as_it_lasts() -> None:
    pace = Timeline(PERIOD_S)

    assert pace.rest_s(99.0) == 0.0
    pace.wait_s(0.0, 0.4, 100.0)
    assert pace.rest_s(100.1) == pytest.approx(0.3)
    assert pace.rest_s(100.5) == 0.0

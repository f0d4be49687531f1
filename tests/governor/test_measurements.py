"""What results say about a session's pace and what pictures cost."""

from __future__ import annotations

import pytest

from realtime.frame import STAGES
from realtime.governor.levels import Level
from realtime.governor.measurements import Cost, Pace, Window

LEVEL = Level(4, 512, 512)
MS = 1_000_000


def stages(queue: float = 0.0, denoise: float = 0.0, rest: float = 0.0) -> dict[str, float]:
    return dict.fromkeys(STAGES, 0.0) | {"queue": queue, "denoise": denoise, "encode": rest}


def a_window(skip: int = 0, superseded: int = 0) -> Window:
    return Window(LEVEL, 0, superseded, skip)


def fill(window: Window, latencies_ms: list[float], every_ms: int = 100) -> None:
    for number, latency_ms in enumerate(latencies_ms, 1):
        window.note(LEVEL, latency_ms, stages(denoise=latency_ms), False, number * every_ms * MS)


def test_latency_is_what_nine_of_ten_keep_to() -> None:
    window = a_window()
    fill(window, [*range(1, 21)])

    assert window.pace(0).latency_ms == 19


@pytest.mark.parametrize("latencies", [[10.0, 500.0], [10.0] * 5 + [500.0]])
def test_one_hiccup_among_few_pictures_does_not_count(latencies: list[float]) -> None:
    window = a_window()
    fill(window, latencies)

    assert window.pace(0).latency_ms == 10


def test_a_single_picture_is_better_than_nothing() -> None:
    window = a_window()
    fill(window, [70.0])

    assert window.pace(0).latency_ms == 70


def test_rates_count_up_to_the_newest_picture_so_that_a_pause_is_no_slowness() -> None:
    window = a_window(superseded=100)
    fill(window, [10.0] * 20, every_ms=50)

    assert window.pace(120) == Pace(10.0, 20.0, 40.0, is_full=True, made=20, unsent=0)


def test_a_frame_superseded_now_and_then_does_not_mean_that_the_engine_is_too_slow() -> None:
    window = a_window()
    fill(window, [10.0] * 20)

    assert not window.pace(2).is_full
    assert window.pace(3).is_full


def test_pictures_of_another_level_count_and_are_not_measured() -> None:
    window = a_window()
    window.note(Level(1, 64, 64), 999.0, stages(), True, 10 * MS)

    assert (window.made, window.unsent, window.latencies_ms) == (1, 1, [])


def test_first_picture_of_a_new_size_is_not_measured() -> None:
    window = a_window(skip=1)
    fill(window, [900.0, 20.0])

    assert window.latencies_ms == [20.0]
    assert window.made == 2


def test_cost_is_learned_for_each_step_and_pixel_and_waiting_is_in_proportion() -> None:
    window = a_window()
    for number in range(10):
        window.note(LEVEL, 300.0, stages(queue=150, denoise=120, rest=30), False, number * MS)

    cost = window.cost()

    assert cost.work_ms(LEVEL) == pytest.approx(150)
    assert cost.latency_ms(LEVEL) == pytest.approx(300)
    assert cost.work_ms(Level(2, 512, 512)) == pytest.approx(60 + 30)
    assert cost.work_ms(Level(4, 256, 256)) == pytest.approx(150 / 4)


def test_pictures_that_cost_nothing_are_no_division_by_zero() -> None:
    window = a_window()
    fill(window, [0.0])

    assert window.cost() == Cost(0.0, 0.0, 1.0)

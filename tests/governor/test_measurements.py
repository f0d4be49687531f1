"""What results say about a session's pace and what pictures cost."""

from __future__ import annotations

import math

import pytest

from realtime.frame import STAGES
from realtime.governor.levels import Level
from realtime.governor.measurements import NET_SHARE, Measurements, Pace, ServiceTime

LEVEL = Level(4, 512, 512)
MS = 1_000_000


def stages(queue: float = 0.0, denoise: float = 0.0, rest: float = 0.0) -> dict[str, float]:
    return dict.fromkeys(STAGES, 0.0) | {"queue": queue, "denoise": denoise, "encode": rest}


def measuring(skip: int = 0, superseded: int = 0) -> Measurements:
    return Measurements(LEVEL, 0, superseded, skip)


def fill(measurements: Measurements, latencies_ms: list[float], every_ms: int = 100) -> None:
    for number, latency_ms in enumerate(latencies_ms, 1):
        measurements.note(LEVEL, latency_ms, stages(denoise=latency_ms), False, number * every_ms * MS)


def test_latency_is_what_nine_of_ten_keep_to() -> None:
    measurements = measuring()
    fill(measurements, [*range(1, 21)])

    assert measurements.pace(0).latency_ms == 19


@pytest.mark.parametrize("latencies", [[10.0, 500.0], [10.0] * 5 + [500.0]])
def test_one_hiccup_among_few_pictures_does_not_count(latencies: list[float]) -> None:
    measurements = measuring()
    fill(measurements, latencies)

    assert measurements.pace(0).latency_ms == 10


def test_a_single_picture_is_better_than_nothing() -> None:
    measurements = measuring()
    fill(measurements, [70.0])

    assert measurements.pace(0).latency_ms == 70


def test_rates_count_up_to_the_newest_picture_so_that_a_pause_is_no_slowness() -> None:
    measurements = measuring(superseded=100)
    fill(measurements, [10.0] * 20, every_ms=50)

    assert measurements.pace(120) == Pace(10.0, 20.0, 40.0, is_saturated=True, made=20, unsent=0)


def test_a_frame_superseded_now_and_then_does_not_mean_that_the_engine_is_too_slow() -> None:
    measurements = measuring()
    fill(measurements, [10.0] * 20)

    assert not measurements.pace(2).is_saturated
    assert measurements.pace(3).is_saturated


def test_pictures_of_another_level_count_and_are_not_measured() -> None:
    measurements = measuring()
    measurements.note(Level(1, 64, 64), 999.0, stages(), True, 10 * MS)

    assert (measurements.made, measurements.unsent, measurements.latencies_ms) == (1, 1, [])


def test_first_picture_of_a_new_size_is_not_measured() -> None:
    measurements = measuring(skip=1)
    fill(measurements, [900.0, 20.0])

    assert measurements.latencies_ms == [20.0]
    assert measurements.made == 2


def test_service_time_is_learned_for_each_step_and_pixel_and_latency_is_in_proportion() -> None:
    measurements = measuring()
    for number in range(10):
        measurements.note(LEVEL, 300.0, stages(queue=150, denoise=120, rest=30), False, number * MS)

    service = measurements.service_time()

    assert service.at_ms(LEVEL) == pytest.approx(150)
    assert service.at_ms(Level(2, 512, 512)) == pytest.approx(60 + 30)
    assert service.at_ms(Level(4, 256, 256)) == pytest.approx(150 / 4)
    assert service.predict(LEVEL, None) == pytest.approx((300, 1000 / 150))


SERVICE = ServiceTime(LEVEL, step_ms=25 / 512**2, rest_ms=0.0, latency_ratio=1.5)
"""100 ms at `LEVEL`, 50 ms at half the steps; latency is one and a half times as much."""


def test_a_net_adds_its_share_to_each_step_and_nothing_to_the_rest() -> None:
    steered = Level(2, 512, 512, 2)
    measurements = Measurements(steered, 0, 0, 0)
    measurements.note(steered, 100.0, stages(denoise=64.0, rest=30.0), False, 100 * MS)

    service = measurements.service_time()

    assert service.at_ms(steered) == pytest.approx(64 + 30)
    assert service.at_ms(Level(2, 512, 512)) == pytest.approx(64 / (1 + 2 * NET_SHARE) + 30)


HALF = Level(2, 512, 512)


def test_saturated_engine_makes_pictures_faster_in_proportion_to_their_service_time() -> None:
    pace = Pace(150.0, 8.0, 30.0, is_saturated=True, made=20, unsent=0)

    assert SERVICE.predict(HALF, pace) == pytest.approx((75, 16))


@pytest.mark.parametrize(("offered_fps", "latency_ms"), [(9.0, 150), (20.0, 150 + 50)])
def test_pictures_slower_than_the_camera_wait_for_their_turn(offered_fps: float, latency_ms: float) -> None:
    pace = Pace(75.0, offered_fps, offered_fps, is_saturated=False, made=20, unsent=0)

    assert SERVICE.predict(LEVEL, pace) == pytest.approx((latency_ms, 10))


def test_pictures_that_take_no_time_are_no_division_by_zero() -> None:
    measurements = measuring()
    fill(measurements, [0.0])

    service = measurements.service_time()

    assert service == ServiceTime(LEVEL, 0.0, 0.0, 1.0)
    assert service.predict(LEVEL, measurements.pace(0)) == (0.0, math.inf)

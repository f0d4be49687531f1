"""Rates, percentiles and means, with times that the test brings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.frame import STAGES
from realtime.stats import LATENCY_SAMPLES, DropReason, Rate, SessionStats, percentile

SECOND_NS = 1_000_000_000


def stages_ms(total: float) -> dict[str, float]:
    return {stage: total / len(STAGES) for stage in STAGES}


def test_rate_is_events_a_second_of_the_last_two_seconds() -> None:
    rate = Rate()
    for index in range(90):
        rate.count(index * SECOND_NS // 30)

    assert rate.per_second(3 * SECOND_NS) == pytest.approx(30, abs=0.6)


def test_rate_falls_to_zero_when_nothing_comes() -> None:
    rate = Rate()
    rate.count(0)

    assert rate.per_second(10 * SECOND_NS) == 0


def test_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.5) == 0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_percentile_is_one_of_the_values_and_rises(values: list[float], share: float) -> None:
    ordered = sorted(values)

    assert percentile(ordered, share) in ordered
    assert percentile(ordered, share) <= percentile(ordered, 1)


def test_snapshot_of_a_new_session_is_all_zeros() -> None:
    snapshot = SessionStats().snapshot(SECOND_NS)

    assert snapshot == {
        "fps_in": 0.0,
        "fps_out": 0.0,
        "latency_ms": {"p50": 0.0, "p95": 0.0, "p99": 0.0},
        "queue_ms": {"p50": 0.0, "p95": 0.0, "p99": 0.0},
        "stage_ms": dict.fromkeys(STAGES, 0.0),
        "dropped": {},
        "repeated": 0,
    }


def test_snapshot_tells_percentiles_and_mean_stages() -> None:
    stats = SessionStats()
    for latency in range(1, 101):
        stats.count_made(latency, stages_ms(latency))

    snapshot = stats.snapshot(0)

    assert snapshot["latency_ms"] == {"p50": 51.0, "p95": 96.0, "p99": 100.0}
    assert snapshot["queue_ms"]["p95"] == pytest.approx(stages_ms(96)["queue"], abs=0.001)
    assert sum(snapshot["stage_ms"].values()) == pytest.approx(50.5, abs=0.01)


def test_snapshot_counts_drops_by_reason() -> None:
    stats = SessionStats()
    stats.count_dropped(DropReason.SUPERSEDED)
    stats.count_dropped(DropReason.SUPERSEDED)
    stats.count_dropped(DropReason.INVALID)

    assert stats.snapshot(0)["dropped"] == {"superseded": 2, "invalid": 1}


def test_snapshot_tells_rates_in_and_out() -> None:
    stats = SessionStats()
    for index in range(20):
        stats.count_received(index * SECOND_NS // 10)
        if index % 2:
            stats.count_delivered(index * SECOND_NS // 10)

    snapshot = stats.snapshot(2 * SECOND_NS)

    assert (snapshot["fps_in"], snapshot["fps_out"]) == (10.0, 5.0)


def test_old_latencies_are_forgotten() -> None:
    stats = SessionStats()
    stats.count_made(1000, stages_ms(1000))
    for _ in range(LATENCY_SAMPLES):
        stats.count_made(10, stages_ms(10))

    assert stats.snapshot(0)["latency_ms"]["p99"] == 10

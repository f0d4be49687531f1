"""realtime.bench.measures: every frame of a run is accounted for."""

from __future__ import annotations

import pytest

from realtime.bench import load, measures
from realtime.bench.errors import BenchError
from realtime.client import Picture
from realtime.frame import Format

MS = 1000


def a_picture(seq: int, latency_us: int) -> Picture:
    return Picture(seq, Format.JPEG, b"", 0, latency_us, latency_us)


def test_every_counted_frame_is_delivered_dropped_or_in_flight() -> None:
    log = load.Log(
        sent={1: 0, 2: 100 * MS, 3: 200 * MS, 4: 300 * MS},
        arrived=[a_picture(1, 10 * MS), a_picture(2, 30 * MS)],
        arrived_us=[10 * MS, 130 * MS],
        dropped={3: "superseded"},
    )
    found = measures.measure(load.Run([log], begin_us=50 * MS, end_us=1050 * MS, late_us=[0]))
    assert (found["sent"], found["delivered"], found["in_flight"]) == (3, 1, 1)
    assert found["dropped"] == {"superseded": 1}
    assert found["latency_ms"]["p50"] == 30
    assert found["fps"] == 1


def test_repeats_are_counted_among_the_delivered_and_their_times_apart() -> None:
    repeat = Picture(2, Format.JPEG, b"", 0, MS, MS, is_repeat=True)
    log = load.Log(sent={1: 0, 2: 0}, arrived=[a_picture(1, 10 * MS), repeat], arrived_us=[10 * MS, MS])
    found = measures.measure(load.Run([log], begin_us=0, end_us=1000 * MS, late_us=[0]))
    assert (found["delivered"], found["repeats"]) == (2, 1)
    assert found["repeat_ms"] == {"p50": 1, "p95": 1, "p99": 1, "max": 1}


def test_the_least_even_client_gives_the_interval_deviation() -> None:
    even, uneven = (
        load.Log(
            sent=dict.fromkeys(range(1, 4), 0),
            arrived=[a_picture(seq, MS) for seq in range(1, 4)],
            arrived_us=[at_ms * MS for at_ms in times],
        )
        for times in ([10, 20, 30], [10, 20, 40])
    )
    found = measures.measure(load.Run([even, uneven], begin_us=0, end_us=1000 * MS, late_us=[0]))
    assert found["interval_ms"]["sd"] == 5


def test_a_run_without_a_picture_is_an_error() -> None:
    with pytest.raises(BenchError, match="no picture"):
        measures.measure(load.Run([load.Log()], 0, 1000, []))

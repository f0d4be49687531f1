"""realtime.bench: numbers of known lists, and every kind of run once, short. Speed is measured elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bench import load, measures, numbers, pictures, scenarios, servers
from realtime.bench.load import BenchError
from realtime.bench.pacer import Camera, dues
from realtime.client import Picture
from realtime.frame import Format

MS = 1000

finite = st.floats(-1e6, 1e6)


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_spread_names_nearest_ranks_and_the_maximum() -> None:
    assert numbers.spread(range(1, 101)) == {"p50": 51, "p95": 96, "p99": 100, "max": 100}


def test_spread_of_nothing_is_zeros() -> None:
    assert numbers.spread([]) == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}


@given(st.lists(finite, min_size=2, max_size=50))
def test_deviation_is_numpys(values: list[float]) -> None:
    assert numbers.deviation(values) == pytest.approx(float(np.std(values)), abs=1e-6)


@pytest.mark.parametrize("values", [[], [5.0]])
def test_deviation_of_fewer_than_two_is_zero(values: list[float]) -> None:
    assert numbers.deviation(values) == 0


def test_intervals_are_one_fewer_than_times() -> None:
    assert numbers.intervals([1, 3, 6]) == [2, 3]
    assert numbers.intervals([1]) == []


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_slope_finds_the_line(rise: float, start: float) -> None:
    xs = [0.0, 1.0, 2.0, 5.0]
    assert numbers.slope(xs, [rise * x + start for x in xs]) == pytest.approx(rise, abs=1e-6)


@pytest.mark.parametrize("xs", [[], [1.0], [2.0, 2.0]])
def test_slope_without_a_direction_is_zero(xs: list[float]) -> None:
    assert numbers.slope(xs, [7.0] * len(xs)) == 0


# -- pictures, load, targets ------------------------------------------------------------------------------------------


def test_pictures_differ_repeat_and_weigh_what_a_photo_weighs() -> None:
    first = pictures.photo_jpegs(3)
    assert len(set(first)) == 3
    assert first == pictures.photo_jpegs(3)
    assert all(20_000 < len(picture) < 100_000 for picture in first)


def test_staggered_cameras_are_due_in_turn_and_never_outside_their_time() -> None:
    cameras = [Camera(10, phase=index / 2) for index in range(2)]
    schedule = sorted(due for index, camera in enumerate(cameras) for due in dues(index, camera, 0, 10**9))
    assert [due // 10**6 for due, _ in schedule] == list(range(0, 1000, 50))
    assert [index for _, index in schedule] == [0, 1] * 10


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


@pytest.mark.parametrize(
    ("value", "at_least", "ok"), [(0.94, True, False), (0.95, True, True), (0.95, False, True), (0.96, False, False)]
)
def test_targets_include_their_limit(value: float, at_least: bool, ok: bool) -> None:
    assert scenarios.Target(value, 0.95, at_least).ok is ok


def test_memory_growth_leaves_the_first_quarter_out() -> None:
    log = servers.MemoryLog(mb=[1.0, 50.0, 60.0, 60.0, 61.0, 61.0, 62.0, 62.0])
    assert log.growth_mb() == 2.0
    assert servers.MemoryLog().growth_mb() is None


def test_a_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(BenchError, match="did not start"), servers.start("realtime", "serve", "--no-such-option"):
        pass


def test_an_unknown_scenario_is_refused_by_name() -> None:
    with pytest.raises(BenchError, match="nonsense"):
        scenarios.server_bench(only=["nonsense"])


# -- the whole --------------------------------------------------------------------------------------------------------


def test_a_short_bench_prints_one_json_object_last_and_its_counts_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "server.json"
    scenarios.server_bench(
        2.0, seconds=0.5, overload_seconds=1.0, only=["four_clients", "overload", "floor"], output=output
    )
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "server"
    assert {"version", "commit", "device", "python"} <= answer.keys()
    runs = answer["scenarios"]
    assert set(runs) == {
        *("four_clients_staggered", "four_clients_unsynchronised"),
        *("overload", "floor", "floor_with_codec"),
    }
    for run in runs.values():
        assert run["sent"] == run["delivered"] + sum(run["dropped"].values()) + run["in_flight"]
        assert run["delivered"] > 0
        assert run["errors"] == {}
        assert 2.0 <= run["latency_ms"]["p50"] <= run["latency_ms"]["p99"] <= run["latency_ms"]["max"]
    assert runs["four_clients_staggered"]["clients"] == 4
    assert runs["overload"]["sent"] > runs["overload"]["delivered"]
    assert runs["overload"]["dropped"]["superseded"] > 0
    for target in answer["targets"].values():
        assert target.keys() == {"value", "wanted", "limit", "ok"}

"""realtime.bench: numbers of known lists, and every kind of run once, short. Speed is measured elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from aiortc.codecs.vpx import vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from realtime.bench import (
    comparison,
    encoders,
    load,
    measures,
    numbers,
    pictures,
    repeats,
    rtc_runs,
    scenarios,
    servers,
    video,
    webrtc,
)
from realtime.bench.load import BenchError
from realtime.bench.pacer import Camera, dues
from realtime.client import Picture
from realtime.frame import Format
from tests.fakes import long_enough

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


def test_noisy_pictures_show_the_same_and_are_never_the_same() -> None:
    first, second = pictures.noisy_jpegs(2, 128, 128)
    assert first != second
    decoded = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR).astype(float) for one in (first, second)]
    assert 1 < np.abs(decoded[0] - decoded[1]).mean() < 6


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


@pytest.mark.parametrize(
    ("value", "at_least", "ok"), [(0.94, True, False), (0.95, True, True), (0.95, False, True), (0.96, False, False)]
)
def test_targets_include_their_limit(value: float, at_least: bool, ok: bool) -> None:
    assert comparison.Target(value, 0.95, at_least).ok is ok


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


def test_an_unknown_webrtc_scenario_is_refused_by_name() -> None:
    with pytest.raises(BenchError, match="nonsense"):
        webrtc.webrtc_bench(only=["nonsense"])


# -- WebRTC: numbered frames, turns, encoders -------------------------------------------------------------------------


@given(st.integers(0, 65535))
def test_a_number_written_into_a_frame_is_read_from_it(index: int) -> None:
    luma = np.full((64, 128), 90, np.uint8)
    video.write_index(luma, index)
    assert video.read_index(luma) == index
    assert (luma[8:] == 90).all()


def test_a_number_survives_the_least_that_a_codec_leaves_of_it() -> None:
    (clip,) = video.planes(video.webcam_like(1, 256, 256))
    video.write_index(clip[:256], 0b1011_0010_0111_0101)
    rgb = cv2.cvtColor(clip, cv2.COLOR_YUV2RGB_I420)
    seen: list[int] = []
    decoder = av.CodecContext.create("vp8", "r")
    encode = encoders.ours("VP8", 1, 100_000, 256)
    for number in range(5):
        data = b"".join(vp8_depayload(payload) for payload in encode(rgb, number))
        seen += [video.read_index(frame.to_ndarray()[:256]) for frame in decoder.decode(av.Packet(data))]
    assert seen == [0b1011_0010_0111_0101] * 5


def test_clips_move_and_are_the_same_every_time() -> None:
    for make in (video.webcam_like, video.diffusion_like):
        first, second = make(2, 64, 64)
        assert first.shape == (64, 64, 3) and first.dtype == np.uint8
        assert (first != second).mean() > 0.5
        assert all((a == b).all() for a, b in zip((first, second), make(2, 64, 64), strict=True))


def test_arms_run_in_turns_and_every_other_turn_backwards() -> None:
    order: list[str] = []

    def arm(name: str) -> Callable[[], repeats.Numbers]:
        def run() -> repeats.Numbers:
            order.append(name)
            return {"ms": float(len(order))}

        return run

    runs = repeats.in_turns({"a": arm("a"), "b": arm("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert repeats.together(runs["a"])["ms"] == {"median": 4, "least": 1, "most": 5}
    assert repeats.ratio(runs["b"], runs["a"], "ms") == {"median": 1.2, "least": 0.75, "most": 2}


def test_a_comparison_that_is_cut_off_has_said_what_it_had_measured() -> None:
    kept: list[dict[str, object]] = []
    compared = comparison.Comparison(1)
    compared.on_measured = lambda: kept.append({name: set(arms) for name, arms in compared.measured.items()})

    compared.compare("times", {"a": lambda: {"ms": 1.0}, "b": lambda: {"ms": 2.0}})

    assert kept == [{"times": {"a"}}, {"times": {"a", "b"}}]


def test_a_frame_counts_once_and_only_after_the_warm_up() -> None:
    sent_us = [0, 100 * MS, 200 * MS]
    arrived = [(0, 10 * MS), (1, 110 * MS), (1, 1100 * MS), (2, 230 * MS), (7, 240 * MS)]
    assert rtc_runs.latencies_ms(sent_us, arrived, begin_us=50 * MS) == {1: 10, 2: 30}


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_both_encoders_are_measured_alike(codec: str) -> None:
    clip = video.webcam_like(encoders.SETTLE + 2, 64, 64)
    found = [
        encoders.measure(codec, encode, clip)
        for encode in (encoders.stock(codec, 300_000), encoders.ours(codec, 0, 300_000, 64))
    ]
    for run in found:
        assert run.keys() == {"p50_ms", "p95_ms", "cpu_ms", "mbit_per_s", "largest_kb", "psnr_db"}
        assert run["psnr_db"] > 25
        assert 0 < run["mbit_per_s"] < 1


# -- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_a_short_bench_prints_one_json_object_last_and_its_counts_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "server.json"
    only = ["four_clients", "still", "overload", "floor"]

    def bench(seconds: float) -> dict[str, Any]:
        scenarios.server_bench(2.0, seconds=seconds, overload_seconds=2 * seconds, only=only, output=output)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    answer = long_enough(bench, lambda answer: all(run["delivered"] > 2 for run in answer["scenarios"].values()))
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "server"
    assert {"version", "commit", "device", "python"} <= answer.keys()
    runs = answer["scenarios"]
    assert set(runs) == {
        *("four_clients_staggered", "four_clients_unsynchronised"),
        *("still", "still_every_frame_run", "changing"),
        *("overload", "floor", "floor_with_codec"),
    }
    for run in runs.values():
        assert run["sent"] == run["delivered"] + sum(run["dropped"].values()) + run["in_flight"]
        assert run["errors"] == {}
        assert run["latency_ms"]["p50"] <= run["latency_ms"]["p99"] <= run["latency_ms"]["max"]
    assert {name for name, run in runs.items() if run["repeats"]} == {"still"}
    assert all(run["latency_ms"]["p50"] >= 2.0 for name, run in runs.items() if name != "still")
    assert runs["still"]["frames_run"] < runs["still_every_frame_run"]["frames_run"]
    assert {"still_runs_cut_by", "still_repeat_p50_ms"} <= answer["targets"].keys()
    assert runs["four_clients_staggered"]["clients"] == 4
    assert runs["overload"]["sent"] > runs["overload"]["delivered"]
    assert runs["overload"]["dropped"]["superseded"] > 0
    for target in answer["targets"].values():
        assert target.keys() == {"value", "wanted", "limit", "ok"}


@pytest.mark.timeout(600)
def test_a_short_webrtc_bench_compares_ours_with_stock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webrtc, "VIEWERS", (1, 2))
    output = tmp_path / "webrtc.json"
    only = ["receive", "echo", "overload", "viewers"]

    def bench(seconds: float) -> dict[str, Any]:
        webrtc.webrtc_bench(seconds, overload_seconds=2 * seconds, repetitions=1, only=only, output=output)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    answer = long_enough(bench)
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "webrtc"
    assert {"version", "versions", "commit", "device", "python", "load_average"} <= answer.keys()
    runs = answer["scenarios"]
    assert set(runs) == {"receive_30fps", "receive_15fps", "echo", "overload", "viewers", "ratios"}
    for name in ("receive_30fps", "receive_15fps", "echo"):
        for arm in runs[name].values():
            assert 0 < arm["p50_ms"]["least"] <= arm["p50_ms"]["median"] <= arm["p95_ms"]["most"]
            assert 0 < arm["delivered"]["median"] <= 1
    split = runs["echo"]["ours_split"]
    assert split["in_p50_ms"]["median"] > 0
    assert split["p50_ms"]["median"] > 0
    assert [runs["viewers"][f"ours_{count}"]["encodings"]["median"] for count in (1, 2)] == [1, 1]
    assert runs["ratios"].keys() >= {"receive_30fps_p50", "echo_p50", "overload_last_p50", "viewers_2_cpu"}
    for target in answer["targets"].values():
        assert target.keys() == {"value", "wanted", "limit", "ok"}

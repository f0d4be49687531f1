"""benchmarks.server: the server's runs with what they are compared with, and what is wanted of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.server import bench as benches
from benchmarks.server.targets import targets_of
from realtime.bench.errors import BenchError
from tests.benches import draw_few_pictures
from tests.fakes.waiting import long_enough


def a_run(fps: float = 100.0, p50: float = 12.0, queue_p95: float = 5.0, **more: Any) -> dict[str, Any]:
    return {
        "fps": fps,
        "latency_ms": {"p50": p50},
        "interval_ms": {"sd": 1.0},
        "queue_ms": {"p95": queue_p95},
        "repeat_ms": {},
        **more,
    }


def overloaded(slope: float, growth: float | None) -> dict[str, Any]:
    return a_run(latency_slope_ms_per_s=slope, memory_mb={"growth": growth})


def test_throughput_is_held_to_what_the_engine_can_do() -> None:
    runs = {"throughput_2x_echo_10": a_run(fps=94.0), "throughput_1.3x_echo_5": a_run(fps=182.0, queue_p95=6.0)}

    found = targets_of(runs, 10.0)

    verdicts = {name: target.ok for name, target in found.items()}
    assert verdicts == {
        "throughput_2x_echo_10_of_capacity": False,
        "throughput_2x_echo_10_queue_p95_ms": True,
        "throughput_1.3x_echo_5_of_capacity": True,
        "throughput_1.3x_echo_5_queue_p95_ms": False,
    }


def test_what_the_server_adds_is_without_the_engines_time() -> None:
    found = targets_of({"one_client_512": a_run(p50=12.5)}, 10.0)

    assert found["one_client_512_added_p50_ms"].value == 2.5


def test_a_still_scene_is_held_to_the_same_without_repeats() -> None:
    runs = {
        "still": a_run(frames_run=3, repeat_ms={"p50": 0.5}),
        "still_every_frame_run": a_run(frames_run=180),
    }

    found = targets_of(runs, 10.0)

    assert found["still_runs_cut_by"].value == 60
    assert found["still_repeat_p50_ms"].value == 0.5


@pytest.mark.parametrize("tick_ms", [10.0, None])
def test_overload_may_neither_fall_nor_rise_whatever_the_model(tick_ms: float | None) -> None:
    found = targets_of({"overload": overloaded(-2.0, 1.0), "one_client": a_run()}, tick_ms)

    assert {name: target.ok for name, target in found.items()} == {
        "overload_latency_slope_ms_per_s": False,
        "overload_memory_growth_mb": True,
    }


def test_memory_that_was_not_measured_is_not_judged() -> None:
    assert targets_of({"overload": overloaded(0.0, None)}, None).keys() == {"overload_latency_slope_ms_per_s"}


@pytest.mark.parametrize(("model", "scenario"), [(None, "nonsense"), ("echo:2", "floor"), (None, "rungs")])
def test_a_scenario_that_there_is_not_is_refused_by_name(model: str | None, scenario: str) -> None:
    with pytest.raises(BenchError, match=f"no scenario '{scenario}'"):
        benches.server_bench(model=model, only=[scenario])


@pytest.mark.timeout(600)
def test_a_short_bench_runs_the_server_and_a_bare_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_few_pictures(monkeypatch)
    output = tmp_path / "server.json"

    def bench(seconds: float) -> dict[str, Any]:
        benches.server_bench(20.0, seconds=seconds, only=["still", "floor"], output=output)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    answer = long_enough(bench, lambda answer: all(run["delivered"] > 2 for run in answer["scenarios"].values()))
    assert answer == json.loads(output.read_text())
    assert {"repetitions", "busy", "tick_ms", "seconds"} <= answer["settings"].keys()
    assert {"still", "floor", "floor_with_codec"} <= answer["scenarios"].keys()
    assert answer["scenarios"]["floor"]["latency_ms"]["p50"] >= 20.0
    assert {"still_runs_cut_by", "still_repeat_p50_ms"} <= answer["targets"].keys()
    for target in answer["targets"].values():
        assert target.keys() == {"value", "wanted", "limit", "ok"}

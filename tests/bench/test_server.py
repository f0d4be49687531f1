"""realtime.bench.server: every scenario once, short. Speed is measured elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime.bench import server
from realtime.bench.errors import BenchError
from tests.benches import draw_few_pictures
from tests.fakes.waiting import long_enough

TICK_MS = 20.0
"""Slow enough that twice as many frames as the engine can do are few."""


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_few_pictures(monkeypatch)


@pytest.mark.parametrize(
    ("model", "scenario"), [(None, "nonsense"), (None, "floor"), ("echo:2", "still")], ids=["none", "other", "model"]
)
def test_a_scenario_that_there_is_not_is_refused_by_name(model: str | None, scenario: str) -> None:
    with pytest.raises(BenchError, match=f"no scenario '{scenario}'"):
        server.server_bench(model=model, only=[scenario])


@pytest.mark.timeout(600)
def test_a_short_bench_prints_one_json_object_last_and_its_counts_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "server.json"
    only = ["four_clients", "still", "overload"]

    def bench(seconds: float) -> dict[str, Any]:
        server.server_bench(TICK_MS, seconds=seconds, overload_seconds=seconds, only=only, output=output)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    answer = long_enough(bench, lambda answer: all(run["delivered"] > 2 for run in answer["scenarios"].values()))
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "server"
    assert {"version", "commit", "device", "python"} <= answer.keys()
    runs = answer["scenarios"]
    assert set(runs) == {
        *("four_clients_staggered", "four_clients_unsynchronised"),
        *("still", "still_every_frame_run", "changing", "overload"),
    }
    for run in runs.values():
        assert run["sent"] == run["delivered"] + sum(run["dropped"].values()) + run["in_flight"]
        assert run["errors"] == {}
        assert run["latency_ms"]["p50"] <= run["latency_ms"]["p99"] <= run["latency_ms"]["max"]
    # The same pictures come in turn: a busy machine may miss just as many as there are, and sees the last one again.
    assert {name for name, run in runs.items() if run["repeats"]} - {"changing"} == {"still"}
    assert runs["changing"]["repeats"] < runs["changing"]["delivered"] / 2
    assert all(run["latency_ms"]["p50"] >= TICK_MS for name, run in runs.items() if name != "still")
    assert runs["still"]["frames_run"] < runs["still_every_frame_run"]["frames_run"]
    assert runs["four_clients_staggered"]["clients"] == 4
    assert runs["overload"]["sent"] > runs["overload"]["delivered"]
    assert runs["overload"]["dropped"]["superseded"] > 0
    assert "growth" in runs["overload"]["memory_mb"]


@pytest.mark.timeout(600)
def test_a_model_is_measured_at_the_pace_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    def bench(seconds: float) -> dict[str, Any]:
        server.server_bench(model="echo:50", seconds=seconds, only=["one_client"])
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    answer = long_enough(bench)

    assert answer["rung"].startswith("echo")
    assert answer["scenarios"].keys() == {"capacity", "one_client"}
    assert answer["scenarios"]["capacity"]["fps"] <= 1000 / 50 + 2 / answer["scenarios"]["capacity"]["seconds"]

"""realtime.bench.capacity: what counts as carried, where the climb ends, and a short run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from realtime.bench import capacity
from tests.fakes.waiting import long_enough


def measures(p95: float = 20, slowest: float = 30, delivered: int = 1000) -> dict[str, Any]:
    latency = {"p95": p95}
    return {"sent": 1000, "delivered": delivered, "fps_slowest_client": slowest, "latency_ms": latency}


@pytest.mark.parametrize(
    ("run", "is_carried"),
    [
        (measures(), True),
        (measures(p95=66), False),
        (measures(slowest=28.9), False),
        (measures(delivered=990), False),
        (measures(delivered=991), True),
    ],
)
def test_streams_are_carried_in_time_evenly_and_nearly_whole(run: dict[str, Any], is_carried: bool) -> None:
    assert capacity.carried(run, 66) is is_carried


def test_the_climb_ends_behind_the_first_number_that_no_limit_carries() -> None:
    asked: list[int] = []

    class Scripted:
        def run(self, count: int) -> dict[str, Any]:
            asked.append(count)
            return measures(p95={1: 20, 2: 70, 3: 80}.get(count, 120))

    found = capacity.climb(cast(capacity.Steps, Scripted()), 10)

    assert found == {66.0: 1, 100.0: 3}
    assert asked == [1, 2, 3, 4]


def test_a_short_climb_prints_its_numbers_and_keeps_every_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw.csv"

    long_enough(
        lambda seconds: capacity.capacity_bench("echo:2", seconds, fixed=(1, 2), side_px=64, at_most=1, raw=raw)
    )

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["scenarios"].keys() == {"1_streams", "2_streams"}
    assert answer["streams"].keys() == {"p95_below_66_ms", "p95_below_100_ms"}
    with raw.open() as file:
        rows = list(csv.DictReader(file))
    for name, run in answer["scenarios"].items():
        counted = [row for row in rows if row["run"] == name and row["counted"] == "1"]
        assert len(counted) == run["sent"]
        assert sum(bool(row["arrived_us"]) for row in counted) == run["delivered"]


def test_streams_have_the_params_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class AskedError(Exception):
        pass

    async def drive(*args: Any, params: Any, **options: Any) -> Any:
        raise AskedError(params)

    def usage(process: Any) -> Any:
        return SimpleNamespace(begin=None)

    monkeypatch.setattr(capacity, "drive", drive)
    monkeypatch.setattr(capacity, "Usage", usage)
    process = cast(Any, SimpleNamespace(websocket_url="ws://server"))

    with pytest.raises(AskedError) as raised:
        capacity.Steps(process, 1.0, 64, params={"num_inference_steps": 1}).run(1)

    assert raised.value.args == ({"num_inference_steps": 1},)

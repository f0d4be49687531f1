"""benchmarks.server.rungs: a model's highest rung beside eager mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.server import bench as benches
from benchmarks.server import rungs
from realtime.bench import server
from tests.benches import draw_few_pictures, sharing_servers
from tests.fakes.waiting import long_enough


@pytest.mark.timeout(600)
def test_both_arms_make_pictures_at_each_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_few_pictures(monkeypatch)
    monkeypatch.setattr(rungs, "PICTURES", 2)
    monkeypatch.setattr(rungs, "SETTLE_S", 0.2)

    def bench(seconds: float) -> dict[str, Any]:
        benches.server_bench(model="echo:20", seconds=seconds, repetitions=1, only=["rungs"])
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    def has_pictures(answer: dict[str, Any]) -> bool:
        return all(
            arm["fps"]["median"] > 0 for arms in answer["comparisons"].values() for arm in arms.values() if "fps" in arm
        )

    with sharing_servers(server, rungs):
        answer = long_enough(bench, has_pictures)

    assert answer["rung"].startswith("echo")
    for side in rungs.WANTED_FPS:
        arms = answer["comparisons"][f"rungs_{side}"]
        assert arms.keys() == {"highest", "eager"}
        assert all(arm["fps"]["median"] > 0 for arm in arms.values())
    assert answer["targets"] == {}, "what is wanted is wanted of the embedded model"

"""benchmarks.remote: a short run with real workers."""

from __future__ import annotations

import json

import pytest

from benchmarks.remote import bench
from benchmarks.remote.bench import ray_bench
from benchmarks.remote.cluster import has_ray
from realtime.bench.errors import BenchError


def test_it_says_that_ray_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "has_ray", lambda: False)

    with pytest.raises(BenchError, match="Ray is not installed"):
        ray_bench("echo", 1.0, 1)


@pytest.mark.slow
@pytest.mark.skipif(not has_ray(), reason="Ray is not installed: realtime-img2img[ray]")
def test_what_two_workers_deliver_is_held_against_one_and_gaps_are_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ray_bench("echo:20", 2.0, 1, warmup_s=0.5)

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    arms = answer["scenarios"]["delivered"]
    assert all(arms[name]["fps"]["median"] > 0 for name in ("1 worker", "2 workers"))
    for how in ("killed", "frozen"):
        gaps = answer["scenarios"][f"one is {how}"]["2 workers"]
        assert gaps["moved_gap_ms"]["median"] > 0
    assert [target["wanted"] for target in answer["targets"].values()] == ["at least", "at most", "at most"]

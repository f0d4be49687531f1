"""benchmarks.server.devices: a short run."""

from __future__ import annotations

import json

import pytest

from benchmarks.server.devices import devices_bench


@pytest.mark.slow
def test_what_two_engines_deliver_is_held_against_one(capsys: pytest.CaptureFixture[str]) -> None:
    devices_bench("echo:20", "cpu,cpu", 2.0, 1, warmup_s=0.5)

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    arms = answer["scenarios"]["delivered"]
    assert all(arms[name]["fps"]["median"] > 0 for name in ("1 engine", "2 engines"))
    gaps = answer["scenarios"]["one is killed"]["2 engines"]
    assert all(gaps[name]["median"] > 0 for name in ("moved_gap_ms", "others_gap_ms"))
    (target,) = answer["targets"].values()
    assert (target["wanted"], target["limit"]) == ("at least", 1.95)

"""benchmarks.server.devices and process: short runs."""

from __future__ import annotations

import json

import pytest

from benchmarks.server.devices import devices_bench
from benchmarks.server.process import process_bench


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


@pytest.mark.slow
def test_what_a_process_delivers_is_held_against_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    process_bench("echo:20", 2.0, 1, warmup_s=0.5)

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    arms = answer["scenarios"]["delivered"]
    assert all(arms[name]["fps"]["median"] > 0 for name in ("in a thread", "in a process"))
    assert [target["limit"] for target in answer["targets"].values()] == [0.97]

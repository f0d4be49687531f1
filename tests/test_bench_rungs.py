"""A model's highest rung beside eager mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from realtime.bench import rungs, scenarios
from realtime.bench.load import BenchError
from realtime.bench.servers import Process
from realtime.engine.state import RungState
from tests.fakes import long_enough


@pytest.mark.timeout(600)
def test_both_arms_make_pictures_with_each_number_of_steps(capsys: pytest.CaptureFixture[str]) -> None:
    def bench(seconds: float) -> dict[str, Any]:
        scenarios.server_bench(model="echo:2", seconds=seconds, repetitions=1, only=["rungs"])
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    def has_pictures(answer: dict[str, Any]) -> bool:
        return all(
            arm["fps"]["median"] > 0 for arms in answer["comparisons"].values() for arm in arms.values() if "fps" in arm
        )

    answer = long_enough(bench, has_pictures)

    assert answer["rung"].startswith("echo")
    for steps in rungs.STEPS:
        arms = answer["comparisons"][f"rungs_{steps}_step"]
        assert arms.keys() == {"highest", "eager"}
        assert all(arm["fps"]["median"] > 0 for arm in arms.values())
    assert answer["targets"] == {}, "what is wanted is wanted of the embedded model"


def test_scenarios_of_the_echo_engine_are_none_of_a_models() -> None:
    with pytest.raises(BenchError, match="no scenario 'floor'"):
        scenarios.server_bench(model="echo:2", only=["floor"])


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, *said: RungState | None) -> Iterator[list[float]]:
    """A server that says these rungs one after another; how long was waited between them."""
    waits: list[float] = []
    answers = iter(said)

    class Answer:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self) -> bytes:
            rung = next(answers)
            return json.dumps({"rung_state": rung and rung.wire()}).encode()

    monkeypatch.setattr(rungs.urllib.request, "urlopen", lambda url, timeout: Answer())
    monkeypatch.setattr(rungs.time, "sleep", waits.append)
    monkeypatch.setattr(rungs.time, "monotonic", lambda: sum(waits))
    yield waits


def test_measuring_waits_until_the_server_has_climbed(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = RungState("eager", "torch", doing="openvino's conversion", climbs=True)
    with answering(monkeypatch, None, eager, RungState("openvino", "openvino", climbs=True)) as waits:
        assert rungs.wait_until_climbed(Process(1, "http://127.0.0.1:1/")) == "openvino"

    assert len(waits) == 2


def test_a_climb_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rungs, "CLIMB_TIMEOUT_S", 1.0)
    rung = RungState("eager", "torch", doing="a rung", climbs=True)
    with answering(monkeypatch, *[rung] * 9), pytest.raises(BenchError, match="still climbs"):
        rungs.wait_until_climbed(Process(1, "http://127.0.0.1:1/"))

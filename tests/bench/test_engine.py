"""realtime.bench.engine and the engine under test: loaded, brought to rest, and given frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime.bench import engine, engine_under_test
from realtime.bench.engine_under_test import EngineUnderTest
from realtime.bench.errors import BenchError
from realtime.config import Accelerate, Config, Device
from realtime.engine.echo import EchoEngine
from realtime.engine.state import CallShape, RungState
from realtime.errors import EngineError, FrameError
from realtime.frame import Job
from tests.engine.tiny_models import FRAME_KINDS


@pytest.mark.parametrize(
    ("wanted", "word"),
    [({"steps": [9]}, "--steps: give numbers from 1 to 8"), ({"batches": [0]}, "--batch: give numbers from 1 to 16")],
)
def test_numbers_out_of_range_are_refused(wanted: dict[str, Any], word: str) -> None:
    with pytest.raises(BenchError, match=word):
        engine.engine_bench("echo", **wanted)


def test_a_short_bench_times_each_rung_with_each_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "engine.json"

    engine.engine_bench("echo:2", [Accelerate.OFF], [1, 2], [1, 2], side_px=64, seconds=0.02, output=output)

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "engine"
    assert answer["rungs"]["off"]["what"].startswith("echo")
    runs = answer["scenarios"]
    assert runs.keys() == {f"off, steps {steps}, batch {batch}" for steps in (1, 2) for batch in (1, 2)}
    for name, run in runs.items():
        assert 2 <= run["p50_ms"] <= run["p95_ms"], name
    one, two = (runs[f"off, steps 1, batch {batch}"] for batch in (1, 2))
    assert two["ms_per_frame"] == pytest.approx(two["p50_ms"] / 2, abs=1e-3)
    assert one["pipelined_ms_per_frame"] >= 1


def test_the_embedded_model_runs_at_its_own_size() -> None:
    loaded = EngineUnderTest(Config(model="tiny", accelerate=Accelerate.OFF, device=Device.CPU))

    (result,) = loaded.frames(1, 1)

    assert result.picture.shape == (384, 384, 3)
    assert loaded.settle([1], 60), "nothing climbs in eager mode"
    assert loaded.told().keys() == {"what", "rung", "load_s", "first_frame_s", "settled_s"}
    loaded.close()


def test_a_frame_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(job: Job) -> None:
        raise FrameError("broken on purpose", "invalid_frame")

    loaded = EngineUnderTest(Config(model="echo"))
    loaded.engine = EchoEngine(fault=fault)

    with pytest.raises(EngineError, match="broken on purpose"):
        loaded.frames(1, 1)


def calls(side_px: int, **batches: int) -> list[CallShape]:
    return [CallShape(kind, batch, 0, side_px, side_px) for kind, batch in batches.items()]


@pytest.mark.parametrize(
    ("made_for", "is_made_for"),
    [
        (calls(64, encode=8, step=8, decode=8), True),
        (calls(512, step=1) + calls(64, decode=8, step=8, encode=8), True),
        (calls(64, encode=8, step=8), False),
        (calls(64, encode=8, step=18, decode=8), False),
        (calls(512, encode=8, step=8, decode=8), False),
        ([], False),
    ],
)
def test_a_batch_is_made_when_all_its_regions_are(made_for: list[CallShape], is_made_for: bool) -> None:
    assert set(FRAME_KINDS) == engine_under_test.REGIONS
    rung = RungState("aoti", "aoti", made_for=tuple(made_for))
    assert engine_under_test.is_made_for(rung, 8, 64) is is_made_for

"""Which rung runs, as data and as a sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from realtime.engine.state import CallShape, RungState

EAGER = RungState("eager", "eager: torch on cpu, 2 threads", "float32", why="until openvino is ready", climbs=True)
MADE = RungState(
    "openvino", "openvino on cpu", "bfloat16", (CallShape("step", 2, 1, 96, 64, ("noise", "x")),), failed="no room"
)


@pytest.mark.parametrize(
    ("rung", "sentence"),
    [
        (EAGER, "eager: torch on cpu, 2 threads (until openvino is ready)"),
        (
            replace(EAGER, doing="the conversion"),
            "eager: torch on cpu, 2 threads (until openvino is ready); the conversion is being made",
        ),
        (
            replace(EAGER, why="", failed="no conversion: no room"),
            "eager: torch on cpu, 2 threads; no conversion: no room",
        ),
        (MADE, "openvino on cpu; no room"),
        (replace(MADE, avoided=("aoti", "graphs")), "openvino on cpu (without aoti, graphs); no room"),
        (
            replace(EAGER, avoided=("aoti",)),
            "eager: torch on cpu, 2 threads (until openvino is ready, without aoti)",
        ),
    ],
)
def test_the_sentence_tells_what_runs_why_and_what_is_on_its_way(rung: RungState, sentence: str) -> None:
    assert str(rung) == sentence


@pytest.mark.parametrize("rung", [EAGER, MADE, replace(MADE, avoided=("graphs",))])
def test_what_runs_survives_json(rung: RungState) -> None:
    assert RungState.parse(json.loads(json.dumps(rung.wire()))) == rung


def test_state_of_an_earlier_version_is_read() -> None:
    wire = MADE.wire()
    del wire["avoided"]

    assert RungState.parse(wire) == MADE

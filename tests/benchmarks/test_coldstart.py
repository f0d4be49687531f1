"""benchmarks.server.coldstart: where a start ends, and a short run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from benchmarks.server import coldstart
from realtime.bench.errors import BenchError
from realtime.engine.state import RungState


def test_a_cold_start_is_timed_to_the_first_picture(capsys: pytest.CaptureFixture[str]) -> None:
    coldstart.coldstart_bench("echo", ("off",), 1)

    arm = json.loads(capsys.readouterr().out.splitlines()[-1])["scenarios"]["first_frame"]["off"]
    order = [arm[name]["median"] for name in ("listening_s", "ready_s", "first_picture_s")]
    assert 0 < order[0] <= order[1] < order[2]
    assert arm["highest_rung_s"] == arm["ready_s"], "what does not climb is there when it is ready"


def test_a_climb_ends_where_the_last_rung_began(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    eager = RungState("eager", "torch", climbs=True)
    doing = replace(eager, doing="openvino's conversion")
    said = {0.0: eager, 3.0: doing, 9.0: RungState("openvino", "openvino", climbs=True)}

    async def slept(seconds: float) -> None:
        now_s[0] += seconds

    async def called(call: Callable[[], RungState]) -> RungState:
        return call()

    class Server:
        def rung(self) -> RungState:
            return [rung for begin_s, rung in said.items() if begin_s <= now_s[0]][-1]

    class Stream:
        async def restyle(self, picture: bytes) -> None:
            now_s[0] += 0.03

    monkeypatch.setattr(coldstart.time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(coldstart.asyncio, "sleep", slept)
    monkeypatch.setattr(coldstart.asyncio, "to_thread", called)

    climbed_s = asyncio.run(coldstart.climb(cast(Any, Server()), cast(Any, Stream()), (b"a", b"b")))

    assert 9.0 <= climbed_s < 9.5
    assert now_s[0] == pytest.approx(climbed_s + coldstart.QUIET_S, abs=0.5)


def test_an_unknown_rung_is_refused_by_name() -> None:
    with pytest.raises(BenchError, match="warp"):
        coldstart.coldstart_bench("echo", ("warp",))

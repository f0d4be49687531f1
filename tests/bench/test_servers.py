"""realtime.bench.servers: processes that start, get ready and climb, or say why not."""

from __future__ import annotations

from typing import Any, cast

import pytest

from realtime.bench import servers
from realtime.bench.errors import BenchError
from realtime.bench.servers import Process
from realtime.engine.state import RungState

EAGER = RungState("eager", "torch", doing="openvino's conversion", climbs=True)
OPENVINO = RungState("openvino", "openvino", climbs=True)


class Says:
    """A server that says these rungs, or numbers, one after another."""

    def __init__(self, *said: Any) -> None:
        self.said = list(said)

    def rung(self) -> RungState | None:
        return self.said.pop(0)

    def metric(self, name: str) -> float | None:
        return self.said.pop(0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, each time; nobody really does."""
    waited: list[float] = []
    monkeypatch.setattr(servers.time, "sleep", waited.append)
    monkeypatch.setattr(servers.time, "monotonic", lambda: sum(waited))
    return waited


def test_a_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(BenchError, match="did not start"), servers.start("realtime", "serve", "--no-such-option"):
        pass


def test_measuring_waits_until_the_server_has_climbed(waits: list[float]) -> None:
    server = Says(None, EAGER, OPENVINO)

    assert servers.wait_until_climbed(cast(Process, server)) == OPENVINO
    assert len(waits) == 2


def test_a_climb_without_end_is_an_error(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CLIMB_TIMEOUT_S", 1.0)
    server = Says(*[EAGER] * 9)

    with pytest.raises(BenchError, match="still climbs"):
        servers.wait_until_climbed(cast(Process, server))


def test_a_number_is_waited_for_until_it_is_not_0(waits: list[float]) -> None:
    servers.wait_until(cast(Process, Says(None, 0.0, 1.0)), "realtime_ready", 10)

    assert len(waits) == 2


def test_a_number_that_stays_0_is_an_error_that_names_it(waits: list[float]) -> None:
    with pytest.raises(BenchError, match="realtime_ready"):
        servers.wait_until(cast(Process, Says(*[0.0] * 99)), "realtime_ready", 1)

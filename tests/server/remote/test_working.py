"""`realtime worker`, with a cluster that the test makes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.errors import ConfigError
from realtime.server.remote import working
from realtime.server.remote.working import work

HANDLERS: dict[int, Callable[[int, None], None]] = {}
"""What the signals would call."""


class Cluster:
    """Takes workers in; some names are taken for some time."""

    def __init__(self, address: str, node: str, *, shows_logs: bool) -> None:
        self.address, self.node = address, node
        self.taken = 0
        self.environment: dict[str, str | None] = {}
        self.calls: list[tuple[str, ...]] = []

    def start_worker(self, name: str, device: str, environment: dict[str, str | None]) -> Any:
        if self.taken:
            self.taken -= 1
            raise ConfigError("name: it is taken")
        self.environment = environment
        self.calls.append(("start", name, device))
        cluster = self

        class Link:
            def call(self, method: str, *arguments: object) -> Future[Any]:
                cluster.calls.append((method, name))
                done: Future[Any] = Future()
                done.set_result(None)
                return done

        return Link()

    def leave(self) -> None:
        self.calls.append(("left",))


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> list[Cluster]:
    made: list[Cluster] = []
    HANDLERS.clear()
    # A real signal would end whoever runs the tests, where Ray has taken them for itself before.
    monkeypatch.setattr(working, "signal", SimpleNamespace(signal=HANDLERS.__setitem__))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(working, "NAME_EVERY_S", 0.0)

    def join(*arguments: Any, **options: Any) -> Cluster:
        made.append(Cluster(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(working, "RayCluster", join)
    return made


def end(names: object) -> None:
    HANDLERS[signal.SIGTERM](signal.SIGTERM, None)


def test_a_worker_runs_on_each_device_and_gives_its_sessions_away_when_it_is_told_to_end(
    clusters: list[Cluster],
) -> None:
    announced: list[str] = []
    work("gpu-a:6379", "all", "b", "10.0.0.2", lambda names: (announced.extend(names), end(names)))

    assert (clusters[0].address, clusters[0].node) == ("gpu-a:6379", "10.0.0.2")
    assert announced == ["b-0", "b-1"]
    assert clusters[0].environment == {"CUDA_VISIBLE_DEVICES": "0,1", "OMP_NUM_THREADS": None}, "what Ray changes"
    assert clusters[0].calls[:2] == [("start", "b-0", "cuda:0"), ("start", "b-1", "cuda:1")]
    assert clusters[0].calls[-3:] == [("leave", "b-0"), ("leave", "b-1"), ("left",)]


def test_one_worker_without_devices_is_called_after_the_machine(
    clusters: list[Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working.socket, "gethostname", lambda: "studio.example.org")
    work("gpu-a:6379", "", "", "", end)

    assert clusters[0].calls[0] == ("start", "studio-0", "auto")


def test_name_that_the_cluster_still_knows_is_tried_until_it_is_free() -> None:
    cluster = Cluster("a:1", "", shows_logs=False)
    cluster.taken = 3
    working._started(lambda: cluster.start_worker("a-0", "cpu", {}), threading.Event())

    assert cluster.calls == [("start", "a-0", "cpu")]


def test_name_that_stays_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "NAME_S", -1.0)
    cluster = Cluster("a:1", "", shows_logs=False)
    cluster.taken = 3

    with pytest.raises(ConfigError, match="taken"):
        working._started(lambda: cluster.start_worker("a-0", "cpu", {}), threading.Event())

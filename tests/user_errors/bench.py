"""`realtime bench`: what can't be measured."""

from __future__ import annotations

from typing import Any
from unittest import mock

from realtime.bench import load, servers
from realtime.bench.engine_under_test import results_of
from realtime.bench.measures import measure
from realtime.client import ConnectionLostError, UnreachableError
from realtime.errors import FrameError
from realtime.frame import Failure
from tests.fakes.frames import a_job

from .case import Case


def client(**stream: Any) -> Any:
    found = mock.Mock(**stream)
    return load._Client(found, mock.Mock(), [], 0)


async def unanswered() -> object:
    return await client(update=mock.AsyncMock(side_effect=TimeoutError)).update({"strength": 2})


def ending(error: Exception | None) -> Any:
    async def pictures() -> Any:
        if error is not None:
            raise error
        for never in ():
            yield never

    return lambda: client(pictures=pictures).receive()


async def unreachable() -> object:
    with mock.patch.object(load, "connect", side_effect=UnreachableError("no server answers")):
        return await load.drive("ws://127.0.0.1:8777/ws", [mock.Mock()], [], size=None, warmup_s=0, seconds=1)


def address(*lines: str) -> object:
    return servers._address(mock.Mock(stdout=list(lines)))


def waiting(metric: float = 0.0) -> object:
    return servers.wait_until(mock.Mock(metric=lambda name: metric), "realtime_ready", 0)


def climbing() -> object:
    rung = mock.Mock(doing="compiling", __str__=lambda _: "eager, compiling")
    with mock.patch.object(servers, "CLIMB_TIMEOUT_S", 0):
        return servers.wait_until_climbed(mock.Mock(rung=lambda: rung))


def failed_frame() -> object:
    failure = Failure(a_job(), FrameError("the model's result is black", "black"))
    return results_of(mock.Mock(collect=lambda: [failure]))


CASES = [
    Case("the server did not start; what it said stands above", "server", address),
    Case("realtime_ready of the server stays 0 for 0 s: its output says why", "realtime_ready", waiting),
    Case(
        "the server still climbs after 0 s (eager, compiling): start again, what it made is kept",
        "eager, compiling",
        climbing,
    ),
    Case(
        "can't connect to ws://127.0.0.1:8777/ws: no server answers",
        "ws://127.0.0.1:8777/ws",
        unreachable,
    ),
    Case("the server does not take the params {'strength': 2}: no answer", "'strength'", unanswered),
    Case(
        "the connection broke: the connection was cut",
        "connection",
        ending(ConnectionLostError("the connection was cut")),
    ),
    Case("the server closed the connection: its output says why", "connection", ending(None)),
    Case(
        "no picture came back: give more --seconds, or a faster --model",
        "picture",
        lambda: measure(load.Run([], 0, 1, [])),
    ),
    Case(
        "a frame of the trial failed (the model's result is black): try another --dtype or --accelerate",
        "frame",
        failed_frame,
    ),
]

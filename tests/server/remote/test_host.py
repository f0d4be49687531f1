"""A worker as the server follows it: by a clock and signs of life that the test makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from realtime.engine import RowCost
from realtime.engine.echo import EchoEngine
from realtime.errors import EngineError
from realtime.params import Params
from realtime.scheduling.capacity import Capacity
from realtime.scheduling.suspects import Suspects
from realtime.server.engine_state import Changes, Stage, State
from realtime.server.remote.host import RemoteHost
from realtime.server.remote.messages import Engaged, Status, WorkOrder
from realtime.server.remote.pulse import BEAT_EVERY_NS, DEADLINE_NS, LOOK_EVERY_NS
from realtime.version import __version__
from tests.fakes.clock import FakeClock
from tests.fakes.servers import a_config
from tests.fakes.waiting import until

ORDER = WorkOrder.of(a_config(ray="a:1"), 20)
ENGAGED = Engaged(EchoEngine().info, lambda params: RowCost((1,)), Params(), 2**20)
READY = Status(
    process="first",
    device="cuda:0",
    order=ORDER,
    state=State.READY,
    stage=Stage(),
    reason="",
    back_s=0.0,
    version=1,
    engaged=ENGAGED,
    line=(0.0, 5e6),
    max_rows=8,
    jobs=0,
    is_apart=False,
    is_leaving=False,
)
IDLE = READY._replace(order=None, state=State.STOPPED, engaged=None)


class Ward:
    """A host whose worker is the test."""

    def __init__(self) -> None:
        self.clock, self.package_version = FakeClock(), __version__
        self.calls: list[tuple[str, tuple[object, ...]]] = []
        self.open: list[Future[Any]] = []
        self.lives: list[bool] = []
        self.measured: dict[str, tuple[float, float]] = {}
        self.host = RemoteHost(
            "a-0",
            self,
            ORDER,
            lambda life: self.lives.append(life is not None),
            Changes(),
            Suspects(),
            self.measured,
            self.clock,
        )
        self.host._loop = asyncio.get_running_loop()

    def call(self, method: str, *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls.append((method, arguments))
        if method == "beat":
            self.open.append(future)
        if method == "package_version":
            future.set_result(self.package_version)
        return future

    def called(self, method: str) -> int:
        return sum(name == method for name, _ in self.calls)

    def pass_ns(self, for_ns: int) -> None:
        """Let time pass, in which the worker is looked at as it is to be."""
        end_ns = self.clock.now_ns + for_ns
        while self.clock.now_ns < end_ns:
            self.clock.now_ns += LOOK_EVERY_NS
            self.host.look()

    async def say(self, status: Status | Exception) -> None:
        """Answer the beat that is owed."""
        if not self.open:
            self.pass_ns(BEAT_EVERY_NS)
        beat = self.open.pop()
        if isinstance(status, Exception):
            beat.set_exception(status)
        else:
            beat.set_result(status)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def settled(self, condition: Callable[[], bool]) -> None:
        await until(condition)


@contextlib.asynccontextmanager
async def following() -> AsyncGenerator[Ward]:
    ward = Ward()
    try:
        yield ward
    finally:
        await ward.host.stop()


async def test_worker_is_told_once_what_to_load_and_is_ready_when_it_says_so() -> None:
    async with following() as ward:
        await ward.say(IDLE)
        await ward.say(IDLE)
        await ward.say(READY._replace(state=State.LOADING, engaged=None, stage=Stage("fetching", 40.0)))
        loading = (ward.host.state, ward.host.stage)
        await ward.say(READY)
        life = ward.host.life
        assert life is not None
        capacity = life.scheduler.capacity

    begun = [arguments for name, arguments in ward.calls if name == "begin"]
    assert begun[0] == (ORDER, False)
    assert loading == (State.LOADING, Stage("a-0: fetching", 40.0))
    assert (capacity, ward.host.device) == (Capacity((0.0, 5e6), 8), "cuda:0")


async def test_worker_is_only_waited_for_until_its_first_sign() -> None:
    async with following() as ward:
        ward.pass_ns(10 * DEADLINE_NS)

        assert (ward.host.state, ward.called("beat")) == (State.LOADING, 1)


async def test_silent_worker_is_away_behind_the_deadline_and_ready_at_its_next_sign() -> None:
    async with following() as ward:
        await ward.say(READY)
        ward.pass_ns(DEADLINE_NS)
        at_the_deadline = ward.host.state
        ward.pass_ns(LOOK_EVERY_NS)
        away = ward.host.away
        assert away is not None
        await ward.settled(lambda: ward.lives[-1] is False)
        await ward.say(READY._replace(engaged=None))

        assert (at_the_deadline, away.reason) == (State.READY, "the worker a-0 gives no sign of life")
        assert ward.host.state is State.READY
        assert ward.lives == [True, False, True]


async def test_worker_whose_calls_fail_is_away_at_once() -> None:
    async with following() as ward:
        await ward.say(READY)
        await ward.say(ConnectionError("actor unavailable"))
        assert ward.host.away is not None

        assert ward.host.state is State.AWAY
        assert "is gone" in ward.host.away.reason


@pytest.mark.parametrize("is_apart", [False, True])
async def test_frames_are_suspected_unless_the_engine_had_a_process_of_its_own(is_apart: bool) -> None:
    async with following() as ward:
        await ward.say(READY._replace(is_apart=is_apart))
        life = ward.host.life
        assert life is not None
        blamed: list[bool] = []
        give_up = life.scheduler.give_up
        life.scheduler.give_up = lambda then, *, blames_until_ns: (  # type: ignore[method-assign]
            blamed.append(blames_until_ns is not None),
            give_up(then, blames_until_ns=None),
        )
        await ward.say(ConnectionError("actor unavailable"))

        assert blamed == [not is_apart]


async def test_worker_of_another_version_gets_no_work_until_it_has_this_one() -> None:
    async with following() as ward:
        ward.package_version = "0.0.9"
        await ward.say(IDLE)
        await ward.say(TypeError("a status that this version does not understand"))
        state, error, begun = ward.host.state, str(ward.host.error), ward.called("begin")
        ward.package_version = __version__
        await ward.say(IDLE)
        await ward.say(READY)

        assert (state, begun) == (State.FAILED, 0)
        assert error == f"the worker a-0 is realtime 0.0.9, and this server {__version__}: install the same there"
        assert (ward.host.state, ward.host.error) == (State.READY, None)


async def test_ready_worker_that_begins_anew_in_another_version_is_let_go() -> None:
    async with following() as ward:
        await ward.say(READY)
        ward.package_version = "0.0.9"
        await ward.say(IDLE._replace(process="second"))
        await ward.settled(lambda: not ward.host._is_giving_up)
        await ward.say(IDLE._replace(process="second"))
        await ward.say(IDLE._replace(process="second"))

        assert (ward.host.state, ward.called("begin")) == (State.FAILED, 0)


async def test_another_process_of_the_same_name_has_to_begin() -> None:
    async with following() as ward:
        await ward.say(READY)
        await ward.say(IDLE._replace(process="second"))
        await ward.settled(lambda: not ward.host._is_giving_up)
        await ward.say(IDLE._replace(process="second"))
        state, begun = ward.host.state, ward.called("begin")
        await ward.say(READY._replace(process="second"))

        assert (state, begun) == (State.AWAY, 1)
        assert ward.host.state is State.READY


async def test_engine_that_has_measured_nothing_is_taken_for_as_fast_as_the_last_one_there() -> None:
    async with following() as ward:
        await ward.say(READY)
        await ward.say(IDLE._replace(process="second"))
        await ward.settled(lambda: not ward.host._is_giving_up)
        await ward.say(READY._replace(process="second", line=None))
        life = ward.host.life
        assert life is not None

        assert life.scheduler.capacity.line == (0.0, 5e6)


async def test_worker_that_has_never_measured_anything_is_taken_for_as_fast_as_another() -> None:
    async with following() as ward:
        ward.measured["b-0"] = (1e6, 2e6)
        await ward.say(READY._replace(line=None))
        life = ward.host.life
        assert life is not None
        assumed = life.scheduler.capacity.line
        await ward.say(READY)

        assert assumed == (1e6, 2e6)
        assert (life.scheduler.capacity.line, ward.measured["a-0"]) == ((0.0, 5e6), (0.0, 5e6))


async def test_worker_that_another_server_has_taken_is_left_to_it() -> None:
    async with following() as ward:
        await ward.say(READY)
        other = READY._replace(order=ORDER._replace(log_level=10), engaged=None)
        await ward.say(other)
        await ward.say(other)
        assert ward.host.away is not None

        assert ward.called("begin") == 0
        assert "another server" in ward.host.away.reason


async def test_engine_that_is_replaced_there_says_why_and_for_how_long() -> None:
    async with following() as ward:
        await ward.say(READY)
        await ward.say(READY._replace(state=State.AWAY, reason="out of memory", back_s=4.0, engaged=None))
        away = ward.host.away
        assert away is not None

        assert (away.reason, away.back_ns - ward.clock.now_ns) == ("out of memory", 4_000_000_000)


async def test_worker_whose_engine_can_not_be_loaded_has_failed_in_its_words() -> None:
    async with following() as ward:
        await ward.say(READY._replace(state=State.FAILED, reason="no such model", engaged=None))

        assert (ward.host.state, str(ward.host.error)) == (State.FAILED, "no such model")


async def test_stopped_host_leaves_the_engine_and_a_closed_one_has_it_closed() -> None:
    ward = Ward()
    await ward.say(READY)
    await ward.host.stop()
    stopped = (ward.host.state, ward.called("end"), ward.host.is_closed)
    closing = asyncio.create_task(ward.host.close())
    await until(lambda: ward.called("end") == 1)
    closing.cancel()

    assert stopped == (State.STOPPED, 0, False)


async def test_what_is_heard_of_prompts_is_asked_there_and_silence_is_an_engine_error() -> None:
    async with following() as ward:
        await ward.say(READY)
        life = ward.host.life
        assert life is not None
        engine: Any = life.engine
        engine._link = type("Gone", (), {"call": staticmethod(lambda *call: _failed())})
        with pytest.raises(EngineError, match="how prompts are heard"):
            engine.hear(Params())


def _failed() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(ConnectionError())
    return future

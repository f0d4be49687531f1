"""The engine's life: loading with progress, running, failing, stopping."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.state import RungState
from realtime.errors import ConfigError, EngineError, ModelError
from realtime.params import Params
from realtime.server.engine_host import EngineHost, Load
from realtime.server.engine_state import Stage, State
from realtime.server.restarting import SETTLED_S
from realtime.session import Session
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.fakes.servers import a_config
from tests.fakes.waiting import PATIENCE_S


async def until(host: EngineHost, condition: Callable[[EngineHost], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        changed = host.changed
        while not condition(host):
            await changed.wait()
            changed = host.changed


def loads(engine: Engine) -> Load:
    return lambda config, progress: engine


async def test_host_is_loading_until_the_engine_is_there() -> None:
    engine, gate = ScriptedEngine(), threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        assert gate.wait(PATIENCE_S)
        return engine

    host = EngineHost(a_config(), load)
    host.start()
    assert host.state is State.LOADING
    gate.set()
    await until(host, lambda host: host.state is State.READY)

    assert host.life is not None and host.life.engine is engine
    await host.stop()
    assert host.state is State.STOPPED
    assert engine.closed.is_set()


async def test_stages_of_loading_are_told() -> None:
    gate = threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        progress("fetch weights", 40.0)
        assert gate.wait(PATIENCE_S)
        return ScriptedEngine()

    host = EngineHost(a_config(), load)
    assert host.stage == Stage("starting", None)
    host.start()
    await until(host, lambda host: host.stage == Stage("fetch weights", 40.0))
    gate.set()
    await until(host, lambda host: host.state is State.READY)
    await host.stop()


async def test_change_between_a_look_and_the_wait_is_not_missed() -> None:
    host = EngineHost(a_config(), loads(ScriptedEngine()))
    host.start()
    changed = host.changed
    await until(host, lambda host: host.state is State.READY)

    async with asyncio.timeout(PATIENCE_S):
        await changed.wait()
    await host.stop()


async def test_model_that_cannot_be_loaded_fails_with_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def load(config: Config, progress: Progress) -> Engine:
        raise ModelError("there is no such model")

    host = EngineHost(a_config(), load)
    host.start()
    await until(host, lambda host: host.state is State.FAILED)

    assert isinstance(host.error, ModelError)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.getMessage(), record.exc_info) == ("there is no such model", None)


async def test_engine_that_cannot_be_served_is_closed_and_fails_before_anybody_is_let_in() -> None:
    engine = ScriptedEngine()
    engine.info = replace(engine.info, defaults={"width": -1})
    states: list[State] = []
    host = EngineHost(a_config(), loads(engine), on_life=lambda life: states.append(host.state))
    host.start()
    await until(host, lambda host: host.state is State.FAILED)

    assert isinstance(host.error, ConfigError)
    assert engine.closed.is_set()
    assert states == [State.FAILED]


@pytest.mark.parametrize("error", [EngineError("broken"), ZeroDivisionError()])
async def test_engine_that_breaks_while_running_fails_loudly(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ScriptedEngine()
    engine.tick_error = error
    host = EngineHost(a_config(), loads(engine))
    host.start()
    await until(host, lambda host: host.state is State.READY)
    assert host.life is not None
    session = Session("s", Params(), 2**22)
    host.life.scheduler.add(session)

    session.offer(session.attach(lambda: None), a_frame())
    await until(host, lambda host: host.state is State.FAILED)

    assert host.error is error
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_host_that_failed_stays_failed_when_it_is_stopped() -> None:
    def load(config: Config, progress: Progress) -> Engine:
        raise ModelError("no")

    host = EngineHost(a_config(), load)
    host.start()
    await until(host, lambda host: host.state is State.FAILED)
    await host.stop()

    assert host.state is State.FAILED


async def test_stop_ends_the_thread() -> None:
    before = set(threading.enumerate())
    host = EngineHost(a_config(), loads(ScriptedEngine()))
    host.start()
    await until(host, lambda host: host.state is State.READY)

    await host.stop()

    assert not any(thread.name == "engine" for thread in set(threading.enumerate()) - before)


async def test_engine_that_is_loaded_after_the_stop_is_closed_and_not_run() -> None:
    engine, gate = ScriptedEngine(), threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        assert gate.wait(PATIENCE_S)
        return engine

    host = EngineHost(a_config(), load)
    host.start()
    await host.stop()
    gate.set()

    assert await asyncio.to_thread(engine.closed.wait, PATIENCE_S)
    assert host.state is State.STOPPED


# -- one engine after another --------------------------------------------------------------------------------------


class Engines:
    """Loads one scripted engine after another; each waits until it is let through."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.made: list[weakref.ref[ScriptedEngine]] = []
        self.left_over: list[ScriptedEngine | None] = []

    def __call__(self, config: Config, progress: Progress) -> Engine:
        assert self.gate.acquire(timeout=PATIENCE_S)
        self.left_over += [made() for made in self.made]
        engine = ScriptedEngine()
        self.made.append(weakref.ref(engine))
        return engine


async def breaks(host: EngineHost) -> None:
    """Wait for the engine and give it a frame that it breaks on."""
    await until(host, lambda host: host.state is State.READY)
    assert host.life is not None
    engine: Any = host.life.engine
    engine.tick_error = EngineError("broken")
    session = Session(f"s{id(engine)}", Params(), 2**22)
    host.life.scheduler.add(session)
    session.served_by(lambda: None)  # it may outlive the engine, and must not hold it: a placement sees to that
    session.offer(session.attach(lambda: None), a_frame())
    host.life.scheduler.ring()
    del engine
    await until(host, lambda host: host.state is not State.READY)


async def test_engine_that_breaks_is_loaded_again_as_often_as_is_allowed() -> None:
    lives: list[tuple[State, bool]] = []
    engines = Engines()
    host = EngineHost(
        a_config(engine_restarts=2),
        engines,
        on_life=lambda life: lives.append((host.state, life is not None)),
        back_off_s=(0.0,),
    )
    host.start()
    for _ in range(3):
        engines.gate.release()
        await breaks(host)

    assert lives == [(State.READY, True), (State.AWAY, False)] * 2 + [(State.READY, True), (State.FAILED, False)]
    assert isinstance(host.error, EngineError)


async def test_engine_is_gone_before_the_next_one_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "realtime.server.engine_host")  # what is kept of a log holds the error's frames
    engines = Engines()
    host = EngineHost(a_config(engine_restarts=1), engines, back_off_s=(0.0,))
    host.start()
    engines.gate.release()
    await breaks(host)
    engines.gate.release()
    await until(host, lambda host: host.state is State.READY)
    await host.stop()

    assert engines.left_over == [None]


class Gone(Engines):
    """After the first engine there is none any more, until `is_back`."""

    is_back = False

    def __call__(self, config: Config, progress: Progress) -> Engine:
        if self.made and not self.is_back:
            assert self.gate.acquire(timeout=PATIENCE_S)
            raise ModelError("the folder is gone")
        return super().__call__(config, progress)


async def test_engine_that_cannot_be_loaded_again_says_why_and_is_tried_again() -> None:
    engines = Gone()
    host = EngineHost(a_config(engine_restarts=5), engines, back_off_s=(0.0,))
    host.start()
    engines.gate.release()
    await breaks(host)
    assert host.away is not None and (host.away.reason, host.away.tries) == ("broken", 0)
    since_ns = host.away.since_ns
    for tries in (1, 2):
        engines.gate.release()
        await until(host, lambda host, tries=tries: host.away is not None and host.away.tries == tries)
        assert (host.away.reason, host.away.since_ns) == ("the folder is gone", since_ns)
        assert host.state is State.AWAY
    engines.is_back = True
    engines.gate.release()
    engines.gate.release()
    await until(host, lambda host: host.state is State.READY)
    await host.stop()

    assert (host.away, host.error) == (None, None)


async def test_engine_that_cannot_be_loaded_again_as_often_as_is_allowed_fails() -> None:
    engines = Gone()
    host = EngineHost(a_config(engine_restarts=2), engines, back_off_s=(0.0,))
    host.start()
    for _ in range(3):
        engines.gate.release()
    await breaks(host)
    await until(host, lambda host: host.state is State.FAILED)

    assert isinstance(host.error, ModelError)


@pytest.mark.parametrize(
    ("fields", "often"), [({}, 0), ({"engine_process": True}, 9), ({"engine_process": True, "engine_restarts": 1}, 1)]
)
def test_engine_with_a_process_is_loaded_again_without_end_by_default(fields: dict[str, Any], often: int) -> None:
    restarts = EngineHost(a_config(**fields))._restarts

    assert sum(restarts.next_s(0.0) is not None for _ in range(9)) == often


def test_engine_that_breaks_in_a_row_is_loaded_later_each_time() -> None:
    restarts = EngineHost(a_config(engine_restarts=9))._restarts

    waits_s = [restarts.next_s(lived_s) for lived_s in (100.0, 1.0, 0.0, 1.0, 1.0, SETTLED_S, 0.0)]

    assert waits_s == [0, 1, 2, 4, 4, 0, 1]


async def test_broken_engine_that_cannot_be_closed_either_is_replaced_all_the_same() -> None:
    class Stuck(ScriptedEngine):
        def close(self) -> None:
            raise OSError("nothing to close")

    made = [Stuck(), ScriptedEngine()]
    host = EngineHost(a_config(engine_restarts=1), lambda config, progress: made.pop(0), back_off_s=(0.0,))
    host.start()
    await breaks(host)
    await until(host, lambda host: host.state is State.READY)
    await host.stop()

    assert host.error is None


async def test_host_that_is_stopped_while_an_engine_is_replaced_stays_stopped() -> None:
    engines = Engines()
    host = EngineHost(a_config(engine_restarts=1), engines, back_off_s=(0.0,))
    host.start()
    engines.gate.release()
    await breaks(host)
    await host.stop()
    engines.gate.release()
    await asyncio.to_thread(host._thread.join, PATIENCE_S)

    assert host.state is State.STOPPED
    assert not host._thread.is_alive()
    assert host.error is None


async def breaks_with(host: EngineHost, sessions: int) -> None:
    """As `breaks`, with a frame of each of so many sessions."""
    await until(host, lambda host: host.state is State.READY)
    assert host.life is not None
    engine: Any = host.life.engine
    engine.tick_error = EngineError("broken")
    for number in range(sessions):
        session = Session(f"s{number}", Params(), 2**22)
        host.life.scheduler.add(session)
        session.offer(session.attach(lambda: None), a_frame())
    host.life.scheduler.ring()
    await until(host, lambda host: host.state is not State.READY)


class OnRungs:
    """Loads engines on the fastest of two rungs that is not to be avoided."""

    def __init__(self) -> None:
        self.avoided: list[tuple[str, ...]] = []

    def __call__(self, config: Config, progress: Progress) -> Engine:
        self.avoided.append(config.avoid_rungs)
        engine = ScriptedEngine()
        name = next(name for name in ("openvino", "eager") if name not in config.avoid_rungs)
        engine.info = replace(engine.info, rung=RungState(name, name, avoided=config.avoid_rungs))
        return engine


async def test_engine_that_breaks_twice_on_a_rung_is_loaded_without_it_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load, away = OnRungs(), list[str]()
    host = EngineHost(a_config(engine_restarts=4), load, back_off_s=(0.0,))
    host._on_life = lambda life: away.append(host.away.reason) if host.away is not None else None
    host.start()
    for _ in range(3):  # both sessions' frames, the first's alone, the second's alone
        await breaks_with(host, 2)
    await until(host, lambda host: host.state is State.READY)

    assert load.avoided == [(), (), (), ("openvino",)]
    assert away == ["broken", "broken", "broken; again on openvino, so the next engine goes without it"]
    assert "engines broke again on openvino: it is left out from now on" in caplog.messages
    assert host.life is not None and host.life.engine.info.rung.avoided == ("openvino",)
    await host.stop()


async def test_rung_is_not_blamed_for_what_one_sessions_frames_break() -> None:
    load = OnRungs()
    host = EngineHost(a_config(engine_restarts=4), load, back_off_s=(0.0,))
    host.start()
    await breaks_with(host, 1)
    await breaks_with(host, 1)
    await until(host, lambda host: host.state is State.READY)

    assert load.avoided == [(), (), ()]
    await host.stop()

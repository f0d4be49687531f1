"""Several engines: where sessions are put, and where they go when an engine breaks or is drained."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.errors import EngineError, ModelError
from realtime.frame import Job
from realtime.params import Params
from realtime.scheduling import seats
from realtime.server import placement
from realtime.server.engine_state import State
from realtime.server.placement import NotNow, Placement
from realtime.server.worker import Worker
from realtime.session import Session
from tests.fakes.frames import a_frame
from tests.fakes.servers import a_config
from tests.fakes.waiting import PATIENCE_S, until


class Fleet:
    """Loads the engines of the devices `cuda:0`, `cuda:1` and so on, and breaks them when a test says so.

    Attributes:
        held: devices whose engine is not loaded until `let`.
        gone: devices that have none.
        left_over: devices whose engine was still in memory when the one after it was loaded.
        forgotten: by device, the names of sessions that its engine was told to forget.
        rows, tick_ms: of each tick.
    """

    def __init__(self) -> None:
        self.held: dict[str, threading.Event] = {}
        self.gone: set[str] = set()
        self.forgotten: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self.seen: list[tuple[str, str]] = []  # device and session of each frame
        self.left_over: list[str] = []
        self.rows, self.tick_ms = 8, 2.0
        self._made: dict[str, weakref.ref[Engine]] = {}
        self._broken: dict[str, str] = {}

    def __call__(self, config: Config, progress: Progress) -> Engine:
        name, fleet = config.devices, self
        if (gate := self.held.get(name)) is not None:
            assert gate.wait(PATIENCE_S)
        if name in self._made and self._made[name]() is not None:
            self.left_over.append(name)
        if name in self.gone:
            raise ModelError(f"{name} has no memory left")

        def fault(job: Job) -> None:
            fleet.seen.append((name, job.session))
            if fleet._broken.get(name) in ("", job.session):
                del fleet._broken[name]
                raise EngineError(f"{name} broke")

        class Told(EchoEngine):
            def forget(self, session: str) -> None:
                fleet.forgotten.append((name, session))

            def close(self) -> None:
                fleet.closed.append(name)

        engine = Told(fleet.tick_ms, fleet.rows, fault)
        self._made[name] = weakref.ref(engine)
        return engine

    def break_next(self, name: str, session: str = "") -> None:
        """Break this device's engine at the next frame, of this session or of any, and hold the engine after it."""
        self._broken[name] = session
        self.held[name] = threading.Event()

    def let(self, name: str) -> None:
        self.held.pop(name).set()


class House:
    """A placement, and what it told."""

    def __init__(self, fleet: Fleet, engines: int, **fields: Any) -> None:
        self.told: list[tuple[str, bool]] = []
        devices = ",".join(f"cuda:{index}" for index in range(engines))
        config = a_config(devices=devices, **fields)
        self.placement = Placement(
            config, fleet, on_away=lambda session: self.told.append((session.name, session.is_away)), back_off_s=(0.0,)
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.placement.changed.wait()

    def worker(self, number: int) -> Worker:
        return self.placement.workers[number]


class Guest:
    """A session with a client that waits for the answer to each frame."""

    def __init__(self, house: House, name: str) -> None:
        self.session = Session(name, Params(width=64, height=64, skip_unchanged=False), 2**22)
        self._loop, self._rung, self._seq = asyncio.get_running_loop(), asyncio.Event(), 0
        self.channel = self.session.attach(lambda: self._loop.call_soon_threadsafe(self._rung.set))
        self.placement = house.placement
        house.placement.add(self.session)

    @property
    def at(self) -> int | None:
        worker = self.placement.worker_of(self.session)
        return None if worker is None else worker.number

    def send(self) -> None:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq))

    async def answered(self) -> None:
        """Wait until the newest frame is answered."""
        async with asyncio.timeout(PATIENCE_S):
            while (result := self.channel.outbox.take()) is None or result.order.frame.seq < self._seq:
                await self._rung.wait()
                self._rung.clear()

    async def text(self, kind: str) -> dict[str, Any]:
        """Wait for a text of this type."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for text in map(json.loads, self.channel.take_texts()):
                    if text["type"] == kind:
                        return text
                await self._rung.wait()
                self._rung.clear()

    async def restyle(self) -> None:
        self.send()
        await self.answered()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    return Fleet()


@contextlib.asynccontextmanager
async def serving(fleet: Fleet, engines: int = 2, **fields: Any) -> AsyncGenerator[House]:
    house = House(fleet, engines, **fields)
    house.placement.start()
    try:
        await house.until(lambda: all(worker.open_life is not None for worker in house.placement.workers))
        yield house
    finally:
        for gate in fleet.held.values():
            gate.set()
        await house.placement.stop()


# -- where sessions are put --------------------------------------------------------------------------------------------


async def test_sessions_are_spread_over_engines_that_are_alike(fleet: Fleet) -> None:
    async with serving(fleet, 3) as house:
        guests = [Guest(house, f"s{number}") for number in range(6)]

    assert sorted(str(guest.at) for guest in guests) == ["0", "0", "1", "1", "2", "2"]


async def test_session_is_put_where_it_gets_the_most(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(fleet, 3) as house:
        for worker, rate in zip(house.placement.workers, (5.0, 20.0, 10.0), strict=True):
            assert worker.host.life is not None
            monkeypatch.setattr(worker.host.life.scheduler, "rate_with", lambda newcomers, like=None, rate=rate: rate)
        guests = [Guest(house, f"s{number}") for number in range(4)]

    assert {guest.at for guest in guests} == {1}


async def test_session_stays_where_it_is(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        first, second, third = (Guest(house, name) for name in "abc")
        before = [guest.at for guest in (first, second, third)]
        house.placement.remove(second.session)
        await first.restyle()
        after = [guest.at for guest in (first, second, third)]

    assert before == [0, 1, 0]
    assert after == [0, None, 0]


async def test_rate_of_newcomers_is_that_of_the_slowest_of_them_each_where_it_gets_the_most(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fleet) as house:
        for worker, rate in zip(house.placement.workers, (60.0, 20.0), strict=True):
            assert worker.host.life is not None
            monkeypatch.setattr(
                worker.host.life.scheduler,
                "rate_with",
                lambda newcomers, like=None, rate=rate: rate / max(1, len(newcomers)),
            )
        rates = [house.placement.rate_with([Params()] * number) for number in (0, 1, 2, 4, 8)]

    assert rates == [0.0, 60.0, 30.0, 20.0, 10.0]


# -- engines that break ------------------------------------------------------------------------------------------------


async def test_sessions_of_an_engine_that_breaks_go_on_at_the_other_and_nobody_is_told(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        fleet.break_next("cuda:0")
        await asyncio.gather(*(guest.restyle() for guest in guests))
        states = [worker.state for worker in house.placement.workers]
        where, state = [guest.at for guest in guests], house.placement.state

    assert states == ["away", "ready"]
    assert (where, state) == ([1] * 4, State.READY)
    assert house.told == []


async def test_new_sessions_are_put_at_an_engine_that_is_back_and_the_others_stay(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(2)]
        fleet.break_next("cuda:0")
        await asyncio.gather(*(guest.restyle() for guest in guests))
        fleet.let("cuda:0")
        await house.until(lambda: house.worker(0).open_life is not None)
        late = Guest(house, "late")
        await asyncio.gather(*(guest.restyle() for guest in (*guests, late)))

    assert [guest.at for guest in (*guests, late)] == [1, 1, 0]


def rate_by_number(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine gives its sessions 60 pictures a second together, whatever a busy machine would measure."""
    for worker in house.placement.workers:
        assert worker.host.life is not None
        monkeypatch.setattr(
            worker.host.life.scheduler,
            "rate_with",
            lambda newcomers, like=None, at=worker: 60 / max(1, len(newcomers) + len(house.placement.sessions_at(at))),
        )


async def test_sessions_are_shared_out_to_an_engine_that_is_back_and_stays_and_no_frame_is_lost(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(5)]
        fleet.break_next("cuda:0")
        await asyncio.gather(*(guest.restyle() for guest in guests))
        fleet.let("cuda:0")
        await house.until(lambda: house.worker(0).open_life is not None)
        rate_by_number(house, monkeypatch)
        for guest in guests:
            guest.send()
        house.placement._share_out(house.worker(0))
        await asyncio.gather(*(guest.answered() for guest in guests))
        await house.until(lambda: len(house.placement.sessions_at(house.worker(0))) == 2)
        await asyncio.gather(*(guest.restyle() for guest in guests))

    assert sorted(str(guest.at) for guest in guests) == ["0", "0", "1", "1", "1"]
    assert house.told == []


async def test_two_engines_that_are_back_at_once_both_get_their_share(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fleet, 3) as house:
        guests = [Guest(house, f"s{number}") for number in range(6)]
        fleet.break_next("cuda:0")
        fleet.break_next("cuda:1")
        await asyncio.gather(*(guest.restyle() for guest in guests))
        for name in ("cuda:0", "cuda:1"):
            fleet.let(name)
        await house.until(lambda: all(house.worker(number).open_life is not None for number in (0, 1)))
        rate_by_number(house, monkeypatch)
        house.placement._share_out(house.worker(0))
        house.placement._share_out(house.worker(1))
        await house.until(lambda: all(house.placement.sessions_at(house.worker(number)) for number in (0, 1)))
        await asyncio.gather(*(guest.restyle() for guest in guests))
        left = len(house.placement._leaving)

    assert left == 0


async def test_engines_that_both_broke_have_half_of_the_sessions_each_in_the_end_and_then_nothing_moves(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "NEW_NS", 3600 * 10**9)  # all count as if they sent as much as they can, however slowly
    fleet.rows, fleet.tick_ms = 1, 20.0
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(4)]
        for device, session in (("cuda:0", "s0"), ("cuda:1", "s1")):
            fleet.break_next(device, session)
        for guest in guests:
            guest.send()
        await house.until(lambda: house.placement.state is State.AWAY)
        fleet.let("cuda:1")
        await asyncio.gather(*(guest.answered() for guest in guests))
        for _ in range(5):  # so that it is known what a tick takes
            await asyncio.gather(*(guest.restyle() for guest in guests))
        at_first = [guest.at for guest in guests]
        monkeypatch.setattr(placement, "SHARED_OUT_S", 0.0)
        fleet.let("cuda:0")
        await house.until(lambda: len(house.placement.sessions_at(house.worker(0))) == 2)
        for number in (0, 1, 0, 1):
            house.placement._share_out(house.worker(number))
            await asyncio.gather(*(guest.restyle() for guest in guests))
        await house.until(lambda: not house.placement._leaving)

    assert at_first == [1] * 4
    assert sorted(str(guest.at) for guest in guests) == ["0", "0", "1", "1"]


async def test_newcomers_at_once_are_spread_over_an_engine_that_is_new_and_one_that_is_known(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "NEW_NS", 3600 * 10**9)
    fleet.rows, fleet.tick_ms = 1, 20.0
    async with serving(fleet) as house:
        await house.placement.drain(house.worker(1))
        known = Guest(house, "known")
        for _ in range(5):
            await known.restyle()
        house.placement.start_again(house.worker(1))
        await house.until(lambda: house.worker(1).state == "ready")
        late = [Guest(house, f"late{number}") for number in range(5)]

    assert sorted(str(guest.at) for guest in (known, *late)) == ["0"] * 3 + ["1"] * 3


async def test_an_engine_gets_its_share_once_it_has_run_for_a_while_and_not_if_it_breaks_meanwhile(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fleet) as house:
        shared_out: list[Worker] = []
        monkeypatch.setattr(house.placement, "_share_out", shared_out.append)
        first, second = (Guest(house, name) for name in "ab")
        fleet.break_next("cuda:0")
        await asyncio.gather(first.restyle(), second.restyle())
        waiting = set(house.placement._settling)
        monkeypatch.setattr(placement, "SHARED_OUT_S", 0.0)
        fleet.let("cuda:0")
        await until(lambda: shared_out)

    assert waiting == {1}, "the one that broke waits no longer"
    assert shared_out == [house.worker(0)]


async def test_sessions_that_would_gain_little_stay(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(fleet) as house:
        rate_by_number(house, monkeypatch)
        guests = [Guest(house, f"s{number}") for number in range(9)]
        house.placement.remove(guests[0].session)
        house.placement.remove(guests[1].session)
        house.placement.remove(guests[2].session)
        before = [guest.at for guest in guests]
        house.placement._share_out(house.worker(0))
        await asyncio.gather(*(guest.restyle() for guest in guests[3:]))

    assert [guest.at for guest in guests] == before


async def test_broken_engine_is_gone_before_another_is_loaded_though_its_sessions_are_there(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "realtime.server.engine_host")  # what is kept of a log holds the error's frames
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        fleet.break_next("cuda:0")
        await asyncio.gather(*(guest.restyle() for guest in guests))
        fleet.let("cuda:0")
        await house.until(lambda: house.worker(0).state == "ready")

    assert fleet.left_over == []


async def test_sessions_are_away_while_all_engines_are_and_then_go_on(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(2)]
        fleet.break_next("cuda:0", "s0")  # each by a frame of its own: one that breaks both would be set aside
        fleet.break_next("cuda:1", "s1")
        for guest in guests:
            guest.send()
        await house.until(lambda: house.placement.state is State.AWAY)
        away, told = house.placement.away, sorted(house.told)
        late = Guest(house, "late")
        are_away = [guest.session.is_away for guest in (*guests, late)]
        fleet.let("cuda:1")
        await asyncio.gather(*(guest.answered() for guest in guests))
        await late.restyle()

    assert away is not None and away.reason in ("cuda:0 broke", "cuda:1 broke")
    assert told == [("s0", True), ("s1", True)]
    assert are_away == [True] * 3
    assert {guest.at for guest in (*guests, late)} == {1}
    assert not any(guest.session.is_away for guest in (*guests, late))
    assert house.placement.away is None


async def test_frames_that_break_every_engine_break_two_and_are_set_aside(fleet: Fleet) -> None:
    async with serving(fleet, 3) as house:
        bad, good = Guest(house, "bad"), Guest(house, "good")
        assert (bad.at, good.at) == (0, 1)
        fleet.break_next("cuda:0")
        fleet.break_next("cuda:2")
        bad.send()
        await house.until(lambda: house.worker(2).state == "away")
        await good.restyle()
        refused = await bad.text("error")

    assert refused["code"] == "set_aside"
    assert [name for name, session in fleet.seen if session == "bad"] == ["cuda:0", "cuda:2"]


async def test_engine_that_cannot_be_loaded_at_first_leaves_the_work_to_the_others(fleet: Fleet) -> None:
    fleet.gone.add("cuda:1")
    house = House(fleet, 2)
    house.placement.start()
    await house.until(lambda: [worker.state for worker in house.placement.workers] == ["ready", "failed"])
    await house.until(lambda: house.worker(1).host.is_closed)
    guests = [Guest(house, f"s{number}") for number in range(2)]
    await asyncio.gather(*(guest.restyle() for guest in guests))
    state, reason = house.placement.state, house.worker(1).reason
    fleet.gone.clear()
    house.placement.start_again(house.worker(1))
    await house.until(lambda: house.worker(1).state == "ready")
    late = Guest(house, "late")
    await house.placement.stop()

    assert (state, reason) == (State.READY, "cuda:1 has no memory left")
    assert [guest.at for guest in (*guests, late)] == [0, 0, 1]


async def test_server_fails_when_no_engine_can_be_loaded(fleet: Fleet) -> None:
    fleet.gone |= {"cuda:0", "cuda:1"}
    house = House(fleet, 2)
    house.placement.start()
    async with asyncio.timeout(PATIENCE_S):
        await house.placement.ended.wait()
    await house.placement.stop()

    assert house.placement.state is State.FAILED
    assert isinstance(house.placement.error, ModelError)


# -- draining ----------------------------------------------------------------------------------------------------------


async def test_drained_engine_is_closed_behind_its_last_frames_and_its_sessions_go_on(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        guests = [Guest(house, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        for guest in guests:
            guest.send()
        await house.placement.drain(house.worker(0))
        states, closed = [worker.state for worker in house.placement.workers], list(fleet.closed)
        await asyncio.gather(*(guest.answered() for guest in guests))
        await asyncio.gather(*(guest.restyle() for guest in guests))

    assert states == ["drained", "ready"]
    assert closed == ["cuda:0"]
    assert [guest.at for guest in guests] == [1] * 4
    assert sorted(fleet.forgotten) == [("cuda:0", "s0"), ("cuda:0", "s2")]
    assert sum(guest.session.stats.dropped.total() for guest in guests) == 0
    assert house.told == []


async def test_no_session_is_put_at_an_engine_that_is_drained_until_it_is_started_again(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        await house.placement.drain(house.worker(0))
        first = Guest(house, "a")
        house.placement.start_again(house.worker(0))
        await house.until(lambda: house.worker(0).state == "ready")
        second = Guest(house, "b")
        await asyncio.gather(first.restyle(), second.restyle())

    assert (first.at, second.at) == (1, 0)


async def test_engine_is_not_drained_while_no_other_is_ready(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        guest = Guest(house, "a")
        await house.placement.drain(house.worker(1))
        with pytest.raises(NotNow, match="no other engine"):
            await house.placement.drain(house.worker(0))
        with pytest.raises(NotNow, match="ready"):
            house.placement.start_again(house.worker(0))
        await guest.restyle()

    assert guest.at == 0


async def test_session_that_ends_and_an_engine_that_breaks_do_not_keep_it_from_being_drained(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        over, other, moving = (Guest(house, name) for name in ("over", "other", "moving"))
        assert [guest.at for guest in (over, other, moving)] == [0, 1, 0]
        fleet.break_next("cuda:0")
        moving.send()
        draining = asyncio.create_task(house.placement.drain(house.worker(0)))
        await asyncio.sleep(0)
        house.placement.remove(over.session)
        fleet.let("cuda:0")  # it may have broken before it was drained, and its next engine is under way
        async with asyncio.timeout(PATIENCE_S):
            await draining
        await moving.answered()

    assert moving.at == 1


async def test_stop_ends_what_drains(fleet: Fleet) -> None:
    async with serving(fleet) as house:
        Guest(house, "a")
        draining = asyncio.create_task(house.placement.drain(house.worker(0)))
        await asyncio.sleep(0)
        await house.placement.stop()
        async with asyncio.timeout(PATIENCE_S):
            await draining

    assert house.placement.state is State.STOPPED

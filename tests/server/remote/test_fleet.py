"""A server whose engines are on other machines: workers that join, freeze, die, leave and come back. Without Ray."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import cv2
import numpy as np
import pytest

from realtime.config import Config
from realtime.errors import EngineError
from realtime.frame import Air, Format, Frame, Job
from realtime.params import Params
from realtime.planes import Planes
from realtime.server.engine_host import Load
from realtime.server.engine_state import State
from realtime.server.placement import NotNow, Placement
from realtime.server.remote import fleet
from realtime.server.remote.fleet import Fleet
from realtime.server.remote.worker_actor import WorkerActor
from realtime.server.worker import Worker
from realtime.session import Session
from tests.fakes.checked import CheckedEcho, load_checked
from tests.fakes.frames import a_frame
from tests.fakes.links import DirectLink, echo_of
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import a_config
from tests.fakes.waiting import PATIENCE_S, until


def checked_of(config: Config) -> Load:
    """Chooses an engine whose pictures are checked."""
    return load_checked


class Machines:
    """A cluster in this process, with a placement before it."""

    def __init__(self, **fields: Any) -> None:
        self.config: Config = a_config(ray="nowhere:1", **fields)
        self.told: list[tuple[str, bool]] = []
        self.links: dict[str, DirectLink] = {}
        self.placement = Placement(
            self.config, on_away=lambda session: self.told.append((session.name, session.is_away))
        )
        self.clock_s = 0.0
        self.fleet = Fleet(self, self.config, self.placement, lambda: self.clock_s)

    def find(self) -> dict[str, DirectLink]:
        return dict(self.links)

    async def add(self, name: str, **options: Any) -> Worker:
        """Start a worker, and wait until it is ready."""
        loader = checked_of if self.config.frame_checker is not None else echo_of(**options)
        self.links[name] = DirectLink(WorkerActor("cpu", loader=loader))
        await self.see()
        worker = self.worker(name)
        await self.until(lambda: worker.host.life is not None)
        return worker

    async def see(self) -> None:
        await self.fleet.see(self.find())

    def worker(self, name: str) -> Worker:
        return next(worker for worker in self.placement.workers if worker.name == name)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.placement.changed.wait()


class Guest:
    """A session with a client that waits for the answer to each frame."""

    def __init__(self, machines: Machines, name: str, **params: Any) -> None:
        self.session = Session(name, Params(width=64, height=64, skip_unchanged=False, **params), 2**22)
        self._loop, self._rung, self._seq = asyncio.get_running_loop(), asyncio.Event(), 0
        self.connect()
        self.placement = machines.placement
        machines.placement.add(self.session)

    def connect(self, *, takes_encoded: bool = True) -> None:
        self.channel = self.session.attach(
            lambda: self._loop.call_soon_threadsafe(self._rung.set), takes_encoded=takes_encoded
        )

    @property
    def at(self) -> str | None:
        worker = self.placement.worker_of(self.session)
        return None if worker is None else worker.name

    def send(self, data: bytes | None = None) -> None:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq, data))

    async def answered(self) -> Any:
        """Wait until the newest frame is answered."""
        async with asyncio.timeout(PATIENCE_S):
            while (result := self.channel.outbox.take()) is None or result.order.frame.seq < self._seq:
                await self._rung.wait()
                self._rung.clear()
            return result

    async def restyle(self) -> Any:
        self.send()
        return await self.answered()

    async def refused(self, data: bytes) -> str:
        """Send a picture; the code with which it is refused."""
        self.channel.take_texts()
        self.send(data)
        while (error := await self.text("error")).get("seq") != self._seq:
            pass
        return error["code"]

    async def text(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for text in map(json.loads, self.channel.take_texts()):
                    if text["type"] == kind:
                        return text
                await self._rung.wait()
                self._rung.clear()


@contextlib.asynccontextmanager
async def machines_of(*names: str, **fields: Any) -> AsyncGenerator[Machines]:
    machines = Machines(**fields)
    machines.placement.start()
    try:
        for name in names:
            await machines.add(name)
        yield machines
    finally:
        await machines.placement.stop()
        for link in machines.links.values():
            await link.actor.end()


# -- frames ------------------------------------------------------------------------------------------------------------


async def test_frame_comes_back_as_a_picture_from_another_machine() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        result = await guest.restyle()
        stages = result.stamps.durations_ms()

    assert (result.format.name, result.data[:3]) == ("JPEG", b"\xff\xd8\xff")
    assert (result.picture.shape, result.job.input.shape) == ((64, 64, 3), (64, 64, 3))
    assert result.stamps.received_ns == 0 < result.stamps.queue <= result.stamps.decode <= result.stamps.encode
    assert stages["denoise"] > 0


async def test_client_that_takes_video_gets_pixels() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        guest.connect(takes_encoded=False)
        result = await guest.restyle()

    assert (result.data, result.picture.shape) == (b"", (64, 64, 3))


async def test_video_crosses_encoded_there_and_back() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        guest.connect(takes_encoded=False)
        luma, chroma = np.full((64, 64), 150, np.uint8), np.full((32, 32), 128, np.uint8)
        guest.session.offer(guest.channel, Frame(1, Format.PLANES, Planes(luma, chroma, chroma), 0, 0))
        guest._seq = 1
        result = await guest.answered()

    grey = round((150 - 16) * 255 / 219)
    assert (result.order.frame.format, result.data) == (Format.JPEG, b"")
    assert np.abs(result.picture.astype(int) - grey).max() <= 3


async def test_transparency_of_what_was_drawn_comes_back() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s", matte="drawn", beyond="key")
        drawn = np.zeros((64, 64, 4), np.uint8)
        drawn[:32] = (40, 80, 120, 255)
        _, png = cv2.imencode(".png", drawn)
        guest.session.offer(guest.channel, Frame(1, Format.PNG, png.tobytes(), 0, 0))
        guest._seq = 1
        result = await guest.answered()

    assert result.key[:28].min() > 240
    assert result.key[36:].max() < 16


async def test_unchanged_frame_is_answered_by_a_repeat() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        guest.session.update({"skip_unchanged": True})
        await guest.restyle()
        guest.session.offer(guest.channel, a_frame(2, a_frame(1).data))
        await until(lambda: guest.session.stats.repeated == 1)


async def test_bad_frame_is_refused_in_words_and_the_next_one_runs() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        guest.session.offer(guest.channel, a_frame(1, b"\xff\xd8\xffno picture"))
        error = await guest.text("error")
        guest._seq = 1
        await guest.restyle()

    assert (error["code"], error["seq"]) == ("invalid_frame", 1)


async def test_newest_of_many_frames_is_answered_and_every_other_is_dropped_once() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        for _ in range(30):
            guest.send()
            await asyncio.sleep(0)
        await guest.answered()
        stats = guest.session.stats

        def settled() -> int:
            return sum(stats.dropped.values()) + len(stats._latencies_ms)

        await until(lambda: settled() == 30)


async def test_new_connection_of_a_session_is_answered_by_itself() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        await guest.restyle()
        guest.send()
        guest.connect()
        guest._seq = 0
        result = await guest.restyle()

    assert result.order.frame.seq == 1


async def test_sessions_that_come_at_once_do_not_all_go_to_a_worker_that_has_measured_nothing() -> None:
    async with machines_of("a-0") as machines:
        first = Guest(machines, "first")
        for _ in range(5):
            await first.restyle()
        await until(lambda: bool(machines.fleet._measured))
        await machines.add("b-0")
        guests = [Guest(machines, f"s{number}") for number in range(9)]

    assert sorted(str(guest.at) for guest in (first, *guests)) == ["a-0"] * 5 + ["b-0"] * 5


# -- workers that come and go ------------------------------------------------------------------------------------------


async def test_server_waits_for_its_first_worker_and_is_ready_with_it() -> None:
    async with machines_of() as machines:
        before, stage = machines.placement.state, machines.placement.stage.name
        await machines.add("a-0")
        after = machines.placement.state

    assert (before, after) == (State.LOADING, State.READY)
    assert "realtime worker" in stage


async def test_sessions_are_spread_over_machines_and_rates_are_those_that_were_measured_there() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guests = [Guest(machines, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))

    assert sorted(str(guest.at) for guest in guests) == ["a-0", "a-0", "b-0", "b-0"]


async def test_frozen_worker_is_lost_its_sessions_go_on_elsewhere_and_nobody_is_told() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guests = [Guest(machines, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        machines.links["a-0"].is_frozen = True
        await asyncio.gather(*(guest.restyle() for guest in guests))
        where, state, reason = [guest.at for guest in guests], *_of(machines.worker("a-0"))

    assert where == ["b-0"] * 4
    assert (state, reason) == ("away", "the worker a-0 gives no sign of life")
    assert machines.told == []


def _of(worker: Worker) -> tuple[str, str | None]:
    return worker.state, worker.reason


async def test_worker_that_thaws_takes_sessions_again_and_what_it_had_does_not_come_twice() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guest = Guest(machines, "s")
        await guest.restyle()
        frozen = machines.links[str(guest.at)]
        frozen.is_frozen = True
        await guest.restyle()
        frozen.thaw()
        await machines.until(lambda: all(worker.host.life is not None for worker in machines.placement.workers))
        made = len(guest.session.stats._latencies_ms)
        late = [Guest(machines, f"late{number}") for number in range(3)]
        await asyncio.gather(*(one.restyle() for one in late))

    assert made == 2
    assert {"a-0", "b-0"} == {one.at for one in (guest, *late)}


async def test_frame_that_went_to_a_worker_that_was_silent_already_is_not_to_blame_for_it() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        await guest.restyle()
        await machines.add("b-0")
        guest.send()
        for name in ("a-0", "b-0"):
            machines.links[name].is_frozen = True
            await asyncio.sleep(0.4)  # so that one is lost before the other, and its frame goes there
        guest.send()
        await machines.until(lambda: all(worker.host.life is None for worker in machines.placement.workers))
        for link in machines.links.values():
            link.thaw()
        result = await guest.restyle()

    assert result.format is Format.JPEG


async def test_killed_worker_is_lost_and_joins_again_as_another_process() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guests = [Guest(machines, f"s{number}") for number in range(2)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        link = machines.links["a-0"]
        link.die()
        await asyncio.gather(*(guest.restyle() for guest in guests))
        where = {guest.at for guest in guests}
        await link.actor.end()
        link.begin_anew(WorkerActor("cpu", loader=echo_of()))
        await machines.until(lambda: machines.worker("a-0").host.life is not None)

    assert where == {"b-0"}


async def test_sessions_of_the_only_worker_wait_are_told_and_go_on_when_it_is_back() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s")
        await guest.restyle()
        machines.links["a-0"].is_frozen = True
        guest.send()
        await machines.until(lambda: guest.session.is_away)
        state, away = machines.placement.state, machines.placement.away
        machines.links["a-0"].thaw()
        await guest.answered()

    assert (state, away and away.reason) == (State.AWAY, "the worker a-0 gives no sign of life")
    assert machines.told == [("s", True), ("s", False)]


async def test_viewers_see_the_input_while_no_worker_is_there_where_the_session_wants_that() -> None:
    async with machines_of("a-0") as machines:
        guest = Guest(machines, "s", fallback="input")
        await guest.restyle()
        viewer = guest.session.watch(lambda: None)
        viewer.take()
        machines.links["a-0"].is_frozen = True
        await machines.until(lambda: guest.session.is_away)
        guest.send()
        shown: list[Any] = []
        await until(lambda: (taken := viewer.take()) is not None and taken.air is Air.INPUT and not shown.append(taken))

    assert shown[0].order.frame.seq == 2


async def test_engine_that_breaks_there_is_replaced_there_and_sessions_go_on_elsewhere_meanwhile() -> None:
    async with machines_of("b-0", engine_restarts=9) as machines:
        broken: list[str] = []

        def fault(job: Job) -> None:
            if not broken:
                broken.append(job.session)
                raise EngineError("the driver hung")

        worker = await machines.add("a-0", fault=fault)
        guests = [Guest(machines, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        await machines.until(lambda: worker.host.life is not None)

    assert len(broken) == 1
    assert all(guest.session.stats.dropped.total() == 0 for guest in guests)


async def test_process_whose_engine_broke_in_it_ends_as_the_next_one_needs_another() -> None:
    async with machines_of("b-0") as machines:

        def fault(job: Job) -> None:
            raise EngineError("out of memory")

        ended: list[bool] = []
        machines.links["a-0"] = DirectLink(
            WorkerActor("cpu", loader=echo_of(fault=fault), die=lambda: ended.append(True))
        )
        await machines.see()
        await machines.until(lambda: machines.worker("a-0").host.life is not None)
        guests = [Guest(machines, f"s{number}") for number in range(2)]
        await asyncio.gather(*(guest.restyle() for guest in guests))

    assert ended == [True]
    assert {guest.at for guest in guests} == {"b-0"}


async def test_worker_whose_engine_hangs_gives_its_sessions_away_and_ends_where_it_cannot_be_closed() -> None:
    gate = threading.Event()
    ended: list[bool] = []

    def fault(job: Job) -> None:
        if job.params.prompt == "hang":
            gate.wait()

    actor = WorkerActor("cpu", loader=echo_of(fault=fault), die=lambda: ended.append(True))
    try:
        async with machines_of("b-0") as machines:
            machines.links["a-0"] = DirectLink(actor)
            await machines.see()
            await machines.until(lambda: machines.worker("a-0").host.life is not None)
            guests = [Guest(machines, f"s{number}") for number in range(2)]
            await asyncio.gather(*(guest.restyle() for guest in guests))
            before = {guest.at for guest in guests}
            struck = next(guest for guest in guests if guest.at == "a-0")
            struck.session.update({"prompt": "hang"})
            await struck.restyle()
            after, reason = struck.at, machines.worker("a-0").reason
            await actor.end()
    finally:
        gate.set()

    assert (before, after) == ({"a-0", "b-0"}, "b-0")
    assert reason is not None and "no answer for" in reason
    assert ended == [True]


async def test_drained_worker_gives_its_sessions_away_and_closes_its_engine() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guests = [Guest(machines, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        for guest in guests:
            guest.send()
        await machines.placement.drain(machines.worker("a-0"))
        await asyncio.gather(*(guest.answered() for guest in guests))
        where, state = {guest.at for guest in guests}, machines.worker("a-0").state
        status = await machines.links["a-0"].actor.beat(0, -1)
        machines.placement.start_again(machines.worker("a-0"))
        await machines.until(lambda: machines.worker("a-0").host.life is not None)

    assert (where, state, status.state) == ({"b-0"}, "drained", State.STOPPED)
    assert all(guest.session.stats.dropped.total() == 0 for guest in guests)


async def test_last_worker_is_not_drained() -> None:
    async with machines_of("a-0") as machines:
        with pytest.raises(NotNow, match="no other engine is ready"):
            await machines.placement.drain(machines.worker("a-0"))


async def test_worker_that_is_about_to_end_is_drained_and_forgotten() -> None:
    async with machines_of("a-0", "b-0") as machines:
        guests = [Guest(machines, f"s{number}") for number in range(2)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        leaving = asyncio.create_task(machines.links["a-0"].actor.leave())
        while not leaving.done():
            await machines.see()
            await asyncio.sleep(0.01)
        await machines.until(lambda: machines.worker("a-0").state == "drained")
        del machines.links["a-0"]
        await machines.see()
        names = [worker.name for worker in machines.placement.workers]

    assert names == ["b-0"]
    assert {guest.at for guest in guests} == {"b-0"}


async def test_worker_that_does_not_come_back_is_forgotten_after_a_while() -> None:
    async with machines_of("a-0", "b-0") as machines:
        link = machines.links.pop("a-0")
        link.die()
        await machines.until(lambda: machines.worker("a-0").host.life is None)
        await machines.see()
        machines.clock_s = 59.0
        await machines.see()
        still = len(machines.placement.workers)
        machines.clock_s = 61.0
        await machines.see()
        await link.actor.end()

    assert (still, len(machines.placement.workers)) == (2, 1)


async def test_cluster_that_gives_no_answer_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Silent:
        def find(self) -> dict[str, DirectLink]:
            asked.append(1)
            raise EngineError("the head is gone")

    monkeypatch.setattr(fleet, "FIND_EVERY_S", 0.0)
    async with machines_of() as machines:
        running = asyncio.create_task(Fleet(Silent(), machines.config, machines.placement).run())
        await until(lambda: bool(asked))
        for _ in range(100):
            await asyncio.sleep(0.001)
        running.cancel()

    assert len(asked) == 1


async def test_spare_gets_no_session_until_a_worker_is_lost() -> None:
    async with machines_of("a-0", "b-0", "c-0", ray_spares=1) as machines:
        guests = [Guest(machines, f"s{number}") for number in range(4)]
        await asyncio.gather(*(guest.restyle() for guest in guests))
        before = sorted(str(guest.at) for guest in guests)
        spare = [worker.name for worker in machines.placement.spares]
        machines.links["a-0"].is_frozen = True
        await asyncio.gather(*(guest.restyle() for guest in guests))
        after = sorted(str(guest.at) for guest in guests)
        machines.links["a-0"].thaw()
        await machines.until(lambda: machines.worker("a-0").host.life is not None)
        spare_then = [worker.name for worker in machines.placement.spares]

    assert before == ["a-0", "a-0", "b-0", "b-0"]
    assert (spare, spare_then) == (["c-0"], ["a-0"])
    assert set(after) == {"b-0", "c-0"}


async def test_model_that_a_worker_cannot_load_is_said_and_the_server_stays_up() -> None:
    async with machines_of("b-0") as machines:

        def nothing(config: Config) -> Any:
            def load(config: Config, progress: Any) -> Any:
                raise EngineError("this GPU has 2 GB, and the model needs 6")

            return load

        machines.links["a-0"] = DirectLink(WorkerActor("cpu", loader=nothing))
        await machines.see()
        await machines.until(lambda: machines.worker("a-0").state == "failed")
        reason, state = machines.worker("a-0").reason, machines.placement.state

    assert reason == "this GPU has 2 GB, and the model needs 6"
    assert state is State.READY


async def test_other_model_of_a_new_server_replaces_the_engine_and_the_same_one_does_not() -> None:
    async with machines_of("a-0") as machines:
        actor = machines.links["a-0"].actor
        first = actor._host
        order = actor._order
        assert order is not None
        await actor.begin(order)
        same = actor._host
        await actor.begin(order._replace(fields={**order.fields, "max_rows": 1}))
        other = actor._host

    assert first is same
    assert other is not first


async def test_worker_has_the_environment_of_whoever_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as Ray hides the GPUs
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    async with machines_of() as machines:
        seen: list[tuple[str | None, str | None]] = []

        def loader(config: Config) -> Any:
            seen.append((os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("OMP_NUM_THREADS")))
            return echo_of()(config)

        environment = {"CUDA_VISIBLE_DEVICES": "2,3", "OMP_NUM_THREADS": None}
        machines.links["a-0"] = DirectLink(WorkerActor("cpu", environment, loader=loader))
        await machines.see()
        await machines.until(lambda: machines.worker("a-0").host.life is not None)

    assert seen == [("2,3", None)]


# -- the frame checker ---------------------------------------------------------------------------------------------

SAFE, DOUBTFUL, UNSAFE = a_plain_jpeg(51), a_plain_jpeg(128), a_plain_jpeg(250)
"""Scores of 0.2, 0.5 and 0.98: between the thresholds 0.4 and 0.6 what was held stays so."""


@pytest.mark.parametrize("fate", ["is drained", "dies", "freezes"])
async def test_pictures_that_a_worker_held_are_held_by_the_next_one_until_one_is_safe(fate: str) -> None:
    async with machines_of("a-0", "b-0", frame_checker="a/checker") as machines:
        guest = Guest(machines, "s")
        codes = [await guest.refused(UNSAFE)]
        first = str(guest.at)
        match fate:
            case "is drained":
                await machines.placement.drain(machines.worker(first))
            case "dies":
                machines.links[first].die()
            case _:
                machines.links[first].is_frozen = True
        codes += [await guest.refused(DOUBTFUL), await guest.refused(DOUBTFUL)]
        where = guest.at
        guest.send(SAFE)
        await guest.answered()
        guest.send(DOUBTFUL)
        await guest.answered()

    assert where not in (None, first)
    assert codes == ["unsafe"] * 3


async def test_what_was_unsafe_before_the_checker_failed_is_held_by_the_next_worker() -> None:
    async with machines_of("a-0", "b-0", frame_checker="a/checker") as machines:
        guest = Guest(machines, "s")
        codes = [await guest.refused(UNSAFE)]
        first = machines.links[str(guest.at)]
        host = first.actor._host
        assert host is not None and host.life is not None and isinstance(host.life.engine, CheckedEcho)
        host.life.engine.score = lambda job: None
        codes.append(await guest.refused(SAFE))
        first.die()
        codes.append(await guest.refused(DOUBTFUL))

    assert codes == ["unsafe", "unchecked", "unsafe"]


async def test_session_that_was_not_held_moves_as_one_that_is_not() -> None:
    async with machines_of("a-0", "b-0", frame_checker="a/checker") as machines:
        guest = Guest(machines, "s")
        guest.send(SAFE)
        await guest.answered()
        machines.links[str(guest.at)].die()
        guest.send(DOUBTFUL)
        result = await guest.answered()

    assert result.format is Format.JPEG

"""Engines that die under live clients: sessions stay on their connections, and every frame is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import signal
import threading
from collections.abc import AsyncGenerator, Iterator

import numpy as np
import pytest
from PIL import Image

from realtime.client import connect
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine_process.engine import EngineProcess
from realtime.errors import EngineError
from realtime.frame import Job
from tests.fakes.faulty import in_a_process
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.losing import Inverting, grey, losing, see
from tests.server.peer import Peer, connected, dialled, http_client

FRAMES = 60
pytestmark = pytest.mark.slow


@contextlib.contextmanager
def serving() -> Iterator[RunningServer]:
    with running(a_config(model="echo:5", engine_process=True), in_a_process()) as server:
        yield server


def pid_of(server: RunningServer) -> int | None:
    """The process of the engine; None while it is away."""
    life = server.service.host.life  # looked at once: it belongs to another thread
    if life is None:
        return None
    assert isinstance(life.engine, EngineProcess)
    return life.engine.pid


async def strike(server: RunningServer, how: int) -> None:
    """Send the engine's process a signal, and wait until there is another."""
    pid = pid_of(server)
    assert pid is not None
    os.kill(pid, how)
    await until(lambda: pid_of(server) not in (None, pid))


class Sender:
    """A client that keeps two frames out, and knows what became of each."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.fates: dict[int, str] = {}
        self.answered = 0
        self._sent = 0
        self._settled = asyncio.Event()

    async def send(self, frames: int) -> None:
        """Send so many frames, and wait until each has its fate."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            while self._sent < frames:
                while self._sent - len(self.fates) >= 2:
                    self._settled.clear()
                    await self._settled.wait()
                self._sent += 1
                await self.peer.websocket.send(a_message(self._sent))
            while len(self.fates) < frames:
                self._settled.clear()
                await self._settled.wait()
            reading.cancel()

    async def _read(self) -> None:
        while True:
            message = await self.peer.receive()
            if isinstance(message, dict):
                if message["type"] == "dropped":
                    self.fates |= dict.fromkeys(message["seqs"], message["reason"])
            else:
                assert message.seq not in self.fates
                self.fates[message.seq] = "answered"
                self.answered = message.seq
            self._settled.set()


@contextlib.asynccontextmanager
async def senders(server: RunningServer, number: int = 4) -> AsyncGenerator[list[Sender]]:
    async with contextlib.AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(connected(server.websocket_url, session=f"s{i}")) for i in range(number)
        ]
        yield [Sender(peer) for peer in peers]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV])
async def test_sessions_live_on_when_the_engine_is_killed_and_when_it_hangs(how: signal.Signals) -> None:
    with serving() as server:
        async with senders(server) as clients:
            sending = asyncio.gather(*(client.send(FRAMES) for client in clients))
            for part in (3, 2):
                await until(lambda part=part: all(client.answered > FRAMES // (2 * part) for client in clients))
                await strike(server, how)
            async with asyncio.timeout(PATIENCE_S):
                await sending

    for client in clients:
        assert sorted(client.fates) == list(range(1, FRAMES + 1))
        assert set(client.fates.values()) <= {"answered", "engine_restarted", "superseded"}
        assert client.fates[FRAMES] == "answered"


@pytest.mark.parametrize("prompt", ["abort", "null", "memory", "hang", "exit"])
async def test_session_whose_frames_break_every_engine_is_set_aside_and_the_others_live_on(prompt: str) -> None:
    with serving() as server:
        async with senders(server) as (bad, *good):
            await bad.peer.patch(prompt=prompt)
            sending = asyncio.gather(*(client.send(FRAMES) for client in good))
            await bad.peer.websocket.send(a_message(1))
            refused = await bad.peer.text("error")
            async with asyncio.timeout(PATIENCE_S):
                await sending
            await bad.peer.patch(prompt="ink")
            answer = await bad.peer.restyle(2)

    assert (refused["code"], refused["seq"]) == ("set_aside", 1)
    assert all(client.fates[FRAMES] == "answered" for client in good)
    assert answer.seq == 2


async def test_frames_that_are_no_numbers_for_ever_are_refused_one_by_one() -> None:
    with serving() as server:
        async with senders(server, 2) as (bad, good):
            await bad.peer.patch(prompt="nan")
            before = pid_of(server)
            sending = asyncio.gather(good.send(FRAMES))
            for seq in range(1, 10):
                await bad.peer.websocket.send(a_message(seq))
                assert (await bad.peer.text("error"))["code"] == "nan"
            await sending
            after = pid_of(server)

    assert before == after
    assert good.fates[FRAMES] == "answered"


async def test_engine_that_makes_no_numbers_any_more_is_replaced_and_every_frame_is_answered() -> None:
    with serving() as server:
        async with senders(server) as (sick, *others):
            before = pid_of(server)
            sending = asyncio.gather(*(client.send(FRAMES) for client in others))
            await until(lambda: all(client.answered for client in others))
            await sick.peer.patch(prompt="sick")
            await sick.peer.websocket.send(a_message(1))
            await sick.peer.text("status", engine="away")
            await sick.peer.patch(prompt="ink")
            async with asyncio.timeout(PATIENCE_S):
                await sending
            after = pid_of(server)

    assert before != after
    for client in others:
        assert set(client.fates.values()) <= {"answered", "invalid", "engine_restarted", "superseded"}
        assert client.fates[FRAMES] == "answered"


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_nobody_is_set_aside_for_a_signal_that_the_engine_gets(how: str) -> None:
    with serving() as server:
        async with senders(server, 1) as (client,):
            await client.peer.patch(prompt=how)
            await client.peer.websocket.send(a_message(1))
            for _ in range(3):
                await client.peer.text("status", engine="away")
            await client.peer.patch(prompt="ink")
            answer = await client.peer.picture()

    assert answer.seq == 1
    assert not [text for text in client.peer.texts if text.get("code") == "set_aside"]


async def test_engine_that_dies_while_nobody_sends_is_replaced() -> None:
    with serving() as server:
        async with senders(server, 1) as (client,):
            await strike(server, signal.SIGKILL)
            answer = await client.peer.restyle(1)

    assert answer.seq == 1


# -- never black -------------------------------------------------------------------------------------------------------


class OneThenAnother:
    """Loads an engine that breaks at the prompt "break", and when the gate is open one that doesn't."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._loaded = itertools.count()

    def __call__(self, config: Config, progress: Progress) -> Engine:
        def fault(job: Job) -> None:
            if job.params.prompt == "break":
                raise EngineError("it broke")

        if next(self._loaded) == 0:
            return Inverting(fault=fault)
        assert self.gate.wait(PATIENCE_S)
        return Inverting()


@contextlib.asynccontextmanager
async def away(fallback: str) -> AsyncGenerator[tuple[RunningServer, Peer, Peer, threading.Event]]:
    """A server, a client and a viewer, whose engine has just broken; the event lets the next come."""
    load = OneThenAnother()
    async with losing(load, load.gate, prompt="break", fallback=fallback, engine_restarts=1) as (server, peer, viewer):
        yield server, peer, viewer, load.gate


async def test_all_are_told_that_the_engine_is_away_and_that_it_is_back() -> None:
    async with away("last") as (server, peer, viewer, gate), http_client(server.url) as http:
        told = [await one.text("status") for one in (peer, viewer)]
        probes = [(await http.get(path)).status_code for path in ("/readyz", "/healthz")]
        gate.set()
        back = [await one.text("status") for one in (peer, viewer)]
        answer = await peer.picture()

    for status in told:
        assert (status["engine"], status["reason"]) == ("away", "it broke")
        assert 0 <= status["expected_s"] < PATIENCE_S
    assert probes == [503, 200]
    assert [status["engine"] for status in back] == ["ready", "ready"]
    assert (answer.seq, grey(answer)) == (2, 55)


async def test_black_and_bypass_act_while_the_engine_is_away() -> None:
    async with away("last") as (_, peer, viewer, _):
        await peer.text("status", engine="away")
        for command, value in (("black", 0), ("bypass", 200), ("on_air", 55)):
            await peer.say(type="command", command=command)
            await see(viewer, value)


async def test_who_watches_sees_the_input_where_the_session_wants_that_and_its_newest_frame_is_answered() -> None:
    async with away("input") as (_, peer, viewer, gate):
        await see(viewer, 200)
        for seq, value in ((3, 100), (4, 150)):
            await peer.websocket.send(a_message(seq, a_plain_jpeg(value)))
            await see(viewer, value)
        dropped = [await peer.text("dropped")]
        while sum(len(message["seqs"]) for message in dropped) < 2:
            dropped.append(await peer.text("dropped"))
        await peer.websocket.send(a_message(5, b"\xff\xd8\xff no picture"))
        refused = await peer.text("error")
        gate.set()
        answer = await peer.picture()
        await see(viewer, 105)

    assert sorted(seq for message in dropped for seq in message["seqs"]) == [2, 3]
    assert {message["reason"] for message in dropped} == {"engine_restarted"}
    assert (refused["code"], refused["seq"]) == ("invalid_frame", 5)
    assert (answer.seq, grey(answer)) == (4, 105)


async def test_who_watches_sees_a_slate_where_the_session_wants_that_and_then_the_picture_again() -> None:
    async with away("slate") as (server, peer, viewer, gate):
        await see(viewer, 45)
        async with dialled(f"{server.websocket_url}?watch=s") as late, http_client(server.url) as http:
            await see(late, 45)
            snapshot = (await http.get("/api/sessions/s/snapshot")).content
        await peer.websocket.send(a_message(3, a_plain_jpeg(100)))
        gate.set()
        await see(viewer, 155)

    assert abs(float(np.asarray(Image.open(io.BytesIO(snapshot))).mean()) - 55) <= 3


async def test_python_client_goes_on_by_itself() -> None:
    said: list[str] = []
    with serving() as server:
        async with connect(server.websocket_url, on_message=lambda message: said.append(message["type"])) as stream:
            await stream.restyle(a_plain_jpeg(100))
            pid = pid_of(server)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: bool(stream.away))
            reason = stream.away
            picture = await stream.restyle(a_plain_jpeg(120))
            await until(lambda: not stream.away)

    assert "was killed" in reason
    assert picture.seq == 2
    assert said.count("status") >= 2

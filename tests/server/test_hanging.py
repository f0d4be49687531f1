"""An engine in a thread of the server that gives no answer: seen, said, lived with, given up where it never comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from realtime.client import connect
from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.frame import Failure, Job, Result
from realtime.params import Params
from realtime.server import engine_host
from realtime.server.engine_host import EngineHost
from realtime.server.engine_state import State
from realtime.session import Session
from tests.fakes.frames import a_frame, a_message
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import RunningServer, a_config, running, serving
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.losing import Inverting, losing, see
from tests.server.peer import Peer, connected, dialled, http_client

pytestmark = pytest.mark.slow


class Hanging(Inverting):
    """Hangs at the prompt "hang", in a tick or behind it, until the gate is open."""

    def __init__(self, gate: threading.Event, *, in_collect: bool = False) -> None:
        super().__init__()
        self._gate = gate
        self._in_collect = in_collect

    def _admit(self, job: Job) -> Result | Failure:
        result = super()._admit(job)
        if job.params.prompt == "hang":
            if self._in_collect:
                self._device_free_ns = time.monotonic_ns() + 10**15
            else:
                self._gate.wait()
        return result


class Gate:
    """Loads an engine that hangs until the gate is open."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, config: Config, progress: Progress) -> Engine:
        return Hanging(self.open)


@contextlib.asynccontextmanager
async def hanging(fallback: str = "last") -> AsyncGenerator[tuple[RunningServer, Peer, Peer, threading.Event]]:
    """A server, a client and a viewer, whose engine hangs since now; the event lets it go on."""
    gate = Gate()
    async with losing(gate, gate.open, prompt="hang", fallback=fallback) as (server, peer, viewer):
        yield server, peer, viewer, gate.open


async def metric(server: RunningServer, name: str) -> str:
    async with http_client(server.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return next(line.split()[-1] for line in lines if line.startswith(name))


async def test_hang_is_told_to_all_and_so_is_its_end() -> None:
    async with hanging() as (server, peer, viewer, gate), http_client(server.url) as http:
        told = [await one.text("status") for one in (peer, viewer)]
        ready = await http.get("/readyz")
        alive = await http.get("/healthz")
        numbers = [await metric(server, name) for name in ("realtime_ready", "realtime_worker_ready")]
        workers = (await http.get("/api/workers")).json()["workers"]
        async with dialled(server.websocket_url) as newcomer:
            first = await newcomer.receive()
        await peer.patch(prompt="ink")
        gate.set()
        back = [await one.text("status") for one in (peer, viewer)]
        answer = await peer.picture()
        ready_again = await http.get("/readyz")

    for status in told:
        assert status["engine"] == "away"
        assert "no answer for" in status["reason"]
        assert 0 < status["expected_s"] <= engine_host.HANGING_S
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert "no answer for" in ready.text
    assert numbers == ["0.0", "0.0"]
    assert [(one["state"], "no answer for" in one["reason"]) for one in workers] == [("away", True)]
    assert isinstance(first, dict) and first["type"] == "loading"
    assert [status["engine"] for status in back] == ["ready", "ready"]
    assert (answer.seq, ready_again.status_code) == (2, 200)


async def test_every_frame_of_a_hang_is_accounted_for_and_the_newest_is_answered_behind_it() -> None:
    async with hanging() as (_, peer, _, gate):
        await peer.text("status", engine="away")
        await peer.patch(prompt="ink")
        for seq in (3, 4):
            await peer.websocket.send(a_message(seq, a_plain_jpeg(100)))
        dropped = [await peer.text("dropped")]
        while sum(len(message["seqs"]) for message in dropped) < 2:
            dropped.append(await peer.text("dropped"))
        gate.set()
        answer = await peer.picture()

    assert sorted(seq for message in dropped for seq in message["seqs"]) == [2, 3]
    assert {message["reason"] for message in dropped} == {"engine_restarted"}
    assert answer.seq == 4
    assert [picture.seq for picture in peer.pictures] == [1, 4], "nothing of the frame at which it hung comes late"


@pytest.mark.parametrize(("fallback", "value"), [("last", 55), ("input", 200), ("slate", 45)])
async def test_who_watches_sees_the_fallback_while_the_engine_hangs(fallback: str, value: int) -> None:
    async with hanging(fallback) as (server, peer, viewer, gate):
        await peer.text("status", engine="away")
        if fallback != "last":
            await see(viewer, value)
        async with dialled(f"{server.websocket_url}?watch=s") as late:
            await see(late, value)
        for command, seen in (("black", 0), ("bypass", 200), ("on_air", value)):
            await peer.say(type="command", command=command)
            await see(viewer, seen)
        await peer.patch(prompt="ink")
        await peer.websocket.send(a_message(3, a_plain_jpeg(100)))
        gate.set()
        await see(viewer, 155)


async def test_python_client_is_told_of_a_hang_and_goes_on_by_itself() -> None:
    gate = Gate()
    with running(a_config(), gate) as server:
        try:
            async with connect(server.websocket_url) as stream:
                await stream.restyle(a_plain_jpeg(100))
                await stream.update(prompt="hang")
                asking = asyncio.create_task(stream.restyle(a_plain_jpeg(200)))
                await until(lambda: bool(stream.away))
                reason = stream.away
                gate.open.set()
                await asking
                await until(lambda: not stream.away)
        finally:
            gate.open.set()

    assert "no answer for" in str(reason)


async def test_hang_of_the_device_is_seen_too() -> None:
    """Where a tick returns at once, as on a GPU, its pictures are what never comes."""
    gate = threading.Event()
    with running(a_config(), lambda config, progress: Hanging(gate, in_collect=True)) as server:
        async with connected(server.websocket_url) as peer:
            await peer.restyle(1)
            await peer.patch(prompt="hang")
            await peer.websocket.send(a_message(2))
            told = await peer.text("status", engine="away")
            await stop_hanging(server)

    assert "no answer for" in told["reason"]


async def stop_hanging(server: RunningServer) -> None:
    """End the server while its engine hangs, within its time."""
    begun_s = time.monotonic()
    await asyncio.to_thread(server.stop)
    assert time.monotonic() - begun_s < 10


async def test_engine_that_never_comes_back_is_given_up_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_host, "HANGING_S", 0.5)
    async with hanging() as (server, peer, viewer, _):
        codes = [await one.closed() for one in (peer, viewer)]
        await until(lambda: not server._thread.is_alive())
        error = str(server.service.host.error)

    assert codes == [1011, 1011]
    assert "start the server again" in error and "--engine-process" in error
    assert any("test_hanging.py" in record.getMessage() for record in caplog.records), "the log says where it hangs"


async def test_host_that_gave_an_engine_up_lets_its_thread_end_where_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_host, "HANGING_S", 0.2)
    gate = Gate()
    async with hanging_host(gate) as host:
        await until(lambda: host.state is State.FAILED)
        was = host.is_closed, host.hangs, host._thread.is_alive()
        gate.open.set()
        await asyncio.to_thread(host._thread.join, PATIENCE_S)

    assert was == (True, True, True)
    assert not host._thread.is_alive()


async def test_stop_does_not_wait_for_an_engine_that_hangs_and_says_that_it_is_left() -> None:
    gate = Gate()
    async with hanging_host(gate) as host:
        await until(lambda: host.state is State.AWAY)
        begun_s = time.monotonic()
        await host.stop()
        took_s = time.monotonic() - begun_s
        was = host.state, host.is_closed, host.hangs
        gate.open.set()
        await asyncio.to_thread(host._thread.join, PATIENCE_S)

    assert took_s < 10
    assert was == (State.STOPPED, True, True)


@contextlib.asynccontextmanager
async def hanging_host(gate: Gate) -> AsyncGenerator[EngineHost]:
    """A host whose engine hangs since now."""
    host = EngineHost(a_config(), gate)
    host.start()
    try:
        await until(lambda: host.life is not None)
        assert host.life is not None
        session = Session("s", Params(width=64, height=64, skip_unchanged=False), 2**22)
        answered = threading.Event()
        channel = session.attach(answered.set)
        host.life.scheduler.add(session)
        session.offer(channel, a_frame(1))
        await asyncio.to_thread(answered.wait, PATIENCE_S)
        session.update({"prompt": "hang"})
        session.offer(channel, a_frame(2))
        yield host
    finally:
        gate.open.set()
        await host.stop()


# -- the process -------------------------------------------------------------------------------------------------------

PROGRAM = ("-m", "tests.fakes.hanging_server")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_a_server_whose_engine_hangs_within_its_time(how: signal.Signals) -> None:
    with serving(program=PROGRAM) as server:
        await hang(server.websocket_url)
        begun_s = time.monotonic()
        code = await asyncio.to_thread(server.stop, how)
        took_s = time.monotonic() - begun_s

    assert code == 0
    assert took_s < 10, "two seconds, and what a busy machine adds"


async def test_server_whose_engine_hangs_for_ever_ends_with_1_and_the_next_one_knows_the_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REALTIME_NO_STATE")
    state = ("--state", str(tmp_path / "state.json"))
    with serving(*state, program=(*PROGRAM, "--give-up-after", "0.5")) as server:
        await hang(server.websocket_url, session="kept")
        code = await asyncio.to_thread(server.process.wait, PATIENCE_S)
        said = server.errors()
    with serving(*state) as server:
        async with connected(server.websocket_url, session="kept", size=None) as peer:
            params = peer.texts[-1]["params"]

    assert code == 1
    assert "start the server again" in said
    assert params["prompt"] == "hang"


async def hang(url: str, session: str | None = None) -> None:
    """Have the engine of a server hang, and wait until it has seen that."""
    async with asyncio.timeout(PATIENCE_S), connected(url, session=session) as peer:
        await peer.restyle(1)
        await peer.patch(prompt="hang")
        await asyncio.sleep(1.2)  # what has changed is saved once a second
        await peer.websocket.send(a_message(2))
        await peer.text("status", engine="away")

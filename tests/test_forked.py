"""Processes of the server's own: started or said why not, reaped by whoever asks, gone with the server."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from realtime import forked
from realtime.decoder_process.room import Room
from tests.fakes.starts import METHODS, start_by
from tests.fakes.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, descriptors")


def end_with(connection: Connection, code: int) -> None:
    os._exit(code)


def answer_and_wait(connection: Connection, word: str) -> None:
    connection.send(word)
    connection.recv()


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    start_by(request.param, monkeypatch)
    return request.param


def test_process_is_connected_and_reaped(method: str) -> None:
    process, connection = forked.start(answer_and_wait, ("here",), "one")

    assert connection.poll(PATIENCE_S) and connection.recv() == "here"
    process.kill()  # other signals are ignored by what is forked from one that did
    assert forked.exit_code(process, PATIENCE_S) == -signal.SIGKILL
    connection.close()
    process.close()


def test_of_several_threads_that_wait_for_the_same_process_each_gets_its_exit_code(method: str) -> None:
    for _ in range(10):
        process, connection = forked.start(end_with, (7,), "one")
        codes: list[int | None] = []
        waiting = [
            threading.Thread(target=lambda: codes.append(forked.exit_code(process, PATIENCE_S)))  # noqa: B023
            for _ in range(8)
        ]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join(PATIENCE_S)
        connection.close()

        assert codes == [7] * 8


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (OSError(errno.EMFILE, "no descriptors"), 1),
        (EOFError(), 4),
        (BrokenPipeError("gone"), 4),
        (RuntimeError("can't start new thread"), 1),
    ],
)
def test_what_cant_be_started_says_why_and_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int
) -> None:
    begun: list[object] = []

    class _Process:
        def __init__(self, **options: Any) -> None:
            begun.append(options)

        def start(self) -> None:
            raise error

    found = forked.context()
    monkeypatch.setattr(found, "Process", _Process)
    monkeypatch.setattr(forked, "context", lambda: found)
    before = psutil.Process().num_fds()

    with pytest.raises(forked.NotStartedError, match=r"no descriptors|has ended|gone|new thread"):
        forked.start(end_with, (0,), "one")

    assert len(begun) == tries
    del begun[:]
    assert psutil.Process().num_fds() == before


@pytest.mark.skipif(sys.platform != "linux", reason="forkserver is used on Linux")
def test_process_is_started_though_the_one_that_forks_was_killed_just_now() -> None:
    _close(*forked.start(answer_and_wait, ("a",), "one"))
    os.kill(getattr(forkserver, "_forkserver")._forkserver_pid, signal.SIGKILL)  # noqa: B009

    process, connection = forked.start(answer_and_wait, ("b",), "two")

    assert connection.recv() == "b"
    _close(process, connection)


def _close(process: BaseProcess, connection: Connection) -> None:
    process.kill()
    forked.exit_code(process, PATIENCE_S)
    connection.close()
    process.close()


# -- memory ------------------------------------------------------------------------------------------------------------


def write_into(connection: Connection, room: Room) -> None:
    room.put([np.full((4, 5), 7, np.uint8)])
    connection.send("done")


@pytest.mark.skipif(forked.START_METHOD != "forkserver", reason="nothing is forked")
def test_process_is_started_though_the_one_that_forks_stands_still(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is killed, and the wait for what it should have forked ends with it."""
    first, its_connection = forked.start(answer_and_wait, ("first",), "one")
    stopped: int = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(stopped, signal.SIGSTOP)
    kill, patience_s = forked._kill_forkserver, forked.START_S

    def kill_once(before: int | None) -> None:
        monkeypatch.setattr(forked, "START_S", patience_s)  # the next one has all of it
        kill(before)

    monkeypatch.setattr(forked, "_kill_forkserver", kill_once)
    monkeypatch.setattr(forked, "START_S", 0.5)

    process, connection = forked.start(answer_and_wait, ("here",), "another")

    assert connection.poll(PATIENCE_S) and connection.recv() == "here"
    assert f"({stopped}) has forked none" in caplog.text
    assert not psutil.pid_exists(stopped)
    assert forked.exit_code(first, PATIENCE_S) is not None, "it ends with the one that it was forked from"
    process.kill()
    assert forked.exit_code(process, PATIENCE_S) == -signal.SIGKILL
    for one in (connection, its_connection):
        one.close()


def test_memory_is_shared_and_has_no_name(method: str) -> None:
    before, named = psutil.Process().num_fds(), set(Path("/dev/shm").iterdir())
    room = Room(1 << 20)
    assert set(Path("/dev/shm").iterdir()) == named
    process, connection = forked.start(write_into, (room,), "one")

    assert connection.recv() == "done"
    (seen,) = room.take([(4, 5)])

    assert seen.tolist() == np.full((4, 5), 7).tolist()
    _close(process, connection)
    room.close()
    assert psutil.Process().num_fds() <= before + 2  # with the first comes what all are forked from, or a tracker


# -- the end with the server -------------------------------------------------------------------------------------------

HOLDS = """
import sys, time
from realtime import forked
forked.START_METHOD = sys.argv[1]
from realtime.decoder_process.child import DecoderLimits
from realtime.decoder_process.worker import DecoderWorker
from tests.fakes.decoders import make_idle
if __name__ == "__main__":
    worker = DecoderWorker(make_idle, 4096, DecoderLimits(2**28, None, 0.0))
    worker.ask("", 60)
    print(worker.pid, flush=True)
    worker.ask(sys.argv[2], 600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["rest", "hold"])
def test_decoder_ends_with_the_server_whatever_it_is_at(
    method: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in native code that keeps Python's lock, so that no thread sees the server's end."""
    server = subprocess.Popen([sys.executable, "-c", HOLDS, method, what], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    time.sleep(0.5)
    assert Path(f"/proc/{pid}").exists()

    server.kill()
    server.wait(PATIENCE_S)
    server.stdout.close()

    end_s = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end_s
        time.sleep(0.05)

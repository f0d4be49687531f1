"""Names and params over a restart of the whole server, however it ended."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime.client import connect
from realtime.config import Config
from realtime.frame import Air
from realtime.params import Params
from realtime.server import remembering
from realtime.server.remembering import Memory, as_remembered, restore
from realtime.server.state_file import Remembered, StateFile
from realtime.session import Session
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import ServerProcess, serving
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import http_client


def a_session(**limits: Any) -> Session:
    return Session("show", Params(width=64, height=64), limits.get("max_output_pixels", 2**22))


# -- a session -----------------------------------------------------------------------------------------------------


def test_session_comes_back_as_it_was() -> None:
    before, after = a_session(), a_session()
    before.update({"prompt": "ink", "strength": 0.25})
    before.command("black")
    before.command("freeze")

    restore(after, as_remembered(before, "she"))

    assert after.params == before.params
    assert (after.air, after.frozen) == (Air.BLACK, True)


def test_only_what_was_changed_is_remembered_so_that_another_models_defaults_hold() -> None:
    before = a_session()
    before.update({"prompt": "ink"})

    assert as_remembered(before, "").params == {"prompt": "ink"}


def test_params_that_this_server_does_not_take_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    after = a_session(max_output_pixels=64 * 64)

    restore(
        after, Remembered("", {"prompt": "ink", "width": 512, "of_tomorrow": 1, "seed": -1}, 9, Air.OUTPUT, False, 0)
    )

    assert (after.params.prompt, after.params.width, after.params.version) == ("ink", 64, 9)
    assert all(f": {field} is left out" in caplog.text for field in ("width", "of_tomorrow", "seed"))


def test_what_somebody_else_had_under_a_name_is_not_given_to_him(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    before = Memory(file)
    before._away["show"] = as_remembered(a_session(), "she")

    assert before.recall("show", "he") is None
    assert before.recall("show", "she") is None, "the name is his now"


async def test_session_that_stays_as_it_is_is_known_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "SAVE_EVERY_S", 0.01)
    now_s = 1_000_000.0
    monkeypatch.setattr(remembering.time, "time", lambda: now_s)
    path, ended = tmp_path / "state.json", asyncio.Event()
    keeping = asyncio.create_task(Memory(StateFile(path)).keep(lambda: [a_session()], dict, ended))
    await saved(path, lambda sessions: sessions["show"]["at_s"] == 1_000_000)

    now_s += 2 * remembering.STILL_THERE_S
    await saved(path, lambda sessions: sessions["show"]["at_s"] == now_s)

    ended.set()
    await keeping


# -- a server ------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def as_users_start_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REALTIME_NO_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@contextmanager
def started(port: int, *flags: str) -> Iterator[ServerProcess]:
    with serving("--port", str(port), *flags) as server:
        yield server


async def saved(path: Path, is_wanted: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (path.is_file() and is_wanted(json.loads(path.read_text())["sessions"])):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_client_comes_back_with_the_same_params_by_itself(
    how: signal.Signals, tmp_path: Path, unused_tcp_port: int
) -> None:
    path = tmp_path / "realtime" / f"{unused_tcp_port}.json"
    with started(unused_tcp_port) as first:
        async with connect(first.websocket_url, session="show") as stream:
            await stream.update(width=64, height=64, prompt="ink", strength=0.25)
            await stream.command("black")
            await saved(path, lambda sessions: sessions["show"]["air"] == "black")
            first.stop(how)
            with started(unused_tcp_port) as second:
                picture = await stream.restyle(a_jpeg())
                async with http_client(second.url) as http:
                    session = (await http.get("/api/sessions/show")).json()
                assert second.stop() == 0

    params = session["params"]
    assert (params["prompt"], params["strength"], params["width"]) == ("ink", 0.25, 64)
    assert (stream.connections, stream.ready["air"], picture.data[:2]) == (2, "black", b"\xff\xd8")
    assert stream.ready["params"]["version"] == params["version"], "told by the server, not by the client again"


@pytest.mark.slow
async def test_ticket_outlives_the_server_and_another_servers_does_not(tmp_path: Path, unused_tcp_port: int) -> None:
    async def status(server: ServerProcess, **headers: str) -> tuple[int, str]:
        async with http_client(server.url.partition("?")[0]) as http:
            answer = await http.post("/api/tickets", json={"role": "guest"}, headers={"authorization": "Bearer t"})
            return (await http.get("/api/config", headers=headers)).status_code, answer.json()["ticket"]

    flags = ("--token", "t")
    with started(unused_tcp_port, *flags) as first:
        _, ticket = await status(first)
        first.stop()
    with started(unused_tcp_port, *flags) as second:
        assert (await status(second, authorization=f"Bearer {ticket}"))[0] == 200
        second.stop()
    with started(unused_tcp_port, *flags, "--no-state") as third:
        assert (await status(third, authorization=f"Bearer {ticket}"))[0] == 401


@pytest.mark.slow
async def test_session_that_was_ended_is_not_remembered(tmp_path: Path, unused_tcp_port: int) -> None:
    path = tmp_path / "mine.json"
    with started(unused_tcp_port, "--state", str(path)) as server:
        async with connect(server.websocket_url, session="show", patience_s=0) as stream:
            await stream.update(prompt="ink")
            await saved(path, lambda sessions: sessions.get("show", {}).get("params") == {"prompt": "ink"})
            async with http_client(server.url) as http:
                await http.delete("/api/sessions/show")
        await saved(path, lambda sessions: "show" not in sessions)


@pytest.mark.parametrize("content", ["{", '{"format": 99, "version": "9.9"}'])
async def test_server_starts_whatever_is_in_the_file(content: str, tmp_path: Path, unused_tcp_port: int) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)

    with started(unused_tcp_port, "--state", str(path)) as server:
        async with connect(server.websocket_url, patience_s=0) as stream:
            assert stream.params["prompt"] == ""
        server.stop()
        said = server.errors()

    assert ("is called state.json.broken now" in said) is (content == "{")
    assert (path.read_text() == content) is (content != "{"), "a newer version's file stays"
    assert "Traceback" not in said


def test_port_of_its_own_choice_has_nothing_to_come_back_to(tmp_path: Path) -> None:
    from realtime.server.app import _memory

    assert _memory(Config(port=0))._file is None
    assert _memory(Config(port=8777))._file is not None
    assert _memory(Config(port=8777, no_state=True))._file is None


@pytest.mark.slow
async def test_ticket_that_was_taken_back_stays_so(tmp_path: Path, unused_tcp_port: int) -> None:
    flags, token = ("--token", "t"), {"authorization": "Bearer t"}
    with started(unused_tcp_port, *flags) as first:
        async with http_client(first.url.partition("?")[0]) as http:
            given = [(await http.post("/api/tickets", json={"role": "guest"}, headers=token)).json() for _ in "ab"]
            assert (await http.delete(f"/api/tickets/{given[0]['number']}", headers=token)).status_code == 204
        first.stop()
    with started(unused_tcp_port, *flags) as second:
        async with http_client(second.url.partition("?")[0]) as http:
            statuses = [
                (await http.get("/api/config", headers={"authorization": f"Bearer {each['ticket']}"})).status_code
                for each in given
            ]

    assert statuses == [401, 200]

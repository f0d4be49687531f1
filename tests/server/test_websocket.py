"""One connection over a real socket: ready, frames, params, commands, ends."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest

from realtime.client import connect
from realtime.config import Config
from realtime.engine import Engine, EngineInfo, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine.state import RungState
from realtime.errors import FrameError
from realtime.frame import Format, Job
from realtime.glide import shares_of
from realtime.params import Params
from realtime.server import connection, viewers, websocket
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_jpeg, encoded, pixels
from tests.fakes.servers import RunningServer, a_config, echo_load, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected, dialled, http_client


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=20, resume_s=30)) as one:
        yield one


# -- before frames -------------------------------------------------------------------------------------------------


async def test_first_message_is_ready_with_all_its_fields(server: RunningServer) -> None:
    async with dialled(server.websocket_url) as peer:
        message = await peer.receive()

    assert isinstance(message, dict)
    assert message == {
        "type": "ready",
        "protocol": 1,
        "session": message["session"],
        "model": "echo",
        "params": Params().wire(),
        "limits": {"max_message_bytes": 4 * 2**20, "max_pixels": 2048 * 2048, "max_sessions": 20},
        "window": 2,
        "guidance": "none",
        "mattes": ["off", "drawn"],
        "air": "on_air",
    }
    assert message["session"]


async def test_session_gets_the_name_that_it_asks_for(server: RunningServer) -> None:
    async with dialled(server.websocket_url, session="my-own_1") as peer:
        assert (await peer.text("ready"))["session"] == "my-own_1"


async def test_empty_session_name_is_none(server: RunningServer) -> None:
    async with dialled(server.websocket_url, session="") as peer:
        assert (await peer.text("ready"))["session"]


@pytest.mark.parametrize("name", ["a%20b", "x" * 65, "%2e%2e"])
async def test_bad_session_name_closes_with_1002(server: RunningServer, name: str) -> None:
    async with dialled(server.websocket_url, session=name) as peer:
        assert await peer.closed() == 1002


async def test_loading_is_told_until_ready() -> None:
    gates = [threading.Event(), threading.Event()]

    def load(config: Config, progress: Progress) -> Engine:
        progress("fetch weights", 12.5)
        assert gates[0].wait(PATIENCE_S)
        progress("warm up", None)
        assert gates[1].wait(PATIENCE_S)
        return EchoEngine()

    with running(load=load) as server:
        async with dialled(server.websocket_url) as peer:
            assert await peer.text("loading", stage="fetch weights") == {
                "type": "loading",
                "stage": "fetch weights",
                "percent": 12.5,
            }
            await peer.websocket.send(a_message(1))  # nobody asked for it yet: ignored
            gates[0].set()
            assert await peer.text("loading", stage="warm up", percent=None)
            gates[1].set()
            await peer.text("ready")
            assert (await peer.restyle(1)).seq == 1


async def test_machine_that_is_too_slow_for_one_more_closes_with_1013_and_the_one_inside_stays() -> None:
    with running(a_config(min_session_fps=30), echo_load(tick_ms=50)) as server:
        async with connected(server.websocket_url) as inside, asyncio.timeout(PATIENCE_S):
            for seq in range(1, 6):
                await inside.restyle(seq)
            async with dialled(server.websocket_url) as other:
                assert await other.closed() == 1013
            assert (await inside.restyle(6)).seq == 6


async def test_session_with_a_target_is_told_what_was_chosen_also_when_it_comes_back(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="hurried", size=None) as peer:
        await peer.patch(latency_ms=10_000, num_inference_steps=3)
        await peer.restyle(1)
        told = next(text for text in peer.texts if text["type"] == "governor")
    async with connected(server.websocket_url, session="hurried", size=None) as peer:
        again = await peer.text("governor")

    assert (told["steps"], told["width"], told["quality"]) == (3, 512, 85)
    assert {name: again[name] for name in ("steps", "reason")} == {name: told[name] for name in ("steps", "reason")}


async def test_full_server_closes_with_1013() -> None:
    with running(a_config(max_sessions=1)) as server:
        async with connected(server.websocket_url), dialled(server.websocket_url) as other:
            assert await other.closed() == 1013


async def test_who_waits_in_line_is_told_and_let_in() -> None:
    with running(a_config(max_sessions=1, max_waiting=2)) as server:
        async with connected(server.websocket_url) as first, dialled(server.websocket_url) as second:
            assert await second.receive() == {"type": "queued", "position": 1, "size": 1}
            async with dialled(server.websocket_url) as third:
                assert await third.receive() == {"type": "queued", "position": 2, "size": 2}
                await first.websocket.close()
                await second.text("ready")
                assert await third.text("queued", position=1, size=1)
                await second.websocket.close()
                await third.text("ready")


async def test_subprotocol_is_accepted_where_offered_and_compression_never(server: RunningServer) -> None:
    async with dialled(server.websocket_url, subprotocols=["other", "realtime.v1"], compression="deflate") as peer:
        response = peer.websocket.response
        assert response is not None
        assert peer.websocket.subprotocol == "realtime.v1"
        assert "sec-websocket-extensions" not in response.headers
    async with dialled(server.websocket_url) as peer:
        assert peer.websocket.subprotocol is None


# -- frames --------------------------------------------------------------------------------------------------------


async def test_result_echoes_the_header_of_its_frame(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        begin = time.monotonic_ns()
        picture = await peer.restyle(7, captured_us=2**64 - 1)
        took_us = (time.monotonic_ns() - begin) / 1000

    assert (picture.version, picture.format, picture.flags) == (1, Format.JPEG, 0)
    assert (picture.seq, picture.captured_us, picture.params_version) == (7, 2**64 - 1, 1)
    assert 0 < picture.engine_us <= took_us
    assert Format.sniff(picture.data) is Format.JPEG


async def test_seqs_need_not_follow_on_one_another(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        for seq in (0, 5, 1000, 2**32 - 1):
            assert (await peer.restyle(seq)).seq == seq


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_picture_without_a_header_gets_the_next_seq(server: RunningServer, kind: str) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send(encoded(pixels(), kind))
        assert (await peer.picture()).seq == 0
        await peer.restyle(41)
        await peer.websocket.send(encoded(pixels(), kind))
        assert (await peer.picture()).seq == 42


async def test_picture_in_many_fragments_is_one_frame(server: RunningServer) -> None:
    message = a_message(3)
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send([message[:5], message[5:30], message[30:]])

        assert (await peer.picture()).seq == 3


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"", "invalid_frame"),
        (b"\xff\xd8\xff" + b"junk" * 50, "invalid_frame"),
        (encoded(pixels(), "PNG"), "invalid_frame"),
        (encoded(pixels(4096, 2048, 1), quality=10), "too_many_pixels"),
        (a_jpeg()[:-300], "invalid_frame"),
    ],
    ids=["empty", "junk", "another format", "too many pixels", "truncated"],
)
async def test_bad_picture_is_answered_and_counted_and_closes_nothing(
    server: RunningServer, picture: bytes, code: str
) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send(a_message(5, picture))

        error = await peer.text("error")
        assert (error["code"], error["seq"]) == (code, 5)
        assert (await peer.text("dropped"))["seqs"] == [5]
        assert peer.texts[-1]["reason"] == "invalid"
        assert (await peer.restyle(6)).seq == 6


async def test_frame_whose_seq_does_not_rise_is_refused(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.restyle(5)
        for seq in (5, 4):
            await peer.websocket.send(a_message(seq))
            assert (await peer.text("error"))["code"] == "bad_seq"
        assert (await peer.restyle(6)).seq == 6


async def test_frame_that_the_engine_fails_on_is_answered_and_the_next_one_comes() -> None:
    def fault(job: Job) -> None:
        if job.frame.seq == 1:
            raise FrameError("the model's result is black", "black")

    with running(load=echo_load(fault=fault)) as server:
        async with connected(server.websocket_url) as peer:
            await peer.websocket.send(a_message(1))
            assert (await peer.text("error", code="black"))["seq"] == 1
            assert (await peer.restyle(2)).seq == 2


# -- params and commands -------------------------------------------------------------------------------------------


async def test_patch_shows_on_the_next_admitted_frame(server: RunningServer) -> None:
    async with connected(server.websocket_url, size=None) as peer:
        await peer.patch(width=64, height=64)
        before = await peer.restyle(1)
        await peer.say(type="params", params={"prompt": "watercolor"})  # not waiting for the answer
        after = await peer.restyle(2)

    assert (before.params_version, after.params_version) == (1, 2)
    assert peer.texts[-1]["params"]["prompt"] == "watercolor"


async def test_params_decide_size_and_format_of_the_picture(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.patch(width=96, height=64, output_format="png")
        picture = await peer.restyle(1)

    assert picture.format == Format.PNG
    assert picture.data[16:24] == (96).to_bytes(4, "big") + (64).to_bytes(4, "big")


async def test_refused_patch_names_the_field_and_the_old_params_stay(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.say(type="params", params={"strength": 2, "seed": 5})
        error = await peer.text("error")
        picture = await peer.restyle(1)

    assert (error["code"], error["field"]) == ("invalid_params", "strength")
    assert picture.params_version == 1


async def test_null_leads_back_to_the_models_own_default() -> None:
    defaults = {"prompt": "ink", "width": 64, "height": 64}
    info = EngineInfo("small", "tiny", "none", RungState("eager", "none"), defaults=defaults)

    def load(config: Config, progress: Progress) -> Engine:
        engine = EchoEngine()
        engine.info = info
        return engine

    with running(load=load) as server:
        async with dialled(server.websocket_url) as peer:
            ready = await peer.text("ready")
            await peer.patch(prompt="oil")
            params = await peer.patch(prompt=None)

    assert (ready["params"]["prompt"], ready["params"]["width"]) == ("ink", 64)
    assert params["prompt"] == "ink"


async def test_server_with_a_lower_limit_of_pixels_begins_within_it() -> None:
    with running(a_config(max_output_pixels=128 * 128)) as server:
        async with dialled(server.websocket_url) as peer:
            ready = await peer.text("ready")
            assert (await peer.patch(prompt="ink"))["prompt"] == "ink"
            await peer.say(type="params", params={"width": 512})
            assert (await peer.text("error"))["field"] == "width"

    assert (ready["params"]["width"], ready["params"]["height"]) == (128, 128)


async def test_freeze_holds_the_picture_and_reset_goes_on_with_the_defaults(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.say(type="command", command="freeze")
        await peer.websocket.send(a_message(1))
        dropped = await peer.text("dropped")
        await peer.say(type="command", command="reset")
        assert (await peer.text("params"))["params"] == Params(version=2).wire()
        assert (await peer.restyle(2)).seq == 2

    assert dropped == {"type": "dropped", "seqs": [1], "reason": "paused"}
    assert [picture.seq for picture in peer.pictures] == [2]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"type": "command", "command": "explode"}, "unknown_command"),
        ({"type": "command", "command": "\ud800" * 200}, "unknown_command"),
        ({"type": "command"}, "bad_message"),
        ({"type": "params", "params": 5}, "bad_message"),
        ({}, "bad_message"),
        ({"type": "params", "params": {"nonsense": 1}}, "invalid_params"),
        ({"type": "params", "params": {"\ud800": 1}}, "invalid_params"),
    ],
)
async def test_message_that_asks_for_nothing_is_answered_and_closes_nothing(
    server: RunningServer, fields: dict[str, object], code: str
) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.say(**fields)
        assert (await peer.text("error"))["code"] == code
        assert (await peer.restyle(1)).seq == 1


async def test_message_of_a_later_version_is_passed_over_in_silence(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.say(type="tempo", bpm=120)
        await peer.restyle(1)

    assert [text["type"] for text in peer.texts if text["type"] == "error"] == []


# -- stats ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_stats_come_once_a_second_with_stages_that_add_up(server: RunningServer) -> None:
    with running(load=echo_load(tick_ms=10)) as server:
        begin = time.monotonic()
        async with connected(server.websocket_url) as peer:
            for seq in range(1, 60):
                await peer.restyle(seq)
            first = await peer.text("stats")
            second = await peer.text("stats")
            took = time.monotonic() - begin
            number = sum(text["type"] == "stats" for text in peer.texts)
            session = server.service.sessions[0]
            latencies = list(session.stats._latencies_ms)

    assert set(first) >= {"fps_in", "fps_out", "latency_ms", "stage_ms", "dropped", "rows", "sessions"}
    assert set(first["latency_ms"]) == {"p50", "p95", "p99"}
    assert first["fps_in"] > 0
    assert first["sessions"] == 1
    assert number <= took + 1
    mean = sum(latencies) / len(latencies)
    assert 0.95 * mean <= sum(second["stage_ms"].values()) <= 1.001 * mean
    assert second["stage_ms"]["denoise"] >= 9


# -- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"\x02" + bytes(23),
        bytes(24),
        a_message(1, kind=0),
        a_message(1, kind=9),
        "",
        "hello",
        "[]",
        "null",
        '{"a": NaN}',
        "[" * 20_000,
    ],
    ids=lambda message: repr(message[:12]),
)
async def test_what_is_not_this_protocol_closes_with_1002(server: RunningServer, message: bytes | str) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send(message)

        assert await peer.closed() == 1002


async def test_text_over_64_kib_closes_with_1009(server: RunningServer) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.websocket.send(json.dumps({"type": "x", "pad": "a" * 70_000}))

        assert await peer.closed() == 1009


async def test_client_that_comes_back_finds_its_params_and_starts_its_seq_anew(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="back", size=None) as peer:
        await peer.patch(prompt="ink", width=64, height=64)
        await peer.restyle(100)
    async with dialled(server.websocket_url, session="back") as peer:
        ready = await peer.text("ready")
        picture = await peer.restyle(1)

    assert ready["params"]["prompt"] == "ink"
    assert (picture.seq, picture.params_version) == (1, 1)


async def test_second_connection_takes_over_and_the_first_is_closed_with_1000(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="taken") as first:
        await first.restyle(10)
        async with dialled(server.websocket_url, session="taken") as second:
            await second.text("ready")
            assert await first.closed() == 1000
            assert (await second.restyle(1)).seq == 1


async def test_who_is_on_a_session_that_ends_hears_it_at_once_and_not_with_a_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (connection, viewers):
        monkeypatch.setattr(module, "REPORT_EVERY_S", 3600.0)
    with running() as server:
        async with (
            connected(server.websocket_url, session="s") as peer,
            dialled(f"{server.websocket_url}?watch=s") as viewer,
        ):
            await viewer.text("ready")
            server.service.host._loop.call_soon_threadsafe(server.service.dismiss, server.service.session("s"))
            codes = await peer.closed(), await viewer.closed()

    assert codes == (1000, 1000)


async def test_engine_that_breaks_closes_everyone_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def fault(job: Job) -> None:
        raise ZeroDivisionError

    with running(load=echo_load(fault=fault)) as server:
        async with connected(server.websocket_url) as peer, connected(server.websocket_url) as other:
            await peer.websocket.send(a_message(1))

            assert await peer.closed() == 1011
            assert await other.closed() == 1011


async def test_model_that_cannot_be_loaded_closes_with_1011() -> None:
    gate = threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        assert gate.wait(PATIENCE_S)
        raise MemoryError

    with running(load=load) as server:
        async with dialled(server.websocket_url) as peer:
            await peer.text("loading")
            gate.set()
            assert await peer.closed() == 1011


@pytest.mark.parametrize("where", ["ready", "loading", "queued"])
async def test_server_that_stops_closes_with_1001(where: str) -> None:
    gate = threading.Event()

    def load(config: Config, progress: Progress) -> Engine:
        assert where != "loading" or gate.wait(PATIENCE_S)
        return EchoEngine()

    with running(a_config(max_sessions=1, max_waiting=1), load) as server:
        async with dialled(server.websocket_url) as first, dialled(server.websocket_url) as second:
            peer = second if where == "queued" else first
            await first.text("loading" if where == "loading" else "ready")
            if where == "queued":
                await peer.text("queued")
            server.server.should_exit = True
            assert await peer.closed() == 1001
    gate.set()


async def test_connections_that_go_at_any_moment_leave_no_seat_taken() -> None:
    with running(a_config(max_sessions=4, max_waiting=4)) as server:

        async def visit(number: int) -> None:
            async with dialled(server.websocket_url, close_timeout=0.1) as peer:
                if number % 3:
                    await peer.receive()
                if number % 2:
                    peer.websocket.transport.abort()

        for _ in range(10):
            await asyncio.gather(*(visit(number) for number in range(8)), return_exceptions=True)
        await until(lambda: server.service.connected == 0)
        async with connected(server.websocket_url) as peer:
            await peer.restyle(1)


# -- what one client may make the server read ----------------------------------------------------------------------


async def test_client_that_sends_more_bytes_than_it_may_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s: list[float] = []

    async def wait(seconds: float) -> None:
        waits_s.append(seconds)

    monkeypatch.setattr(connection.asyncio, "sleep", wait)
    one = websocket._WebSocketConnection(MagicMock(), MagicMock())
    for _ in range(3):
        await one.pace_bytes(connection.BYTES_PER_SECOND // 2)

    assert waits_s == [pytest.approx(0.5, abs=0.1)]


async def test_what_is_heard_otherwise_than_written_is_told_also_to_who_comes_back() -> None:
    told: list[dict[str, Any]] = []

    def load(config: Config, progress: Progress) -> Engine:
        return ScriptedEngine(synchronous=True)

    with running(a_config(resume_s=30), load) as server:
        for patch in ({"prompt": "unheard"}, {}):
            heard = asyncio.Event()

            def listen(message: dict[str, Any], heard: asyncio.Event = heard) -> None:
                if message["type"] == "heard":
                    told.append(message)
                    heard.set()

            async with connect(f"{server.websocket_url}?session=s", on_message=listen) as stream:
                async with asyncio.timeout(PATIENCE_S):
                    await stream.update(**patch)
                    await heard.wait()

    assert [(message["version"], message["notes"][0]["text"]) for message in told] == [(1, "unheard"), (1, "unheard")]


# -- transitions ---------------------------------------------------------------------------------------------------


class Watched:
    """An echo server that keeps the params of each frame that its engine got."""

    def __init__(self) -> None:
        self.made_with: list[Params] = []
        self.load = echo_load(fault=lambda job: self.made_with.append(job.params))

    def shares(self) -> list[float]:
        """How much of the prompt "ink" there was in each frame."""
        return [shares_of(params.prompt).get("ink", 0.0) for params in self.made_with]


async def test_transition_of_a_page_that_is_closed_ends_on_the_server() -> None:
    watched = Watched()
    with running(a_config(resume_s=30), watched.load) as server:
        async with connected(server.websocket_url, session="show") as camera:
            await camera.restyle(1)
            async with http_client(server.url) as page:
                body = {"params": {"prompt": "ink", "strength": 0.9}, "transition_s": 0.3}
                answer = (await page.patch("/api/sessions/show", json=body)).json()
            told = await camera.text("params")
            seq = 2
            while watched.made_with[-1].strength != 0.9:
                await camera.restyle(seq, a_jpeg(seed=seq % 64))
                seq += 1
            rests = len(watched.made_with)
            await camera.restyle(seq)

    strengths = [params.strength for params in watched.made_with]
    assert answer["params"]["prompt"] == told["params"]["prompt"] == "ink"
    assert 0 < told["gliding_s"] <= 0.3
    assert strengths == sorted(strengths) and len(set(strengths)) > 3
    assert watched.shares() == sorted(watched.shares())
    assert [type(params) for params in watched.made_with[rests - 1 :]] == [Params, Params]
    assert watched.made_with[-1].prompt == "ink"
    assert {params.version for params in watched.made_with[1:]} == {told["params"]["version"]}


async def test_who_comes_back_in_the_middle_of_a_transition_finds_it_where_the_clock_says() -> None:
    watched = Watched()
    with running(a_config(resume_s=30), watched.load) as server:
        async with connected(server.websocket_url, session="show") as page:
            await page.say(type="params", params={"prompt": "ink"}, transition_s=60)
            await page.text("params")
        async with dialled(server.websocket_url, session="show") as page:
            ready = await page.text("ready")
            await page.restyle(1)
            await page.say(type="params", params={"prompt": "oil"}, transition_s=0)
            await page.text("params")
            await page.restyle(2)
        async with dialled(server.websocket_url, session="show") as page:
            rested = await page.text("ready")

    assert ready["params"]["prompt"] == "ink" and 0 < ready["gliding_s"] < 60
    assert watched.made_with[0].version == ready["params"]["version"]
    assert watched.shares()[0] < 0.5
    assert watched.made_with[1].prompt == "oil"
    assert "gliding_s" not in rested


@pytest.mark.parametrize("seconds", [-1, 61, "soon", [], True])
async def test_transition_that_is_none_is_refused_by_name(server: RunningServer, seconds: object) -> None:
    async with connected(server.websocket_url) as peer:
        await peer.say(type="params", params={"seed": 5}, transition_s=seconds)
        error = await peer.text("error")

    assert (error["code"], error["field"]) == ("invalid_params", "transition_s")

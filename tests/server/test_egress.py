"""Sessions that are sent on: real clients in, real streams out."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from realtime.config import Config, OutputSetting, load_config
from realtime.errors import ConfigError
from realtime.outputs import choosing, push
from realtime.outputs.h264 import SOFTWARE
from realtime.server import egress
from tests.fakes.receivers import Receiver, a_free_port
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client

KEY = "live_1234_secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(push, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(push, "LAST_RETRY_S", 0.05)
    monkeypatch.setattr(egress, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(choosing, "PROGRAM", (sys.executable, "-c", "raise SystemExit(1)"))
    choosing.found_encoders.cache_clear()
    yield
    choosing.found_encoders.cache_clear()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("rtmp://a/b/key?x=y",), [("input", "rtmp://a/b/key?x=y")]),
        (("show=srt://a:1?streamid=key", "camera"), [("show", "srt://a:1?streamid=key"), ("input", "camera")]),
        (("show=rtmp://a/1", "show=rtmp://b/2"), [("show", "rtmp://a/1"), ("show", "rtmp://b/2")]),
    ],
)
def test_output_may_name_its_session(texts: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    settings = OutputSetting.parse_all(tuple(SecretStr(text) for text in texts))

    assert [(each.name, each.address.get_secret_value()) for each in settings] == expected


@pytest.mark.parametrize("wrong", [f"show=gopher://a/{KEY}", f"{KEY}.mp4", f"show=rtmp:///{KEY}/x", "show="])
def test_output_that_is_none_keeps_the_server_from_starting_and_its_secrets(wrong: str) -> None:
    with pytest.raises(ConfigError) as error, running(load_config({"outputs": [wrong], "model": "echo", "port": 0})):
        pass

    assert KEY not in str(error.value)


def test_no_text_of_the_configuration_has_the_key() -> None:
    config = a_config(outputs=(f"show=rtmp://a.example/app/{KEY}",))

    assert KEY not in str(config) + repr(config) + config.model_dump_json()


async def test_session_is_sent_on_its_state_is_told_and_its_key_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "realtime")
    url = f"rtmp://127.0.0.1:{a_free_port()}/live/{KEY}"
    receiver = Receiver(url, 10, container_format="flv", listen="1")
    with running(a_config(outputs=(f"show={url}",))) as server:
        async with http_client(server.url) as http:
            before = (await http.get("/api/outputs")).json()["outputs"]
            async with connected(server.websocket_url, session="show") as client:
                await client.restyle(1)
                got = await asyncio.to_thread(receiver.wait)
                view = await http.get("/api/sessions/show")
                metrics = await http.get("/metrics")
                answers = [view, metrics, await http.get("/api/outputs"), await http.get("/api/config")]

    assert before[0]["state"] == "waiting"
    assert len(got.levels) == 10
    assert receiver.error is None
    (output,) = view.json()["outputs"]
    assert (output["session"], output["encoder"]) == ("show", SOFTWARE)
    assert output["sent"] >= 10
    assert output["connections"] >= 1
    assert output["address"].startswith("rtmp://127.0.0.1:")
    assert b'realtime_outputs{state="' in metrics.content
    assert b"realtime_output_pictures_total" in metrics.content
    assert KEY not in caplog.text + "".join(answer.text for answer in answers)
    assert f"output of session show: live at {output['address']} by {SOFTWARE}" in caplog.text


async def test_session_goes_on_where_nobody_takes_what_it_sends(caplog: pytest.LogCaptureFixture) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    with running(a_config(outputs=(f"show={url}",))) as server:
        async with connected(server.websocket_url, session="show") as client:
            await client.restyle(1)
            (output,) = server.service.outputs
            await until(lambda: "nothing listens there" in output.status.problem)
            await client.restyle(5)
            await until(lambda: caplog.text.count("nothing listens there") >= 1)
            await asyncio.to_thread(output._push.close)  # type: ignore[attr-defined]

            assert output.status.connections == 0
            assert caplog.text.count("nothing listens there") == 1


async def test_output_waits_for_its_session_and_for_the_next_of_that_name() -> None:
    port = a_free_port()
    with running(a_config(outputs=(f"show=tcp://127.0.0.1:{port}",))) as server:
        (output,) = server.service.outputs
        for number in (1, 2):
            receiver = Receiver(f"tcp://127.0.0.1:{port}?listen=1", container_format="mpegts")
            async with connected(server.websocket_url, session="show") as client:
                await client.restyle(1)
                await until(lambda number=number: output.status.connections >= number)
                sent = output.status.sent
                await until(lambda sent=sent: output.status.sent > sent + 5)
            await until(lambda: output.status.state == "waiting")
            got = await asyncio.to_thread(receiver.wait)
            assert got.levels

    assert output.status.sent >= 12


async def test_output_that_no_try_can_open_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyvirtualcam.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running(a_config(outputs=("show=camera",))) as server:
        async with connected(server.websocket_url, session="show") as client:
            await client.restyle(1)
            (output,) = server.service.outputs
            await until(lambda: output.status.state == "failed")
            await client.restyle(2)

    assert "virtual-camera" in output.status.problem


async def test_output_is_stopped_and_started_by_its_number_and_stays_stopped_meanwhile() -> None:
    port, other = a_free_port(), a_free_port()
    outputs = (f"show=tcp://127.0.0.1:{port}", f"other=tcp://127.0.0.1:{other}")
    receiver = Receiver(f"tcp://127.0.0.1:{port}?listen=1", container_format="mpegts")
    with running(a_config(outputs=outputs, resume_s=0.05)) as server:
        output, untouched = server.service.outputs
        async with http_client(server.url) as http:
            async with connected(server.websocket_url, session="show") as client:
                await client.restyle(1)
                await until(lambda: output.status.state == "live")
                stopped = await http.post("/api/sessions/show/outputs/1/stop")
                assert (await asyncio.to_thread(receiver.wait)).levels, "what was sent has come, and has ended"
                again = await http.post("/api/sessions/show/outputs/1/stop")
                await client.restyle(2)
            await until(lambda: server.service.session("show") is None)
            assert output.status.state == "stopped", "the session has ended, and nothing was started by that"

            receiver = Receiver(f"tcp://127.0.0.1:{port}?listen=1", 5, container_format="mpegts")
            async with connected(server.websocket_url, session="show") as client:
                await client.restyle(1)
                connections = output.status.connections
                started = await http.post("/api/sessions/show/outputs/1/start")
                assert len((await asyncio.to_thread(receiver.wait)).levels) == 5
                await until(lambda: output.status.connections > connections)

    (one,) = stopped.json()["outputs"]
    assert (one["output"], one["session"], one["state"], one["problem"]) == (1, "show", "stopped", "")
    assert again.json()["outputs"][0]["state"] == "stopped"
    assert started.json()["outputs"][0]["state"] != "stopped"
    assert untouched.status.state == "waiting"


async def test_starts_and_stops_in_a_hurry_make_no_connections_in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "LOOK_EVERY_S", 0.25)
    begun: list[float] = []

    class Counting(push.Push):
        def begin(self) -> None:
            begun.append(time.monotonic())
            super().begin()

    monkeypatch.setattr(egress, "Push", Counting)
    with running(a_config(outputs=(f"show=tcp://127.0.0.1:{a_free_port()}",))) as server:
        async with connected(server.websocket_url, session="show") as client, http_client(server.url) as http:
            await client.restyle(1)
            await until(lambda: begun)
            for _ in range(40):
                for verb in ("stop", "start"):
                    assert (await http.post(f"/api/sessions/show/outputs/1/{verb}")).status_code == 200
            await until(lambda: len(begun) > 1)

    assert min(later - earlier for earlier, later in itertools.pairwise(begun)) >= 0.2


async def test_output_that_failed_is_tried_once_more_for_each_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyvirtualcam.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running(a_config(outputs=("show=camera",))) as server:
        async with connected(server.websocket_url, session="show") as client, http_client(server.url) as http:
            await client.restyle(1)
            (output,) = server.service.outputs
            await until(lambda: output.status.state == "failed")
            started = await http.post("/api/sessions/show/outputs/1/start")
            assert started.json()["outputs"][0]["state"] == "waiting"
            await until(lambda: output.status.state == "failed")
            await http.post("/api/sessions/show/outputs/1/stop")
            assert output.status.state == "stopped"


@pytest.mark.parametrize(
    "path", ["show/outputs/2", "show/outputs/0", "show/outputs/-1", "show/outputs/x", "mine/outputs/1"]
)
async def test_session_has_only_the_outputs_of_its_own(path: str) -> None:
    with running(a_config(outputs=("show=udp://127.0.0.1:9",))) as server:
        async with http_client(server.url) as http:
            for verb in ("start", "stop"):
                answer = await http.post(f"/api/sessions/{path}/{verb}")
                assert answer.status_code == 404
                assert "/api/outputs lists all" in answer.json()["detail"]
        (output,) = server.service.outputs
        assert output.status.state == "waiting"


async def test_nobody_adds_an_address() -> None:
    with running(a_config(outputs=("show=udp://127.0.0.1:9",))) as server:
        async with http_client(server.url) as http:
            for method, path in (
                ("POST", "/api/outputs"),
                ("PUT", "/api/outputs"),
                ("POST", "/api/sessions/show/outputs"),
            ):
                answer = await http.request(method, path, json={"address": "tcp://10.0.0.1:22"})
                assert answer.status_code in (404, 405)
        assert len(server.service.outputs) == 1


def test_outputs_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_OUTPUTS", '["show=udp://127.0.0.1:9"]')

    config: Config = load_config({})

    assert [each.name for each in OutputSetting.parse_all(config.outputs)] == ["show"]


async def test_server_ends_though_its_output_is_stuck() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as stuck,
        running(a_config(outputs=(f"show=tcp://127.0.0.1:{stuck.getsockname()[1]}",))) as server,
    ):
        async with connected(server.websocket_url, session="show") as client:
            await client.restyle(1)
            (output,) = server.service.outputs
            await until(lambda: output.status.state == "live")

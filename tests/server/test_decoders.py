"""Decoders that die under live clients: it costs a picture, the connection stays, and nobody else notices."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from realtime.config import Config
from realtime.decoder_process import pictures
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.protocol import HEADER
from realtime.server.webrtc import seams
from tests.fakes.clips import a_clip, a_grey
from tests.fakes.decoders import a_png, make_faulty
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import Peer, Picture, connected, http_client
from tests.server.webrtc.conftest import LOOPBACK
from tests.server.webrtc.rtc_peer import Camera, dialled_rtc

pytestmark = pytest.mark.slow
PNG = 2


@pytest.fixture
def loopback() -> Iterator[None]:
    """The client's ICE."""
    seams.offer_addresses(LOOPBACK)
    yield
    seams.offer_addresses(())


def a_png_message(seq: int, fault: str = "") -> bytes:
    return HEADER.pack(1, PNG, 0, seq, 0, 0, 0) + a_png(fault, level=20 + seq % 200)


def decoders() -> list[int]:
    """Ids of the decoders' processes of this one, which are alive."""
    return [child.pid for child in multiprocessing.active_children() if child.name == "decoder" and child.pid]


async def restyled(peer: Peer, count: int) -> None:
    await peer.patch(skip_unchanged=False)  # pictures of nearly one level each
    for seq in range(1, count + 1):
        await peer.websocket.send(a_png_message(seq))
        while not (isinstance(answer := await peer.receive(), Picture) and answer.seq == seq):
            assert not (isinstance(answer, dict) and answer["type"] == "error"), answer


async def test_picture_that_kills_its_decoder_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "make", make_faulty)
    with running(a_config(decoder_process="most")) as server:
        async with (
            connected(server.websocket_url, session="bad") as bad,
            connected(server.websocket_url, size=None) as good,
        ):
            going_on = asyncio.create_task(restyled(good, 20))
            await bad.websocket.send(a_png_message(1, "abort"))
            refused = await bad.text("error")
            await bad.websocket.send(a_png_message(2))
            answer = await bad.picture()
            await going_on
    assert (refused["code"], refused["seq"]) == ("invalid_frame", 1)
    assert answer.seq == 2
    assert [text for text in good.texts if text["type"] == "error"] == []
    await until(lambda: decoders() == [])


async def test_picture_for_prompts_that_kills_its_decoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "make", make_faulty)

    def load(config: Config, progress: Progress) -> Engine:
        engine = EchoEngine()
        engine.info = replace(engine.info, hears_pictures=True)
        return engine

    with running(a_config(decoder_process="most"), load) as server:
        async with http_client(server.url) as http:
            await until(lambda: server.service.running is not None)
            answers = [await http.put("/api/pictures", content=a_png(fault)) for fault in ("abort", "")]

    assert [answer.status_code for answer in answers] == [422, 200]
    assert "the decoder died of this picture" in answers[0].text


def is_there(pid: int) -> bool:
    """Whether there is a process of this id, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


async def of_video(server: RunningServer) -> int:
    """The id of the process that decodes video, once it is there."""
    await until(lambda: bool(server.service.decoders.pids))
    await until(lambda: len(set(decoders()) - set(server.service.decoders.pids)) == 1)
    (pid,) = set(decoders()) - set(server.service.decoders.pids)
    return pid


async def test_peer_whose_decoder_is_killed_goes_on_with_a_key_frame(loopback: None) -> None:
    with running(a_config(decoder_process="most", ice_addresses=LOOPBACK)) as server:
        camera = Camera(level=200)
        async with dialled_rtc(server.url, camera=camera) as peer:
            await peer.picture(lambda picture: picture.mean() > 180)
            pid = await of_video(server)
            os.kill(pid, signal.SIGKILL)
            camera.level = 60
            await peer.picture(lambda picture: picture.mean() < 90)
            assert peer.connection.connectionState == "connected"
            assert not is_there(pid)
        await until(lambda: set(decoders()) == set(server.service.decoders.pids))

    await until(lambda: decoders() == [])


async def test_source_whose_reader_is_killed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.server.ingest.FIRST_RETRY_S", 0.02)
    clip = a_clip(tmp_path / "clip.mp4", [a_grey(40 + 20 * index) for index in range(10)], rate=20)
    with running(a_config(decoder_process="most", inputs=(f"door={clip}",))) as server:
        await until(lambda: server.service.session("door") is not None)
        pid = await of_video(server)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_there(pid))
        session = server.service.session("door")
        assert session is not None
        seen = session.stats.received
        await until(lambda: session.stats.received > seen + 5)

    await until(lambda: decoders() == [])

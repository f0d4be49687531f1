"""Video that is fetched: real files and a real server of video over HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.config import InputSource
from realtime.errors import ConfigError
from realtime.media import source
from realtime.media.opening import Opening
from realtime.server import ingest
from tests.fakes.clips import a_clip, a_grey
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected, dialled


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of brightening grey, 96 x 64 at 20 fps; its index first, so that it can be read as it comes."""
    frames = [a_grey(40 + 20 * index) for index in range(10)]
    return a_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, rate=20, options={"movflags": "faststart"})


def wait_for(condition: Callable[[], bool]) -> None:
    """As `until`, for tests without a loop of their own."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_RETRY_S", "LAST_RETRY_S", "RETURN_AFTER_S"):
        monkeypatch.setattr(ingest, name, 0.02)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("clip.mp4",), [("input", "clip.mp4")]),
        (("door=rtsp://cam/1?a=b", "x.mp4"), [("door", "rtsp://cam/1?a=b"), ("input-2", "x.mp4")]),
        (("rtsp://cam/1?a=b",), [("input", "rtsp://cam/1?a=b")]),
        (("my file=2.mp4",), [("input", "my file=2.mp4")]),
    ],
)
def test_source_may_have_a_name(texts: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert [(source.name, source.source) for source in InputSource.parse_all(texts)] == expected


def test_file_with_an_equals_sign_is_a_source_unless_what_is_behind_it_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Path("my=clip.mp4").touch()
    before = InputSource.parse_all(("my=clip.mp4", "my=./clip.mp4", "./my=clip.mp4"))
    Path("clip.mp4").touch()
    after = InputSource.parse_all(("my=clip.mp4", "./my=clip.mp4", "home=~/clip.mp4"))

    assert [(s.name, s.source) for s in before] == [
        ("input", "my=clip.mp4"),
        ("my", "./clip.mp4"),
        ("input-3", "./my=clip.mp4"),
    ]
    assert [(s.name, s.source) for s in after] == [
        ("my", "clip.mp4"),
        ("input-2", "./my=clip.mp4"),
        ("home", "~/clip.mp4"),
    ]


@pytest.mark.parametrize("texts", [("a=1.mp4", "a=2.mp4"), ("a=",), ("",)])
def test_names_are_different_and_sources_are_something(texts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        InputSource.parse_all(texts)


def test_file_that_is_not_there_is_an_error_before_the_server_starts() -> None:
    with pytest.raises(ConfigError, match=r"no-such\.mp4"), running(a_config(inputs=("no-such.mp4",))):
        pass


@pytest.mark.slow
async def test_file_becomes_a_session_and_is_played_again_and_again(clip: Path, quick: None) -> None:
    with running(a_config(inputs=(f"clip={clip}",))) as server:
        await until(lambda: (session := server.service.session("clip")) is not None and session.stats.received > 15)
        session = server.service.session("clip")
        async with dialled(f"{server.websocket_url}?watch=clip") as viewer:
            picture = await viewer.picture()

    assert session.newest is not None  # type: ignore[union-attr]
    assert picture.data


async def test_client_takes_a_fetched_session_over_and_the_source_comes_back(clip: Path, quick: None) -> None:
    with running(a_config(inputs=(str(clip),), resume_s=5.0)) as server:
        await until(lambda: (session := server.service.session("input")) is not None and session.stats.received > 2)
        session = server.service.session("input")
        async with connected(server.websocket_url, session="input") as client:
            await client.restyle(1)
            taken = session.stats.received  # type: ignore[union-attr]
        await until(lambda: session.stats.received > taken + 5)  # type: ignore[union-attr]

        assert server.service.session("input") is session


async def test_fetched_session_counts_and_is_patched_as_any_other(clip: Path, quick: None) -> None:
    with running(a_config(inputs=(str(clip),), max_sessions=1)) as server:
        await until(lambda: (session := server.service.session("input")) is not None and session.newest is not None)
        session = server.service.session("input")
        session.update({"width": 128, "height": 64})  # type: ignore[union-attr]
        await until(lambda: session.newest.picture.shape == (64, 128, 3))  # type: ignore[union-attr]
        async with dialled(server.websocket_url) as refused:
            assert await refused.closed() == 1013


class FlakyVideo(BaseHTTPRequestHandler):
    """Serves the clip, except the first time."""

    requests: list[str]
    clip: bytes

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if len(self.requests) == 1:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("content-length", str(len(self.clip)))
        self.end_headers()
        self.wfile.write(self.clip)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def flaky(clip: Path) -> Iterator[str]:
    FlakyVideo.requests, FlakyVideo.clip = [], clip.read_bytes()
    with ThreadingHTTPServer(("127.0.0.1", 0), FlakyVideo) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/clip.mp4"
        http.shutdown()
        thread.join()


@pytest.mark.slow
async def test_stream_that_fails_or_ends_is_opened_again(
    flaky: str, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    with running(a_config(inputs=(flaky,))) as server:
        await until(lambda: (session := server.service.session("input")) is not None and session.stats.received > 15)

    assert len(FlakyVideo.requests) >= 3
    assert "trying again" in caplog.text


def test_source_that_can_never_be_read_says_so_and_leaves_its_place(
    tmp_path: Path, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "clip.mp4"
    file.write_text("no video")
    with running(a_config(inputs=(str(file),))) as server:
        wait_for(lambda: "it is not tried again" in caplog.text)
        wait_for(lambda: server.service.session("input") is None)

    assert "input input: it holds nothing that this FFmpeg reads as video" in caplog.text
    assert "Traceback" not in caplog.text


def test_what_nobody_foresaw_is_said_and_tried_again(
    clip: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readings: list[object] = []

    def fails(*arguments: object) -> int:
        readings.append(arguments)
        raise IndexError("no such index")

    monkeypatch.setattr(ingest, "read", fails)
    with running(a_config(inputs=(str(clip),))):
        wait_for(lambda: len(readings) >= 3)

    words = "input input: it can't be read (no such index); see whether another player can; trying again"
    assert caplog.text.count(words) == 1


async def test_still_is_restyled_again_when_its_params_change(tmp_path: Path, quick: None) -> None:
    file = tmp_path / "still.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(file)
    with running(a_config(inputs=(f"still={file}",))) as server:
        await until(lambda: (session := server.service.session("still")) is not None and session.newest is not None)
        session = server.service.session("still")
        session.update({"width": 128, "height": 64})  # type: ignore[union-attr]
        await until(lambda: session.newest.picture.shape == (64, 128, 3))  # type: ignore[union-attr]

        assert session.stats.received < 50  # type: ignore[union-attr]


def test_file_without_frames_is_not_read_in_a_hurry(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readings: list[Opening] = []

    def no_frames(opening: Opening, *others: object) -> int:
        readings.append(opening)
        return 0

    monkeypatch.setattr(ingest, "read", no_frames)
    monkeypatch.setattr(ingest, "FIRST_RETRY_S", 60.0)
    file = tmp_path / "empty.mp4"
    file.touch()
    with running(a_config(inputs=(str(file),))) as server:
        wait_for(lambda: "no frames" in caplog.text)
        assert server.service.session("input") is not None

    assert len(readings) == 1


def test_source_is_not_opened_while_the_server_has_no_place_for_it(
    clip: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="realtime")
    readings: list[Opening] = []
    monkeypatch.setattr(
        ingest, "read", lambda opening, on_frame, stopping, max_pixels: readings.append(opening) or stopping.wait(9)
    )
    with running(a_config(inputs=(f"one={clip}", f"two={clip}"), max_sessions=1)):
        wait_for(lambda: "waits: 1 of 1" in caplog.text)
        time.sleep(0.2)  # ten more tries

    assert len(readings) == 1
    assert caplog.text.count("waits: 1 of 1") == 1


def test_server_with_an_input_that_hangs_still_stops(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread is a daemon, and nothing waits for it."""
    monkeypatch.setattr(source, "OPEN_TIMEOUT_S", 2 * PATIENCE_S)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/nothing"
        with running(a_config(inputs=(url,))) as server:
            wait_for(lambda: any(thread.name == "input-input" for thread in threading.enumerate()))
            server.stop()
            assert any(thread.name == "input-input" for thread in threading.enumerate()), "it still hangs"

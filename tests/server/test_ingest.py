"""Video that is fetched: real files and a real server of video over HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from realtime.config import InputSource
from realtime.errors import ConfigError
from realtime.server import ingest
from realtime.server.ingest import Opening, opening_of, read
from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S, until
from tests.server.peer import connected, dialled


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of brightening grey, 96 x 64 at 20 fps; its index first, so that it can be read as it comes."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(file), "w", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 40 + 20 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


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


@pytest.mark.parametrize("texts", [("a=1.mp4", "a=2.mp4"), ("a=",), ("",)])
def test_names_are_different_and_sources_are_something(texts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        InputSource.parse_all(texts)


@pytest.mark.parametrize(
    ("source", "platform", "file", "kind"),
    [
        ("camera", "linux", "/dev/video0", "v4l2"),
        ("camera:2", "linux", "/dev/video2", "v4l2"),
        ("/dev/video1", "linux", "/dev/video1", "v4l2"),
        ("camera:1", "darwin", "1", "avfoundation"),
        ("camera:HD Webcam", "win32", "video=HD Webcam", "dshow"),
        ("rtsp://cam/1", "linux", "rtsp://cam/1", None),
    ],
)
def test_live_sources_are_known_by_how_they_are_written(
    source: str, platform: str, file: str, kind: str | None
) -> None:
    opening = opening_of(source, platform)

    assert (opening.file, opening.format, opening.is_live) == (file, kind, True)


def test_rtsp_comes_over_tcp() -> None:
    assert opening_of("rtsp://cam/1").options["rtsp_transport"] == "tcp"


def test_file_that_is_not_there_is_an_error_before_the_server_starts() -> None:
    with pytest.raises(ConfigError, match=r"no-such\.mp4"), running(a_config(inputs=("no-such.mp4",))):
        pass


def test_file_is_played_at_its_own_pace(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No time passes, and nothing is really waited for: every frame is waited for from the beginning.
    monkeypatch.setattr(ingest, "time", SimpleNamespace(monotonic=lambda: 100.0))
    waits: list[float] = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    times: list[float] = []
    read(opening_of(str(clip)), lambda frame: times.append(frame.time), Stopping())

    assert times == pytest.approx([index / 20 for index in range(10)])
    assert waits == pytest.approx([index / 20 for index in range(10)])


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


def test_what_holds_no_video_says_so(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))

    with pytest.raises(ValueError, match="no video"):
        read(Opening(str(sound), None, {}, False), lambda frame: None, threading.Event())


def test_file_without_frames_is_not_read_in_a_hurry(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readings: list[Opening] = []

    def no_frames(opening: Opening, on_frame: object, stopping: object) -> int:
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
    caplog.set_level("INFO")
    readings: list[Opening] = []
    monkeypatch.setattr(
        ingest, "read", lambda opening, on_frame, stopping: readings.append(opening) or stopping.wait(9)
    )
    with running(a_config(inputs=(f"one={clip}", f"two={clip}"), max_sessions=1)):
        wait_for(lambda: "waits: 1 of 1" in caplog.text)
        time.sleep(0.2)  # ten more tries

    assert len(readings) == 1
    assert caplog.text.count("waits: 1 of 1") == 1


def test_server_with_an_input_that_hangs_still_stops(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread is a daemon, and nothing waits for it."""
    monkeypatch.setattr(ingest, "OPEN_TIMEOUT_S", 2 * PATIENCE_S)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/nothing"
        with running(a_config(inputs=(url,))) as server:
            wait_for(lambda: any(thread.name == "input-input" for thread in threading.enumerate()))
            server.stop()
            assert any(thread.name == "input-input" for thread in threading.enumerate()), "it still hangs"

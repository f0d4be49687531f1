"""Runs without an end of their own: real streams in and out, by the engine without a model."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest

from realtime.config import EngineConfig
from realtime.errors import ConfigError, RunError, SourceError
from realtime.media.opening import opening_of
from realtime.media.source_errors import explained
from realtime.outputs import push
from realtime.outputs.h264 import SOFTWARE
from realtime.outputs.push import PushStatus
from realtime.outputs.target import target_of
from realtime.run import live_source
from realtime.run.live import LiveOrder, LiveSummary, restyle_live
from realtime.run.live_source import LiveSource
from realtime.run.progress import LiveProgress
from realtime.run.source_clock import MOVE_S, SoundDelay, SourceClock
from tests.fakes.films import a_film
from tests.fakes.receivers import Receiver, a_free_port
from tests.fakes.waiting import PATIENCE_S

ECHO = EngineConfig(model="echo")
SMALL = {"width": 64, "height": 64}
KEY = "live_1234_secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (push, live_source):
        monkeypatch.setattr(module, "FIRST_RETRY_S", 0.05)
        monkeypatch.setattr(module, "LAST_RETRY_S", 0.05)


def an_order(source: str, output: str, **how: Any) -> LiveOrder:
    opening, target = opening_of(source, named="INPUT"), target_of(output, "OUTPUT")
    return LiveOrder(opening, target, SMALL, ECHO, encoder=lambda: SOFTWARE, **how)


class Told:
    """What is said, and the status at the time."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.status: PushStatus | None = None
        self.progress = LiveProgress(self.lines.append, is_terminal=False)
        self.progress.show = self._show  # type: ignore[method-assign]

    def _show(self, fps: float, delay_ms: float, dropped: int, status: PushStatus, problem: str) -> None:
        self.status = status


def run(order: LiveOrder, is_stopping: Callable[[Told], bool] = lambda told: False) -> tuple[LiveSummary, Told]:
    told = Told()
    end_s = time.monotonic() + PATIENCE_S

    def asked() -> bool:
        assert time.monotonic() < end_s, told.lines
        return is_stopping(told)

    return restyle_live(order, told.progress, asked), told


def sent(told: Told) -> int:
    return told.status.sent if told.status is not None else 0


def test_film_is_played_into_a_stream_with_its_sound(tmp_path: Path) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    receiver = Receiver(f"{url}?listen=1", container_format="mpegts")

    summary, _ = run(an_order(str(a_film(tmp_path / "film.mp4", 60)), url), lambda told: sent(told) > 90)
    got = receiver.wait()

    assert receiver.error is None
    assert summary.sent == len(got.levels)
    assert summary.restyled > 0
    assert got.samples / 48000 == pytest.approx(got.times_s[-1] - got.times_s[0], abs=3)
    assert max(got.loudness) > 0.2


def test_end_of_a_film_is_the_end_of_the_run(tmp_path: Path) -> None:
    summary, told = run(an_order(str(a_film(tmp_path / "film.mp4", 1, sound=None)), "udp://127.0.0.1:9"))

    assert summary.restyled > 0
    assert not any("INPUT" in line and "trying again" in line for line in told.lines)


def test_stream_becomes_a_file_that_is_whole_when_it_is_stopped(tmp_path: Path) -> None:
    port, output = a_free_port(), tmp_path / "taken.mp4"
    server, stop = a_server_of(a_film(tmp_path / "film.ts", 20, container_format="mpegts"), port)

    summary, _ = run(an_order(f"tcp://127.0.0.1:{port}", str(output)), lambda told: sent(told) > 30)
    stop.set()
    server.join(PATIENCE_S)

    with av.open(str(output)) as container:
        kinds = [each.type for each in container.streams]
        frames = sum(1 for _ in container.decode(video=0))
    assert sorted(kinds) == ["audio", "video"]
    assert frames == summary.sent > 30


def a_server_of(film: Path, port: int, times: int = 1, most_bytes: int = 10**9) -> tuple[threading.Thread, Any]:
    """Sends a film to whoever connects, several times, one after another, and hangs up."""
    stop = threading.Event()
    listening = socket.create_server(("127.0.0.1", port))
    listening.settimeout(0.1)

    def work() -> None:
        left = times
        with listening:
            while left and not stop.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                left -= 1
                with connection:
                    connection.settimeout(0.1)
                    data = memoryview(film.read_bytes()[:most_bytes])
                    while data and not stop.is_set():
                        try:
                            data = data[connection.send(data[:8192]) :]
                        except TimeoutError:
                            continue
                        except OSError:
                            break

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, stop


def test_stream_that_is_lost_is_read_again_and_its_last_picture_stays(tmp_path: Path) -> None:
    port, url = a_free_port(), f"tcp://127.0.0.1:{a_free_port()}"
    server, stop = a_server_of(a_film(tmp_path / "film.ts", 1, container_format="mpegts"), port, times=3)
    receiver = Receiver(f"{url}?listen=1", container_format="mpegts")
    lost: list[int] = []

    def is_over(told: Told) -> bool:
        if sum("INPUT: " in line for line in told.lines) >= 1 and not lost:
            lost.append(sent(told))
        return server_is_done() and bool(lost) and sent(told) > lost[0] + 20

    def server_is_done() -> bool:
        return not server.is_alive()

    _, told = run(an_order(f"tcp://127.0.0.1:{port}", url), is_over)
    stop.set()
    got = receiver.wait()

    assert "INPUT: the stream ended; trying again\n" in told.lines
    assert min(got.levels) > 30  # never black
    assert len(got.levels) > 20


def test_output_that_cannot_be_written_ends_the_run_and_says_why(tmp_path: Path) -> None:
    film = a_film(tmp_path / "film.mp4", 20)
    folder = tmp_path / "folder.mp4"
    folder.mkdir()

    with pytest.raises(RunError, match=r"OUTPUT .*folder\.mp4: it can't be written: Is a directory"):
        run(an_order(str(film), str(folder), overwrite=True))


def test_file_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("mine")

    with pytest.raises(ConfigError, match="--overwrite"):
        run(an_order(str(a_film(tmp_path / "film.mp4", 0.4)), str(output)))

    assert output.read_text() == "mine"


def test_source_that_no_try_can_read_ends_the_run(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no video at all" * 100)

    with pytest.raises(SourceError, match="is it whole, and a video"):
        run(an_order(str(film), "udp://127.0.0.1:9"))


def test_stop_before_there_is_a_source_is_heard() -> None:
    summary, told = run(
        an_order(f"tcp://127.0.0.1:{a_free_port()}", "udp://127.0.0.1:9"),
        lambda told: any("INPUT: nothing listens there" in line for line in told.lines),
    )

    assert (summary.restyled, summary.sent) == (0, 0)
    assert told.lines


class Playlist(BaseHTTPRequestHandler):
    """A stream that wants to be a file of this machine."""

    wanted = ""

    def do_GET(self) -> None:
        body = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{self.wanted}\n#EXT-X-ENDLIST\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("how", ["file://{}", "concat:{}", "subfile,,start,0,end,0,,:{}", "{}"])
def test_stream_cannot_lead_to_a_file_of_this_machine(tmp_path: Path, how: str) -> None:
    film = a_film(tmp_path / "film.ts", 1, container_format="mpegts")
    wanted = type("Wanted", (Playlist,), {"wanted": how.format(film)})
    with ThreadingHTTPServer(("127.0.0.1", 0), wanted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown: list[Any] = []
        opening = opening_of(f"http://127.0.0.1:{server.server_address[1]}/live.m3u8")
        try:
            live_source.read(opening, lambda *frame: shown.append(frame), threading.Event(), 2**22)
        except Exception as error:
            assert str(explained(error, opening))
        server.shutdown()

    assert shown == []


@pytest.mark.parametrize("scheme", ["concat", "subfile", "data", "pipe", "fd"])
def test_url_of_a_protocol_that_reads_files_is_refused(tmp_path: Path, scheme: str) -> None:
    film = a_film(tmp_path / "film.ts", 0.4, container_format="mpegts")
    opening = opening_of(f"{scheme}://{film}")

    with pytest.raises(SourceError):
        try:
            live_source.read(opening, lambda *_: None, threading.Event(), 2**22)
        except (OSError, ValueError) as error:
            raise explained(error, opening) from None


def test_newest_frame_is_taken_and_the_others_are_counted(tmp_path: Path) -> None:
    film = a_film(tmp_path / "film.mp4", 1)
    source = LiveSource(opening_of(str(film)), lambda *_: None)
    end_s = time.monotonic() + PATIENCE_S
    while source.frames < 25:
        assert time.monotonic() < end_s
        time.sleep(0.005)

    shot = source.take(True, lambda: False)
    rest = source.take(True, lambda: False)
    source.close()

    assert shot is not None
    assert rest is None
    assert source.dropped == 24


def test_clock_follows_timestamps_and_begins_anew_where_they_jump() -> None:
    clock = SourceClock()

    assert clock.heard_s(0.0) is None
    assert clock.made_s(5.0, 100.0) == 100.0
    assert clock.made_s(5.1, 100.3) == pytest.approx(100.1)  # late by 0.2
    assert clock.heard_s(5.2) == pytest.approx(100.2)
    assert clock.made_s(5.5, 100.4) == 100.4  # none comes before it was made
    assert clock.made_s(50.0, 100.5) == 100.5
    assert clock.made_s(0.0, 100.6) == 100.6
    assert clock.made_s(0.0, 101.3) == 101.3  # a source without timestamps


def test_sound_is_as_late_as_its_pictures_and_moved_seldom() -> None:
    delay = SoundDelay()
    delay.note(0.1)
    for _ in range(100):
        delay.note(0.1 + MOVE_S / 2)
    first = delay.delay_s
    for _ in range(100):
        delay.note(1.0)

    assert first == 0.1
    assert delay.delay_s == pytest.approx(1.0, abs=MOVE_S)


def test_what_is_said_has_no_key() -> None:
    lines: list[str] = []
    progress = LiveProgress(lines.append, is_terminal=True)
    status = PushStatus(target_of(f"rtmp://a.example/app/{KEY}", "OUTPUT").shown, push.PushState.RETRYING, problem="no")

    progress.output(status)
    progress.output(PushStatus(status.address, push.PushState.LIVE, "libx264"))

    assert lines == [
        "\r\x1b[KOUTPUT rtmp://a.example/…: no; trying again\n",
        "\r\x1b[KOUTPUT rtmp://a.example/…: open by libx264\n",
    ]


def test_line_is_said_now_and_then() -> None:
    lines: list[str] = []
    now = [0.0]
    progress = LiveProgress(lines.append, is_terminal=False, clock=lambda: now[0])
    for second in range(25):
        now[0] = second
        progress.show(29.97, 84.6, 3, PushStatus("x", push.PushState.LIVE), "")

    assert lines == ["30.0 fps, 85 ms, 3 dropped, live\n"] * 2

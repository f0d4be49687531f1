"""What is said of sources that can't be read: every failure that a user can cause, as the libraries raise it."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest
from av import error as av_errors

from realtime.errors import SourceError
from realtime.media import source
from realtime.media.opening import Opening, SourceKind, opening_of
from realtime.media.source import read
from realtime.media.source_errors import explained


def problem_with(opening: Opening) -> SourceError:
    try:
        read(opening, lambda planes, captured_us: None, threading.Event(), 2**22)
    except Exception as error:
        return explained(error, opening)
    raise AssertionError("it could be read")


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The address, with a password, of a web server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{http.server_address[1]}/clip.mp4"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "wants another user or password: SCHEME://USER:PASSWORD@HOST/PATH"),
        (403, "wants another user or password"),
        (404, "nothing at that path"),
    ],
)
def test_web_servers_that_refuse(status: int, words: str) -> None:
    with answering(status) as url:
        problem = problem_with(opening_of(url))

    assert words in str(problem)
    assert not problem.is_final
    assert "secret" not in str(problem)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for scheme in ("http", "rtsp", "rtmp", "tcp"):
        problem = problem_with(opening_of(f"{scheme}://127.0.0.1:{port}/live/key"))
        assert str(problem) == "nothing listens there; check host and port, and that the other side runs"
        assert not problem.is_final


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "OPEN_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        problem = problem_with(opening_of(f"http://127.0.0.1:{deaf.getsockname()[1]}/"))

    assert "no answer in time" in str(problem)
    assert not problem.is_final


def test_protocol_that_is_unknown_is_not_tried_again() -> None:
    problem = problem_with(opening_of("gopher2://127.0.0.1/clip"))

    assert str(problem).startswith("this FFmpeg doesn't read gopher2://")
    assert problem.is_final


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"<html>not found</html>"])
def test_file_that_is_no_video_is_not_tried_again_but_a_stream_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)

    problem = problem_with(opening_of(str(file)))

    assert str(problem).startswith("it holds nothing that this FFmpeg reads as video")
    assert problem.is_final
    assert not problem_with(Opening(str(file), SourceKind.PIPE)).is_final


def test_file_that_is_gone_and_camera_that_is_not_there_are_tried_again() -> None:
    gone = problem_with(Opening("no-such.mp4"))
    camera = explained(FileNotFoundError(errno.ENOENT, "No such file or directory"), opening_of("camera:7", "linux"))

    assert (str(gone), gone.is_final) == ("the file is gone; put it back", False)
    assert (str(camera), camera.is_final) == ("there is no camera /dev/video7; plug it in", False)


@pytest.mark.parametrize(
    ("error", "words", "is_final"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "add it to the group video", False),
        (av_errors.OSError(errno.EBUSY, "Device or resource busy"), "another program uses it; close that", False),
        (av_errors.OSError(errno.EIO, "Input/output error"), "check the host's name, the network or the cable", False),
        (ValueError("no container format 'v4l2'"), "this FFmpeg reads no cameras on this system", True),
        (av.error.FFmpegError(-1, "Something else"), "Something else", False),
        (MemoryError("no memory"), "no memory", False),
    ],
)
def test_cameras_that_cant_be_opened(error: Exception, words: str, is_final: bool) -> None:
    problem = explained(error, opening_of("camera:0", "linux"))

    assert words in str(problem)
    assert problem.is_final is is_final

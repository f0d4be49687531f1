"""What `--input` may name, and how it is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realtime.errors import ConfigError
from realtime.media.opening import SourceKind, opening_of


@pytest.mark.parametrize(
    ("source", "platform", "file", "format_name", "kind"),
    [
        ("camera", "linux", "/dev/video0", "v4l2", SourceKind.CAMERA),
        ("camera:2", "linux", "/dev/video2", "v4l2", SourceKind.CAMERA),
        ("/dev/video1", "linux", "/dev/video1", "v4l2", SourceKind.CAMERA),
        ("camera:1", "darwin", "1", "avfoundation", SourceKind.CAMERA),
        ("camera:HD Webcam", "win32", "video=HD Webcam", "dshow", SourceKind.CAMERA),
        ("rtsp://cam/1", "linux", "rtsp://cam/1", None, SourceKind.URL),
        ("RTSP://cam/1", "linux", "RTSP://cam/1", None, SourceKind.URL),
    ],
)
def test_live_sources_are_known_by_how_they_are_written(
    source: str, platform: str, file: str, format_name: str | None, kind: SourceKind
) -> None:
    opening = opening_of(source, platform)

    assert (opening.file, opening.format, opening.kind) == (file, format_name, kind)
    assert opening.is_live


def test_rtsp_comes_over_tcp() -> None:
    assert ("rtsp_transport", "tcp") in opening_of("rtsp://cam/1").options
    assert ("rtsp_transport", "tcp") not in opening_of("rtmp://cam/1").options


@pytest.mark.parametrize("url", ["rtsp://cam/1", "rtmp://cam/1", "tcp://cam:1", "http://cam/1"])
def test_no_stream_is_told_to_throw_away_its_first_pictures(url: str) -> None:
    assert "fflags" not in dict(opening_of(url).options)


def test_files_are_named_by_path_home_folder_or_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my clip.mp4"
    file.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    openings = [opening_of(source) for source in (str(file), "~/my clip.mp4", file.as_uri())]

    assert {(opening.file, opening.kind, opening.is_live) for opening in openings} == {
        (str(file), SourceKind.FILE, False)
    }


@pytest.mark.parametrize("source", ["no-such.mp4", "~/no-such.mp4", "file:///no-such.mp4"])
def test_file_that_is_not_there_is_named_as_it_was_written(source: str) -> None:
    with pytest.raises(ConfigError, match=f"--input {source}: there is no such file"):
        opening_of(source)


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="that is a folder; name a file in it"):
        opening_of(str(tmp_path))


def test_file_that_may_not_be_read_is_said_before_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.mp4"
    file.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(ConfigError, match="may not read the file; change its permissions"):
        opening_of(str(file))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_is_a_live_source(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert opening_of(str(tmp_path / "pipe")).kind is SourceKind.PIPE
    assert opening_of(str(tmp_path / "pipe")).is_live

"""Sources of `--input`: their names, what can't be opened, and what can't be shown. Never their addresses."""

from __future__ import annotations

import errno
import os
import threading
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from av import error as av_errors
from av.stream import Disposition
from PIL import Image

from realtime.config import Config, InputSource
from realtime.decoder_process import fetching
from realtime.decoder_process.worker import WorkerDied
from realtime.media import decoding, source
from realtime.media.opening import opening_of
from realtime.media.source_errors import explained
from realtime.server import ingest
from realtime.server.ingest import Ingest
from tests.fakes.clips import a_clip, greys

from .case import Case


def named(text: str) -> Callable[[], object]:
    return lambda: opening_of(text, "linux")


def forbidden() -> object:
    Path("clip.mp4").touch()
    with mock.patch.object(os, "access", lambda path, mode: False):
        return opening_of("clip.mp4")


def failing(error: Exception, text: str = "rtsp://user:secret@camera.example/live") -> Callable[[], str]:
    """What is said of a source that fails so."""

    def run() -> str:
        problem = str(explained(error, opening_of(text, "linux")))
        assert "secret" not in problem
        return problem

    return run


def shown(make: Callable[[Path], object], name: str = "clip.mp4", max_pixels: int = 2**22) -> Callable[[], object]:
    """What is said of a file that is read."""

    def run() -> object:
        make(Path(name))
        return source.read(opening_of(name), lambda planes, captured_us: None, threading.Event(), max_pixels)

    return run


def clip(**options: Any) -> Callable[[Path], object]:
    return lambda file: a_clip(file, greys(2), **options)


def sound(file: Path) -> None:
    with wave.open(str(file), "wb") as written:
        written.setparams((1, 2, 8000, 0, "NONE", ""))
        written.writeframes(bytes(1600))


def of_an_unknown_codec(file: Path) -> None:
    a_clip(file, greys(2))
    file.write_bytes(file.read_bytes().replace(b"avc1", b"zzzz"))


def animated(file: Path) -> None:
    still, moved = (Image.new("L", (16, 16), level) for level in (0, 90))
    still.save(file, save_all=True, append_images=[moved])


def damaged(file: Path) -> None:
    head, mark, rest = a_clip(file, greys(2)).read_bytes().partition(b"mdat")
    pictures, index, facts = rest.partition(b"moov")
    file.write_bytes(head + mark + bytes(len(pictures) - 4) + pictures[-4:] + index + facts)


def tiles() -> object:
    tile = mock.Mock(disposition=Disposition.dependent)
    container: Any = SimpleNamespace(streams=SimpleNamespace(video=[tile, tile]))
    return decoding.stream_of(container)


def dead(how: WorkerDied) -> Callable[[], object]:
    def read() -> object:
        Path("clip.mp4").touch()
        worker = mock.Mock(ask=mock.Mock(side_effect=how))
        with mock.patch.object(fetching, "DecoderWorker", lambda *_: worker):
            return fetching.read_elsewhere(opening_of("clip.mp4"), mock.Mock(), threading.Event(), 1024)

    return read


def empty() -> Awaitable[str]:
    Path("clip.mp4").touch()
    here = Ingest(mock.Mock(config=Config(decoder_process="off")), InputSource("door", "clip.mp4"))

    async def read() -> str:
        with mock.patch.object(ingest, "read", lambda *_: 0):
            return str(await here._read_once(mock.Mock()))

    return read()


ENCRYPTED = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}

NAMES = [
    Case("--input clip.mp4: there is no such file; a camera is camera:0, a URL has ://", "clip.mp4", named("clip.mp4")),
    Case("--input .: that is a folder; name a file in it", "--input .", named(".")),
    Case("--input clip.mp4: this user may not read the file; change its permissions", "clip.mp4", forbidden),
]

OPENED = [
    Case(
        "it holds nothing that this FFmpeg reads as video; is it whole, and a video?",
        "video",
        failing(av_errors.InvalidDataError(1, "Invalid data")),
    ),
    Case(
        "this FFmpeg doesn't read gopher://; rtsp, rtmp and http it does",
        "gopher://",
        failing(av_errors.ProtocolNotFoundError(1, "no"), "gopher://camera.example/"),
    ),
    Case(
        "this FFmpeg reads no cameras on this system; give a file or a URL",
        "cameras",
        failing(ValueError("no container format 'v4l2'"), "camera:0"),
    ),
    Case(
        "there is no camera /dev/video7; plug it in",
        "/dev/video7",
        failing(FileNotFoundError(errno.ENOENT, "No such file"), "camera:7"),
    ),
    Case("the file is gone; put it back", "file", failing(FileNotFoundError(errno.ENOENT, "No such file"))),
    Case(
        "this user may not open the camera; add it to the group video",
        "camera",
        failing(PermissionError(errno.EACCES, "Permission denied"), "camera:0"),
    ),
    Case(
        "this user may not read it; change its permissions",
        "permissions",
        failing(PermissionError(errno.EACCES, "Permission denied")),
    ),
    Case(
        "nothing listens there; check host and port, and that the other side runs",
        "host and port",
        failing(ConnectionRefusedError()),
    ),
    Case(
        "no answer in time (to connect 10 s, less afterwards); check the address and the network",
        "address",
        failing(TimeoutError()),
    ),
    Case(
        "the other side wants another user or password: SCHEME://USER:PASSWORD@HOST/PATH",
        "user or password",
        failing(av_errors.HTTPUnauthorizedError(401, "no")),
    ),
    Case(
        "the other side has nothing at that path (404); check it",
        "path",
        failing(av_errors.HTTPNotFoundError(404, "no")),
    ),
    Case(
        "another program uses it; close that",
        "another program",
        failing(OSError(errno.EBUSY, "Device or resource busy"), "camera:0"),
    ),
    Case(
        "it can't be reached; check the host's name, the network or the cable",
        "host's name",
        failing(OSError(errno.EIO, "Input/output error")),
    ),
    Case(
        "it can't be read (Protocol error); see whether another player can",
        "Protocol error",
        failing(OSError(errno.EPROTO, "Protocol error")),
    ),
]

SHOWN = [
    Case("it holds no video; give a file or stream that does", "video", shown(sound, "sound.wav")),
    Case(
        "its video is of a codec that this FFmpeg doesn't decode; convert it to H.264, for example",
        "codec",
        shown(of_an_unknown_codec),
    ),
    Case("it is encrypted; give one without copy protection", "encrypted", shown(clip(options=ENCRYPTED))),
    Case(
        "its webp pictures can't be decoded: is it animated? Convert it to MP4 or GIF",
        "webp",
        shown(animated, "animated.webp"),
    ),
    Case("its h264 pictures can't be decoded: it is damaged, or cut off", "h264", shown(damaged)),
    Case(
        "its colours are ICtCp, which are not converted here; convert it to BT.709 first",
        "ICtCp",
        shown(clip(colorspace=14)),
    ),
    Case(
        "its pictures have 96 x 64 pixels; this server takes 1024 in all: start it with --max-pixels "
        "6144, or make them smaller",
        "96 x 64",
        shown(clip(), max_pixels=1024),
    ),
    Case("it is a picture in tiles (HEIC); convert it to JPEG or PNG", "HEIC", tiles),
    Case("it has no frames; give a file or stream that does", "frames", empty),
]

DIED = [
    Case(
        "its decoder died (it crashed: SIGSEGV): convert it, or give another",
        "its decoder",
        dead(WorkerDied("it crashed: SIGSEGV")),
    ),
    Case(
        "its decoder died (it was killed by somebody): it is opened again",
        "its decoder",
        dead(WorkerDied("it was killed by somebody", is_own_doing=False)),
    ),
]
CASES = [*NAMES, *OPENED, *SHOWN, *DIED]

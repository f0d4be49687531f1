"""What takes pictures: a camera by a binding that is there, or is not, and SRT by a program that has it."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from realtime.outputs import container_sink, program_sinks
from realtime.outputs.child import serve
from realtime.outputs.container_sink import ContainerSink
from realtime.outputs.h264 import SOFTWARE
from realtime.outputs.program_sinks import CameraSink
from realtime.outputs.records import OutputSpec, SinkReport, picture_record, repeat_record, sound_record
from realtime.outputs.sink import SinkError
from realtime.outputs.target import OutputKind, target_of
from tests.fakes.receivers import a_free_port

KEY = "hush-hush-hush"
RED = np.full((48, 64, 3), (200, 30, 30), np.uint8)


def spec_of(address: str, **how: Any) -> OutputSpec:
    target = target_of(address, "--output")
    encoder = "" if target.kind is OutputKind.CAMERA else SOFTWARE
    return OutputSpec(
        **{
            "kind": target.kind,
            "address": target.address,
            "muxer": target.muxer,
            "width": 64,
            "height": 48,
            "rate": 30,
            "has_sound": False,
            "encoder": encoder,
            **how,
        }
    )


class Camera:
    """`pyvirtualcam.Camera` as far as it is used, with its checks."""

    made: ClassVar[list[Camera]] = []
    error: ClassVar[str] = ""

    def __init__(
        self, width: int, height: int, fps: float, *, fmt: str = "RGB", device: str | None = None, **kw: Any
    ) -> None:
        if self.error:
            raise RuntimeError(self.error)
        self.size, self.fps, self.fmt, self.device = (width, height), fps, fmt, device
        self.frames: list[np.ndarray] = []
        self.is_closed = False
        self.made.append(self)

    def send(self, frame: np.ndarray) -> None:
        if frame.dtype != np.uint8:
            raise TypeError(f"unexpected frame dtype: {frame.dtype} != uint8")
        if frame.shape != (self.size[1], self.size[0], 3):
            raise ValueError(f"unexpected frame shape: {frame.shape}")
        self.frames.append(frame.copy())

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def binding(monkeypatch: pytest.MonkeyPatch) -> type[Camera]:
    module: Any = types.ModuleType("pyvirtualcam")
    module.Camera, module.PixelFormat = Camera, types.SimpleNamespace(RGB="RGB")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setattr(Camera, "made", [])
    return Camera


def test_camera_gets_every_picture_and_is_closed(binding: type[Camera]) -> None:
    said = io.BytesIO()
    sent = spec_of("camera:3").line() + b"".join(picture_record(0, RED)) + repeat_record(1) + repeat_record(2)

    serve(io.BytesIO(sent), said)

    (camera,) = binding.made
    assert (camera.size, camera.fps, camera.fmt, camera.device) == ((64, 48), 30, "RGB", "/dev/video3")
    assert len(camera.frames) == 3
    assert (camera.frames[2] == RED).all()
    assert camera.is_closed
    assert SinkReport.parse(said.getvalue()) == SinkReport()


def test_binding_that_is_not_installed_is_named_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    said = io.BytesIO()

    serve(io.BytesIO(spec_of("camera").line()), said)

    answer = SinkReport.parse(said.getvalue())
    assert answer.is_final
    assert "realtime-img2img[virtual-camera]" in str(answer.problem)
    assert "GPL" in str(answer.problem)


@pytest.mark.parametrize(("platform", "what"), [("linux", "v4l2loopback"), ("win32", "OBS"), ("darwin", "OBS")])
def test_camera_that_is_not_there_is_made_how(
    binding: type[Camera], monkeypatch: pytest.MonkeyPatch, platform: str, what: str
) -> None:
    monkeypatch.setattr(binding, "error", "'v4l2loopback' backend: No v4l2 loopback device found")
    monkeypatch.setattr(program_sinks.sys, "platform", platform)

    with pytest.raises(SinkError, match=what):
        CameraSink(spec_of("camera"))


def test_what_was_cut_off_ends_in_order(binding: type[Camera]) -> None:
    sent = spec_of("camera").line() + b"".join(picture_record(0, RED)) + b"".join(picture_record(1, RED))[:-100]

    serve(io.BytesIO(sent), io.BytesIO())

    assert len(binding.made[0].frames) == 1
    assert binding.made[0].is_closed


def test_encoder_that_is_none_is_said_to_be_at_fault() -> None:
    with pytest.raises(SinkError) as error:
        ContainerSink(spec_of("udp://127.0.0.1:9", encoder="h264_none"))

    assert error.value.is_encoders


def program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ffmpeg` with SRT, alone on the PATH."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    (folder / "ffmpeg").symlink_to(ffmpeg)
    monkeypatch.setenv("PATH", str(folder))
    assert container_sink._knows_srt(ffmpeg)
    return Path(ffmpeg)


class Paced(io.BytesIO):
    """What comes as a live stream does: SRT sends at the pace of the timestamps, and waits for nothing at its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.015)
        return super().read(size)


@pytest.mark.slow
@pytest.mark.skipif(container_sink._has_srt(), reason="PyAV's FFmpeg has SRT itself")
def test_srt_goes_by_a_program_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ffmpeg = program(tmp_path, monkeypatch)
    port, taken = a_free_port(socket.SOCK_DGRAM), tmp_path / "taken.ts"
    secret = f"passphrase={KEY}&streamid=show"
    listening = subprocess.Popen(
        (ffmpeg, "-loglevel", "error", "-i", f"srt://127.0.0.1:{port}?mode=listener&{secret}", "-c", "copy", taken),
        stdin=subprocess.DEVNULL,
    )
    said = io.BytesIO()
    sent = spec_of(f"srt://127.0.0.1:{port}?{secret}", has_sound=True).line() + b"".join(picture_record(0, RED))
    for number in range(1, 90):
        sent += repeat_record(number) + sound_record(np.zeros((2, 1600), np.float32))

    serve(Paced(sent), said)
    assert listening.wait(60) == 0

    assert SinkReport.parse(said.getvalue()) == SinkReport()
    with av.open(str(taken)) as container:
        kinds = {each.type for each in container.streams}
        pictures = [frame.to_ndarray(format="rgb24")[24, 32] for frame in container.decode(video=0)]
    assert kinds == {"video", "audio"}
    assert 30 <= len(pictures) <= 90  # what is on its way at the end of a live stream is lost
    assert pictures[-1].tolist() == pytest.approx([200, 30, 30], abs=8)


@pytest.mark.skipif(container_sink._has_srt(), reason="PyAV's FFmpeg has SRT itself")
def test_srt_without_such_a_program_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = io.BytesIO()

    serve(io.BytesIO(spec_of(f"srt://127.0.0.1:9?passphrase={KEY}").line()), said)

    answer = SinkReport.parse(said.getvalue())
    assert answer == SinkReport(container_sink.NO_SRT, is_final=True)
    assert shutil.which("ffmpeg") is None
    assert KEY not in os.fsdecode(said.getvalue())

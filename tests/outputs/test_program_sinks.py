"""Spout, Syphon and NDI: against stand-ins that check as the bindings do, and NDI for real where its binding is."""

from __future__ import annotations

import json
import sys
import time
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.outputs.opening import SINKS, sink_of
from realtime.outputs.program_sinks import NDI_SAMPLES
from realtime.outputs.records import OutputSpec
from realtime.outputs.target import OutputKind, is_live_output, target_of
from tests.fakes.waiting import PATIENCE_S

RED = np.full((48, 64, 3), (200, 30, 10), np.uint8)
RED_OPAQUE = [200, 30, 10, 255]


def spec_of(text: str, *, has_sound: bool = False) -> OutputSpec:
    target = target_of(text, "OUTPUT")
    return OutputSpec(target.kind, target.address, target.muxer, 64, 48, 30, has_sound, "")


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [("spout", "realtime", "Spout realtime"), ("syphon:Stage", "Stage", "Syphon Stage"), ("ndi:A b", "A b", "NDI A b")],
)
def test_others_find_it_by_a_name(text: str, name: str, shown: str) -> None:
    target = target_of(text, "OUTPUT")

    assert (target.address, target.shown) == (name, shown)
    assert is_live_output(text)
    assert not target.kind.is_encoded


def test_every_kind_has_its_sink() -> None:
    assert set(SINKS) == set(OutputKind)


class SpoutSender:
    """`SpoutGL.SpoutSender`, with the checks of its PySpoutGL.cpp, which takes width before height."""

    def __init__(self) -> None:
        self.name, self.images, self.is_released = "", [], False

    def setSenderName(self, name: str) -> None:
        self.name = name

    def sendImage(self, pixels: bytes, width: int, height: int, gl_format: int, invert: bool, fbo: int) -> bool:
        if gl_format != 0x1908 or len(pixels) < width * height * 4:
            raise BufferError("Buffer not large enough")
        self.images.append((np.frombuffer(pixels, np.uint8).reshape(height, width, 4), invert, fbo))
        return True

    def releaseSender(self) -> None:
        self.is_released = True


def test_spout_is_sent_whole_pictures_the_right_way_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SpoutSender] = []
    binding: Any = types.ModuleType("SpoutGL")
    binding.SpoutSender = lambda: made.append(SpoutSender()) or made[-1]
    enums: Any = types.ModuleType("SpoutGL.enums")
    enums.GL_RGBA = 0x1908
    monkeypatch.setitem(sys.modules, "SpoutGL", binding)
    monkeypatch.setitem(sys.modules, "SpoutGL.enums", enums)

    sink = sink_of(spec_of("spout:Stage"))
    sink.picture(RED, 0)
    sink.close()

    (sender,) = made
    ((image, invert, fbo),) = sender.images
    assert (sender.name, image.shape, invert, fbo) == ("Stage", (48, 64, 4), False, 0)
    assert image[0, 0].tolist() == RED_OPAQUE
    assert sender.is_released


def test_syphon_is_sent_whole_pictures_and_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    class Server:
        def __init__(self, name: str) -> None:
            self.device = "a device"
            done.append(("server", name))

        def publish_frame_texture(
            self, texture: Any, region: Any = None, size: Any = None, is_flipped: bool = False
        ) -> None:
            done.append(("published", texture["pixels"][0, 0].tolist(), is_flipped))

        def stop(self) -> None:
            done.append("stopped")

    class Directory:
        run_loop_interval = 1.0

        def update_run_loop(self) -> None:
            done.append("found")

    def create_mtl_texture(device: Any, width: int, height: int) -> dict[str, Any]:
        return {"size": (width, height)}

    def copy_image_to_mtl_texture(image: Any, texture: dict[str, Any]) -> None:
        assert len(image.shape) == 3, "Image has to be of shape (m, n, 4)"
        assert image.shape[2] == 4, "Image has to be of shape (m, n, 4)"
        assert image.shape[1::-1] == texture["size"]
        texture["pixels"] = image

    for name, fields in {
        "syphon": {"SyphonMetalServer": Server, "SyphonServerDirectory": Directory},
        "syphon.utils": {},
        "syphon.utils.raw": {"create_mtl_texture": create_mtl_texture},
        "syphon.utils.numpy": {"copy_image_to_mtl_texture": copy_image_to_mtl_texture},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(fields)
        monkeypatch.setitem(sys.modules, name, module)

    sink = sink_of(spec_of("syphon:Stage"))
    sink.picture(RED, 0)
    sink.close()

    assert done == [("server", "Stage"), ("published", RED_OPAQUE, True), "found", "stopped"]


class NdiSender:
    """`cyndilib.sender.Sender` and its frames, with their checks."""

    def __init__(self, name: str, groups: str = "", clock_video: bool = True, clock_audio: bool = True) -> None:
        self.name, self.clocks = name, (clock_video, clock_audio)
        self.video: Any = None
        self.audio: Any = None
        self.is_open = self.is_closed = False
        self.pictures: list[Any] = []
        self.samples: list[Any] = []

    def set_video_frame(self, frame: Any) -> None:
        assert not self.is_open
        self.video = frame

    def set_audio_frame(self, frame: Any) -> None:
        assert not self.is_open
        self.audio = frame

    def open(self) -> None:
        self.is_open = True

    def write_video(self, data: Any) -> bool:
        assert data.ndim == 1
        assert data.size == 4 * self.video.set_resolution.args[0] * self.video.set_resolution.args[1]
        self.pictures.append(data.copy())
        return True

    def write_audio(self, data: Any) -> bool:
        assert data.dtype == np.float32
        assert data.shape[0] == self.audio.num_channels
        assert data.shape[1] <= self.audio.set_max_num_samples.args[0]
        self.samples.append(data.copy())
        return True

    def close(self) -> None:
        self.is_closed = True


class Remembered:
    """A call that keeps its arguments."""

    def __call__(self, *args: Any) -> None:
        self.args = args


class NdiFrame:
    """`VideoSendFrame` and `AudioSendFrame`."""

    def __init__(self) -> None:
        self.set_resolution, self.set_frame_rate, self.set_fourcc = Remembered(), Remembered(), Remembered()
        self.set_max_num_samples = Remembered()
        self.sample_rate = self.num_channels = 0


def test_ndi_is_sent_pictures_and_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[NdiSender] = []

    def sender(*args: Any, **how: Any) -> NdiSender:
        made.append(NdiSender(*args, **how))
        return made[-1]

    for name, fields in {
        "cyndilib.wrapper.ndi_structs": {"FourCC": types.SimpleNamespace(RGBX="RGBX")},
        "cyndilib.video_frame": {"VideoSendFrame": NdiFrame},
        "cyndilib.audio_frame": {"AudioSendFrame": NdiFrame},
        "cyndilib.sender": {"Sender": sender},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(fields)
        monkeypatch.setitem(sys.modules, name, module)

    sink = sink_of(spec_of("ndi:Stage", has_sound=True))
    sink.picture(RED, 0)
    sink.sound(np.full((2, NDI_SAMPLES + 100), 0.25, np.float32))
    sink.close()

    (one,) = made
    assert (one.name, one.clocks, one.is_closed) == ("Stage", (False, False), True)
    assert (one.video.set_frame_rate.args, one.video.set_fourcc.args) == ((Fraction(30),), ("RGBX",))
    assert one.pictures[0][:4].tolist() == RED_OPAQUE
    assert [each.shape for each in one.samples] == [(2, NDI_SAMPLES), (2, 100)]


@pytest.mark.slow
def test_ndi_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cyndilib")
    from cyndilib.finder import Finder  # type: ignore[import-not-found]
    from cyndilib.receiver import Receiver  # type: ignore[import-not-found]
    from cyndilib.video_frame import VideoFrameSync  # type: ignore[import-not-found]
    from cyndilib.wrapper.ndi_recv import RecvBandwidth, RecvColorFormat  # type: ignore[import-not-found]

    (tmp_path / "ndi-config.v1.json").write_text(json.dumps({"ndi": {"networks": {"ips": "127.0.0.1,"}}}))
    monkeypatch.setenv("NDI_CONFIG_DIR", str(tmp_path))  # where nobody answers multicast
    sink, end_s = sink_of(spec_of("ndi:realtime test", has_sound=True)), time.monotonic() + PATIENCE_S
    with Finder() as finder:
        receiver, found, shown = None, None, VideoFrameSync()
        while not (found is not None and shown.xres):
            assert time.monotonic() < end_s
            sink.picture(RED, 0)
            sink.sound(np.zeros((2, 1600), np.float32))
            time.sleep(0.02)
            if receiver is None:
                found = next((finder.get_source(name) for name in finder.get_source_names() if "test" in name), None)
                if found is not None:
                    receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
                    receiver.frame_sync.set_video_frame(shown)
                    receiver.set_source(found)
            elif receiver.is_connected():
                receiver.frame_sync.capture_video()
        size, pixels = (shown.xres, shown.yres), shown.get_array()[:3].tolist()
    sink.close()

    assert size == (64, 48)
    assert pixels == pytest.approx(RED_OPAQUE[:3], abs=6)

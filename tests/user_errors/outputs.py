"""Outputs, of `realtime run` and of `--output`: what they may name, and why nothing can be sent. Never their keys."""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from av import error as av_errors

from realtime.config import EngineConfig, OutputSetting, load_config
from realtime.engine.echo import EchoEngine
from realtime.errors import RealtimeError
from realtime.media.opening import opening_of
from realtime.outputs import container_sink, program_sinks
from realtime.outputs.container_sink import ContainerSink, explained_sink
from realtime.outputs.h264 import SOFTWARE
from realtime.outputs.opening import sink_of
from realtime.outputs.process import BROKE_OFF, NO_ANSWER, TAKES_NOTHING
from realtime.outputs.program_sinks import CameraSink
from realtime.outputs.records import OutputSpec
from realtime.outputs.sink import SinkError
from realtime.outputs.target import target_of
from realtime.run import live
from realtime.run.live import LiveOrder, restyle_live
from realtime.run.progress import LiveProgress
from realtime.run.prompt_images import PromptImages
from realtime.run.wanted import asked_params, check_heard
from realtime.server.egress import Egress
from tests.fakes.clips import a_clip, greys

from .case import Case

KEY = "live_secret_key"
URL = f"rtmp://live.example/app/{KEY}"


class _Told(RealtimeError):
    """A sink's words, as they come to whoever asks for the output's state."""


_Told.__module__ = "realtime.outputs"


def spec(address: str = URL, **how: Any) -> OutputSpec:
    target = target_of(address, "OUTPUT")
    fields = {"width": 64, "height": 48, "rate": 30, "has_sound": False, "encoder": SOFTWARE}
    return OutputSpec(**{"kind": target.kind, "address": target.address, "muxer": target.muxer, **fields, **how})


def sink(make: Callable[[], object]) -> Callable[[], object]:
    """What a sink says."""

    def run() -> object:
        try:
            return make()
        except SinkError as error:
            assert KEY not in str(error)
            raise _Told(str(error)) from None

    return run


def failing(error: Exception, address: str = URL) -> Callable[[], str]:
    return lambda: str(explained_sink(error, spec(address)))


def named(text: str, what: str = "OUTPUT") -> Callable[[], object]:
    return lambda: target_of(text, what)


def encoder_that_fails(where: str) -> Callable[[], object]:
    broken = types.SimpleNamespace(
        codec_context=mock.Mock(open=mock.Mock(side_effect=RuntimeError if where == "open" else None)),
        encode=mock.Mock(side_effect=RuntimeError),
    )

    def run() -> object:
        container = mock.Mock(add_stream=lambda *_, **__: broken)
        with mock.patch.object(container_sink.av, "open", lambda *_, **__: container):
            one = ContainerSink(spec())
            one.picture(greys(1)[0].to_ndarray(format="rgb24"), 0)
        return one

    return sink(run)


def camera(error: str | None = None, platform: str = "linux", *, goes: bool = False) -> Callable[[], object]:
    def run() -> object:
        module: Any = types.ModuleType("pyvirtualcam")
        module.PixelFormat = types.SimpleNamespace(RGB=0)
        one = mock.Mock(send=mock.Mock(side_effect=RuntimeError if goes else None))
        module.Camera = mock.Mock(side_effect=RuntimeError(error) if error else None, return_value=one)
        with (
            mock.patch.dict(sys.modules, {"pyvirtualcam": module}),
            mock.patch.object(program_sinks.sys, "platform", platform),
        ):
            CameraSink(spec("camera")).picture(mock.Mock(), 0)
        return None

    return sink(run)


def without_the_extra() -> object:
    with mock.patch.dict(sys.modules, {"pyvirtualcam": None}):
        return CameraSink(spec("camera"))


def without_a_binding(kind: str, module: str) -> Callable[[], object]:
    def run() -> object:
        with mock.patch.dict(sys.modules, {module: None}):
            return sink_of(spec(kind))

    return run


def spout_that_refuses() -> object:
    binding = mock.Mock(SpoutSender=lambda: mock.Mock(sendImage=lambda *_: False))
    with mock.patch.dict(sys.modules, {"SpoutGL": binding, "SpoutGL.enums": mock.Mock(GL_RGBA=0x1908)}):
        return sink_of(spec("spout")).picture(np.zeros((48, 64, 3), np.uint8), 0)


def syphon_without_metal() -> object:
    names = ("syphon", "syphon.utils", "syphon.utils.raw", "syphon.utils.numpy")
    modules: dict[str, Any] = {name: mock.Mock() for name in names}
    modules["syphon"].SyphonMetalServer = mock.Mock(side_effect=RuntimeError("No Metal device is available"))
    with mock.patch.dict(sys.modules, modules):
        return sink_of(spec("syphon"))


def without_srt() -> object:
    with (
        mock.patch.object(container_sink, "_has_srt", lambda: False),
        mock.patch.object(container_sink.shutil, "which", lambda _: None),
    ):
        return ContainerSink(spec(f"srt://live.example:9000?streamid={KEY}"))


def relay_that_ends() -> object:
    with container_sink._in_words(spec(), mock.Mock()):
        raise BrokenPipeError


def configured(text: str) -> Callable[[], object]:
    return lambda: load_config({"outputs": [text]})


def served(text: str) -> Callable[[], object]:
    (setting,) = OutputSetting.parse_all(load_config({"outputs": [text]}).outputs)
    return lambda: Egress(mock.Mock(), setting)


def live_run(output: str, **how: Any) -> Callable[[], object]:
    def run() -> object:
        if not Path("clip.mp4").exists():
            a_clip(Path("clip.mp4"), greys(3))
        opening, target = opening_of("clip.mp4"), target_of(output, "OUTPUT")
        order = LiveOrder(opening, target, {"width": 64, "height": 64}, EngineConfig(model="echo"), **how)
        return restyle_live(order, LiveProgress(lambda text: None, is_terminal=False))

    return run


def there() -> object:
    Path("out.mp4").touch()
    return live_run("out.mp4")()


def a_source_without_frames() -> object:
    source = mock.Mock(wait_for_first=lambda _: False, size=None)
    with mock.patch.object(live, "LiveSource", lambda *_: source):
        return live_run("udp://127.0.0.1:9")()


def file_that_is_none() -> object:
    Path("style.png").write_text("no picture")
    return PromptImages.read(["style.png"])


def damaged() -> object:
    Path("style.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return PromptImages.read(["style.png"])


NAMES = [
    Case(
        "OUTPUT gopher://…: pictures go to rtmp, rtmps, srt, udp and tcp: take one of these",
        "gopher",
        named(f"gopher://live.example/{KEY}"),
    ),
    Case("OUTPUT srt://…: it lacks a host or a port: write srt://HOST:PORT", "srt", named(f"srt://live.example?{KEY}")),
    Case("OUTPUT: that is no URL: write it as rtmp://HOST/APP/KEY", "OUTPUT", named(f"rtmp://live.example:port/{KEY}")),
    Case(
        "OUTPUT out.avi: run writes MP4 and MKV: end its name in .mp4 or .mkv",
        "out.avi",
        named("out.avi"),
    ),
    Case("outputs: output 1 is empty: write [NAME=]ADDRESS", "output 1", configured("show=")),
    Case(
        "--output: that is neither an address nor a camera: write NAME=rtmp://HOST/APP/KEY or NAME=camera; "
        "realtime run writes files",
        "--output",
        served("show=out.mp4"),
    ),
]

SENDING = [
    Case(
        "this FFmpeg sends nothing to rtmp://",
        "rtmp",
        failing(av_errors.ProtocolNotFoundError(1, "no")),
    ),
    Case(
        "nothing listens there; check host and port, and that the other side runs",
        "host and port",
        failing(ConnectionRefusedError(errno.ECONNREFUSED, "refused")),
    ),
    Case("no answer in time; check the address and the network", "address", failing(TimeoutError())),
    Case("the other side has hung up; is the key right?", "key", failing(BrokenPipeError())),
    Case("it can't be reached, or refuses; check host, app and key", "host", failing(OSError(errno.EIO, "I/O"))),
    Case("it can't be sent there; see whether FFmpeg can", "FFmpeg", failing(av_errors.UndefinedError(1, KEY))),
    Case(
        "it can't be written: No space left on device",
        "No space left",
        failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "out.mp4"),
    ),
    Case("nothing takes it there; check host, port and passphrase", "passphrase", sink(relay_that_ends)),
    Case("the encoder is none of this FFmpeg's", "encoder", sink(lambda: ContainerSink(spec(encoder="h264_none")))),
    Case("the encoder can't be opened", "encoder", encoder_that_fails("open")),
    Case("the encoder has failed", "encoder", encoder_that_fails("encode")),
    Case(container_sink.NO_SRT, "SRT", sink(without_srt)),
    Case("no answer in time; check the address and the network", "address", lambda: NO_ANSWER),
    Case("the other side takes nothing any more; check the network", "network", lambda: TAKES_NOTHING),
    Case("what sends it broke off", "broke off", lambda: BROKE_OFF),
]

CAMERAS = [
    Case(program_sinks.NO_CAMERA_PACKAGE, "realtime-img2img[virtual-camera]", sink(without_the_extra)),
    *(
        Case(text, "virtual camera", camera("no device", platform))
        for platform, text in program_sinks.NO_CAMERA.items()
    ),
    Case("the virtual camera has gone", "virtual camera", camera(goes=True)),
    *(
        Case(text, f"realtime-img2img[{kind}]", sink(without_a_binding(kind, module)))
        for kind, module, text in (
            ("spout", "SpoutGL", program_sinks.NO_SPOUT),
            ("syphon", "syphon", program_sinks.NO_SYPHON),
            ("ndi", "cyndilib.wrapper.ndi_structs", program_sinks.NO_NDI),
        )
    ),
    Case("Spout takes no pictures: is there a graphics card?", "graphics card", sink(spout_that_refuses)),
    Case("Syphon can't be used: there is no Metal device", "Metal", sink(syphon_without_metal)),
]  # fmt: skip

RUNS = [
    Case("OUTPUT out.mp4: there is such a file; name another, or replace it with --overwrite", "out.mp4", there),
    Case("OUTPUT nowhere/out.mp4: there is no folder nowhere; make it first", "nowhere", live_run("nowhere/out.mp4")),
    Case("INPUT: it has no frames; give a file or stream that does", "INPUT", a_source_without_frames),
]

IMAGES = [
    Case(
        "--prompt-image style.png: it can't be read: No such file or directory: check the name",
        "style.png",
        lambda: PromptImages.read(["style.png"]),
    ),
    Case(
        "--prompt-image style.png: that is no picture that is read here: give a JPEG, PNG or WebP",
        "style.png",
        file_that_is_none,
    ),
    Case("--prompt-image style.png: the PNG header can't be read: it is damaged or cut off", "style.png", damaged),
    Case(
        "--prompt-image: echo hears words, and no pictures: take another --model, or --reference with it",
        "echo",
        lambda: check_heard(PromptImages(({"picture": "0"},)), EchoEngine().info),
    ),
    Case(
        "--steer depth: no such net is loaded: add --control depth",
        "depth",
        lambda: PromptImages.read([], ["depth"], ["canny"]),
    ),
    Case(
        "--steer union/wind: no such net is loaded: this model has none",
        "union/wind",
        lambda: PromptImages.read([], ["union/wind"], ["union"]).weighed({}, EchoEngine().info),
    ),
    Case(
        "prompt: its pictures are a server's: give files of them with --prompt-image",
        "--prompt-image",
        lambda: asked_params({"prompt": [{"picture": "0" * 32}]}, None, None),
    ),
]

CASES = [*NAMES, *SENDING, *CAMERAS, *RUNS, *IMAGES]

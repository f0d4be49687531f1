"""What hands pictures to other programs of this machine or network, as they are: a virtual camera, Spout, Syphon, NDI.

Each by a binding that is an extra, imported when it is asked for. Must not know FFmpeg.
"""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from ..pixels import Pixels
from .records import SOUND_CHANNELS, SOUND_RATE, OutputSpec, Samples
from .sink import SinkError

NO_CAMERA_PACKAGE = (
    "virtual cameras are an extra, under the GPL: pip install 'realtime-img2img[virtual-camera]', which brings "
    "pyvirtualcam"
)
NO_CAMERA = {
    "linux": "there is no virtual camera: sudo modprobe v4l2loopback exclusive_caps=1 card_label=realtime makes one",
    "win32": "there is no virtual camera: install OBS, which brings one",
    "darwin": "there is no virtual camera: install OBS, and start its virtual camera once",
}
NO_SPOUT = "Spout is an extra on Windows: pip install 'realtime-img2img[spout]', which brings SpoutGL"
NO_SYPHON = "Syphon is an extra on macOS: pip install 'realtime-img2img[syphon]', which brings syphon-python"
NO_NDI = (
    "NDI is an extra: pip install 'realtime-img2img[ndi]', which brings cyndilib and NDI's runtime, under a licence of "
    "its own"
)
NDI_SAMPLES = 4800
"""At once, at most."""


class CameraSink:
    """A virtual camera, by pyvirtualcam."""

    def __init__(self, spec: OutputSpec) -> None:
        binding = _binding("pyvirtualcam", NO_CAMERA_PACKAGE)
        try:
            self._camera: Any = binding.Camera(
                spec.width, spec.height, spec.rate, fmt=binding.PixelFormat.RGB, device=spec.address or None
            )
        except RuntimeError:
            raise SinkError(NO_CAMERA.get(sys.platform, NO_CAMERA["linux"])) from None

    def picture(self, picture: Pixels, number: int) -> None:
        """See `Sink`: at once."""
        try:
            self._camera.send(picture)
        except RuntimeError:
            raise SinkError("the virtual camera has gone") from None

    def sound(self, samples: Samples) -> None:
        """See `Sink`: a camera has none."""

    def close(self) -> None:
        """See `Sink`."""
        self._camera.close()


class SpoutSink:
    """A picture that programs on this machine take from the graphics card, by SpoutGL (Windows)."""

    def __init__(self, spec: OutputSpec) -> None:
        binding, enums = _binding("SpoutGL", NO_SPOUT), _binding("SpoutGL.enums", NO_SPOUT)
        self._rgba: int = enums.GL_RGBA
        self._sender: Any = binding.SpoutSender()
        self._sender.setSenderName(spec.address)

    def picture(self, picture: Pixels, number: int) -> None:
        """See `Sink`: at once."""
        height, width, _ = picture.shape
        # Its names say height before width, and the other way round is what it does.
        if not self._sender.sendImage(_rgba(picture).tobytes(), width, height, self._rgba, False, 0):
            raise SinkError("Spout takes no pictures: is there a graphics card?")

    def sound(self, samples: Samples) -> None:
        """See `Sink`: there is none."""

    def close(self) -> None:
        """See `Sink`."""
        self._sender.releaseSender()


class SyphonSink:
    """A picture that programs on this machine take from the graphics card, by syphon-python (macOS)."""

    def __init__(self, spec: OutputSpec) -> None:
        binding = _binding("syphon", NO_SYPHON)
        raw, arrays = _binding("syphon.utils.raw", NO_SYPHON), _binding("syphon.utils.numpy", NO_SYPHON)
        try:
            self._server: Any = binding.SyphonMetalServer(spec.address)
        except RuntimeError:
            raise SinkError("Syphon can't be used: there is no Metal device", is_final=True) from None
        self._texture: Any = raw.create_mtl_texture(self._server.device, spec.width, spec.height)
        self._copy: Any = arrays.copy_image_to_mtl_texture
        self._directory: Any = binding.SyphonServerDirectory()
        self._directory.run_loop_interval = 0.001

    def picture(self, picture: Pixels, number: int) -> None:
        """See `Sink`: at once."""
        self._copy(_rgba(picture), self._texture)
        self._server.publish_frame_texture(self._texture, is_flipped=True)  # textures begin at the bottom
        self._directory.update_run_loop()  # without it nobody finds the server

    def sound(self, samples: Samples) -> None:
        """See `Sink`: there is none."""

    def close(self) -> None:
        """See `Sink`."""
        self._server.stop()


class NdiSink:
    """Pictures and sound for programs on the network, by cyndilib."""

    def __init__(self, spec: OutputSpec) -> None:
        structs = _binding("cyndilib.wrapper.ndi_structs", NO_NDI)
        frame = _binding("cyndilib.video_frame", NO_NDI).VideoSendFrame()
        frame.set_resolution(spec.width, spec.height)
        frame.set_frame_rate(Fraction(spec.rate))
        frame.set_fourcc(structs.FourCC.RGBX)
        self._sender: Any = _binding("cyndilib.sender", NO_NDI).Sender(
            spec.address, clock_video=False, clock_audio=False
        )
        self._sender.set_video_frame(frame)
        if spec.has_sound:
            heard = _binding("cyndilib.audio_frame", NO_NDI).AudioSendFrame()
            heard.sample_rate, heard.num_channels = SOUND_RATE, SOUND_CHANNELS
            heard.set_max_num_samples(NDI_SAMPLES)
            self._sender.set_audio_frame(heard)
        self._sender.open()

    def picture(self, picture: Pixels, number: int) -> None:
        """See `Sink`: at once."""
        self._sender.write_video(_rgba(picture).ravel())

    def sound(self, samples: Samples) -> None:
        """See `Sink`: at once."""
        for begin in range(0, samples.shape[1], NDI_SAMPLES):
            self._sender.write_audio(np.ascontiguousarray(samples[:, begin : begin + NDI_SAMPLES]))

    def close(self) -> None:
        """See `Sink`."""
        self._sender.close()


def _binding(name: str, missing: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SinkError(missing, is_final=True) from None


def _rgba(picture: Pixels) -> Any:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)

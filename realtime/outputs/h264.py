"""H.264 encoders: which there may be, how each is told to be quick or exact, and which one of this machine is taken.

Hardware's come first, each by a trial: pictures are encoded and decoded again, and have to come back. Must not know
where packets go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from ..pixels import Pixels

SOFTWARE = "libx264"
HARDWARE = ("h264_nvenc", "h264_videotoolbox", "h264_vaapi", "h264_qsv", "h264_amf")
"""In the order in which they are tried."""
UPLOADS = {"h264_vaapi": "vaapi"}
"""Those that take frames of a device alone, by the device's kind: FFmpeg brings ours there."""
BITS_PER_PIXEL, BITRATE_MIN, BITRATE_MAX = 23.0, 1_500_000, 8_000_000
"""Per second: 6 Mbit/s at 512 x 512, as by WebRTC."""
KEY_FRAME_S = 2
"""As platforms want it."""

LIVE: dict[str, dict[str, str]] = {
    SOFTWARE: {"preset": "superfast", "tune": "zerolatency"},
    "h264_nvenc": {"preset": "p4", "tune": "ll", "rc": "cbr", "delay": "0", "zerolatency": "1"},
    "h264_videotoolbox": {"realtime": "1"},
    "h264_vaapi": {"async_depth": "1"},
    "h264_qsv": {"preset": "veryfast", "async_depth": "1"},
    "h264_amf": {"usage": "lowlatency", "rc": "cbr"},
}
"""Options for pictures that are seen at once."""
EXACT: dict[str, dict[str, str]] = {
    SOFTWARE: {"preset": "medium", "crf": "18"},  # close to what came out of the model, at any size and rate
    "h264_nvenc": {"preset": "p5", "rc": "vbr", "cq": "19", "b": "0"},
    "h264_videotoolbox": {},
    "h264_vaapi": {"rc_mode": "CQP", "qp": "19"},
    "h264_qsv": {"preset": "medium", "global_quality": "19"},
    "h264_amf": {"usage": "transcoding", "rc": "cqp", "qp_i": "18", "qp_p": "20"},
}
"""Options for files, whose bitrate is what it needs to be."""
COLOURS = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
EXACT_BITS_PER_PIXEL = 80.0
"""Per second, for VideoToolbox in files: it has no constant quality on every Mac."""

TRIAL_SIDE_PX, TRIAL_FRAMES = 512, 12
TRIAL_RATE = 30
LEVELS_OFF_MAX = 12.0
"""Of 255, on average: what comes back further away than this is another picture, or another colour."""


def full_rate(width: int, height: int) -> int:
    """Bits a second for live pictures of this size."""
    return round(min(max(BITS_PER_PIXEL * width * height, BITRATE_MIN), BITRATE_MAX))


def hwaccel_of(name: str) -> HWAccel | None:
    """What `add_stream` and `CodecContext.create` are given beside the encoder's name."""
    return HWAccel(UPLOADS[name]) if name in UPLOADS else None


def prepare(context: Any, name: str, width: int, height: int, *, live: bool, rate: int = TRIAL_RATE) -> None:
    """Set an encoder that is not open yet, a `VideoCodecContext`.

    Args:
        name: FFmpeg's.
        live: for pictures that are seen at once; else for files.
        rate: pictures a second, for rate control and key frames.
    """
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.max_b_frames = 0  # pictures leave in their order
    context.options = {**(LIVE if live else EXACT)[name], **COLOURS}
    if live:
        bitrate = full_rate(width, height)
        context.bit_rate, context.gop_size = bitrate, KEY_FRAME_S * rate
        context.options |= {"maxrate": str(bitrate), "bufsize": str(bitrate)}
    elif name == "h264_videotoolbox":
        context.bit_rate = round(EXACT_BITS_PER_PIXEL * width * height)


def frame_of(picture: Pixels, pts: int, time_base: Fraction) -> av.VideoFrame:
    """A picture, uint8 [height, width, 3], RGB, as every encoder takes it: yuv420p, BT.709, limited range."""
    frame = av.VideoFrame.from_ndarray(cast(Any, picture), format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    frame.pts, frame.time_base = pts, time_base
    return frame


@dataclass(frozen=True, slots=True)
class Trial:
    """How an encoder did.

    Attributes:
        name: FFmpeg's.
        frame_ms: time that a picture of 512 x 512 took; None where it can't be used.
        obstacle: why it can't be used, in words; None where it can.
    """

    name: str
    frame_ms: float | None
    obstacle: str | None = None


def tried(name: str, create: Callable[..., Any] = av.CodecContext.create) -> Trial:
    """Encode a second of pictures, decode them again, and compare.

    Args:
        create: makes codec contexts, as PyAV's does.
    """
    pictures = [_trial_picture(index) for index in range(TRIAL_FRAMES)]
    try:
        packets, frame_ms = _encoded(name, pictures, create)
        back = _decoded(packets, create)
    except UnknownCodecError:
        return Trial(name, None, "this FFmpeg has none")
    except (FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError):
        return Trial(name, None, "there is no such device, or its driver refuses")
    if len(back) != len(pictures):
        return Trial(name, None, f"of {len(pictures)} pictures {len(back)} came back")
    off = max(
        float(np.abs(one.astype(np.int16) - other).mean()) if one.shape == other.shape else 255.0
        for one, other in zip(pictures, back, strict=True)
    )
    if off > LEVELS_OFF_MAX:
        return Trial(name, None, f"its pictures came back {off:.0f} levels off")
    return Trial(name, frame_ms)


def _trial_picture(index: int) -> Pixels:
    """A gradient under a bright block that moves: no two of them alike."""
    ramp = np.linspace(30, 200, TRIAL_SIDE_PX, dtype=np.float32)
    picture = np.empty((TRIAL_SIDE_PX, TRIAL_SIDE_PX, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = ramp, ramp[:, None], 110
    at = 16 * index
    picture[at : at + 96, at : at + 96] = (230, 220, 60)
    return picture


def _encoded(name: str, pictures: Sequence[Pixels], create: Callable[..., Any]) -> tuple[list[bytes], float]:
    context: Any = create(name, "w", hwaccel_of(name))
    prepare(context, name, TRIAL_SIDE_PX, TRIAL_SIDE_PX, live=True)
    context.framerate, context.time_base = Fraction(TRIAL_RATE), Fraction(1, TRIAL_RATE)
    frames = [frame_of(picture, index, context.time_base) for index, picture in enumerate(pictures)]
    packets = [bytes(packet) for packet in context.encode(frames[0])]  # which opens the device
    begun_s = time.perf_counter()
    for frame in frames[1:]:
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    return packets, 1000 * (time.perf_counter() - begun_s) / (len(frames) - 1)


def _decoded(packets: Sequence[bytes], create: Callable[..., Any]) -> list[Pixels]:
    context: Any = create("h264", "r")
    frames: list[Any] = []
    for packet in packets:
        frames += context.decode(av.Packet(packet))
    frames += context.decode(None)
    return [frame.to_ndarray(format="rgb24") for frame in frames]


def trials(
    names: Sequence[str] = HARDWARE, create: Callable[..., Any] = av.CodecContext.create, keeps_up_ms: float = 12.0
) -> list[Trial]:
    """Trials in order, up to the first that is taken; the last one is it. Software's is the last of all.

    Args:
        keeps_up_ms: most time for a picture of a hardware encoder; slower ones are passed over, unless software's is
            slower still.
    """
    made = [tried(SOFTWARE, create)]
    limit_ms = max(keeps_up_ms, made[0].frame_ms or 0.0)
    found: list[Trial] = []
    for name in names:
        trial = tried(name, create)
        if trial.frame_ms is not None and trial.frame_ms > limit_ms:
            trial = Trial(name, None, f"it takes {trial.frame_ms:.0f} ms a picture, which is too slow")
        found.append(trial)
        if trial.obstacle is None:
            return found
    return found + made

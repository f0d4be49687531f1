"""What a picture costs to encode and how it looks afterwards: our encoder beside aiortc's, without any network.

Pictures go in as RGB and come out as RTP payloads on both sides. Must not know sessions or servers.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
from aiortc.codecs import h264, vpx
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload

from realtime.bench import numbers
from realtime.pixels import Pixels
from realtime.server.webrtc.encoder import CLOCK_HZ, EFFORTS, EXPECTED_FPS, VideoEncoder, full_bitrate

from ..repeats import Numbers

Encode = Callable[[Pixels, int], list[bytes]]
"""A picture and its number to payloads."""
SETTLE = 30
"""Pictures before the first that counts: rate control finds its level in them."""


def ours(codec: str, effort: int, bitrate: int, side: int) -> Encode:
    """Our encoder, held at one effort."""
    encoder = VideoEncoder(codec, bitrate / full_bitrate(side, side))
    encoder.effort_control.TOO_MUCH, encoder.effort_control.LITTLE = float("inf"), 0.0
    encoder.effort_control.effort = effort
    packetizer = H264Encoder() if codec == "H264" else Vp8Encoder()

    def encode(picture: Pixels, number: int) -> list[bytes]:
        pts = number * CLOCK_HZ // EXPECTED_FPS
        return [payload for packet in encoder.encode(picture, pts, False) for payload in packetizer.pack(packet)[0]]

    return encode


def stock(codec: str, bitrate: int) -> Encode:
    """aiortc's encoder as it ships, but for the bounds of its bitrate, which are moved out of the way."""
    encoder = H264Encoder() if codec == "H264" else Vp8Encoder()
    with _unbounded():
        encoder.target_bitrate = bitrate

    def encode(picture: Pixels, number: int) -> list[bytes]:
        frame = av.VideoFrame.from_ndarray(cast(Any, picture), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, EXPECTED_FPS)
        return encoder.encode(frame)[0]

    return encode


@contextlib.contextmanager
def _unbounded() -> Generator[None]:
    bounds = h264.MAX_BITRATE, vpx.MAX_BITRATE
    h264.MAX_BITRATE = vpx.MAX_BITRATE = 10**9
    try:
        yield
    finally:
        h264.MAX_BITRATE, vpx.MAX_BITRATE = bounds


def efforts(codec: str) -> dict[str, int]:
    """Our encoder's efforts by name, best first."""
    return {name: effort for effort, name in enumerate(EFFORTS[codec])}


def measure(codec: str, encode: Encode, pictures: Sequence[Pixels]) -> Numbers:
    """Encode pictures one after another; times, bitrate and picture quality of those after the first `SETTLE`.

    Returns:
        p50, p95 of the time; processor time a picture, all threads; the bitrate; the largest picture; luma PSNR in dB.
    """
    decoder = av.CodecContext.create("h264" if codec == "H264" else "vp8", "r")
    depayload = h264_depayload if codec == "H264" else vp8_depayload
    times_ms: list[float] = []
    sizes: list[int] = []
    losses: list[float] = []
    cpu_s = 0.0
    for number, picture in enumerate(pictures):
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        payloads = encode(picture, number)
        spent_cpu_s, spent_s = time.process_time() - begun_cpu_s, time.perf_counter() - begun_s
        decoded = decoder.decode(av.Packet(b"".join(depayload(payload) for payload in payloads)))
        if number < SETTLE:
            continue
        times_ms.append(spent_s * 1000)
        cpu_s += spent_cpu_s
        sizes.append(sum(len(payload) for payload in payloads))
        losses.append(_psnr(picture, decoded[0]))
    spread = numbers.spread(times_ms)
    return {
        "p50_ms": spread["p50"],
        "p95_ms": spread["p95"],
        "cpu_ms": round(cpu_s * 1000 / len(times_ms), 3),
        "mbit_per_s": round(sum(sizes) * 8 * EXPECTED_FPS / len(sizes) / 1e6, 3),
        "largest_kb": round(max(sizes) / 1000, 1),
        "psnr_db": round(sum(losses) / len(losses), 2),
    }


def _psnr(picture: Pixels, decoded: av.VideoFrame) -> float:
    height = picture.shape[0]
    luma = cast(Pixels, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420))[:height].astype(np.float32)
    error = float(np.mean((decoded.to_ndarray()[:height].astype(np.float32) - luma) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


@contextlib.contextmanager
def one_core() -> Generator[None]:
    """Keep to one core, so that an encoder with many threads and one with one are charged alike. Linux only."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)

"""Encoded frames that were bent: each is decoded, dropped or refused, within the limit of pixels."""

from __future__ import annotations

import random

import pytest

from realtime.errors import FrameError
from realtime.server.webrtc.decoder import EncodedFrame, VideoDecoder
from realtime.server.webrtc.headers import read_header
from tests.fakes.video import a_stream, an_sps
from tests.fuzz.inputs import COUNT, random_sources

MAX_PIXELS = 128 * 128


def bent(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    how = chance.random()
    if how < 0.7:
        # The headers are in front.
        for _ in range(chance.choice((1, 1, 2, 5, 30))):
            changed[min(len(changed) - 1, int(chance.expovariate(1 / 20)))] = chance.randrange(256)
    elif how < 0.85:
        del changed[chance.randrange(1, len(changed)) :]
    else:
        at = chance.randrange(len(changed))
        changed[at:at] = chance.randbytes(chance.randrange(1, 60))
    return bytes(changed)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_every_header_is_read_or_refused(codec: str) -> None:
    frames = a_stream(codec, frames=3)
    if codec == "H264":
        frames += [b"\0\0\0\1\x67" + an_sps(chroma=3, crop=(1, 1, 1, 1), reordered=3)]
    read = 0
    for chance in random_sources(f"headers of {codec}"):
        try:
            read_header(codec, bent(chance.choice(frames), chance))
            read += 1
        except FrameError as refused:
            assert len(str(refused)) > 10

    assert 0 < read < COUNT


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_every_frame_is_decoded_dropped_or_refused_and_no_picture_is_too_large(codec: str) -> None:
    frames = a_stream(codec, frames=8)
    decoder = VideoDecoder(MAX_PIXELS, cpu_s=lambda: 0.0)
    decoded = refused = 0
    for number, chance in enumerate(random_sources(f"frames of {codec}")):
        data = chance.choice(frames)
        try:
            for one in decoder.decode(EncodedFrame(codec, bent(data, chance), 3000 * number)):
                assert one.planes.y.size <= MAX_PIXELS
                decoded += 1
        except FrameError:
            refused += 1

    assert decoded
    assert refused

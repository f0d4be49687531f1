"""A peer's video that is decoded in a process of its own: the same pictures, and a key frame where it died."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime.errors import FrameError
from realtime.server.webrtc.decoder import EncodedFrame, VideoDecoder
from realtime.server.webrtc.decoder_elsewhere import VideoDecoderElsewhere
from tests.fakes.starts import METHODS, start_by
from tests.fakes.video import a_stream, a_vp8_claim
from tests.server.test_ingest import wait_for

pytestmark = pytest.mark.slow
MAX_PIXELS = 2**20


@pytest.fixture(params=METHODS)
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoDecoderElsewhere]:
    start_by(request.param, monkeypatch)
    made = VideoDecoderElsewhere(MAX_PIXELS)
    yield made
    made.close()


def frames_of(codec: str) -> list[EncodedFrame]:
    return [EncodedFrame(codec, data, 3000 * n) for n, data in enumerate(a_stream(codec, frames=4))]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_pictures_are_those_that_are_decoded_here(decoder: VideoDecoderElsewhere, codec: str) -> None:
    here = VideoDecoder(MAX_PIXELS)
    for frame in frames_of(codec):
        (one,), (other,) = here.decode(frame), decoder.decode(frame)

        assert all(np.array_equal(getattr(one.planes, name), getattr(other.planes, name)) for name in "yuv")
        assert one.captured_us == other.captured_us
    assert not decoder.wants_key_frame


def test_gap_and_refusals_are_the_decoders(decoder: VideoDecoderElsewhere) -> None:
    key, *rest = frames_of("VP8")
    decoder.decode(key)
    decoder.skip()

    assert decoder.decode(rest[0]) == []
    assert decoder.wants_key_frame
    with pytest.raises(FrameError) as caught:
        decoder.decode(EncodedFrame("VP8", a_vp8_claim(16383, 16383), 0))
    assert caught.value.code == "too_many_pixels"


def test_decoder_that_is_killed_is_started_again_and_wants_a_key_frame(decoder: VideoDecoderElsewhere) -> None:
    key, *rest = frames_of("VP8")
    decoder.decode(key)
    pid = decoder.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    worker = decoder._worker
    assert worker is not None
    wait_for(lambda: not worker.is_alive)

    with pytest.raises(FrameError, match="the decoder of this picture is gone"):
        decoder.decode(rest[0])
    assert decoder.wants_key_frame
    assert decoder.decode(rest[1]) == []
    assert len(decoder.decode(key)) == 1
    assert decoder.pid != pid and not Path(f"/proc/{pid}").exists()


def test_nothing_is_left_of_a_decoder_that_is_closed(decoder: VideoDecoderElsewhere) -> None:
    decoder.decode(frames_of("VP8")[0])
    pid = decoder.pid

    decoder.close()

    assert not Path(f"/proc/{pid}").exists()
    assert decoder.decode(frames_of("VP8")[0]) == []

"""Frames to planes: what is decoded, what is dropped, what is refused, and what it may cost."""

from __future__ import annotations

import pytest

from realtime.errors import FrameError
from realtime.server.webrtc.decoder import SHARE, EncodedFrame, Share, VideoDecoder
from tests.fakes.video import a_stream, a_vp8_claim, an_h264_claim, an_sps

CODECS = pytest.mark.parametrize("codec", ["VP8", "H264"])


class Clocks:
    """Both of a decoder's; each decoded frame takes `cost_s`."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.cost_s = cost_s
        self._cpu_s = 0.0

    def decoder(self, max_pixels: int = 2**22) -> VideoDecoder:
        return VideoDecoder(max_pixels, lambda: self.now_s, self._spend)

    def _spend(self) -> float:
        self._cpu_s += self.cost_s
        return self._cpu_s


def frames_of(codec: str, count: int = 4, **size: int) -> list[EncodedFrame]:
    return [EncodedFrame(codec, data, 3000 * n) for n, data in enumerate(a_stream(codec, frames=count, **size))]


@CODECS
def test_stream_is_decoded_with_its_times(codec: str) -> None:
    decoder = Clocks().decoder()

    decoded = [one for frame in frames_of(codec) for one in decoder.decode(frame)]

    assert [one.planes.y.shape for one in decoded] == [(48, 64)] * 4
    assert [one.captured_us for one in decoded] == [0, 33333, 66666, 100000]
    assert [round(float(one.planes.y.mean()) / 20) for one in decoded] == [3, 5, 7, 9]
    assert not decoder.wants_key_frame


@CODECS
def test_nothing_is_decoded_before_a_key_frame_and_one_is_asked_for(codec: str) -> None:
    decoder = Clocks().decoder()
    key, *rest = frames_of(codec)

    assert [decoder.decode(frame) for frame in rest] == [[]] * 3
    assert decoder.wants_key_frame
    assert len(decoder.decode(key)) == 1
    assert not decoder.wants_key_frame


@CODECS
def test_after_a_gap_all_is_dropped_up_to_the_next_key_frame(codec: str) -> None:
    decoder = Clocks().decoder()
    key, *rest = frames_of(codec)
    decoder.decode(key)

    decoder.skip()

    assert decoder.decode(rest[1]) == []
    assert decoder.wants_key_frame
    assert len(decoder.decode(key)) == 1


def test_codec_may_change_in_between() -> None:
    decoder = Clocks().decoder()

    decoded = [decoder.decode(frame) for codec in ("VP8", "H264", "VP8") for frame in frames_of(codec, 2)]

    assert [len(each) for each in decoded] == [1] * 6


@pytest.mark.parametrize(
    ("codec", "data"),
    [("VP8", a_vp8_claim(16380, 16380)), ("H264", an_h264_claim(an_sps(1024, 1024)))],
)
def test_claim_of_a_size_beyond_the_limit_is_refused_undecoded_and_so_is_what_follows(codec: str, data: bytes) -> None:
    clocks = Clocks()
    decoder = clocks.decoder()
    key, following, *_ = frames_of(codec)
    decoder.decode(key)

    for frame in (EncodedFrame(codec, data, 0), following):
        with pytest.raises(FrameError, match="this server takes 4194304") as refused:
            decoder.decode(frame)
        assert refused.value.code == "too_many_pixels"

    assert decoder.wants_key_frame
    assert len(decoder.decode(key)) == 1


@CODECS
@pytest.mark.parametrize(("max_pixels", "is_taken"), [(70 * 50, True), (70 * 50 - 1, False)])
def test_limit_counts_the_pixels_that_are_seen(codec: str, max_pixels: int, is_taken: bool) -> None:
    decoder = Clocks().decoder(max_pixels)
    (key,) = frames_of(codec, 1, width=70, height=50)

    if is_taken:
        assert decoder.decode(key)[0].planes.y.shape == (50, 70)
    else:
        with pytest.raises(FrameError):
            decoder.decode(key)


def test_stream_that_makes_the_decoder_hold_many_large_pictures_is_refused() -> None:
    decoder = Clocks().decoder(64 * 48)

    with pytest.raises(FrameError, match="keep 16 pictures"):
        decoder.decode(EncodedFrame("H264", an_h264_claim(an_sps(references=16)), 0))


def test_pictures_out_of_order_are_refused() -> None:
    """A decoder would hold them back, up to 16 of them."""
    decoder = Clocks().decoder()
    stream = a_stream("H264", frames=40, **{"bf": "12", "x264-params": "b-adapt=0:scenecut=0"})

    with pytest.raises(FrameError, match="out of order"):
        for number, data in enumerate(stream):
            decoder.decode(EncodedFrame("H264", data, number))


@CODECS
def test_broken_frame_asks_for_a_key_frame_and_the_stream_goes_on(codec: str) -> None:
    decoder = Clocks().decoder()
    key, *rest = frames_of(codec)
    decoder.decode(key)

    assert decoder.decode(EncodedFrame(codec, b"\x01\x00\x00\x01\x41" + bytes(20), 1)) in ([], decoder.decode(key))
    assert len(decoder.decode(key)) == 1
    assert len(decoder.decode(rest[0])) == 1


def test_empty_frame_is_passed_over() -> None:
    decoder = Clocks().decoder()
    key, following, *_ = frames_of("VP8")
    decoder.decode(key)

    assert decoder.decode(EncodedFrame("VP8", b"", 1)) == []
    assert len(decoder.decode(following)) == 1


def test_stream_that_costs_more_than_its_share_gets_fewer_pictures_from_key_frames() -> None:
    clocks = Clocks(cost_s=0.1)  # of which 5 a second are paid for
    decoder = clocks.decoder()
    key, following, *_ = frames_of("VP8")
    decoded = 0
    for second in range(10):
        for number in range(30):
            clocks.now_s = 100 + second + number / 30
            decoded += len(decoder.decode(key if decoder.wants_key_frame else following))

    assert 10 * SHARE / 0.1 <= decoded <= 10 * SHARE / 0.1 + 6


def test_key_frame_is_not_asked_for_while_it_could_not_be_decoded() -> None:
    clocks = Clocks(cost_s=1.0)
    decoder = clocks.decoder()
    decoder.decode(frames_of("VP8")[0])

    assert decoder.decode(frames_of("VP8")[0]) == []
    assert not decoder.wants_key_frame
    clocks.now_s += 2
    assert decoder.wants_key_frame


def test_share_that_is_not_used_is_saved_for_a_second_only() -> None:
    share = Share(0.5, now_s=0)

    share.spend(60, 0.5)
    assert not share.is_spent(60)
    share.spend(60, 0.1)
    assert share.is_spent(60.1)
    assert not share.is_spent(60.3)

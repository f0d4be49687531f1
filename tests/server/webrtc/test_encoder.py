"""Pixels to packets, and what keeps that affordable."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.server.webrtc.encoder import (
    BITRATE_MAX,
    BITRATE_MIN,
    EFFORTS,
    KEYED_RATE,
    BitrateControl,
    EffortControl,
    VideoEncoder,
    full_bitrate,
)
from tests.fakes.pictures import Pixels, pixels


def decode(codec: str, packets: list[av.Packet]) -> list[Pixels]:
    decoder = av.CodecContext.create("h264" if codec == "H264" else "libvpx", "r")
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]  # type: ignore[union-attr]
    return [frame.to_ndarray(format="rgb24") for frame in frames]


@pytest.mark.parametrize("codec", EFFORTS)
def test_what_is_encoded_looks_like_the_picture(codec: str) -> None:
    encoder = VideoEncoder(codec)
    picture = pixels(128, 96)
    packets = [packet for index in range(8) for packet in encoder.encode(picture, index * 3000, False)]

    decoded = decode(codec, packets)

    assert len(packets) == len(decoded) == 8
    assert np.abs(decoded[-1].astype(int) - picture).mean() < 4


@pytest.mark.parametrize("codec", EFFORTS)
def test_transparent_picture_is_encoded_above_its_key_for_little_more(codec: str) -> None:
    encoder = VideoEncoder(codec)
    picture, key = pixels(128, 96), np.zeros((96, 128), np.uint8)
    key[:, :64] = 255
    packets = [packet for index in range(8) for packet in encoder.encode(picture, index * 3000, False, key)]

    decoded = decode(codec, packets)[-1].astype(int)

    assert decoded.shape == (192, 128, 3)
    assert np.abs(decoded[:96] - picture).mean() < 4
    assert np.abs(decoded[96:, :, 1] - key).mean() <= 4
    assert KEYED_RATE <= 1.15
    assert encoder.bitrate == round(KEYED_RATE * full_bitrate(128, 96))


@pytest.mark.parametrize("codec", EFFORTS)
def test_key_frames_are_the_first_those_asked_for_and_those_of_a_new_size(codec: str) -> None:
    encoder = VideoEncoder(codec)
    sizes = [(64, 64), (64, 64), (64, 64), (128, 64), (128, 64)]

    packets = [encoder.encode(pixels(*size), index * 3000, index == 2) for index, size in enumerate(sizes)]

    assert [packet.is_keyframe for (packet,) in packets] == [True, False, True, True, False]


@pytest.mark.parametrize("codec", EFFORTS)
def test_decoding_may_begin_at_any_key_frame(codec: str) -> None:
    encoder = VideoEncoder(codec)
    packets = [encoder.encode(pixels(seed=index), index * 3000, index == 4)[0] for index in range(6)]

    decoded = decode(codec, packets[4:])

    assert len(decoded) == 2
    assert np.abs(decoded[0].astype(int) - pixels(seed=4)).mean() < 6


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=5))
def test_timestamps_rise_whatever_the_clock_says(clock: list[int]) -> None:
    encoder = VideoEncoder("VP8")

    stamps = [packet.pts for pts in clock for packet in encoder.encode(pixels(), pts, False)]

    assert stamps == sorted(set(stamps))  # type: ignore[type-var]


def test_bitrate_follows_the_size_within_bounds() -> None:
    assert full_bitrate(64, 64) == BITRATE_MIN
    assert full_bitrate(512, 512) == pytest.approx(6e6, rel=0.05)
    assert full_bitrate(2048, 2048) == BITRATE_MAX


# -- effort control ------------------------------------------------------------------------------------------------


def run(control: EffortControl, seconds: float, spent_s: float, start_s: float = 0.0, fps: int = 30) -> list[int]:
    efforts = []
    for frame in range(int(seconds * fps)):
        control.note(start_s + frame / fps, spent_s)
        efforts.append(control.effort)
    return efforts


def test_encoding_that_takes_half_of_the_time_gets_less_effort_within_two_seconds() -> None:
    assert run(EffortControl(2), 2, 0.5 / 30)[-1] == 1


def test_effort_comes_back_after_ten_calm_seconds_and_not_before() -> None:
    control = EffortControl(2)
    run(control, 2, 0.5 / 30)

    efforts = run(control, 14, 0.05 / 30, start_s=2.0)

    assert efforts[8 * 30] == 1
    assert efforts[-1] == 0


def test_load_between_the_bounds_changes_nothing() -> None:
    assert set(run(EffortControl(3), 60, 0.25 / 30)) == {0}


def test_effort_never_leaves_its_range() -> None:
    assert set(run(EffortControl(2), 20, 2 / 30)) == {0, 1}


# -- bitrate control -----------------------------------------------------------------------------------------------

TARGET = 6_000_000


def sending(control: BitrateControl, begin_s: float, seconds: float, bitrate: float, estimate: int) -> None:
    """Send at a rate and hear an estimate, both ten times a second."""
    for tenth in range(int(seconds * 10)):
        now_s = begin_s + tenth / 10
        control.sent(now_s, int(bitrate / 80))
        control.estimated(now_s, estimate, round(TARGET * control.share))


def test_low_estimate_of_a_quiet_picture_is_no_complaint() -> None:
    control = BitrateControl()

    sending(control, 0.0, 20, bitrate=300_000, estimate=200_000)

    assert control.share == 1.0


def test_bursts_of_a_drawing_above_the_estimate_are_no_complaint() -> None:
    control = BitrateControl()

    for second in range(30):  # a key frame of 100 kB, then nothing
        control.sent(second, 100_000)
        control.estimated(second + 0.1, 250_000, TARGET)

    assert control.share == 1.0


def test_estimate_below_what_is_sent_lowers_the_rate_once_a_second() -> None:
    control = BitrateControl()
    shares = []

    for second in range(12):
        sending(control, second, 1, bitrate=TARGET * control.share, estimate=200_000)
        shares.append(control.share)

    assert shares == sorted(shares, reverse=True)
    assert all(later >= earlier / 2 for earlier, later in pairwise(shares))
    assert shares[-1] == min(BitrateControl.SHARES)


def test_rate_comes_back_step_by_step_once_nothing_is_complained_of() -> None:
    control = BitrateControl()
    sending(control, 0.0, 8, bitrate=TARGET, estimate=200_000)
    low = BitrateControl.SHARES.index(control.share)

    sending(control, 8.0, 9, bitrate=TARGET * control.share, estimate=2 * TARGET)

    assert low >= 2
    assert BitrateControl.SHARES.index(control.share) == low - 1


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 10**8), st.integers(0, 10**6)), max_size=60))
def test_share_is_always_one_of_the_shares(events: list[tuple[float, int, int]]) -> None:
    control, now_s = BitrateControl(), 0.0
    for pause_s, estimate, size in events:
        now_s += pause_s
        control.sent(now_s, size)
        control.estimated(now_s, estimate, TARGET)
        assert control.share in BitrateControl.SHARES

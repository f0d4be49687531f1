"""What is read of a frame before it is decoded, against encoders and against headers written bit by bit."""

from __future__ import annotations

import pytest

from realtime.errors import FrameError
from realtime.server.webrtc.headers import NALS_MAX, SPS_MAX, FrameHeader, read_header
from realtime.server.webrtc.sps import PictureSize, picture_of
from tests.fakes.video import Bits, a_stream, a_vp8_claim, an_h264_claim, an_sps


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (70, 50), (1280, 720), (1920, 1080)])
def test_size_is_what_the_encoder_was_given(codec: str, width: int, height: int) -> None:
    header = read_header(codec, a_stream(codec, width, height)[0])

    assert header.is_start
    assert [(picture.width, picture.height) for picture in header.pictures] == [(width, height)]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_frame_that_goes_on_is_no_start_and_has_no_size(codec: str) -> None:
    assert read_header(codec, a_stream(codec, frames=2)[1]) == FrameHeader(is_start=False)


@pytest.mark.parametrize("preset", ["ultrafast", "medium", "veryslow"])
@pytest.mark.parametrize("profile", ["baseline", "high", "high10", "high444"])
def test_every_profile_can_be_read(preset: str, profile: str) -> None:
    (picture,) = read_header("H264", a_stream("H264", 322, 242, preset=preset, profile=profile)[0]).pictures

    assert (picture.width, picture.height) == (322, 242)
    assert 0 < picture.kept <= 16 + 3


def test_scaling_lists_are_passed_over() -> None:
    (picture,) = read_header("H264", a_stream("H264", 322, 242, **{"x264-params": "cqm=jvt"})[0]).pictures

    assert (picture.width, picture.height) == (322, 242)


def test_claim_is_read_as_it_is() -> None:
    assert read_header("VP8", a_vp8_claim(16380, 16380)).pictures[0].pixels == 16380**2
    assert read_header("H264", an_h264_claim(an_sps(1024, 1024))).pictures[0].pixels == 16384**2


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (an_sps(), PictureSize(64, 48, 1, 1.5)),
        (an_sps(references=16), PictureSize(64, 48, 16, 1.5)),
        (an_sps(crop=(0, 1, 0, 4)), PictureSize(62, 40, 1, 1.5)),
        (an_sps(chroma=0), PictureSize(64, 48, 1, 1.0)),
        (an_sps(chroma=2), PictureSize(64, 48, 1, 2.0)),
        (an_sps(reordered=16), PictureSize(64, 48, 17, 1.5)),
    ],
)
def test_parameter_set_says_size_and_memory(payload: bytes, expected: PictureSize) -> None:
    assert picture_of(payload) == expected
    assert expected.memory_bytes == round(
        expected.width * expected.height * expected.bytes_per_pixel * (1 + expected.kept)
    )


def test_cropping_hides_no_more_than_the_rest_of_a_macroblock() -> None:
    """A decoder holds the whole picture, however little of it is shown."""
    picture = picture_of(an_sps(1024, 1024, crop=(4000, 4000, 4000, 4000)))

    assert picture.width == picture.height == 16384 - 31


def test_parameter_set_in_any_frame_counts() -> None:
    header = read_header("H264", a_stream("H264", frames=2)[1] + b"\0\0\1\x67" + an_sps(1024, 1024))

    assert header.is_start
    assert header.pictures[0].pixels == 16384**2


@pytest.mark.parametrize(
    ("codec", "data", "said"),
    [
        ("VP8", b"\0\0", "cut off"),
        ("VP8", b"\x10\0\0" + bytes(20), "start code"),
        ("H264", b"\0\0\1\x67", "parameter set"),
        ("H264", b"\0\0\1\x67" + an_sps()[:4], "parameter set"),
        ("H264", b"\0\0\1\x67" + bytes(100), "parameter set"),
        (
            "H264",
            b"\0\0\1\x67" + Bits().put(66, 8).put(0, 16).number(0, 0, 1).put(0, 1).number(0, 0, 999).payload(),
            "p",
        ),
        ("H264", (b"\0\0\1\x67" + an_sps()) * (SPS_MAX + 1), f"more than {SPS_MAX}"),
        ("H264", b"\0\0\1\x09" * (NALS_MAX + 1), f"more than {NALS_MAX}"),
    ],
)
def test_header_that_can_not_be_read_is_refused(codec: str, data: bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        read_header(codec, data)


def test_usability_information_that_ends_early_is_left_out() -> None:
    """FFmpeg takes it so too; cameras are known to write it."""
    whole = an_sps(reordered=2)
    cut = picture_of(whole[:-2])

    assert (cut.width, cut.height, cut.kept) == (64, 48, 1)

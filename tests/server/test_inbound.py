"""A decoder's frames as planes, and planes as pictures: against PyAV's own conversion."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from realtime.errors import FrameError
from realtime.frame import Format, Matrix
from realtime.media import codec
from realtime.server.inbound import is_planar, planes_of
from tests.fakes.pictures import Pixels, encoded, pixels


def a_video_frame(picture: Pixels, kind: str = "yuv420p", **how: Any) -> av.VideoFrame:
    """A frame of that pixel format and those colours, converted by swscale: not by the code under test."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=kind, **how)
    if "dst_colorspace" in how:
        frame.colorspace = how["dst_colorspace"]
    if "dst_color_range" in how:
        frame.color_range = how["dst_color_range"]
    return frame


def through(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    return codec.decode(planes_of(frame), Format.PLANES, width, height, 2**22)


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"dst_colorspace": Colorspace.ITU709}, id="BT.709, as OBS sends"),
        pytest.param({"dst_color_range": ColorRange.JPEG}, id="full range"),
        pytest.param({"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.JPEG}, id="both"),
    ],
)
def test_colours_survive(how: dict[str, Any]) -> None:
    picture = pixels(128, 96, seed=3)

    assert distance(through(a_video_frame(picture, **how), 128, 96), picture) < 3


def test_camera_that_sends_jpeg_keeps_its_colours() -> None:
    """They have full range and chroma of 4:2:2."""
    picture = pixels(64, 64)
    decoder = av.CodecContext.create("mjpeg", "r")

    (frame,) = decoder.decode(av.Packet(encoded(picture, quality=95, subsampling=1)))  # type: ignore[union-attr]

    assert frame.format.name == "yuvj422p"
    assert not is_planar(frame)
    assert distance(through(frame, 64, 64), picture) < 3


@pytest.mark.parametrize("kind", ["yuv422p", "yuv444p", "yuv420p10le", "nv12", "rgb24", "gray"])
def test_other_pixel_formats_are_taken_too(kind: str) -> None:
    picture = pixels(64, 64)
    luma = (picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    expected = picture if kind != "gray" else np.stack([luma] * 3, axis=2)

    assert distance(through(a_video_frame(picture, kind), 64, 64), expected) < 8


def test_planes_are_views_and_no_copies() -> None:
    frame = a_video_frame(pixels(64, 64))
    planes = planes_of(frame)

    frame.planes[0].update(bytes([77]) * frame.planes[0].buffer_size)

    assert planes.y.max() == planes.y.min() == 77


def test_padding_at_the_end_of_rows_is_no_part_of_the_picture() -> None:
    planes = planes_of(a_video_frame(pixels(70, 50)))

    assert (planes.y.shape, planes.u.shape, planes.v.shape) == ((50, 70), (25, 35), (25, 35))


def test_odd_sides_are_cut_to_even_ones() -> None:
    planes = planes_of(a_video_frame(pixels(71, 51)))

    assert (planes.y.shape, planes.u.shape) == ((50, 70), (25, 35))


def test_matrix_is_what_the_frame_says() -> None:
    assert planes_of(a_video_frame(pixels())).matrix is Matrix.BT601
    assert planes_of(a_video_frame(pixels(), dst_colorspace=Colorspace.ITU709)).matrix is Matrix.BT709


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 64), (64, 128), (256, 192)])
def test_planes_are_cropped_and_resized_as_pictures_are(width: int, height: int) -> None:
    picture = pixels(160, 120, seed=5)

    assert distance(through(a_video_frame(picture), width, height), codec.fit(picture, width, height)) < 4


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(FrameError, match="64 x 64") as refused:
        codec.decode(planes_of(a_video_frame(pixels(64, 64))), Format.PLANES, 64, 64, 64 * 63)

    assert refused.value.code == "too_many_pixels"

"""A decoder's frames as planes, and planes as pictures: against PyAV's own conversion."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageOps

from realtime.errors import FrameError
from realtime.frame import Format
from realtime.media import codec
from realtime.media.video import foreign_colours_of, is_planar, planes_of
from realtime.planes import Matrix, Orientation, Transfer
from tests.fakes.clips import a_clip
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


# -- what the container says ----------------------------------------------------------------------------------------


def first_frame(file: Path) -> av.VideoFrame:
    with av.open(str(file)) as container:
        return next(container.decode(container.streams.video[0]))


QUARTERS = np.repeat(np.repeat(np.array([[40, 90], [150, 220]], np.uint8), 32, axis=0), 48, axis=1)


@pytest.mark.parametrize(
    ("rotation", "hflip", "number"),
    [
        (0, False, 1),
        (0, True, 2),
        (180, False, 3),
        (180, True, 4),
        (90, False, 8),
        (90, True, 7),
        (270, False, 6),
        (270, True, 5),
        (80, False, 8),
    ],
)
def test_display_matrix_turns_and_mirrors(tmp_path: Path, rotation: int, hflip: bool, number: int) -> None:
    """Degrees are counterclockwise; the flip comes behind the rotation. 80 is no right angle, and taken for 90."""
    picture = np.stack([QUARTERS] * 3, axis=2)
    frame = a_video_frame(picture)
    planes = planes_of(first_frame(a_clip(tmp_path / "clip.mp4", [frame], rotation=rotation, hflip=hflip)))
    turned = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(with_exif(picture, number)))))

    assert planes.orientation == Orientation.from_exif(number)
    shown = codec.decode(planes, Format.PLANES, turned.shape[1], turned.shape[0], 2**22)
    assert distance(shown, turned) < 4


def with_exif(picture: Pixels, number: int) -> bytes:
    exif = Image.Exif()
    exif[0x112] = number
    return encoded(picture, "PNG", exif=exif)


@pytest.mark.parametrize("number", [1, 3, 6, 8])
def test_rotation_of_a_still_is_heard_though_its_side_data_cant_be_read(tmp_path: Path, number: int) -> None:
    file = tmp_path / "still.png"
    file.write_bytes(with_exif(pixels(64, 32), number))

    assert planes_of(first_frame(file)).orientation == Orientation.from_exif(number)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (640, 360, Matrix.BT601),
        (720, 576, Matrix.BT601),
        (720, 578, Matrix.BT709),
        (1280, 544, Matrix.BT709),
        (1920, 1080, Matrix.BT709),
    ],
)
def test_untagged_video_of_a_container_has_the_matrix_of_its_size(width: int, height: int, expected: Matrix) -> None:
    frame = av.VideoFrame(width, height, "yuv420p")

    assert planes_of(frame, untagged=None).matrix is expected
    assert planes_of(frame).matrix is Matrix.BT601, "a peer's"


@pytest.mark.parametrize(
    ("space", "primaries", "trc", "expected"),
    [
        (1, 1, 1, (Matrix.BT709, Transfer.SDR, False)),
        (6, 6, 6, (Matrix.BT601, Transfer.SDR, False)),
        (9, 9, 14, (Matrix.BT2020, Transfer.SDR, True)),
        (9, 2, 2, (Matrix.BT2020, Transfer.SDR, True)),
        (9, 1, 1, (Matrix.BT2020, Transfer.SDR, False)),
        (9, 9, 16, (Matrix.BT2020, Transfer.PQ, True)),
        (9, 9, 18, (Matrix.BT2020, Transfer.HLG, True)),
        (1, 2, 16, (Matrix.BT709, Transfer.PQ, True)),
    ],
)
def test_colour_tags_are_what_the_frame_says(
    space: int, primaries: int, trc: int, expected: tuple[Matrix, Transfer, bool]
) -> None:
    frame = av.VideoFrame(64, 64, "yuv420p")
    frame.colorspace, frame.color_primaries, frame.color_trc = space, primaries, trc
    planes = planes_of(frame)

    assert (planes.matrix, planes.transfer, planes.is_wide_gamut) == expected


@pytest.mark.parametrize(
    "kind", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv420p12le", "p010le", "nv12", "yuyv422"]
)
@pytest.mark.parametrize("space", [Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020])
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_saturated_colours_survive_all_formats_matrices_and_ranges(
    kind: str, space: Colorspace, color_range: ColorRange
) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 100, 50)]
    picture = np.repeat(np.repeat(np.array([colours], np.uint8), 32, axis=0), 32, axis=1)
    frame = a_video_frame(picture, kind, dst_colorspace=space, dst_color_range=color_range)
    frame.color_primaries = 1

    shown = through(frame, picture.shape[1], picture.shape[0])

    assert np.abs(shown[16, 16::32].astype(int) - colours).max() <= 4


@pytest.mark.parametrize("kind", ["rgba", "bgra", "gbrap", "yuva420p", "yuva444p10le", "ya8"])
def test_what_is_transparent_is_white(kind: str) -> None:
    picture = np.zeros((32, 64, 4), np.uint8)
    picture[:, 32:, 3] = 255
    frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=kind)
    frame.color_range = ColorRange.MPEG if kind.startswith("yuva") else ColorRange.JPEG

    shown = through(frame, 64, 32)

    assert shown[:, :30].min() >= 253
    assert shown[:, 34:].max() <= 2


def test_picture_with_a_palette_keeps_its_transparency(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 16, axis=1).repeat(16, axis=0), "P")
    picture.putpalette([0, 0, 0, 200, 0, 0])
    file = tmp_path / "palette.png"
    picture.save(file, transparency=0)
    frame = first_frame(file)

    assert frame.format.name == "pal8"
    shown = through(frame, 32, 16)
    assert shown[8, 4].tolist() == pytest.approx([255, 255, 255], abs=2)
    assert shown[8, 28].tolist() == pytest.approx([200, 0, 0], abs=4)


def test_interlaced_frame_shows_one_field_of_the_right_shape(tmp_path: Path) -> None:
    """What moves differs from line to line: the odd lines are white, the even ones are the picture."""
    picture = np.full((128, 128, 3), 255, np.uint8)
    picture[::2] = 60
    picture[32:96:2, 32:96] = 180
    frame = a_video_frame(picture)
    interlaced = first_frame(
        a_clip(tmp_path / "clip.mp4", [frame], encoding={"x264opts": "tff=1", "qp": "1"}, flags=1 << 18 | 1 << 29)
    )
    planes = planes_of(interlaced)

    assert interlaced.interlaced_frame
    assert (planes.y.shape, planes.u.shape, planes.pixel_aspect) == ((64, 128), (32, 64), 0.5)
    shown = codec.decode(planes, Format.PLANES, 128, 128, 2**22)[..., 1]
    assert shown[8:24, 8:120].max() < 75, "no comb"
    assert shown[40:88, 40:88].min() > 165


def test_foreign_colour_models_have_names() -> None:
    frame = av.VideoFrame(64, 64, "yuv420p")
    names = []
    for space in (0, 1, 2, 5, 9, 14, 8, 12):
        frame.colorspace = space
        names.append(foreign_colours_of(frame))

    assert names == [None] * 5 + ["ICtCp", "YCgCo", "number 12 of H.273"]


@pytest.mark.parametrize("kind", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_no_colour_tag_makes_a_peers_frame_fail(kind: str) -> None:
    frame = av.VideoFrame(64, 64, kind)
    for space in range(24):
        frame.colorspace, frame.color_primaries, frame.color_trc = space, space, space
        assert through(frame, 64, 64).shape == (64, 64, 3)

"""Pictures in and out: geometry, formats, and everything that a hostile client may send."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from realtime.errors import FrameError
from realtime.frame import Format
from realtime.media import codec, jpeg, png
from realtime.params import OutputFormat
from tests.fakes.pictures import Pixels, a_jpeg, encoded, pixels

MAX_PIXELS = 2048 * 2048
WHITE = (255, 255, 255)


def decode(data: bytes, width: int = 64, height: int = 64, declared: Format | None = None) -> Pixels:
    return codec.decode(data, Format.sniff(data) if declared is None else declared, width, height, MAX_PIXELS)


def refusal(data: bytes, declared: Format | None = None, max_pixels: int = MAX_PIXELS) -> FrameError:
    with pytest.raises(FrameError) as caught:
        codec.decode(data, Format.sniff(data) if declared is None else declared, 64, 64, max_pixels)
    return caught.value


def least_cpu_s(data: bytes, tries: int = 5) -> float:
    """What a refusal costs; what else the machine does meanwhile is not in it."""
    durations_s: list[float] = []
    for _ in range(tries):
        begin_s = time.thread_time()
        refusal(data)
        durations_s.append(time.thread_time() - begin_s)
    return min(durations_s)


def assert_close(picture: Pixels, expected: Pixels, tolerance: float = 6) -> None:
    assert picture.shape == expected.shape
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - expected.astype(int)).mean() < tolerance


# -- forged files --------------------------------------------------------------------------------------------------


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def with_png_size(data: bytes, width: int, height: int) -> bytes:
    head = data[12:16] + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


def with_png_length(data: bytes, kind: bytes, length: int) -> bytes:
    at = data.index(kind)
    return data[: at - 4] + struct.pack(">I", length) + data[at:]


def with_webp_size(data: bytes, width: int, height: int) -> bytes:
    kind = data[12:16]
    if kind == b"VP8 ":
        return data[:26] + struct.pack("<HH", width, height) + data[30:]
    if kind == b"VP8L":
        return data[:21] + struct.pack("<I", width - 1 | height - 1 << 14) + data[25:]
    assert kind == b"VP8X"
    return data[:24] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + data[30:]


def animated_webp() -> bytes:
    frames = [Image.new("RGB", (64, 64), color) for color in ((10, 20, 30), (200, 0, 0), (0, 200, 0))]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_of_many_scans(side: int, scans: int) -> bytes:
    """A valid progressive grey JPEG: one bit of one coefficient a scan, all of them zero. Each costs a whole pass."""
    blocks = (side // 8) ** 2
    data = b"\xff\xd8" + jpeg_segment(0xDB, b"\0" + b"\1" * 64)
    data += jpeg_segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    data += jpeg_segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")  # DC: `0` is "no difference"
    data += jpeg_segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")  # AC: a run of ends of block, and 14 bits
    data += jpeg_segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1)
    runs = bytes(2 * (blocks // 16384 + 1))
    passes = [(k, high, high - 1 if high else 13) for k in range(1, 64) for high in (0, *range(13, 0, -1))]
    for k, high, low in passes[: scans - 1]:
        data += jpeg_segment(0xDA, bytes((1, 1, 0, k, k, high << 4 | low))) + runs
    return data + b"\xff\xd9"


# -- what is decoded -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_picture_of_each_format_is_decoded_to_rgb(kind: str) -> None:
    picture = pixels(96, 96)

    assert_close(decode(encoded(picture, kind), 96, 96), picture)


def test_view_into_a_message_is_decoded_as_bytes_are() -> None:
    message = b"x" * 24 + a_jpeg()

    assert np.array_equal(codec.decode(memoryview(message)[24:], Format.JPEG, 64, 64, MAX_PIXELS), decode(a_jpeg()))


def test_decoded_picture_is_contiguous_and_writable() -> None:
    for data in (a_jpeg(64, 64), a_jpeg(80, 64), encoded(pixels(), "PNG")):
        picture = decode(data)
        assert picture.flags.c_contiguous
        assert picture.flags.writeable


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}]
)
def test_every_kind_of_jpeg_is_decoded(options: dict[str, Any]) -> None:
    picture = pixels(96, 96)

    assert_close(decode(encoded(picture, quality=90, **options), 96, 96), picture)


def test_grey_jpeg_becomes_rgb() -> None:
    grey = Image.fromarray(pixels()).convert("L")

    assert_close(decode(encoded(grey)), np.asarray(grey.convert("RGB")))


def test_cmyk_jpeg_becomes_rgb() -> None:
    picture = decode(encoded(Image.fromarray(pixels()).convert("CMYK"), quality=95))

    assert_close(picture, pixels())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("number", range(1, 9))
def test_picture_is_turned_as_its_exif_data_ask(kind: str, number: int) -> None:
    exif = Image.Exif()
    exif[274] = number
    data = encoded(pixels(64, 32), kind, exif=exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))

    assert codec.inspect(data, Format[kind], MAX_PIXELS) == (64, 32)
    assert_close(decode(data, *shown.size), np.asarray(shown))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16384, 1), (1, 16384), (61, 70), (7, 9), (2, 2)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_odd_sizes_have_a_defined_result(width: int, height: int, kind: str) -> None:
    data = encoded(Image.new("RGB", (width, height), (200, 100, 50)), kind)

    picture = decode(data, 64, 72)

    assert picture.shape == (72, 64, 3)
    assert_close(picture, np.full((72, 64, 3), (200, 100, 50), np.uint8))


def a_png(width: int, height: int, image: bytes, colour: int = 2, interlace: int = 0) -> bytes:
    """A PNG of 8 bits a sample whose image data are these, filter bytes and all."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlace)
    return PNG_DATA[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(image)) + chunk(b"IEND", b"")


def image_bytes(width: int, height: int, samples: int, interlaced: bool) -> int:
    """How many bytes a PNG's image data have before they are compressed."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for x, y, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = len(range(x, width, across)), len(range(y, height, down))
        total += rows * (1 + columns * samples) if columns else 0
    return total


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([(0, 1), (2, 3), (4, 2), (6, 4)]), st.booleans())
def test_png_with_all_of_its_picture_is_decoded(
    width: int, height: int, kind: tuple[int, int], interlaced: bool
) -> None:
    colour, samples = kind
    image = bytes(image_bytes(width, height, samples, interlaced))

    assert (decode(a_png(width, height, image, colour, int(interlaced))) == (255 if samples in (2, 4) else 0)).all()


@pytest.mark.parametrize("side", [1, 64, 500])
def test_png_that_inflates_to_more_than_its_picture_is_refused(side: int) -> None:
    bomb = a_png(side, side, bytes(side * (1 + 3 * side) + 4 * side + 64))

    assert "holds more than its picture" in str(refusal(bomb))


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_damaged_png_is_refused_before_the_library_writes_of_it(kind: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(PNG_DATA)
    at = data.index(kind)
    data[at + 4 + struct.unpack_from(">I", data, at - 4)[0]] ^= 1  # the check sum's first byte

    assert f"{kind.decode()} chunk is damaged" in str(refusal(bytes(data)))
    assert capfd.readouterr().err == ""


def test_png_with_a_longer_side_than_the_library_takes_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert "sides" in str(refusal(a_png(1_000_001, 1, bytes(1_000_002), colour=0)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda raw: b"\5" + raw[1:], "damaged", id="filter that there isn't, first"),
        pytest.param(lambda raw: raw[:-25] + b"\x99" + raw[-24:], "damaged", id="filter that there isn't, last"),
        pytest.param(lambda raw: raw[:-1], "less than its picture", id="too short"),
        pytest.param(lambda raw: raw + b"\0", "more than its picture", id="too long"),
    ],
)
def test_png_whose_rows_are_not_those_of_its_picture_is_refused(
    interlace: int, spoil: Callable[[bytes], bytes], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    raw = bytes(image_bytes(8, 8, 3, bool(interlace)))
    assert decode(a_png(8, 8, raw, interlace=interlace)).shape == (64, 64, 3)

    assert words in str(refusal(a_png(8, 8, spoil(raw), interlace=interlace)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA", "I;16"])
def test_every_kind_of_png_is_decoded(mode: str) -> None:
    if mode == "I;16":
        grey = np.asarray(Image.fromarray(pixels()).convert("L"))
        image, expected = Image.fromarray(grey.astype(np.uint16) * 257), np.repeat(grey[..., None], 3, 2)
    else:
        image = Image.fromarray(pixels()).convert(mode)
        expected = np.asarray(image.convert("RGB"))

    assert_close(decode(encoded(image, "PNG")), expected, 1)


def test_png_of_16_bits_a_channel_keeps_its_upper_eight() -> None:
    raw = b"".join(b"\0" + struct.pack(">HHH", 0x1234, 0x80FF, 0xFF00) * 64 for _ in range(64))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )

    assert decode(data)[5, 5].tolist() == [0x12, 0x80, 0xFF]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_lies_on_white(kind: str) -> None:
    layers = np.dstack([pixels(), np.zeros((64, 64), np.uint8)])
    layers[:, 32:, 3] = 255
    data = encoded(Image.fromarray(layers), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))

    picture = decode(data)

    assert (picture[:, :32] == WHITE).all()
    assert_close(picture[:, 32:], pixels()[:, 32:], 1)


def test_half_transparent_black_on_white_is_grey() -> None:
    layers = np.zeros((64, 64, 4), np.uint8)
    layers[..., 3] = 128

    assert decode(encoded(Image.fromarray(layers), "PNG"))[0, 0].tolist() == [127, 127, 127]


def test_first_picture_of_an_animation_is_taken() -> None:
    assert decode(animated_webp())[0, 0].tolist() == [10, 20, 30]

    frames = [Image.new("RGB", (64, 64), color) for color in ((10, 20, 30), (200, 0, 0))]
    apng = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert decode(apng)[0, 0].tolist() == [10, 20, 30]


# -- what is refused -----------------------------------------------------------------------------------------------

PNG_DATA, JPEG_DATA, WEBP_DATA = encoded(pixels(), "PNG"), a_jpeg(128, 128), encoded(pixels(), "WEBP")


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        pytest.param(b"", Format.JPEG, id="empty"),
        pytest.param(b"\xff\xd8", Format.JPEG, id="SOI only"),
        pytest.param(b"\xff\xd8\xff", Format.JPEG, id="SOI and a marker's beginning"),
        pytest.param(b"\xff\xd8\xff\xd9", Format.JPEG, id="SOI and EOI"),
        pytest.param(b"garbage" * 100, Format.JPEG, id="garbage"),
        pytest.param(b"\xff\xd8\xff" + b"garbage" * 100, Format.JPEG, id="garbage behind a signature"),
        pytest.param(JPEG_DATA[: len(JPEG_DATA) // 2], Format.JPEG, id="JPEG truncated at half"),
        pytest.param(JPEG_DATA[:-200], Format.JPEG, id="JPEG truncated near the end"),
        pytest.param(PNG_DATA, Format.JPEG, id="PNG sent as JPEG"),
        pytest.param(JPEG_DATA, Format.PNG, id="JPEG sent as PNG"),
        pytest.param(JPEG_DATA, Format.WEBP, id="JPEG sent as WebP"),
        pytest.param(encoded(pixels(), "GIF"), Format.PNG, id="GIF sent as PNG"),
        pytest.param(encoded(pixels(), "BMP"), Format.JPEG, id="BMP sent as JPEG"),
        pytest.param(PNG_DATA[:8], Format.PNG, id="PNG signature only"),
        pytest.param(PNG_DATA[:33], Format.PNG, id="PNG header only"),
        pytest.param(PNG_DATA[: len(PNG_DATA) // 2], Format.PNG, id="PNG truncated at half"),
        pytest.param(PNG_DATA[:12] + b"IDAT" + PNG_DATA[16:], Format.PNG, id="PNG without IHDR"),
        pytest.param(with_png_size(PNG_DATA, 0, 64), Format.PNG, id="PNG of no width"),
        pytest.param(with_png_size(PNG_DATA, 1000, 1000), Format.PNG, id="PNG that promises more than it holds"),
        pytest.param(WEBP_DATA[:12], Format.WEBP, id="WebP signature only"),
        pytest.param(WEBP_DATA[:28], Format.WEBP, id="WebP cut in its size"),
        pytest.param(WEBP_DATA[: len(WEBP_DATA) // 2], Format.WEBP, id="WebP truncated at half"),
        pytest.param(WEBP_DATA[:12] + b"JUNK" + WEBP_DATA[16:], Format.WEBP, id="WebP without a picture"),
        pytest.param(with_webp_size(WEBP_DATA, 1, 0), Format.WEBP, id="WebP of no height"),
    ],
)
def test_bad_picture_is_refused(data: bytes, declared: Format) -> None:
    assert refusal(data, declared).code == "invalid_frame"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_jpeg_size(JPEG_DATA + bytes(50_000), 30_000, 30_000), id="JPEG"),
        pytest.param(with_jpeg_size(JPEG_DATA, 65_500, 65_500), id="JPEG of the largest size"),
        pytest.param(with_png_size(PNG_DATA, 30_000, 30_000), id="PNG"),
        pytest.param(with_png_size(PNG_DATA, 2**31 - 1, 2**31 - 1), id="PNG of the largest size"),
        pytest.param(with_png_size(PNG_DATA, 2**32 - 1, 1), id="PNG one pixel high"),
        pytest.param(with_webp_size(WEBP_DATA, 16_383, 16_383), id="WebP, lossy"),
        pytest.param(with_webp_size(encoded(pixels(), "WEBP", lossless=True), 16_384, 16_384), id="WebP, lossless"),
        pytest.param(with_webp_size(animated_webp(), 2**24, 2**24), id="WebP, extended"),
        pytest.param(jpeg_of_many_scans(4096, 2), id="JPEG that really is so large"),
    ],
)
def test_forged_size_is_refused_from_the_header_in_no_time_and_without_memory(data: bytes) -> None:
    process = psutil.Process()
    error = refusal(data)
    before = process.memory_info().rss

    assert error.code == "too_many_pixels"
    assert least_cpu_s(data) < 0.005
    assert process.memory_info().rss - before < 16 * 2**20


def test_limit_counts_pixels_and_belongs_to_the_range() -> None:
    data = encoded(pixels(64, 32), "PNG")

    assert codec.inspect(data, Format.PNG, 64 * 32) == (64, 32)
    assert refusal(data, max_pixels=64 * 32 - 1).code == "too_many_pixels"


def test_jpeg_of_a_few_scans_is_decoded_and_one_of_thousands_is_not() -> None:
    assert decode(jpeg_of_many_scans(256, jpeg.SCANS_MAX)).shape == (64, 64, 3)

    forged = jpeg_of_many_scans(2048, 800)

    assert "scans" in str(refusal(forged))
    assert least_cpu_s(forged) < 0.05


def test_jpeg_of_very_many_segments_is_refused_in_no_time_wherever_they_are() -> None:
    few, many = (jpeg_segment(0xE2, b"") * count for count in (500, 600_000))
    scan = JPEG_DATA.index(b"\xff\xda")

    assert decode(JPEG_DATA[:2] + few + JPEG_DATA[2:]).shape == (64, 64, 3)
    for forged in (JPEG_DATA[:2] + many + JPEG_DATA[2:], JPEG_DATA[:scan] + many + JPEG_DATA[scan:]):
        refusal(forged)
        assert least_cpu_s(forged) < 0.05


@pytest.mark.parametrize(
    "trailer",
    [b"\0" * 1000, b"ftypmp42" + b"\xff\xda\0\x02" * 100, pytest.param(a_jpeg(32, 32) * 40, id="40 pictures")],
)
def test_what_lies_behind_the_end_of_a_jpeg_is_ignored(trailer: bytes) -> None:
    assert np.array_equal(decode(JPEG_DATA + trailer), decode(JPEG_DATA))


def test_thumbnail_in_a_jpeg_is_not_taken_for_it() -> None:
    inside = jpeg_segment(0xE1, b"Exif\0\0" + a_jpeg(16, 16)) * 40
    data = JPEG_DATA[:2] + inside + JPEG_DATA[2:]

    assert codec.inspect(data, Format.JPEG, MAX_PIXELS) == codec.inspect(JPEG_DATA, Format.JPEG, MAX_PIXELS)
    assert np.array_equal(decode(data), decode(JPEG_DATA))


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_jpeg_that_is_cut_off_anywhere_is_decoded_or_refused(data: st.DataObject) -> None:
    cut = JPEG_DATA[: data.draw(st.integers(2, len(JPEG_DATA)))]

    with contextlib.suppress(FrameError):
        assert decode(cut, declared=Format.JPEG).shape == (64, 64, 3)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT", b"tEXt"])
@pytest.mark.parametrize("length", [2**32 - 1, 2**31 - 1, 2**29])
def test_png_chunk_that_promises_gigabytes_costs_nothing(kind: bytes, length: int) -> None:
    palette = encoded(Image.fromarray(pixels()).convert("P"), "PNG")
    data = palette[:33] + struct.pack(">I", 4) + b"tEXtabcd" + struct.pack(">I", zlib.crc32(b"tEXtabcd")) + palette[33:]
    before = psutil.Process().memory_info().rss

    assert least_cpu_s(with_png_length(data, kind, length)) < 0.05
    assert psutil.Process().memory_info().rss - before < 16 * 2**20


def test_png_of_very_many_chunks_is_refused() -> None:
    empty = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))

    assert decode(PNG_DATA[:33] + empty * 1000 + PNG_DATA[33:]).shape == (64, 64, 3)
    refusal(PNG_DATA[:33] + empty * png.CHUNKS_MAX + PNG_DATA[33:])


def test_what_lies_behind_the_end_of_a_png_is_ignored() -> None:
    assert np.array_equal(decode(PNG_DATA + b"\xff" * 100), decode(PNG_DATA))


def test_canvas_that_is_smaller_than_the_picture_in_it_is_refused() -> None:
    """A WebP whose extended header says 1 x 1 must not smuggle in the picture behind it."""
    layers = np.dstack([pixels(256, 256), np.full((256, 256), 200, np.uint8)])
    data = encoded(Image.fromarray(layers), "WEBP")
    assert data[12:16] == b"VP8X"

    refusal(with_webp_size(data, 1, 1), max_pixels=1)


@pytest.mark.parametrize("length", range(40))
@pytest.mark.parametrize(
    "data", [PNG_DATA, JPEG_DATA, WEBP_DATA, animated_webp()], ids=["PNG", "JPEG", "WebP", "extended WebP"]
)
def test_header_cut_anywhere_is_refused(data: bytes, length: int) -> None:
    for declared in (Format.JPEG, Format.PNG, Format.WEBP):
        refusal(data[:length], declared)


SEEDS = [
    a_jpeg(),
    encoded(pixels(), progressive=True),
    encoded(Image.fromarray(pixels()).convert("CMYK")),
    PNG_DATA,
    encoded(Image.fromarray(pixels()).convert("P"), "PNG"),
    encoded(Image.fromarray(pixels()).convert("RGBA"), "PNG"),
    WEBP_DATA,
    encoded(pixels(), "WEBP", lossless=True),
    animated_webp(),
]


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        # Headers are where sizes and tables lie, and most bytes are not theirs.
        at = draw(st.integers(0, min(len(data), 120) - 1) | st.integers(0, len(data) - 1))
        data[at] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(1, len(data))) :]
    return bytes(data)


@settings(max_examples=600)
@given(
    damaged_pictures() | st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\xff\xd8\xff" + tail),
    st.sampled_from([Format.JPEG, Format.PNG, Format.WEBP]) | st.none(),
)
@pytest.mark.slow
def test_any_bytes_are_a_picture_or_a_frame_error(data: bytes, declared: Format | None) -> None:
    try:
        picture = codec.decode(data, declared or Format.sniff(data) or Format.JPEG, 64, 48, 256 * 256)
    except FrameError as error:
        assert error.code in ("invalid_frame", "too_many_pixels")
        assert "\n" not in str(error)
    else:
        assert picture.shape == (48, 64, 3)
        assert picture.dtype == np.uint8


# -- crop and resize -----------------------------------------------------------------------------------------------


def test_picture_of_the_wanted_size_is_left_alone() -> None:
    assert np.array_equal(codec.fit(pixels(64, 48), 64, 48), pixels(64, 48))


def test_wide_picture_is_cropped_around_its_centre() -> None:
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, 32:96] = 255

    assert (codec.fit(picture, 64, 64) == 255).all()


def test_tall_picture_is_cropped_around_its_centre() -> None:
    picture = np.zeros((128, 64, 3), np.uint8)
    picture[32:96] = 255

    assert (codec.fit(picture, 64, 64) == 255).all()


def test_crop_keeps_the_aspect_ratio() -> None:
    """A circle stays a circle, whatever the shapes."""
    y, x = np.mgrid[:300, :500]
    circle = np.repeat((((x - 250) ** 2 + (y - 150) ** 2 < 100**2) * 255).astype(np.uint8)[..., None], 3, 2)

    for width, height in ((256, 256), (512, 256), (256, 384)):
        bright = codec.fit(circle, width, height)[..., 0] > 127
        spans = [int(bright.any(axis=axis).sum()) for axis in (0, 1)]
        assert abs(spans[0] - spans[1]) <= 2


@given(*(st.integers(1, 300) for _ in range(4)))
def test_fit_gives_the_wanted_size_and_keeps_a_flat_colour(rows: int, columns: int, width: int, height: int) -> None:
    picture = codec.fit(np.full((rows, columns, 3), (9, 99, 199), np.uint8), width, height)

    assert picture.shape == (height, width, 3)
    assert (picture == (9, 99, 199)).all()


# -- encode --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output_format", "expected", "tolerance"),
    [(OutputFormat.JPEG, Format.JPEG, 4), (OutputFormat.WEBP, Format.WEBP, 4), (OutputFormat.PNG, Format.PNG, 0.001)],
)
def test_encoded_picture_is_that_picture(output_format: OutputFormat, expected: Format, tolerance: float) -> None:
    picture = pixels(96, 64)

    picture_format, data = codec.encode(picture, output_format, 90)

    assert picture_format is expected is Format.sniff(data)
    assert_close(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), picture, tolerance)
    assert_close(decode(data, 96, 64), picture, tolerance)


@pytest.mark.parametrize("output_format", [OutputFormat.JPEG, OutputFormat.WEBP])
def test_quality_is_bytes(output_format: OutputFormat) -> None:
    sizes = [len(codec.encode(pixels(256, 256), output_format, quality)[1]) for quality in (1, 50, 100)]

    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]

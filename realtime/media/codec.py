"""Encoded pictures to uint8 RGB arrays of the wanted size, and back.

Must not know torch (the array is copied to the device as it is) or who sent the picture. Every picture is hostile
until its header has been read: `inspect` checks the size before anything is decoded, since a forged header of 50 KB
cost cv2.imdecode 9 s and 5 GB.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, cast

import cv2
import numpy as np
import simplejpeg

from ..errors import FrameError
from ..frame import Format
from ..params import OutputFormat
from ..pixels import Pixels
from ..planes import Orientation, Planes
from . import jpeg, png
from .colour import to_rgb
from .exif import orientation_of
from .fit import fit, turn
from .matte import stacked

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it has a line for each bad picture

_UNREADABLE = (ValueError, struct.error, IndexError)
"""What reading a header raises."""

STRIP_ROWS = 64
Data = bytes | memoryview


def inspect(data: Data | Planes, declared: Format, max_pixels: int) -> tuple[int, int]:
    """Width and height in pixels, from the header alone: takes microseconds, whatever the picture.

    Raises:
        FrameError: it is no picture, not of the declared format, its header can't be read, or it has too many pixels.
    """
    if isinstance(data, Planes):
        height, width = data.y.shape
    else:
        width, height = _inspect_header(data, declared)
    if width < 1 or height < 1:
        raise FrameError(f"the picture has no pixels: {width} x {height}; send one that has")
    if width * height > max_pixels:
        raise FrameError(
            f"the picture has {width} x {height} pixels; this server takes {max_pixels} in all: send a smaller one",
            "too_many_pixels",
        )
    return width, height


def shown_size(data: Data, declared: Format, max_pixels: int) -> tuple[int, int]:
    """Width and height of an encoded picture as it is shown, turned as its EXIF data ask. Raises FrameError."""
    width, height = inspect(data, declared, max_pixels)
    return (height, width) if orientation_of(data).is_transposed else (width, height)


def _inspect_header(data: Data, declared: Format) -> tuple[int, int]:
    if Format.sniff(data) is not declared:
        found = Format.sniff(data)
        what = "no picture that this server reads" if found is Format.NONE else f"a {found.name} picture"
        raise FrameError(f"the frame was sent as {declared.name} but holds {what}: say what it is")
    try:
        return _SIZES[declared](data)
    except _UNREADABLE:
        raise FrameError(f"the {declared.name} header can't be read: it is damaged or cut off") from None


def decoding_ns(data: Data | Planes, declared: Format) -> float:
    """What decoding may take, in nanoseconds of a slow CPU, from the header alone; 0 where that can't be read."""
    if isinstance(data, Planes):
        return (2.0 if data.alpha is None else 12.0) * data.y.size
    try:
        return _DECODING_NS[declared](data)
    except (KeyError, *_UNREADABLE):
        return 0.0


def _jpeg_ns(data: Data) -> float:
    head = jpeg.header(data)
    return (40.0 if head.is_progressive else 4.0) * head.width * head.height + 30.0 * len(data)


def _png_ns(data: Data) -> float:
    head = png.header(data)
    return 24.0 * max(head.raw_bytes, 3 * head.width * head.height)


def _webp_ns(data: Data) -> float:
    width, height = _webp_size(data)
    return 30.0 * width * height + 120.0 * len(data)


def encoding_ns(pixels: int, output_format: OutputFormat) -> float:
    """What encoding so many pixels may take, in nanoseconds of a slow CPU."""
    return _ENCODING_NS[output_format] * pixels


_ENCODING_NS = {OutputFormat.JPEG: 5.0, OutputFormat.WEBP: 450.0, OutputFormat.PNG: 350.0}
"""A pixel. As `_DECODING_NS`: measured on a core of Zen 3, photographs and noise, rounded up."""


def decode(data: Data | Planes, declared: Format, width: int, height: int, max_pixels: int) -> Pixels:
    """Decode, crop around the centre to the aspect ratio of width x height, and resize to that.

    The picture is turned as its EXIF data ask, grey and CMYK become RGB, transparency is composited on white.

    Returns:
        uint8 [height, width, 3], RGB, contiguous.

    Raises:
        FrameError: see `inspect`, or the picture can't be decoded.
    """
    return decode_with_alpha(data, declared, width, height, max_pixels)[0]


def decode_with_alpha(
    data: Data | Planes, declared: Format, width: int, height: int, max_pixels: int
) -> tuple[Pixels, Pixels | None]:
    """As `decode`, with the opacity, uint8 [height, width]; None where the format or the picture has none."""
    inspect(data, declared, max_pixels)
    if isinstance(data, Planes):
        orientation, pixel_aspect, alpha = data.orientation, data.pixel_aspect, data.alpha
        picture = to_rgb(data, width, height)
    else:
        orientation, pixel_aspect, alpha = orientation_of(data), 1.0, None
        if declared is Format.JPEG:
            stored = _decode_jpeg(data)
        else:
            stored, alpha = _decode_other(png.picture(data) if declared is Format.PNG else data)
        picture = _shown(stored, width, height, orientation)
    return picture, None if alpha is None else _shown(alpha, width, height, orientation, pixel_aspect)


def _shown(stored: Pixels, width: int, height: int, orientation: Orientation, pixel_aspect: float = 1.0) -> Pixels:
    """A stored picture, [H, W, 3] or [H, W], cropped, resized and turned."""
    across, down = (height, width) if orientation.is_transposed else (width, height)
    return np.ascontiguousarray(turn(fit(stored, across, down, pixel_aspect), orientation))


def encode(
    picture: Pixels, output_format: OutputFormat, quality: int, key: Pixels | None = None
) -> tuple[Format, bytes]:
    """Encode uint8 [H, W, 3] RGB.

    Args:
        quality: 1 to 100, for JPEG and WebP.
        key: opacity, uint8 [H, W]: the alpha of PNG and WebP; a JPEG has none, and is stacked (see `matte.stacked`).
    """
    if output_format is OutputFormat.JPEG:
        shown = picture if key is None else stacked(picture, key)
        return Format.JPEG, simplejpeg.encode_jpeg(shown, quality=quality, colorspace="RGB", colorsubsampling="420")
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if key is not None:
        bgr = np.dstack([bgr, key])
    if output_format is OutputFormat.WEBP:
        _, encoded = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
        return Format.WEBP, encoded.tobytes()
    _, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return Format.PNG, encoded.tobytes()


def decode_encoded(data: Data, encoded_as: Format, *, has_key: bool = False) -> tuple[Pixels, Pixels | None]:
    """What `encode` was given, as far as the encoding kept it. Only for what `encode` made, in this process or another.

    Args:
        has_key: whether it was given a key.

    Returns:
        uint8 [H, W, 3], RGB, and the key, uint8 [H, W]; None where there was none.
    """
    if encoded_as is Format.JPEG:
        whole = _decode_jpeg(data)
        height = len(whole) // 2
        return (whole[:height], np.ascontiguousarray(whole[height:, :, 0])) if has_key else (whole, None)
    decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise FrameError("the picture can't be decoded")
    picture = cast(Pixels, cv2.cvtColor(np.ascontiguousarray(decoded[..., :3]), cv2.COLOR_BGR2RGB))
    if not has_key:
        return picture, None
    is_opaque = decoded.shape[2] == 3  # WebP leaves a key out that is 255 everywhere
    return picture, np.full(picture.shape[:2], 255, np.uint8) if is_opaque else np.ascontiguousarray(decoded[..., 3])


def _decode_jpeg(data: Data) -> Pixels:
    try:
        return simplejpeg.decode_jpeg(jpeg.picture(data), colorspace="RGB", fastdct=True, fastupsample=True)
    except ValueError:
        raise FrameError("the JPEG can't be decoded: it is damaged, cut off, or of a rare kind") from None


def _decode_other(data: Data) -> tuple[Pixels, Pixels | None]:
    """Decode PNG or WebP to uint8 RGB, transparency composited on white, and its alpha if it has one."""
    try:
        decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise FrameError("the picture can't be decoded: it is damaged, cut off, or of a rare kind")
    if decoded.dtype == np.uint16:
        upper = 1 if sys.byteorder == "little" else 0
        decoded = np.ascontiguousarray(decoded.view(np.uint8)[..., upper::2])
    if decoded.ndim == 2:
        return cast(Pixels, cv2.cvtColor(decoded, cv2.COLOR_GRAY2RGB)), None
    alpha: Pixels | None = None
    if decoded.shape[2] == 4:
        alpha, decoded = decoded[..., 3], _on_white(decoded)
    return cast(Pixels, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)), alpha


def _on_white(picture: Pixels) -> Pixels:
    """BGRA [H, W, 4] composited on white, [H, W, 3]. In strips: the sums are twice as large as the picture."""
    opaque = np.empty((*picture.shape[:2], 3), np.uint8)
    for top in range(0, len(picture), STRIP_ROWS):
        strip = picture[top : top + STRIP_ROWS]
        alpha = strip[..., 3:].astype(np.uint16)
        over = strip[..., :3] * alpha + 255 * (255 - alpha)
        opaque[top : top + STRIP_ROWS] = (over + 127) // 255
    return opaque


def _jpeg_size(data: Data) -> tuple[int, int]:
    head = jpeg.header(data)
    return head.width, head.height


def _png_size(data: Data) -> tuple[int, int]:
    head = png.header(data)
    return head.width, head.height


def _webp_size(data: Data) -> tuple[int, int]:
    """Source: the WebP container specification, and RFC 6386 section 9.1 for `VP8 `."""
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no VP8 chunk")


_SIZES = {Format.JPEG: _jpeg_size, Format.PNG: _png_size, Format.WEBP: _webp_size}
_DECODING_NS = {Format.JPEG: _jpeg_ns, Format.PNG: _png_ns, Format.WEBP: _webp_ns}

"""What a picture out of a video decoder is: a PyAV frame to `Planes`, with all that container and bitstream say of it.

The one place that reads a frame's side data and colour tags, for video that is fetched and for peers. Must not know
sessions, or when a frame is shown (`media.timeline`).
"""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from ..pixels import Pixels
from ..planes import UPRIGHT, Matrix, Orientation, Planes, Transfer

RGB = 0
MATRICES = {
    1: Matrix.BT709,
    4: Matrix.BT601,  # FCC's: 0.30 and 0.11 instead of 0.299 and 0.114
    5: Matrix.BT601,
    6: Matrix.BT601,
    7: Matrix.BT709,  # SMPTE 240M's: 0.212 and 0.087 instead of 0.2126 and 0.0722
    9: Matrix.BT2020,
}
"""By ITU-T H.273's MatrixCoefficients, which FFmpeg's AVColorSpace is."""
UNTAGGED = (2, 3)
COLORSPACES = {
    Matrix.BT601: Colorspace.ITU601,
    Matrix.BT709: Colorspace.ITU709,
    Matrix.BT2020: Colorspace.BT2020,
}
TRANSFERS = {ColorTrc.SMPTE2084: Transfer.PQ, ColorTrc.ARIB_STD_B67: Transfer.HLG}
_TURNED = {
    90: Orientation(is_transposed=True, is_flipped=True),
    -90: Orientation(is_transposed=True, is_mirrored=True),
    180: Orientation(is_mirrored=True, is_flipped=True),
    -180: Orientation(is_mirrored=True, is_flipped=True),
}
"""By degrees counterclockwise."""
PLANAR = ("yuv420p", "yuvj420p", "yuva420p")


def is_planar(frame: av.VideoFrame) -> bool:
    """Whether a frame is 8-bit YUV 4:2:0, as nearly all that browsers and encoders send."""
    return frame.format.name in PLANAR


def planes_of(
    frame: av.VideoFrame,
    *,
    untagged: Matrix | None = Matrix.BT601,
    pixel_aspect: float = 1.0,
    orientation: Orientation | None = None,
) -> Planes:
    """A decoded frame as planes; its sides are cut to even numbers, and of an interlaced one the first field is taken.

    Without a copy (views into the frame) where it `is_planar`. Else it is converted, which takes milliseconds.

    Args:
        untagged: the matrix of a frame that names none; None guesses it by the size, as players do. A peer's is BT.601:
            browsers convert by that, whatever the size.
        pixel_aspect: of the container; width of a pixel in units of its height.
        orientation: that wins over the frame's own; None has none.
    """
    matrix = MATRICES.get(frame.colorspace) or untagged or guessed_matrix(frame.width, frame.height)
    transfer = TRANSFERS.get(cast(ColorTrc, frame.color_trc), Transfer.SDR)
    is_wide_gamut = _is_wide_gamut(frame, matrix, transfer)
    orientation = orientation or _orientation_of(frame)
    if is_planar(frame):
        is_full_range = frame.format.name == "yuvj420p" or frame.color_range == ColorRange.JPEG
    else:
        frame, matrix, is_full_range = *_converted(frame, matrix), False
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    fields = 1
    if frame.interlaced_frame and height >= 4:
        fields, height, pixel_aspect = 2, height // 4 * 4, pixel_aspect / 2
    y, u, v = (
        _plane(plane, height // shrink, width // shrink)[::fields]
        for plane, shrink in zip(frame.planes[:3], (1, 2, 2), strict=True)
    )
    alpha = _plane(frame.planes[3], height, width)[::fields] if len(frame.planes) > 3 else None
    return Planes(y, u, v, matrix, is_full_range, transfer, is_wide_gamut, alpha, pixel_aspect, orientation)


def captured_us_of(frame: av.VideoFrame) -> int:
    """The frame's presentation time in microseconds; 0 where it has none."""
    return max(0, int((frame.time or 0.0) * 1e6))


def guessed_matrix(width: int, height: int) -> Matrix:
    """The matrix of untagged video of this size: BT.709 above that of SD television, as mpv and browsers guess it."""
    return Matrix.BT709 if width >= 1280 or height > 576 else Matrix.BT601


def foreign_colours_of(frame: av.VideoFrame) -> str | None:
    """The name of a frame's colour model if it is none that can be shown (ICtCp, YCgCo); None where it can."""
    space = int(frame.colorspace)
    if space == RGB or space in UNTAGGED or space in MATRICES:
        return None
    return {8: "YCgCo", 10: "BT.2020 with constant luminance", 14: "ICtCp"}.get(space, f"number {space} of H.273")


def _is_wide_gamut(frame: av.VideoFrame, matrix: Matrix, transfer: Transfer) -> bool:
    if frame.color_primaries == ColorPrimaries.UNSPECIFIED:
        return matrix is Matrix.BT2020 or transfer is not Transfer.SDR
    return frame.color_primaries == ColorPrimaries.BT2020


def _converted(frame: av.VideoFrame, matrix: Matrix) -> tuple[av.VideoFrame, Matrix]:
    """The frame as yuv420p or yuva420p of limited range, and its matrix."""
    has_alpha = frame.format.has_palette or any(component.is_alpha for component in frame.format.components)
    if frame.format.is_rgb:
        matrix = Matrix.BT601
    elif frame.colorspace not in MATRICES:
        frame.colorspace = COLORSPACES[matrix]  # swscale refuses what it doesn't know
    how = COLORSPACES[matrix]
    kind = "yuva420p" if has_alpha else "yuv420p"
    return frame.reformat(format=kind, dst_colorspace=how, dst_color_range=ColorRange.MPEG), matrix


def _orientation_of(frame: av.VideoFrame) -> Orientation:
    """By the display matrix: [a b u; c d v; x y w], which takes a point (p, q) to (a p + c q + x, b p + d q + y).

    Other angles than right ones become the nearest.
    """
    try:
        matrix = cast(Any, frame.side_data).get(Type.DISPLAYMATRIX)
    except ValueError:  # PyAV 18 doesn't know that there is side data of EXIF, and gives none of the others either
        return _TURNED.get(frame.rotation, UPRIGHT)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return Orientation(is_transposed=True, is_mirrored=c < 0, is_flipped=b < 0)
    return Orientation(is_mirrored=a < 0, is_flipped=d < 0)


def _plane(plane: VideoPlane, height: int, width: int) -> Pixels:
    padded = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
    return padded[:height, :width]

"""Planes to RGB: values that the standards name, and what was stored turned into what is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from realtime.media.colour import to_rgb
from realtime.planes import Matrix, Orientation, Planes, Transfer
from tests.fakes.pictures import Pixels

WHITE, GREY = 255, 128
LIMITED = {  # 8-bit (Y, Cb, Cr) of pure red. Source: the recommendations' formulas, rounded.
    Matrix.BT601: (81, 90, 240),
    Matrix.BT709: (63, 102, 240),
    Matrix.BT2020: (74, 97, 240),
}


def even(y: int, u: int = 128, v: int = 128, width: int = 16, height: int = 16) -> Planes:
    """Planes of one colour."""
    chroma = (height // 2, width // 2)
    return Planes(
        *(np.full(shape, value, np.uint8) for shape, value in (((height, width), y), (chroma, u), (chroma, v)))
    )


def colour_of(planes: Planes) -> tuple[int, int, int]:
    red, green, blue = to_rgb(planes, 8, 8)[4, 4].tolist()
    return red, green, blue


@pytest.mark.parametrize("matrix", Matrix)
def test_saturated_colours_are_right_by_every_matrix(matrix: Matrix) -> None:
    red = replace(even(*LIMITED[matrix]), matrix=matrix)

    assert colour_of(red) == pytest.approx((255, 0, 0), abs=3)


@pytest.mark.parametrize("matrix", Matrix)
@pytest.mark.parametrize(("is_full_range", "black", "white"), [(False, 16, 235), (True, 0, 255)])
def test_black_and_white_are_where_the_range_has_them(
    matrix: Matrix, is_full_range: bool, black: int, white: int
) -> None:
    shades = [colour_of(replace(even(y), matrix=matrix, is_full_range=is_full_range)) for y in (black, white)]

    assert shades == [(0, 0, 0), (255, 255, 255)]


def test_diffuse_white_of_hdr_is_nearly_white_and_keeps_room_for_highlights() -> None:
    """BT.2408: 203 cd/m2, which is 58 % of PQ's signal and 75 % of HLG's."""
    for transfer, signal in ((Transfer.PQ, 0.58), (Transfer.HLG, 0.75)):
        white, brighter, black = (
            colour_of(replace(even(round(16 + 219 * share)), transfer=transfer, is_wide_gamut=True))[0]
            for share in (signal, 1.0, 0.0)
        )
        assert 235 <= white <= 248, transfer
        assert brighter == 255, transfer
        assert black == 0, transfer


def test_dim_greys_of_hdr_are_as_bright_as_their_light() -> None:
    """20 cd/m2 is 0.357 of PQ's signal, and a tenth of white: 10 ** (-1 / 2.4) = 0.38 on an SDR screen."""
    assert colour_of(replace(even(round(16 + 219 * 0.357)), transfer=Transfer.PQ))[1] == pytest.approx(
        0.38 * 255, abs=4
    )


def test_wide_gamut_is_narrowed_and_greys_stay() -> None:
    """A green that both have: BT.709's (64, 200, 64) in BT.2020's primaries, by BT.2087 and a gamma of 2.4."""
    matrix = np.linalg.inv(
        np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    )
    red, green, blue = 255 * (matrix @ (np.array([64, 200, 64]) / 255) ** 2.4) ** (1 / 2.4)
    luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
    u, v = (blue - luma) / 1.8814, (red - luma) / 1.4746
    planes = even(round(luma), round(128 + u), round(128 + v))

    wide = replace(planes, matrix=Matrix.BT2020, is_full_range=True, is_wide_gamut=True)

    assert colour_of(wide) == pytest.approx((64, 200, 64), abs=4)
    assert colour_of(replace(even(126), is_wide_gamut=True))[0] == pytest.approx(colour_of(even(126))[0], abs=1)


@pytest.mark.parametrize(("is_full_range", "luma"), [(False, 16), (True, 0)])
def test_what_is_transparent_shows_white(is_full_range: bool, luma: int) -> None:
    alpha = np.full((16, 16), 0, np.uint8)
    alpha[:, 8:] = 255
    picture = to_rgb(replace(even(luma), alpha=alpha, is_full_range=is_full_range), 16, 16)

    assert (picture[:, :7] == 255).all()
    assert (picture[:, 9:] == 0).all()


def test_half_transparent_is_halfway_to_white() -> None:
    planes = replace(even(16), alpha=np.full((16, 16), 128, np.uint8))

    assert colour_of(planes)[0] == pytest.approx(127, abs=2)


def corners(orientation: Orientation, width: int, height: int) -> list[int]:
    """Shown greys (in tens) of the corners of a stored picture with 1 2 above and 3 4 below, row by row."""
    stored = np.repeat(np.repeat(np.array([[10, 20], [30, 40]], np.uint8), 16, axis=0), 24, axis=1)
    planes = replace(even(0, width=48, height=32), y=stored, is_full_range=True, orientation=orientation)
    shown = to_rgb(planes, width, height)[..., 0]
    assert shown.shape == (height, width)
    return [round(int(shown[y, x]) / 10) for y in (1, -2) for x in (1, -2)]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, [1, 2, 3, 4]),
        (2, [2, 1, 4, 3]),
        (3, [4, 3, 2, 1]),
        (4, [3, 4, 1, 2]),
        (5, [1, 3, 2, 4]),
        (6, [3, 1, 4, 2]),
        (7, [4, 2, 3, 1]),
        (8, [2, 4, 1, 3]),
        (0, [1, 2, 3, 4]),
        (9, [1, 2, 3, 4]),
    ],
)
def test_pictures_are_turned_as_exif_numbers_say(number: int, expected: list[int]) -> None:
    """Source: EXIF 2.32, section 4.6.4: where the 0th row and the 0th column are. Others are upright."""
    for width, height in ((48, 32), (32, 48)):
        assert corners(Orientation.from_exif(number), width, height) == expected


def circle(width: int, height: int) -> Pixels:
    """A white disc of half the height, stored with so many pixels: squeezed where they aren't square."""
    x = (np.arange(width) - (width - 1) / 2) / width
    y = (np.arange(height) - (height - 1) / 2) / height
    return np.where(np.hypot(x[None, :], y[:, None]) < 0.25, 255, 0).astype(np.uint8)


@pytest.mark.parametrize(("columns", "rows"), [(96, 128), (192, 128), (128, 128), (720, 576)])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 64), (64, 96)])
def test_round_things_stay_round_whatever_shape_pixels_have(columns: int, rows: int, width: int, height: int) -> None:
    planes = replace(
        even(0, width=columns, height=rows), y=circle(columns, rows), is_full_range=True, pixel_aspect=rows / columns
    )

    shown = to_rgb(planes, width, height)[..., 1] > 127

    across, down = shown[height // 2].sum(), shown[:, width // 2].sum()
    assert across == pytest.approx(down, abs=2)


@pytest.mark.parametrize("pixel_aspect", [1e-6, 0.01, 100.0, 1e6])
def test_pixels_of_an_absurd_shape_give_a_picture(pixel_aspect: float) -> None:
    assert to_rgb(replace(even(90), pixel_aspect=pixel_aspect), 32, 16).shape == (16, 32, 3)

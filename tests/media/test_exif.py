"""The orientation in pictures' headers: what Pillow writes, and what nobody should."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realtime.media.exif import orientation_of
from realtime.planes import UPRIGHT, Orientation

HEADS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF\x00\x00\x00\x00WEBPVP8X"}


def picture(kind: str, number: int | None) -> bytes:
    exif = Image.Exif()
    if number is not None:
        exif[0x112] = number
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("number", range(1, 9))
def test_all_orientations_are_found(kind: str, number: int) -> None:
    data = picture(kind, number)

    assert orientation_of(data) == orientation_of(memoryview(data)) == Orientation.from_exif(number)


@pytest.mark.parametrize("kind", HEADS)
def test_pictures_without_one_are_upright(kind: str) -> None:
    assert orientation_of(picture(kind, None)) == UPRIGHT


def jpeg(order: str, kind: int, count: int, segments: int = 0) -> bytes:
    """A JPEG's head with orientation 6 in a directory of one tag."""
    mark = b"MM" if order == ">" else b"II"
    value = struct.pack(f"{order}HH", 6, 0)
    tiff = mark + struct.pack(f"{order}HIHHHI", 42, 8, 1, 0x112, kind, count) + value
    body = b"Exif\0\0" + tiff
    empty = b"\xff\xe2\x00\x02" * segments
    return b"\xff\xd8" + empty + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\x00\x02"


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    assert orientation_of(jpeg(order, 3, 1)) == Orientation.from_exif(6)


def test_what_is_malformed_or_far_behind_is_upright() -> None:
    assert orientation_of(jpeg("<", 7, 1)) == UPRIGHT
    assert orientation_of(jpeg("<", 3, 2)) == UPRIGHT
    assert orientation_of(jpeg("<", 3, 1, segments=100)) == UPRIGHT
    assert orientation_of(b"") == UPRIGHT


@given(kind=st.sampled_from(sorted(HEADS)), rest=st.binary(max_size=200))
def test_no_bytes_make_it_raise(kind: str, rest: bytes) -> None:
    assert isinstance(orientation_of(HEADS[kind] + rest), Orientation)


@given(st.data())
def test_no_damage_makes_it_raise(data: st.DataObject) -> None:
    whole = bytearray(jpeg("<", 3, 1))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(3, len(whole) - 1))] = data.draw(st.integers(0, 255))

    assert isinstance(orientation_of(bytes(whole)), Orientation)
